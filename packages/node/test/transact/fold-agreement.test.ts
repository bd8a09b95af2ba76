import {
  decodeEnvelope,
  type EnvelopeInput,
  type FoldStep,
  foldStream,
  type LoggedEnvelope,
  registerAt,
} from '@liquefy/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database, Queryable } from '../../src/store/database.ts'
import { bytesOf, hexOf } from '../../src/store/hex.ts'
import { readFolds } from '../../src/store/metering.ts'
import { foldTermsOfAll } from '../../src/transact/agreements.ts'
import { type FoldLimits, foldAgreements } from '../../src/transact/fold-agreement.ts'
import { meteringBench, RULE, START_MS, temporaryDatabase, termsOf } from './fixture.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
let database: Database
let temporary: Awaited<ReturnType<typeof temporaryDatabase>>
let bench: Awaited<ReturnType<typeof meteringBench>>
let machineId = 5_000n
const clock = { now: START_MS }

beforeAll(async () => {
  temporary = await temporaryDatabase()
  database = temporary.database
})
afterAll(() => temporary.remove())
beforeEach(async () => {
  bench = await meteringBench(database, clock)
  await bench.agreements.submitRules([RULE])
})

async function openAgreement(gapTimeoutSeconds: number) {
  machineId += 1n
  const machine = await bench.createMachine(machineId)
  const id = await bench.openAgreement(termsOf(machineId, { gapTimeoutSeconds }))
  await bench.agreements.refresh()
  const agreement = bench.agreements.get(id)
  if (!agreement) throw new Error('no agreement')
  return { machine, id, agreement }
}
type Opened = Awaited<ReturnType<typeof openAgreement>>

/** Counts what a database hands out of a stream: rows, and the readings in the envelopes whose bytes come with them. */
function counting(db: Queryable) {
  const counts = { rows: 0, readings: 0 }
  const counted = {
    async query(text: string, values?: unknown[]) {
      const answer = await db.query(text, values)
      if (!text.includes('FROM envelopes')) return answer
      counts.rows += answer.rows.length
      for (const { raw, declaration } of answer.rows) {
        const bytes = raw ?? declaration
        const decoded = bytes ? decodeEnvelope(bytes) : undefined
        if (decoded?.ok && decoded.envelope.content.kind === 'readings') {
          counts.readings += decoded.envelope.content.readings.length
        }
      }
      return answer
    },
  }
  return { counts, db: counted as unknown as Queryable }
}

/** Folds until there is no more; answers what each step read and when time would wake it. */
async function foldAll({ agreement }: Opened, knownUntilMs: number, limits?: FoldLimits) {
  const read: { rows: number; readings: number }[] = []
  for (let step = 0; step < 500; step += 1) {
    const { counts, portion } = await database.transaction(async (client) => {
      const { db, counts } = counting(client)
      const order = { agreement, cuts: '' }
      const done = await foldAgreements(db, [order], knownUntilMs, knownUntilMs, limits)
      const portion = done.get(agreement.agreementId)
      if (!portion) throw new Error('nothing was done')
      return { counts, portion }
    })
    read.push(counts)
    if (!portion.more) return { read, wakeMs: portion.wakeMs }
  }
  throw new Error('The fold does not come to an end.')
}

const readingsOf = (seq: number, count: number): EnvelopeInput['content'] => ({
  kind: 'readings',
  readings: Array.from({ length: count }, (_, index) => ({
    unit: 'g',
    timeMs: START_MS + seq * MINUTE_MS + index,
    value: BigInt(seq * 10),
  })),
})

const meteredRows = async ({ id }: Opened) =>
  (
    await database.pool.query(
      'SELECT seq, code, covered, period, register, digest FROM metered WHERE agreement_id = $1',
      [bytesOf(id)],
    )
  ).rows.map((row) => [
    row.seq,
    row.code,
    row.covered,
    row.period,
    BigInt(row.register),
    hexOf(row.digest),
  ])

describe('ATK a machine that withholds a seq and sends much behind it', () => {
  const limits = { envelopes: 10, readings: 100 }
  const held = async () => {
    const opened = await openAgreement(3600)
    const { machine } = opened
    for (let seq = 2; seq <= 31; seq += 1) {
      const envelope = machine.make(BigInt(seq), readingsOf(seq, 30), START_MS + seq * MINUTE_MS)
      await machine.log(envelope, START_MS + seq * MINUTE_MS)
    }
    return opened
  }

  test('makes the node decode nothing, and once it waits, read nothing', async () => {
    const opened = await held()
    const first = await foldAll(opened, START_MS + 40 * MINUTE_MS, limits)
    expect(first.read.map(({ readings }) => readings)).toEqual([0, 0, 0, 0])
    expect(first.wakeMs).toBe(START_MS + 62 * MINUTE_MS)
    const again = await foldAll(opened, START_MS + 41 * MINUTE_MS, limits)
    expect(again).toEqual({ read: [{ rows: 0, readings: 0 }], wakeMs: first.wakeMs })
  })

  test('a new envelope behind it is the only one looked at', async () => {
    const opened = await held()
    await foldAll(opened, START_MS + 40 * MINUTE_MS, limits)
    const next = opened.machine.make(32n, readingsOf(32, 30), START_MS)
    await opened.machine.log(next, START_MS + 41 * MINUTE_MS)
    const { read } = await foldAll(opened, START_MS + 42 * MINUTE_MS, limits)
    expect(read).toEqual([{ rows: 1, readings: 0 }])
  })

  test('once released, all is folded in bounded portions', async () => {
    const opened = await held()
    await foldAll(opened, START_MS + 40 * MINUTE_MS, limits)
    const { read } = await foldAll(opened, START_MS + 62 * MINUTE_MS, limits)
    expect(Math.max(...read.map(({ readings }) => readings))).toBeLessThanOrEqual(100)
    expect(read.reduce((sum, { readings }) => sum + readings, 0)).toBe(900)
    const [fold] = await readFolds(database.pool, opened.id)
    expect(fold && registerAt(fold.state, 0)).toBe(290n)
  })

  test('a declaration releases it at once', async () => {
    const opened = await held()
    await foldAll(opened, START_MS + 40 * MINUTE_MS, limits)
    const declaration = opened.machine.make(
      32n,
      {
        kind: 'declaration',
        declaration: {
          kind: 'gap',
          fromMs: START_MS,
          toMs: START_MS + MINUTE_MS,
          reason: 'lost',
          missing: [1n, 1n],
        },
      },
      START_MS,
    )
    await opened.machine.log(declaration, START_MS + 41 * MINUTE_MS)
    await foldAll(opened, START_MS + 42 * MINUTE_MS, limits)
    expect(await meteredRows(opened)).toHaveLength(31)
  })

  test('one envelope with more readings than a portion may have goes alone', async () => {
    const opened = await openAgreement(3600)
    for (let seq = 1; seq <= 3; seq += 1) {
      const envelope = opened.machine.make(BigInt(seq), readingsOf(seq, 200), START_MS)
      await opened.machine.log(envelope, START_MS + seq * MINUTE_MS)
    }
    const { read } = await foldAll(opened, START_MS + HOUR_MS, limits)
    expect(read.map(({ readings }) => readings).filter((readings) => readings > 0)).toEqual([
      200, 200, 200,
    ])
  })
})

const scene = fc.record({
  limits: fc.record({
    envelopes: fc.integer({ min: 1, max: 6 }),
    readings: fc.integer({ min: 1, max: 12 }),
  }),
  envelopes: fc.array(
    fc.record({
      seq: fc.integer({ min: 1, max: 12 }),
      pauseMs: fc.constantFrom(0, 30_000, 60_000),
      admitted: fc.integer({ min: 0, max: 4 }).map((draw) => draw > 0),
      foldAfter: fc.boolean(),
      count: fc.integer({ min: 1, max: 5 }),
      missing: fc.option(fc.tuple(fc.integer({ min: 1, max: 8 }), fc.nat(3)), { freq: 3 }),
    }),
    { maxLength: 18 },
  ),
})

test('INV-19 folded live, in the smallest portions, is folded at once afterwards', async () => {
  await fc.assert(
    fc.asyncProperty(scene, async ({ limits, envelopes }) => {
      const opened = await openAgreement(120)
      const { machine, agreement, id } = opened
      const logged: LoggedEnvelope[] = []
      let nowMs = START_MS + 30 * MINUTE_MS
      for (const [index, draw] of envelopes.entries()) {
        nowMs += draw.pauseMs
        const content: EnvelopeInput['content'] = draw.missing
          ? {
              kind: 'declaration',
              declaration: {
                kind: 'gap',
                fromMs: START_MS,
                toMs: START_MS + index * MINUTE_MS,
                reason: `test ${index}`,
                missing: [BigInt(draw.missing[0]), BigInt(draw.missing[0] + draw.missing[1])],
              },
            }
          : readingsOf(draw.seq, draw.count)
        const made = machine.make(BigInt(draw.seq), content, START_MS + index * 1000)
        const second = logged.some(({ seq }) => seq === made.seq)
        const code = second ? 'EQUIVOCATION' : draw.admitted ? 'OK' : 'CHAIN_BROKEN'
        await machine.log(made, nowMs, code)
        const { seq, digest } = made
        const decoded = decodeEnvelope(made.bytes)
        if (!decoded.ok) throw new Error(decoded.message)
        const { envelope } = decoded
        logged.push({ seq, digest, loggedAt: nowMs, code, content: envelope.content, iat: 0 })
        if (draw.foldAfter) await foldAll(opened, nowMs - 1, limits)
      }
      const endMs = nowMs + 90_000
      const { wakeMs } = await foldAll(opened, endMs, limits)
      const [terms] = agreement.terms ? foldTermsOfAll(agreement.terms, agreement.rules, [1n]) : []
      if (!terms) throw new Error('no terms')
      const whole = foldStream(terms, logged, endMs)
      const [fold] = await readFolds(database.pool, id)
      expect(fold?.state).toEqual(whole.state)
      expect(wakeMs).toBe(whole.wakeAtMs)
      expect(new Set(await meteredRows(opened))).toEqual(new Set(whole.steps.flatMap(rowsOf)))
    }),
    { numRuns: 60 },
  )
}, 300_000)

function rowsOf({ seq, code, covered, registers, digest }: FoldStep) {
  const moved = Object.entries(registers)
  if (moved.length === 0) return [[seq, code, covered, -1, 0n, digest]]
  return moved.map(([period, register]) => [seq, code, covered, Number(period), register, digest])
}
