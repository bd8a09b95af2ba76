import type { Hex } from '@liquefy/protocol'
import type { Pool } from 'pg'
import { expect, test } from 'vitest'
import {
  readPaidSteps,
  readProvenSteps,
  registerAtTime,
  sampleRegisters,
} from '../../src/store/money-history.ts'
import { newDataDir, testDatabase } from '../chain/support.ts'

const AGREEMENT: Hex = `0x${'aa'.repeat(32)}`
const OF = { agreementId: AGREEMENT, meter: 0, period: 0 }
const MANY = 10_000

/** A period that every third envelope moved, by ten units a second, and a hundred payments. */
const someMoney = async (): Promise<Pool> => {
  const { pool } = await testDatabase(await newDataDir())
  const id = Buffer.from(AGREEMENT.slice(2), 'hex')
  // Every ninth came out of line.
  await pool.query(
    `INSERT INTO metered (agreement_id, meter, seq, period, register, digest, code, covered, last_ms)
     SELECT $1, 0, s, 0, s * 10, sha256(int8send(s)), 'OK', s % 9 <> 0, s * 1000
     FROM generate_series(3::bigint, $2::bigint, 3) s`,
    [id, MANY],
  )
  await pool.query(
    `INSERT INTO blocks SELECT s, sha256(int8send(s)), s * 1000, true FROM generate_series(1::bigint, 100) s`,
  )
  await pool.query(
    `INSERT INTO agreement_events
     SELECT s, 0, '\\x00', $1, 'settled', 0, s, 10, jsonb_build_object('owed', (s * 10)::text), s * 1000
     FROM generate_series(1::bigint, 100) s`,
    [id],
  )
  return pool
}

test('samples of a register are in order, the first and the last among them; at any time it is that of the last reading until then', async () => {
  const pool = await someMoney()
  for (const points of [2, 7, 200]) {
    const samples = await sampleRegisters(pool, OF, points)
    expect(samples.length).toBeLessThanOrEqual(points)
    expect(samples[0]?.seq).toBe(3n)
    expect(samples.at(-1)?.seq).toBe(9_996n)
    for (const { seq, timeMs, register } of samples) {
      expect([timeMs, register]).toEqual([Number(seq) * 1_000, seq * 10n])
    }
    expect(samples.map(({ seq }) => seq)).toEqual(
      samples.map(({ seq }) => seq).toSorted((one, other) => Number(one - other)),
    )
  }
  for (const second of [0, 2, 3, 4, 8, 9, 10, 5_555, 9_996, 20_000]) {
    let last = BigInt(Math.min(second, MANY) - (Math.min(second, MANY) % 3))
    if (last % 9n === 0n && last > 0n) last -= 3n
    expect(await registerAtTime(pool, OF, second * 1_000 + 500)).toBe(last * 10n)
  }
  expect(await registerAtTime(pool, { ...OF, period: 1 }, 5_000)).toBe(0n)
})

test('what the ledger knows: proven steps, at most so many, and payments, which add up', async () => {
  const pool = await someMoney()
  expect(await readProvenSteps(pool, OF, 1)).toEqual([{ asOf: 100n, owedMinor: 1_000n }])
  const proven = await readProvenSteps(pool, OF, 7)
  expect(proven.length).toBeLessThanOrEqual(7)
  expect(proven.at(-1)).toEqual({ asOf: 100n, owedMinor: 1_000n })
  expect(await readProvenSteps(pool, OF, 1, 50n)).toEqual([{ asOf: 50n, owedMinor: 500n }])
  expect(await readProvenSteps(pool, { ...OF, period: 1 }, 5)).toEqual([])
  const span = { fromMs: 20_000, toMs: 100_000, points: 8, finalBlock: 90 }
  const steps = await readPaidSteps(pool, AGREEMENT, span)
  expect(steps[0]).toMatchObject({ atMs: 20_000, paidMinor: 200n })
  expect(steps.length).toBeLessThanOrEqual(9)
  const sum = (pick: (step: (typeof steps)[number]) => bigint) =>
    steps.reduce((total, step) => total + pick(step), 0n)
  expect(sum(({ paidMinor }) => paidMinor)).toBe(1_000n)
  expect(sum(({ finalMinor }) => finalMinor)).toBe(900n)
})
