import { type Hex, keccak256, toHex } from 'viem'
import { expect, test } from 'vitest'
import type { LedgerEvent } from '../../src/chain/events.ts'
import { type BlockRow, forgetAbove, readBlocksDown, saveBlocks } from '../../src/store/ledger.ts'
import { readTrades } from '../../src/store/market.ts'
import { insertIntent, readIntent, saveOutcome, saveSigned } from '../../src/store/outbox.ts'
import { newDataDir, testDatabase } from '../chain/support.ts'

const AGREEMENT = keccak256('0xaa')
const TX = keccak256('0xbb')
const ACCOUNT: Hex = `0x${'12'.repeat(20)}`

const blockRow = (number: number): BlockRow => ({
  number,
  hash: keccak256(toHex(number)),
  timeMs: number * 1_000,
  hasEvents: true,
})

let logIndex = 0
function place(block: number) {
  logIndex += 1
  return { block, logIndex, txHash: TX, atMs: block * 1_000 }
}

const opened = (block: number): LedgerEvent => ({
  ...place(block),
  kind: 'agreement',
  agreementId: AGREEMENT,
  machineId: 7n,
  payer: ACCOUNT,
  payee: ACCOUNT,
  asset: ACCOUNT,
  terms: {} as never,
})

test('a reorganisation forgets what stood above, says whom it touched, and sends again', async () => {
  const { pool } = await testDatabase(await newDataDir())
  const events: LedgerEvent[] = [
    { ...place(1), kind: 'machine', machineId: 7n, controller: 0n },
    { ...place(1), kind: 'machine-owner', machineId: 7n, owner: ACCOUNT },
    { ...place(2), kind: 'machine-state', machineId: 7n, state: 'active' },
    opened(2),
    { ...place(3), kind: 'agreement-event', agreementId: AGREEMENT, event: 'funded', amount: 5n },
    { ...place(3), kind: 'withdrawal', account: ACCOUNT, asset: ACCOUNT, amount: 2n ** 95n },
    { ...place(3), kind: 'anchor', log: ACCOUNT, size: 9n, root: TX },
    {
      ...place(3),
      kind: 'order-filled',
      orderId: TX,
      good: 'machine',
      maker: ACCOUNT,
      taker: ACCOUNT,
      token: ACCOUNT,
      tokenId: 7n,
      amount: 1n,
      priceMinor: 2n ** 119n,
    },
    { ...place(3), kind: 'order-cancelled', orderId: TX },
    { ...place(3), kind: 'market-counter', maker: ACCOUNT, counter: 2n ** 250n },
  ]
  await saveBlocks(pool, [1, 2, 3].map(blockRow), events)
  await insertIntent(pool, { intentId: 'in 3', kind: 'test', data: '0x' }, 1)
  await saveSigned(pool, 'in 3', { nonce: 0, raw: '0x01', txHash: TX }, 2)
  await saveOutcome(pool, 'in 3', { status: 'final', block: 3 }, 3)

  expect(await readTrades(pool, { token: ACCOUNT, tokenId: 7n, limit: 5 })).toMatchObject([
    { orderId: TX, priceMinor: String(2n ** 119n), atMs: 3_000 },
  ])
  expect(await forgetAbove(pool, 1, 4)).toEqual({ machineIds: [7n], agreementIds: [AGREEMENT] })
  expect((await readBlocksDown(pool, 100, 5)).map(({ number }) => number)).toEqual([1])
  for (const table of [
    'agreements',
    'agreement_events',
    'withdrawals',
    'anchors',
    'machine_states',
    'market_fills',
    'market_cancellations',
    'market_counters',
  ]) {
    expect((await pool.query(`SELECT * FROM ${table}`)).rows, table).toEqual([])
  }
  expect((await pool.query('SELECT * FROM machines')).rows).toHaveLength(1)
  expect(await readIntent(pool, 'in 3')).toMatchObject({
    status: 'sent',
    nonce: 0,
    block: undefined,
  })
})

test('ATK nonsense that anybody may put on the ledger is stored harmlessly or not at all', async () => {
  const { pool } = await testDatabase(await newDataDir())
  const skipped = (block: number, period: number): LedgerEvent => ({
    ...place(block),
    kind: 'agreement-event',
    agreementId: AGREEMENT,
    event: 'skipped',
    period,
    detail: { reason: 'NOT_OPEN' },
  })
  const anchored = (): LedgerEvent => ({
    ...place(2),
    kind: 'anchor',
    log: ACCOUNT,
    size: 1n,
    root: TX,
  })
  await saveBlocks(pool, [1, 2].map(blockRow), [
    skipped(1, 0),
    opened(1),
    skipped(2, 3),
    skipped(2, 2 ** 32 - 1),
    anchored(),
    anchored(),
  ])
  const { rows } = await pool.query(
    'SELECT period, detail FROM agreement_events ORDER BY log_index',
  )
  expect(rows).toEqual([
    { period: 3, detail: { reason: 'NOT_OPEN' } },
    { period: null, detail: { reason: 'NOT_OPEN', period: '4294967295' } },
  ])
})
