import { randomBytes } from 'node:crypto'
import { clearingHouseAbi } from '@liquefy/abi'
import {
  type Hex,
  meterValuesDigest,
  NOBODY_SIGNER,
  SIGNER_KIND,
  type Tariff,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { decodeFunctionData } from 'viem'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { saveAttestation } from '../../src/store/attestations.ts'
import type { Database } from '../../src/store/database.ts'
import { bytesOf } from '../../src/store/hex.ts'
import { saveMeterValue } from '../../src/store/meter-values.ts'
import { readOwed } from '../../src/store/metering.ts'
import { createSettlement, type Settlement } from '../../src/transact/settlement.ts'
import { advanceTime } from '../../src/transact/time-owed.ts'
import { CHAIN, logger, meteringBench, START_MS, temporaryDatabase, termsOf } from './fixture.ts'

const START = START_MS / 1000
const HOUR_MS = 3_600_000
let database: Database
let temporary: Awaited<ReturnType<typeof temporaryDatabase>>
let bench: Awaited<ReturnType<typeof meteringBench>>
let settlement: Settlement
let submitted: { intentId: string; kind: string; data: Hex }[]
let logIndex = 0
const clock = { now: START_MS }

beforeAll(async () => {
  temporary = await temporaryDatabase()
  database = temporary.database
})
afterAll(() => temporary.remove())

beforeEach(async () => {
  for (const table of ['meter_values', 'attestations', 'outbox', 'agreement_events', 'owed']) {
    await database.pool.query(`DELETE FROM ${table}`)
  }
  clock.now = START_MS
  submitted = []
  bench = await meteringBench(database, clock)
  settlement = createSettlement({
    database,
    clock: { nowMs: () => clock.now },
    outbox: {
      async submit(intent) {
        await database.pool.query(
          `INSERT INTO outbox (intent_id, kind, data, created_ms, updated_ms)
           VALUES ($1, $2, $3, 0, 0) ON CONFLICT DO NOTHING`,
          [intent.intentId, intent.kind, bytesOf(intent.data)],
        )
        submitted.push(intent)
      },
    },
    deployment: CHAIN,
    policy: { minMinor: 1_000n, maxAgeMs: 1_800_000 },
    logger,
  })
  return () => settlement.close()
})

const happen = async (
  agreementId: Hex,
  kind: string,
  event: { amount?: bigint; period?: number; asOf?: number; detail?: object; txHash?: Buffer },
) => {
  logIndex += 1
  await database.pool.query(
    `INSERT INTO agreement_events (block, log_index, tx_hash, agreement_id, kind, period, as_of, amount, detail, at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`,
    [
      await bench.nextBlock(),
      logIndex,
      event.txHash ?? randomBytes(32),
      bytesOf(agreementId),
      kind,
      event.period ?? null,
      event.asOf ?? null,
      event.amount ?? null,
      JSON.stringify(event.detail ?? {}),
    ],
  )
}
const callOf = (data: Hex) => decodeFunctionData({ abi: clearingHouseAbi, data })
/** What was submitted as `settle`, as `[period, asOf - start, signature]` of each item. */
const settled = () =>
  submitted.flatMap(({ data }) => {
    const call = callOf(data)
    if (call.functionName !== 'settle') return []
    const [values, signatures] = call.args
    return values.map(({ period, asOf }, index) => [
      period,
      Number(asOf) - START,
      signatures[index],
    ])
  })
const include = async (intentId: string) => {
  const txHash = randomBytes(32)
  await database.pool.query(
    `UPDATE outbox SET status = 'included', tx_hash = $2 WHERE intent_id = $1`,
    [intentId, txHash],
  )
  return txHash
}

describe('what nobody signs', () => {
  const terms = (change: Partial<Terms> = {}) =>
    termsOf(0n, {
      meters: [],
      limits: [],
      signerKind: SIGNER_KIND.nobody,
      signer: NOBODY_SIGNER,
      periods: 3,
      ...change,
    })
  /** A stand-in with the shape of a tariff: what is owed by time is tested with the ledger's own in node/test. */
  const tariff: Tariff = { kind: 'linear', prices: [], scale: 0 }

  const owe = async (agreementId: Hex, rows: [period: number, asOf: number, owed: bigint][]) => {
    for (const [period, asOf, owed] of rows) {
      await database.pool.query(
        `INSERT INTO owed VALUES ($1, $2, '{}', $3, $4, '[]', 0)
         ON CONFLICT (agreement_id, period) DO UPDATE SET as_of = $3, owed_minor = $4`,
        [bytesOf(agreementId), period, START + asOf, owed],
      )
    }
  }

  test('each period that has begun is written, and once more at its end; then there is nothing to wait for', async () => {
    const agreementId = await bench.openAgreement(terms())
    await bench.agreements.refresh()
    const agreement = bench.agreements.get(agreementId)
    if (!agreement) throw new Error('it was opened')
    const advance = (nowMs: number) =>
      advanceTime(database.pool, { ...agreement, tariff }, terms(), nowMs)
    const rows = async () =>
      (await readOwed(database.pool, agreementId)).map(({ period, asOf }) => [
        period,
        Number(asOf) - START,
      ])
    expect((await advance(START_MS - 5_000)).wakeMs).toBe(START_MS)
    expect(await rows()).toEqual([])
    expect((await advance(START_MS + 60_500)).wakeMs).toBe(START_MS + 62_500)
    expect(await rows()).toEqual([[0, 60]])
    await advance(START_MS + 2 * HOUR_MS + 1_000)
    expect(await rows()).toEqual([
      [0, 3_600],
      [1, 3_600 * 2],
      [2, 3_600 * 2 + 1],
    ])
    expect((await advance(START_MS + 9 * HOUR_MS)).wakeMs).toBeUndefined()
    expect((await rows()).at(-1)).toEqual([2, 3_600 * 3])
  })

  test('is relayed by amount, by age and at the end of a period, without a signature, while there is escrow', async () => {
    const id = await bench.openAgreement(terms())
    await owe(id, [[0, 60, 999n]])
    clock.now = START_MS + 60_000
    await settlement.settleNow()
    expect(settled()).toEqual([])
    await happen(id, 'funded', { amount: 100_000n })
    await owe(id, [[0, 70, 1_000n]])
    await expect.poll(settled, { timeout: 30_000 }).toEqual([[0, 70, '0x']])
    const [first] = submitted
    const txHash = await include(first?.intentId ?? '')
    const paid = { amount: 1_000n, period: 0, asOf: START + 70, detail: { owed: '1000' }, txHash }
    await happen(id, 'settled', paid)
    await settlement.ledgerChanged([id])
    // Little more, but owed for long; and a period that has ended, with next to nothing.
    clock.now = START_MS + 1_900_000
    await owe(id, [[0, 1_900, 1_001n]])
    await expect.poll(settled, { timeout: 30_000 }).toHaveLength(2)
    await owe(id, [[1, 7_200, 1n]])
    await expect.poll(settled, { timeout: 30_000 }).toHaveLength(3)
    expect(settled().slice(1)).toEqual([
      [0, 1_900, '0x'],
      [1, 7_200, '0x'],
    ])
  })

  test('nothing of a closed one', async () => {
    const id = await bench.openAgreement(terms())
    await happen(id, 'funded', { amount: 100_000n })
    await happen(id, 'closed', { amount: 100_000n })
    await owe(id, [[0, 70, 5_000n]])
    await settlement.settleNow()
    expect(submitted).toEqual([])
  })
})

test('an attestation goes whole, in one call; a value that the ledger skipped makes it go whole again', async () => {
  const ids = [
    await bench.openAgreement(termsOf(9_001n)),
    await bench.openAgreement(termsOf(9_002n)),
  ]
  const values = ids.map((agreementId, index) => ({
    agreementId,
    period: 0,
    asOf: BigInt(START + 60),
    registers: [BigInt(index + 1) * 1_000n],
    evidenceHead: ZERO_DIGEST,
  }))
  const attestationId = meterValuesDigest({ ...CHAIN, values })
  const signer: Hex = `0x${'00'.repeat(31)}09`
  const attestation = { attestationId, signerKind: 1, signer, values }
  await saveAttestation(database.pool, { ...attestation, signature: '0xabcd' }, clock.now)
  for (const value of values) {
    await saveMeterValue(database.pool, {
      ...value,
      heads: [],
      signature: '0x',
      attestationId,
      owedMinor: 3_000n,
      receivedMs: clock.now,
    })
  }
  await settlement.settleNow()
  expect(submitted).toHaveLength(1)
  const [intent] = submitted
  const expected = {
    functionName: 'settleAttested',
    args: [values, 1, signer, '0xabcd'],
  }
  expect(intent && callOf(intent.data)).toEqual(expected)
  const txHash = await include(intent?.intentId ?? '')
  const [paid, skipped] = ids as [Hex, Hex]
  await happen(paid, 'settled', { amount: 3_000n, period: 0, detail: { owed: '3000' }, txHash })
  await happen(skipped, 'skipped', { period: 0, detail: { reason: 'RATE_BOUND' }, txHash })
  await settlement.ledgerChanged(ids)
  clock.now += 3_000
  await expect.poll(() => submitted.length, { timeout: 30_000 }).toBe(2)
  expect(submitted[1]?.intentId).not.toBe(intent?.intentId)
  expect(callOf(submitted[1]?.data ?? '0x')).toEqual(expected)
  const { rows } = await database.pool.query(
    'SELECT agreement_id FROM meter_values WHERE intent_id IS NOT NULL',
  )
  expect(rows.map((row) => `0x${row.agreement_id.toString('hex')}`)).toEqual([skipped])
})

describe('ATK collecting arrears is bounded', () => {
  const arrears = async (id: Hex, periods: number) => {
    for (let period = 0; period < periods; period += 1) {
      await happen(id, 'settled', { amount: 0n, period, detail: { owed: '3000' } })
    }
  }

  test('a stranger who funds one unit at a time causes no transaction', async () => {
    const id = await bench.openAgreement(termsOf(9_003n))
    await arrears(id, 1)
    for (let round = 0; round < 3; round += 1) {
      await happen(id, 'funded', { amount: 1n })
      await settlement.ledgerChanged([id])
    }
    expect(submitted).toEqual([])
    await happen(id, 'funded', { amount: 1_000n })
    await settlement.ledgerChanged([id])
    expect(submitted).toHaveLength(1)
  })

  test('one call has at most 50 periods, and the next one waits for it', async () => {
    const id = await bench.openAgreement(termsOf(9_004n))
    await arrears(id, 60)
    await happen(id, 'funded', { amount: 1_000_000n })
    await settlement.ledgerChanged([id])
    await happen(id, 'funded', { amount: 1n })
    await settlement.ledgerChanged([id])
    expect(submitted).toHaveLength(1)
    const call = callOf(submitted[0]?.data ?? '0x')
    expect(call.functionName === 'collect' && call.args[1]).toEqual(
      Array.from({ length: 50 }, (_, period) => period),
    )
    await include(submitted[0]?.intentId ?? '')
    await expect.poll(() => submitted.length, { timeout: 30_000 }).toBe(2)
  })
})
