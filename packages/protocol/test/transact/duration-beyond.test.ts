import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type DurationBeyondRule,
  type FoldTerms,
  foldStream,
  foldToJson,
  type LoggedEnvelope,
  registerAt,
} from '../../src/index.ts'
import { BREACH, decimal, declaration, reading, readings, START_MS, termsOf } from './fixtures.ts'

function fold(
  rule: DurationBeyondRule,
  envelopes: LoggedEnvelope[],
  changes: Partial<FoldTerms> = {},
) {
  const { steps, state } = foldStream(termsOf(rule, changes), envelopes, START_MS + 1e12)
  return { codes: steps.map(({ code }) => code), state, billed: registerAt(state, 0) }
}

/** A temperature in tenths of a degree, this many seconds after the start. */
const at = (seq: number, seconds: number, tenths: number) => {
  const timeMs = START_MS + Math.round(seconds * 1_000)
  const record = { ...reading(BREACH, 0, decimal(tenths, -1)), timeMs }
  return readings(seq, [record], { loggedAt: timeMs })
}
/** Time declared from and to, in seconds after the start; logged at the start, or when said. */
const declare = (
  kind: 'gap' | 'excuse',
  seq: number,
  from: number,
  to: number,
  loggedSeconds = 0,
) => {
  const [fromMs, toMs] = [START_MS + from * 1_000, START_MS + to * 1_000]
  const loggedAt = START_MS + loggedSeconds * 1_000
  return declaration(seq, { kind, fromMs, toMs, reason: 'defrost' }, { loggedAt })
}

describe('duration-beyond', () => {
  test('the time between two readings counts if both lie beyond', () => {
    expect(fold(BREACH, [at(1, 0, 81), at(2, 60, 90), at(3, 120, 80), at(4, 180, 81)]).billed).toBe(
      60n,
    )
  })

  test('at the threshold is not beyond it', () => {
    expect(fold(BREACH, [at(1, 0, 80), at(2, 60, 80)]).billed).toBe(0n)
  })

  test('below, with a threshold under zero', () => {
    const rule: DurationBeyondRule = { ...BREACH, beyond: 'below', threshold: '-180' }
    const stream = [at(1, 0, -180), at(2, 60, -181), at(3, 90, -200), at(4, 120, 50)]
    expect(fold(rule, stream)).toMatchObject({ codes: ['OK', 'OK', 'OK', 'OK'], billed: 30n })
  })

  test('milliseconds are kept and floored once for the period', () => {
    const stream = [0, 0.4, 0.8, 1.2, 1.6, 2].map((s, index) => at(index + 1, s, 90))
    expect(fold(BREACH, stream.slice(0, 3)).billed).toBe(0n)
    expect(fold(BREACH, stream).billed).toBe(2n)
  })

  test('not across an undeclared silence, nor over a declared gap', () => {
    expect(fold(BREACH, [at(1, 0, 90), at(2, 901, 90), at(3, 911, 90)])).toMatchObject({
      codes: ['OK', 'GAP', 'OK'],
      billed: 10n,
    })
    const declared = [at(1, 0, 90), declare('gap', 2, 10, 990), at(3, 1_000, 90)]
    expect(fold(BREACH, declared)).toMatchObject({ codes: ['OK', 'OK', 'OK'], billed: 20n })
  })

  test('a silence that hides no breach is no gap', () => {
    expect(fold(BREACH, [at(1, 0, 90), at(2, 901, 50)]).codes).toEqual(['OK', 'OK'])
  })

  test('excused time is left out, to the millisecond', () => {
    const stream = [at(1, 0, 90), declare('excuse', 2, 30, 45), at(3, 60.5, 90), at(4, 70.5, 90)]
    const { billed, state } = fold(BREACH, stream)
    expect(billed).toBe(55n)
    expect(state.excusedMs).toEqual({ 0: 15_000 })
  })

  test('an excuse counts only from its place in the stream on', () => {
    const stream = [at(1, 0, 90), at(2, 60, 90), declare('excuse', 3, 0, 90, 60), at(4, 120, 90)]
    expect(fold(BREACH, stream).billed).toBe(60n + 30n)
  })

  test('at most the allowance of each period is excused', () => {
    const all = declare('excuse', 1, 0, 1e6)
    const stream = [all, ...Array.from({ length: 121 }, (_, i) => at(i + 2, i * 60, 90))]
    const { state } = fold(BREACH, stream)
    // The minute that ends at the hour belongs to the second hour.
    expect([registerAt(state, 0), registerAt(state, 1)]).toEqual([59n * 60n - 600n, 3_600n - 600n])
  })

  test('time that a gap is declared for uses up no allowance', () => {
    const stream = [
      declare('gap', 1, 100, 200),
      declare('excuse', 2, 150, 400),
      at(3, 0, 90),
      at(4, 500, 90),
    ]
    const { billed, state } = fold(BREACH, stream)
    expect(billed).toBe(500n - 100n - 200n)
    expect(state.excusedMs).toEqual({ 0: 200_000 })
  })

  test('an excuse for another rule changes nothing', () => {
    const counter = { rule: 'counter', maxRate: { burst: '1', perHour: '1' } } as const
    const { beyond, threshold, maxSilenceSeconds, maxExcusedSeconds, ...common } = BREACH
    const terms = termsOf({ ...common, ...counter })
    const { steps, state } = foldStream(terms, [declare('excuse', 1, 0, 1e6)], START_MS)
    expect(steps.map(({ code }) => code)).toEqual(['OK'])
    expect(state.excusesMs).toBeUndefined()
  })

  test('ATK a machine that excuses without end: the state stays small', () => {
    const many = Array.from({ length: 5_000 }, (_, i) =>
      declare('excuse', i + 1, 10 * i, 10 * i + 5),
    )
    const { state } = fold(BREACH, many)
    expect(state.excusesMs).toHaveLength(256)
    expect(foldToJson(state).length).toBeLessThan(10_000)
  })

  const walk = fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ elapsed: fc.nat(700), tenths: fc.integer({ min: 60, max: 100 }) }),
      },
      { weight: 1, arbitrary: fc.record({ from: fc.nat(8_000), length: fc.nat(2_000) }) },
    ),
    { maxLength: 40 },
  )
  const play = (steps: typeof walk extends fc.Arbitrary<infer Step> ? Step : never) => {
    let seconds = 0
    return steps.map((step, index) => {
      if ('from' in step) {
        return declare('excuse', index + 1, step.from, step.from + step.length, seconds)
      }
      seconds += step.elapsed
      return at(index + 1, seconds, step.tenths)
    })
  }
  const options = { numRuns: process.env.LIQUEFY_NIGHTLY ? 20_000 : 300 }

  test('an excuse never raises a register, and takes off no more than the allowance', () => {
    fc.assert(
      fc.property(walk, fc.nat(2_000), (steps, allowance) => {
        const stream = play(steps)
        const rule = { ...BREACH, maxExcusedSeconds: allowance }
        const excused = fold(rule, stream).state
        // An allowance of nothing is the same stream as if nobody had excused anything.
        const strict = fold({ ...BREACH, maxExcusedSeconds: 0 }, stream).state
        for (let period = 0; period < 24; period += 1) {
          const [less, more] = [registerAt(excused, period), registerAt(strict, period)]
          expect(less).toBeLessThanOrEqual(more)
          expect(more - less).toBeLessThanOrEqual(BigInt(allowance))
          expect(excused.excusedMs?.[period] ?? 0).toBeLessThanOrEqual(allowance * 1_000)
        }
      }),
      options,
    )
  })

  test('the register is the breach, second by second, less what was excused before it was read', () => {
    fc.assert(
      fc.property(walk, (steps) => {
        const stream = play(steps)
        const rule = { ...BREACH, maxExcusedSeconds: 1e6 }
        let last: { second: number; tenths: number } | undefined
        const excused = new Set<number>()
        let breach = 0
        let now = 0
        for (const step of steps) {
          if ('from' in step) {
            for (let s = step.from; s < step.from + step.length; s += 1) excused.add(s)
            continue
          }
          now += step.elapsed
          if (last && last.tenths > 80 && step.tenths > 80 && now - last.second <= 900) {
            for (let s = last.second; s < now; s += 1) breach += Number(!excused.has(s))
          }
          last = { second: now, tenths: step.tenths }
        }
        const { billed } = fold(rule, stream, { periodSeconds: 86_400 })
        expect(billed).toBe(BigInt(breach))
      }),
      options,
    )
  })
})
