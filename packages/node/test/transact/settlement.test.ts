import { randomBytes } from 'node:crypto'
import { clearingHouseAbi } from '@liquefy/abi'
import type { Hex } from '@liquefy/protocol'
import { decodeFunctionData } from 'viem'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { saveAdjustment } from '../../src/store/adjustments.ts'
import type { Database } from '../../src/store/database.ts'
import { bytesOf } from '../../src/store/hex.ts'
import { readProblem, saveMeterValue } from '../../src/store/meter-values.ts'
import { createSettlement, type Settlement } from '../../src/transact/settlement.ts'
import { CHAIN, logger, meteringBench, START_MS, temporaryDatabase, termsOf } from './fixture.ts'

interface Submitted {
  intentId: string
  kind: string
  data: Hex
}

const START = START_MS / 1000
let database: Database
let temporary: Awaited<ReturnType<typeof temporaryDatabase>>
let bench: Awaited<ReturnType<typeof meteringBench>>
let settlement: Settlement
let submitted: Submitted[]
let machineId = 0n
let logIndex = 0
const clock = { now: START_MS }

beforeAll(async () => {
  temporary = await temporaryDatabase()
  database = temporary.database
})
afterAll(() => temporary.remove())

const startSettlement = (policy = { minMinor: 1_000n, maxAgeMs: 60_000 }, asset?: Hex) =>
  createSettlement({
    database,
    clock: { nowMs: () => clock.now },
    outbox: {
      async submit(intent) {
        await database.pool.query(
          `INSERT INTO outbox (intent_id, kind, data, created_ms, updated_ms)
           VALUES ($1, $2, $3, 0, 0) ON CONFLICT DO NOTHING`,
          [intent.intentId, intent.kind, bytesOf(intent.data)],
        )
        // Told only now: whoever waits for it goes on with the row.
        submitted.push(intent)
      },
    },
    deployment: CHAIN,
    policy,
    asset,
    logger,
  })

beforeEach(async () => {
  for (const table of ['meter_values', 'adjustments', 'outbox', 'agreement_events']) {
    await database.pool.query(`DELETE FROM ${table}`)
  }
  clock.now = START_MS
  submitted = []
  bench = await meteringBench(database, clock)
  settlement = startSettlement()
  return () => settlement.close()
})

const openAgreement = () => {
  machineId += 1n
  return bench.openAgreement(termsOf(machineId))
}
const accept = (
  agreementId: Hex,
  owedMinor: bigint,
  change: { asOf?: number; period?: number; evidenceHead?: Hex; signature?: Hex } = {},
) =>
  saveMeterValue(database.pool, {
    agreementId,
    period: change.period ?? 0,
    asOf: BigInt(change.asOf ?? START + 60),
    registers: [owedMinor / 3n],
    evidenceHead: change.evidenceHead ?? `0x${randomBytes(32).toString('hex')}`,
    heads: [{ stream: 'weight', seq: '1' }],
    signature: change.signature ?? `0x${'55'.repeat(64)}`,
    owedMinor,
    receivedMs: clock.now,
  })
const happen = async (
  agreementId: Hex,
  kind: string,
  event: { amount?: bigint; period?: number; detail?: object; txHash?: Buffer } = {},
) => {
  logIndex += 1
  await database.pool.query(
    `INSERT INTO agreement_events (block, log_index, tx_hash, agreement_id, kind, period, amount, detail, at_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0)`,
    [
      await bench.nextBlock(),
      logIndex,
      event.txHash ?? randomBytes(32),
      bytesOf(agreementId),
      kind,
      event.period ?? null,
      event.amount ?? null,
      JSON.stringify(event.detail ?? {}),
    ],
  )
}
/** The ledger includes an intent's transaction; answers its hash, for the events that it causes. */
const include = async (intentId: string, status = 'included') => {
  const txHash = randomBytes(32)
  await database.pool.query('UPDATE outbox SET status = $2, tx_hash = $3 WHERE intent_id = $1', [
    intentId,
    status,
    txHash,
  ])
  return txHash
}
const callOf = ({ data }: Submitted) => decodeFunctionData({ abi: clearingHouseAbi, data })
const sent = async (count: number): Promise<Submitted[]> => {
  await expect.poll(() => submitted.length, { timeout: 90_000 }).toBe(count)
  return submitted
}
const quiet = () => new Promise((resolve) => setTimeout(resolve, 1_200))

describe('policy', () => {
  test('by amount: small ones wait, large ones go, of each period only the highest', async () => {
    const [small, large] = [await openAgreement(), await openAgreement()]
    await accept(small, 999n)
    await accept(large, 600n)
    await accept(large, 1_200n, { asOf: START + 90 })
    const [first] = await sent(1)
    expect(first && callOf(first)).toMatchObject({
      functionName: 'settle',
      args: [[{ agreementId: large, registers: [400n] }], [`0x${'55'.repeat(64)}`]],
    })
    expect(first?.intentId).toMatch(`settle:${large}:0:${START + 90}:0x`)
    await quiet()
    expect(submitted).toHaveLength(1)
  })

  test('by age of the oldest value that is not on the ledger', async () => {
    const id = await openAgreement()
    await accept(id, 3n)
    clock.now += 60_000
    await accept(id, 6n, { asOf: START + 90 })
    const [first] = await sent(1)
    expect(first && callOf(first).args[0]).toMatchObject([{ registers: [2n] }])
  })

  test('at once when it would use up half the escrow left', async () => {
    const id = await openAgreement()
    await happen(id, 'funded', { amount: 300n })
    await accept(id, 150n)
    await sent(1)
  })

  test('settleNow takes all, in batches, each in one call', async () => {
    const ids = await Promise.all(Array.from({ length: 60 }, openAgreement))
    for (const id of ids) await accept(id, 3n)
    expect(await settlement.settleNow()).toHaveLength(2)
    const counts = submitted.map((one) => (callOf(one).args[0] as unknown[]).length)
    expect(counts.sort((a, b) => a - b)).toEqual([10, 50])
  })
})

describe('outcomes', () => {
  test('INV-9 under way it is not sent twice; settled it is done; more goes again', async () => {
    const id = await openAgreement()
    await accept(id, 3_000n)
    const [first] = await sent(1)
    await accept(id, 6_000n, { asOf: START + 90 })
    await quiet()
    expect(submitted).toHaveLength(1)
    const txHash = await include(first?.intentId ?? '')
    await happen(id, 'settled', { amount: 3_000n, period: 0, detail: { owed: '3000' }, txHash })
    await settlement.ledgerChanged([id])
    const [, second] = await sent(2)
    expect(second && callOf(second).args[0]).toMatchObject([{ registers: [2_000n] }])
  })

  test('a crash between marking and sending is mended with the same intent and call', async () => {
    const id = await openAgreement()
    await accept(id, 3_000n)
    const [first] = await sent(1)
    await settlement.close()
    await database.pool.query('DELETE FROM outbox')
    settlement = startSettlement()
    const [, again] = await sent(2)
    expect(again).toEqual(first)
  })

  test('skipped and retryable: tried again alone after a pause, as another intent', async () => {
    const id = await openAgreement()
    await accept(id, 3_000n)
    const [first] = await sent(1)
    const txHash = await include(first?.intentId ?? '')
    await happen(id, 'skipped', { period: 0, detail: { reason: 'SIGNER_NOT_ACTIVE' }, txHash })
    await settlement.ledgerChanged([id])
    expect(await readProblem(database.pool, id)).toMatch(
      'SIGNER_NOT_ACTIVE. It will be tried again',
    )
    await quiet()
    expect(submitted).toHaveLength(1)
    clock.now += 3_000
    const [, second] = await sent(2)
    expect(second?.intentId).toBe(`${first?.intentId}:1`)
    expect(second?.data).toBe(first?.data)
  })

  test('an outcome that the outbox learns only after the ledger was told of is taken down all the same', async () => {
    const id = await openAgreement()
    await accept(id, 3_000n)
    const [first] = await sent(1)
    const txHash = randomBytes(32)
    await happen(id, 'skipped', { period: 0, detail: { reason: 'AS_OF_IN_FUTURE' }, txHash })
    await settlement.ledgerChanged([id])
    expect(await readProblem(database.pool, id)).toBeUndefined()
    await database.pool.query(
      `UPDATE outbox SET status = 'included', tx_hash = $2 WHERE intent_id = $1`,
      [first?.intentId, txHash],
    )
    const problem = () => readProblem(database.pool, id)
    await expect.poll(problem, { timeout: 90_000 }).toMatch('AS_OF_IN_FUTURE. It will be tried')
    clock.now += 3_000
    await sent(2)
  })

  test('skipped for good: not tried again, but a newer value is', async () => {
    const id = await openAgreement()
    await accept(id, 3_000n)
    const [first] = await sent(1)
    const txHash = await include(first?.intentId ?? '')
    await happen(id, 'skipped', { period: 0, detail: { reason: 'AMOUNT_TOO_LARGE' }, txHash })
    await settlement.ledgerChanged([id])
    clock.now += 3_600_000
    await quiet()
    expect(submitted).toHaveLength(1)
    await accept(id, 4_200n, { asOf: START + 90 })
    await sent(2)
  })

  test.each(['before it is sent', 'under way', 'after it was given up'] as const)(
    'what an old key signed is signed anew by the next one, %s, and that is sent: nothing is lost',
    async (moment) => {
      const id = await openAgreement()
      const evidenceHead: Hex = `0x${'77'.repeat(32)}`
      const signed = (byte: string) => `0x${byte.repeat(64)}` as const
      const byKey = (byte: string) => accept(id, 3_000n, { evidenceHead, signature: signed(byte) })
      const skip = async (intentId = '') => {
        const txHash = await include(intentId)
        await happen(id, 'skipped', { period: 0, detail: { reason: 'SIGNATURE_INVALID' }, txHash })
        await settlement.ledgerChanged([id])
        clock.now += 3_600_000
      }
      await byKey('55')
      if (moment === 'before it is sent') await byKey('66')
      const [first] = await sent(1)
      if (moment === 'under way') await byKey('66')
      if (moment !== 'before it is sent') {
        await skip(first?.intentId)
        const [, second] = await sent(2)
        if (moment === 'after it was given up') {
          await skip(second?.intentId)
          await quiet()
          expect(submitted).toHaveLength(2)
          await byKey('66')
          await sent(3)
        }
      }
      expect(submitted.at(-1)?.data).toContain('66'.repeat(64))
      expect(submitted.at(-1)?.data).not.toContain('55'.repeat(64))
    },
  )

  test('a whole call that reverted is tried again', async () => {
    const id = await openAgreement()
    await accept(id, 3_000n)
    const [first] = await sent(1)
    await include(first?.intentId ?? '', 'reverted')
    await settlement.ledgerChanged([id])
    // When exactly it is booked is its own affair: the pause counts from there.
    const countLater = () => {
      clock.now += 3_000
      return submitted.length
    }
    await expect.poll(countLater, { timeout: 90_000 }).toBe(2)
  })

  test('escrow short: what is proven is not sent again, and collected after a top-up', async () => {
    const id = await openAgreement()
    await happen(id, 'funded', { amount: 1_000n })
    await accept(id, 3_000n)
    const [first] = await sent(1)
    const txHash = await include(first?.intentId ?? '')
    await happen(id, 'settled', { amount: 1_000n, period: 0, detail: { owed: '3000' }, txHash })
    await settlement.ledgerChanged([id])
    await quiet()
    expect(submitted).toHaveLength(1)
    await happen(id, 'funded', { amount: 5_000n })
    await settlement.ledgerChanged([id])
    const [, second] = await sent(2)
    expect(second && callOf(second)).toMatchObject({ functionName: 'collect', args: [id, [0]] })
    await settlement.ledgerChanged([id])
    expect(new Set(submitted.map(({ intentId }) => intentId)).size).toBe(2)
  })
})

describe('adjustments', () => {
  const evidenceHead: Hex = `0x${'88'.repeat(32)}`
  const adjust = (agreementId: Hex, signedBy = '55', amount = 140n) =>
    saveAdjustment(
      database.pool,
      {
        agreementId,
        period: 0,
        amount,
        evidenceHead,
        heads: [{ stream: 'weight', seq: 5n }],
        signature: `0x${signedBy.repeat(64)}`,
      },
      clock.now,
    )

  test('INV-9 one is relayed once: not again under way, when included, or when the node starts anew', async () => {
    const id = await openAgreement()
    expect(await adjust(id)).toBe(true)
    const [first] = await sent(1)
    expect(first && callOf(first)).toMatchObject({
      functionName: 'adjust',
      args: [{ agreementId: id, period: 0, amount: 140n, evidenceHead }, `0x${'55'.repeat(64)}`],
    })
    await settlement.close()
    settlement = startSettlement()
    await settlement.settleNow()
    await include(first?.intentId ?? '')
    await settlement.settleNow()
    await happen(id, 'adjusted', { amount: 140n, period: 0 })
    await settlement.settleNow()
    expect(await adjust(id, '66', 150n)).toBe(false)
    await settlement.settleNow()
    expect(submitted).toHaveLength(1)
  })

  test('a crash before it is stored to be sent is mended with the same intent; a reorganisation sends no second one', async () => {
    const id = await openAgreement()
    await adjust(id)
    const [first] = await sent(1)
    await settlement.close()
    await database.pool.query('DELETE FROM outbox')
    settlement = startSettlement()
    const [, again] = await sent(2)
    expect(again).toEqual(first)
    await include(first?.intentId ?? '')
    await happen(id, 'adjusted', { amount: 140n, period: 0 })
    await database.pool.query(`DELETE FROM agreement_events WHERE kind = 'adjusted'`)
    // The outbox sends the same transaction again by itself.
    await settlement.settleNow()
    expect(submitted).toHaveLength(2)
  })

  test('refused by the ledger it is tried again after a pause, as another intent', async () => {
    const id = await openAgreement()
    await adjust(id)
    const [first] = await sent(1)
    await include(first?.intentId ?? '', 'reverted')
    await settlement.settleNow()
    await settlement.settleNow()
    expect(submitted).toHaveLength(1)
    clock.now += 3_000
    const [, second] = await sent(2)
    expect(second?.data).toBe(first?.data)
    expect(second?.intentId).not.toBe(first?.intentId)
  })

  test('what an old key signed gives way to the same by the next key; another amount only after a refusal', async () => {
    const id = await openAgreement()
    await adjust(id)
    const [first] = await sent(1)
    expect(await adjust(id, '66', 150n)).toBe(false)
    expect(await adjust(id, '66')).toBe(true)
    const [, second] = await sent(2)
    expect(second?.data).toContain('66'.repeat(64))
    for (const one of [first, second]) await include(one?.intentId ?? '', 'reverted')
    await settlement.settleNow()
    expect(await adjust(id, '77', 90n)).toBe(true)
    const [, , third] = await sent(3)
    expect(third && callOf(third).args[0]).toMatchObject({ amount: 90n })
  })
})

test('ATK with a token of its own it pays no gas for agreements in another: neither to settle, nor to collect, nor to adjust', async () => {
  await settlement.close()
  const token: Hex = `0x${'e0'.repeat(20)}`
  settlement = startSettlement(undefined, token)
  machineId += 1n
  const own = await bench.openAgreement(termsOf(machineId, { asset: token }))
  const worthless = await openAgreement()
  for (const id of [worthless, own]) {
    await happen(id, 'settled', { amount: 0n, period: 1, detail: { owed: '3000' } })
    await happen(id, 'funded', { amount: 9_000n })
    await accept(id, 3_000n)
    const signature: Hex = `0x${'55'.repeat(64)}`
    const evidenceHead: Hex = `0x${'88'.repeat(32)}`
    const adjustment = { agreementId: id, period: 2, amount: 9n, evidenceHead, heads: [] }
    await saveAdjustment(database.pool, { ...adjustment, signature }, clock.now)
  }
  await settlement.settleNow()
  await settlement.ledgerChanged([worthless, own])
  const calls = submitted.map(callOf)
  expect(new Set(calls.map(({ functionName }) => functionName))).toEqual(
    new Set(['settle', 'collect', 'adjust']),
  )
  expect(JSON.stringify(submitted.map(({ data }) => data))).toContain(own.slice(2))
  expect(JSON.stringify(submitted.map(({ data }) => data))).not.toContain(worthless.slice(2))
})
