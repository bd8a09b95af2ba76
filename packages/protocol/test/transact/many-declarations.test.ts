import type { Hex } from 'viem'
import { describe, expect, test } from 'vitest'
import {
  advance,
  type Declaration,
  type FoldTerms,
  type LoggedEnvelope,
  startFold,
} from '../../src/index.ts'

const START_MS = 1_760_000_000_000
const MANY = 8_000
/** A square in their number takes ten times as long, and a node has one thread for all machines. */
const MOST_MS = 3_000

const terms: FoldTerms = {
  rule: {
    rule: 'drawdown',
    version: 1,
    unit: 'mm',
    scale: 0,
    registerUnit: 'mm',
    factor: { numerator: 1, denominator: 1 },
    maxRate: { burst: '1000', perHour: '1000' },
    noiseBand: 0,
    maxSilenceSeconds: 60,
  },
  machineId: 7n,
  stream: 'level',
  startMs: START_MS,
  periodSeconds: 86_400,
  periods: 24,
  backfillSeconds: 86_400,
  lateSeconds: 0,
  gapTimeoutSeconds: 3_600,
  startSeq: 1n,
}

const logged = (seq: number, content: LoggedEnvelope['content']): LoggedEnvelope => ({
  seq: BigInt(seq),
  digest: `0x${seq.toString(16).padStart(64, '0')}` as Hex,
  loggedAt: START_MS + seq,
  code: 'OK',
  iat: START_MS / 1000,
  content,
})
const declared = (seq: number, declaration: Declaration) =>
  logged(seq, { kind: 'declaration', declaration })
const numbers = Array.from({ length: MANY }, (_, index) => index)

function timed<Result>(work: () => Result): Result {
  const began = performance.now()
  const result = work()
  expect(performance.now() - began).toBeLessThan(MOST_MS)
  return result
}

describe('ATK a machine that declares without end holds nobody up', () => {
  const missing = numbers.map((index) =>
    declared(3 * index + 4, {
      kind: 'gap',
      fromMs: START_MS + 10 * index,
      toMs: START_MS + 10 * index + 5,
      reason: '',
      missing: [BigInt(3 * index + 3), BigInt(3 * index + 3)],
    }),
  )

  test('while a gap before them all is open', () => {
    const { waiting } = timed(() => advance(terms, startFold(terms), missing, START_MS + 3 * MANY))
    expect(waiting).toHaveLength(MANY)
  })

  test('when it is given up', () => {
    const { waiting, state } = timed(() =>
      advance(terms, startFold(terms), missing, START_MS + 1e9),
    )
    expect(waiting).toEqual([])
    expect(state.declaredGapsMs).toHaveLength(MANY)
    const readings = Array.from({ length: 4_000 }, (_, index) => ({
      name: 'level',
      unit: 'mm',
      timeMs: START_MS + 1 + index,
      value: { kind: 'decimal', mantissa: BigInt(9_000 - index), exponent: 0 } as const,
    }))
    const reading = logged(3 * MANY + 2, { kind: 'readings', readings })
    const next = timed(() => advance(terms, state, [reading], START_MS + 1e9))
    expect(next.steps).toMatchObject([{ code: 'OK', registers: { 0: 3_999n } }])
    expect(next.state.declaredGapsMs).toHaveLength(MANY - 400)
  })

  test('nor replacements to come, whatever their order', () => {
    const replacements = numbers.map((index) =>
      declared(index + 1, {
        kind: 'replacement',
        atMs: START_MS + 10_000 + ((index * 7_919) % MANY),
        reason: '',
      }),
    )
    const { state } = timed(() => advance(terms, startFold(terms), replacements, START_MS + 1e9))
    expect(state.replacementsMs).toEqual(numbers.map((index) => START_MS + 10_000 + index))
  })
})
