import { type Hex, keccak256, toHex } from 'viem'
import { expect, test } from 'vitest'
import type { LedgerEvent } from '../../src/chain/events.ts'
import { saveBlocks } from '../../src/store/ledger.ts'
import { readSettlements, readSettlementsSince } from '../../src/store/settlements.ts'
import { newDataDir, testDatabase } from '../chain/support.ts'

const AGREEMENT = keccak256('0xaa')
const ACCOUNT: Hex = `0x${'12'.repeat(20)}`

test('ATK a settlement that pays nothing and proves nothing new is no row: it cannot push real ones off the list', async () => {
  const { pool } = await testDatabase(await newDataDir())
  let block = 1
  const place = () => {
    block += 1
    return { block, logIndex: 0, txHash: keccak256(toHex(block)), atMs: block * 1_000 }
  }
  const settled = (period: number, owed: bigint, amount: bigint): LedgerEvent => ({
    ...place(),
    kind: 'agreement-event',
    agreementId: AGREEMENT,
    event: 'settled',
    period,
    asOf: 1n,
    amount,
    detail: { registers: [String(owed)], owed: String(owed), paidTotal: String(owed) },
  })
  const opened: LedgerEvent = {
    ...place(),
    kind: 'agreement',
    agreementId: AGREEMENT,
    machineId: 7n,
    payer: ACCOUNT,
    payee: ACCOUNT,
    asset: ACCOUNT,
    terms: {} as never,
  }
  const collected: LedgerEvent = {
    ...place(),
    kind: 'agreement-event',
    agreementId: AGREEMENT,
    event: 'collected',
    period: 0,
    amount: 5n,
  }
  const events = [
    opened,
    settled(0, 0n, 0n),
    settled(0, 30n, 30n),
    ...Array.from({ length: 300 }, () => settled(0, 30n, 0n)),
    settled(0, 20n, 0n),
    // Escrow is empty: it proves more, once.
    settled(0, 35n, 0n),
    settled(0, 35n, 0n),
    // Another period.
    settled(1, 10n, 10n),
    settled(1, 10n, 0n),
    collected,
  ]
  const rows = Array.from({ length: block }, (_, index) => ({
    number: index + 1,
    hash: keccak256(toHex(index + 1)),
    timeMs: index,
    hasEvents: true,
  }))
  await saveBlocks(pool, rows, events)
  const told = [
    [0, 30n],
    [0, 0n],
    [1, 10n],
  ]
  const shown = await readSettlements(pool, AGREEMENT, 200)
  const withoutCollected = shown.filter(({ block: at }) => at !== collected.block)
  expect(withoutCollected.toReversed().map(({ period, paidMinor }) => [period, paidMinor])).toEqual(
    told,
  )
  expect(shown).toHaveLength(4)
  const since = await readSettlementsSince(pool, [AGREEMENT], 0, block)
  expect(since).toHaveLength(4)
  const [first] = since.filter(({ paidMinor }) => paidMinor === 30n)
  const after = events.findIndex((one) => one.txHash === first?.txHash)
  const behind = (events[after] ?? opened).block
  expect(await readSettlementsSince(pool, [AGREEMENT], behind, behind + 300)).toEqual([])
})
