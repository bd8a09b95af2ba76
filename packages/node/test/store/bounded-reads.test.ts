import { type Hex, keccak256 } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readMoney, readPeriodMoney } from '../../src/store/agreements.ts'
import type { Database } from '../../src/store/database.ts'
import { readOwed } from '../../src/store/metering.ts'
import { readUnpriced } from '../../src/store/notable.ts'
import { ALL_PERIODS, newestPeriods } from '../../src/store/periods.ts'
import { readSeries } from '../../src/store/rollups.ts'
import { readPaymentsOf, readSettlements } from '../../src/store/settlements.ts'
import { createStreamFigures } from '../../src/store/stream-figures.ts'
import { freshDatabase, tempDatabase } from '../ingest-fixture.ts'

const AGREEMENTS: Hex[] = [keccak256('0xaa'), keccak256('0xbb')]
const START = 1_000_000
const MINUTES = 2_000
const MACHINE = 7n

let server: Database
const opened: Database[] = []

beforeAll(async () => {
  server = await tempDatabase()
})
afterAll(async () => {
  for (const database of opened) await database.close()
  await server.close()
})

const anEmptyDatabase = async (): Promise<Database> => {
  const database = await freshDatabase(server)
  opened.push(database)
  return database
}

/** A machine with an envelope a minute, metered by two agreements of one long period, the first of which settles each minute. */
async function longPeriod() {
  const { pool } = await anEmptyDatabase()
  const ids = AGREEMENTS.map((id) => Buffer.from(id.slice(2), 'hex'))
  await pool.query(
    `INSERT INTO blocks SELECT s, sha256(int8send(s)), s * 1000, true FROM generate_series(0::bigint, $1) s`,
    [MINUTES],
  )
  const terms = { start: String(START), periodSeconds: 60 * MINUTES, meters: [{}] }
  for (const id of ids) {
    await pool.query(
      `INSERT INTO agreements (agreement_id, machine_id, payer, payee, asset, terms, block, tx_hash, opened_ms)
       VALUES ($1, $2, '\\x00', '\\x00', '\\x00', $3, 0, '\\x00', 0)`,
      [id, MACHINE, JSON.stringify(terms)],
    )
    await pool.query(
      `INSERT INTO folds (agreement_id, meter, machine_id, stream, start_seq, state) VALUES ($1, 0, $2, 'weight', 1, '{}')`,
      [id, MACHINE],
    )
  }
  await addEnvelopes(pool, 1, MINUTES)
  return { pool, ids }
}

/** One a minute, read at its end; each tenth was refused by the log's admission. */
async function addEnvelopes(pool: Database['pool'], first: number, last: number): Promise<void> {
  await pool.query(
    `INSERT INTO envelopes (log_index, digest, machine_id, stream, signer_id, kid, epoch, seq, prev, iat, first_ms, last_ms, readings,
       logged_at, code, declaration, raw)
     SELECT s, sha256(int8send(s)), $1, 'weight', $1, '\\x00', 1, s, '\\x00', 0, ($2 + s * 60) * 1000, ($2 + s * 60) * 1000, 1,
       ($2 + s * 60) * 1000, CASE WHEN s % 10 = 0 THEN 'FORKED' ELSE 'OK' END, false, '\\x00'
     FROM generate_series($3::bigint, $4) s`,
    [MACHINE, START, first, last],
  )
}

/** Verdicts of the agreement `nth`: the register moved, but not by what `unpriced` says of `s`, an envelope's seq. */
async function meter(
  pool: Database['pool'],
  id: Buffer | undefined,
  unpriced: string,
): Promise<void> {
  await pool.query(
    `INSERT INTO metered (agreement_id, meter, seq, period, register, digest, code, covered, last_ms)
     SELECT $1, 0, s, CASE WHEN ${unpriced} THEN -1 ELSE 0 END, s, sha256(int8send(s)),
       CASE WHEN ${unpriced} THEN 'COUNTER_ROLLBACK' ELSE 'OK' END, true, ($2 + s * 60) * 1000
     FROM generate_series(1::bigint, $3) s`,
    [id, START, MINUTES],
  )
}

test('what paid for an envelope is the first value that covers it, at the beginning and at the end of a long period', async () => {
  const { pool, ids } = await longPeriod()
  const [id] = ids
  await meter(pool, id, 'false')
  // Each value was settled a minute after the envelope that it covers last; the last envelope is not covered yet.
  await pool.query(
    `INSERT INTO agreement_events
     SELECT s, 0, '\\x00', $1, 'settled', 0, $2 + s * 60 + 30, 1,
       jsonb_build_object('owed', s::text, 'evidenceHead', '0x' || encode(sha256(int8send(s)), 'hex')), s * 1000
     FROM generate_series(1::bigint, $3) s`,
    [id, START, MINUTES - 1],
  )
  await pool.query(
    `INSERT INTO settled_values SELECT $1, 0, $2 + s * 60 + 30, sha256(int8send(s)),
       jsonb_build_array(jsonb_build_object('stream', 'weight', 'seq', s::text)) FROM generate_series(1::bigint, $3) s`,
    [id, START, MINUTES - 1],
  )
  await pool.query('ANALYZE')
  const paidAt = async (logIndex: number) =>
    (await readPaymentsOf(pool, BigInt(logIndex), 50)).map(({ settlement }) => settlement?.block)
  for (const minute of [1, 2, 1_000, MINUTES - 1]) expect(await paidAt(minute)).toEqual([minute])
  expect(await paidAt(MINUTES)).toEqual([undefined])
  expect(await paidAt(MINUTES + 1)).toEqual([])
  const newest = await readSettlements(pool, AGREEMENTS[0] ?? '0x', 2)
  expect(newest.map(({ block }) => block)).toEqual([MINUTES - 1, MINUTES - 2])
})

test('what nobody pays is what no agreement priced, newest first, by the words of the first that did not', async () => {
  const { pool, ids } = await longPeriod()
  await meter(pool, ids[0], 's % 3 = 0')
  await meter(pool, ids[1], 's % 7 = 0')
  const found = await readUnpriced(pool, MACHINE, 500)
  const expected = Array.from({ length: MINUTES }, (_, index) => MINUTES - index)
    .filter((s) => s % 10 === 0 || s % 21 === 0)
    .map((s) => [BigInt(s), s % 10 === 0 ? 'FORKED' : 'COUNTER_ROLLBACK'])
  expect(found.map(({ logIndex, code }) => [logIndex, code])).toEqual(expected)
  const few = await readUnpriced(pool, MACHINE, 5)
  expect(few).toEqual(found.slice(0, 5))
  expect(await readUnpriced(pool, MACHINE + 1n, 5)).toEqual([])
})

test('machines are counted on from where they were counted, by many who ask at once too', async () => {
  const { pool } = await longPeriod()
  const read = createStreamFigures(pool)
  const lastMs = (s: number) => (START + s * 60) * 1_000
  const figures = (s: number) =>
    new Map([[MACHINE, { streams: ['weight'], envelopes: s, lastMs: lastMs(s) }]])
  expect(await read()).toEqual(figures(MINUTES))
  await addEnvelopes(pool, MINUTES + 1, MINUTES + 10)
  for (const one of await Promise.all([read(), read(), read()])) {
    expect(one).toEqual(figures(MINUTES + 10))
  }
  expect(await createStreamFigures(pool)()).toEqual(await read())
})

test('a page of periods has the newest before one, where money moved in periods that are not owed too', async () => {
  const { pool, ids } = await longPeriod()
  const [id] = AGREEMENTS
  if (!id) throw new Error('no agreement')
  // Owed: the even ones of a thousand. Paid: each third, of more than are owed.
  await pool.query(
    `INSERT INTO owed SELECT $1, s, '{1}', s, s, '[]', 0 FROM generate_series(0, 998, 2) s`,
    [ids[0]],
  )
  await pool.query(
    `INSERT INTO agreement_events
     SELECT s, 0, '\\x00', $1, 'collected', s, NULL, s, '{}', s FROM generate_series(0, 1200, 3) s`,
    [ids[0]],
  )
  const both = Array.from({ length: 1_201 }, (_, s) => s).filter(
    (s) => s % 3 === 0 || (s % 2 === 0 && s < 1_000),
  )
  const money = (await readMoney(pool, 600, [id])).get(id)?.periods
  for (const before of [undefined, 1_100, 999, 500, 7, 1, 0]) {
    const span = await newestPeriods(pool, id, 15, before)
    const [paid, owed] = [
      await readPeriodMoney(pool, 600, id, span),
      await readOwed(pool, id, span),
    ]
    const page = [...new Set([...paid.keys(), ...owed.map(({ period }) => period)])]
    const expected = both.filter((s) => s < (before ?? ALL_PERIODS.before)).slice(-15)
    expect(page.sort((a, b) => a - b).slice(-15)).toEqual(expected)
    for (const [period, of] of paid) expect(of).toEqual(money?.get(period))
  }
})

test('a chart of many weeks is of hours, however many points are asked for', async () => {
  const { pool } = await anEmptyDatabase()
  const hours = 24 * 60
  await pool.query(
    `INSERT INTO hour_rollups SELECT $1, 'weight', s * 3600000, 'weight', 'kg', 2, s, s + 1, 2 * s + 1, s + 1, s * 3600000
     FROM generate_series(0::bigint, $2 - 1) s`,
    [MACHINE, hours],
  )
  const query = { machineId: MACHINE, stream: 'weight', fromMs: 0, toMs: hours * 3_600_000 }
  const [series] = await readSeries(pool, { ...query, points: 1_500 })
  expect(series?.bucketMs).toBe(3_600_000)
  expect(series?.buckets).toHaveLength(hours)
  expect(series?.buckets[1]).toEqual({
    timeMs: 3_600_000,
    count: 2,
    min: 1,
    max: 2,
    mean: 1.5,
    last: 2,
  })
})
