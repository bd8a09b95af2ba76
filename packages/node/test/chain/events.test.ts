import { clearingHouseAbi, evidenceAnchorAbi, machineRegistryAbi } from '@liquefy/abi'
import {
  encodeAbiParameters,
  encodeEventTopics,
  type Hex,
  keccak256,
  type Log,
  stringToHex,
  zeroAddress,
  zeroHash,
} from 'viem'
import { expect, test } from 'vitest'
import type { ContractDeployment } from '../../src/chain/deployment.ts'
import { readLedgerEvent } from '../../src/chain/events.ts'

const at = (digit: string): Hex => `0x${digit.repeat(40)}`

const deployment: ContractDeployment = {
  chainId: 1,
  fromBlock: 0,
  p256Sha256Verifier: at('1'),
  p256RawVerifier: at('2'),
  registry: at('3'),
  clearingHouse: at('4'),
  evidenceAnchor: at('5'),
  linearTariff: at('6'),
  tieredTariff: at('7'),
  planTariff: at('9'),
  accounts: undefined,
  cooperation: undefined,
  asset: { address: at('8'), symbol: 'tEUR', decimals: 6 },
}

function logOf(address: Hex, topics: readonly unknown[], data: Hex) {
  return {
    address,
    topics,
    data,
    blockNumber: 7n,
    blockHash: zeroHash,
    logIndex: 3,
    transactionHash: keccak256('0x00'),
    transactionIndex: 0,
    removed: false,
  } as unknown as Log<bigint, number, false>
}

const read = (log: Log<bigint, number, false>) => readLedgerEvent(deployment, log, 1_000)

test('a reason has no zero character, which PostgreSQL could not keep', () => {
  const topics = encodeEventTopics({
    abi: machineRegistryAbi,
    eventName: 'SuspensionReason',
    args: { machineId: 5n, owner: zeroAddress },
  })
  const data = encodeAbiParameters([{ type: 'string' }], ['pump\0dry'])
  expect(read(logOf(deployment.registry, topics, data))).toMatchObject({
    kind: 'machine-suspension',
    machineId: 5n,
    reason: 'pump\uFFFDdry',
  })
})

test('a state is named as the tables name it, with its place on the ledger', () => {
  const topics = encodeEventTopics({
    abi: machineRegistryAbi,
    eventName: 'StateChanged',
    args: { machineId: 5n },
  })
  const data = encodeAbiParameters([{ type: 'uint8' }, { type: 'uint8' }], [2, 3])
  expect(read(logOf(deployment.registry, topics, data))).toEqual({
    kind: 'machine-state',
    machineId: 5n,
    state: 'suspended',
    block: 7,
    logIndex: 3,
    txHash: keccak256('0x00'),
    atMs: 1_000,
  })
})

test('ATK names that PostgreSQL cannot hold, or that are no UTF-8, are made plain', () => {
  const topics = encodeEventTopics({
    abi: machineRegistryAbi,
    eventName: 'KeyChanged',
    args: { machineId: 5n, keyId: zeroHash },
  })
  const types = [
    { type: 'uint64' },
    { type: 'uint8' },
    { type: 'address' },
    { type: 'bytes32' },
    { type: 'bytes32' },
    {
      type: 'tuple[]',
      components: [{ type: 'string' }, { type: 'uint64' }, { type: 'bytes32' }],
    },
  ] as const
  const heads = [
    ['a\0b', 2n ** 64n - 1n, zeroHash],
    ['xyz', 1n, zeroHash],
  ] as const
  const data = encodeAbiParameters(types, [1n, 1, zeroAddress, zeroHash, zeroHash, heads])
  const broken = data.replace(stringToHex('xyz').slice(2), 'fffe80') as Hex
  const event = read(logOf(deployment.registry, topics, broken))
  expect(event).toMatchObject({ kind: 'machine-key', machineId: 5n, epoch: 1n })
  const streams = event?.kind === 'machine-key' ? event.heads : []
  expect(streams[0]).toEqual({ stream: 'a\uFFFDb', seq: '18446744073709551615', digest: zeroHash })
  expect(streams[1]?.stream).toMatch(/^\uFFFD+$/)
})

test('a skipped item bears its reason by name, an unknown one by number', () => {
  const topics = encodeEventTopics({
    abi: clearingHouseAbi,
    eventName: 'Skipped',
    args: { agreementId: zeroHash },
  })
  const reasonOf = (reason: number) => {
    const data = encodeAbiParameters([{ type: 'uint32' }, { type: 'uint8' }], [4, reason])
    return read(logOf(deployment.clearingHouse, topics, data))
  }
  expect(reasonOf(3)).toMatchObject({ period: 4, detail: { reason: 'AS_OF_IN_FUTURE' } })
  expect(reasonOf(99)).toMatchObject({ detail: { reason: '99' } })
})

test('an anchor beyond what can be counted, and contracts of others, tell nothing', () => {
  const topics = encodeEventTopics({
    abi: evidenceAnchorAbi,
    eventName: 'Anchored',
    args: { log: at('9') },
  })
  const types = [{ type: 'uint64' }, { type: 'bytes32' }, { type: 'uint64' }] as const
  const anchored = (size: bigint) => encodeAbiParameters(types, [size, zeroHash, 0n])
  const { evidenceAnchor } = deployment
  expect(read(logOf(evidenceAnchor, topics, anchored(2n ** 63n)))).toBeUndefined()
  expect(read(logOf(evidenceAnchor, topics, anchored(2n ** 63n - 1n)))).toMatchObject({
    kind: 'anchor',
    log: at('9'),
  })
  expect(read(logOf(at('a'), topics, anchored(1n)))).toBeUndefined()
})
