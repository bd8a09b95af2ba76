import { type Hex, keccak256, toHex } from 'viem'
import { expect, test } from 'vitest'
import type { LedgerEvent } from '../../src/chain/events.ts'
import { readProposals } from '../../src/store/governance.ts'
import { saveBlocks } from '../../src/store/ledger.ts'
import { newDataDir, testDatabase } from '../chain/support.ts'

const account = (digit: string): Hex => `0x${digit.repeat(40)}`
const [BOAT, SPAM] = [account('b'), account('5')]

test('ATK proposals of a stranger’s vault, and votes that are over, push no vote off the list of those that wait', async () => {
  const { pool } = await testDatabase(await newDataDir())
  let block = 1
  const place = () => {
    block += 1
    return { block, logIndex: 0, txHash: keccak256(toHex(block)), atMs: block * 1_000 }
  }
  const created = (vault: Hex): LedgerEvent => ({
    ...place(),
    kind: 'vault',
    vault,
    event: 'created',
    founder: account('f'),
    governor: account('1'),
    timelock: account('2'),
    name: 'Boat',
    symbol: 'BOAT',
  })
  const proposed = (vault: Hex, proposalId: bigint, deadline: bigint): LedgerEvent => ({
    ...place(),
    kind: 'vault',
    vault,
    event: 'proposed',
    proposalId,
    proposer: account('f'),
    calls: [],
    description: 'because',
    descriptionHash: keccak256('0x00'),
    snapshot: 1n,
    deadline,
    operationId: keccak256(toHex(proposalId)),
  })
  const events = [
    created(BOAT),
    created(SPAM),
    proposed(BOAT, 1n, 5_000n),
    ...Array.from({ length: 5 }, (_, index) => proposed(BOAT, BigInt(index + 2), 4_999n)),
    ...Array.from({ length: 300 }, (_, index) => proposed(SPAM, BigInt(index), 9_000n)),
  ]
  const rows = Array.from({ length: block }, (_, index) => ({
    number: index + 1,
    hash: keccak256(toHex(index + 1)),
    timeMs: (index + 1) * 1_000,
    hasEvents: true,
  }))
  await saveBlocks(pool, rows, events)
  const read = (more: { openAtSeconds?: number; ofEach?: number }) =>
    readProposals(pool, { vaults: [BOAT, SPAM], offset: 0, limit: 100, ...more })
  const open = await read({ openAtSeconds: 5_000, ofEach: 3 })
  expect(open.map(({ vault, proposalId }) => [vault, proposalId])).toEqual([
    [SPAM, 299n],
    [SPAM, 298n],
    [SPAM, 297n],
    [BOAT, 1n],
  ])
  expect(new Set((await read({})).map(({ vault }) => vault))).toEqual(new Set([SPAM]))
}, 120_000)
