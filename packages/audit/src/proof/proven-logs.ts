import { type Hex, isHex, numberToHex, type RpcLog, toHex } from 'viem'
import type { BlockHeader } from './block-header.ts'
import { type Receipt, readReceipts } from './block-receipts.ts'
import type { HeaderChain } from './header-chain.ts'
import { notProven } from './ledger-proof-error.ts'
import { bloomTest } from './log-bloom.ts'
import type { ProofRpc } from './proof-rpc.ts'
import { listRoot } from './trie.ts'

/** Logs of whole blocks: none is invented, none left out. */
export interface ProvenLogs {
  /** Logs of a contract with this first indexed field, from the first block that the endpoint names on, in the order of the ledger. */
  of(address: Hex, topic: Hex): Promise<RpcLog[]>
  /** Blocks whose receipts were read. */
  blockCount(): number
}

/** Blocks whose receipts are read at once. */
const AT_ONCE = 8

/**
 * Finds logs by blocks alone: a header's bloom filter says with certainty that a block has none, of all others the receipts are read whole and held
 * against the header's receipts root. The endpoint's own search only tells where to begin: whoever asks must see by the first log that none can
 * stand before it.
 */
export function openProvenLogs(rpc: ProofRpc, chain: HeaderChain, fromBlock: bigint): ProvenLogs {
  const receipts = new Map<bigint, Promise<Receipt[]>>()
  const receiptsOf = (header: BlockHeader) => {
    const known = receipts.get(header.number) ?? readBlock(rpc, header)
    receipts.set(header.number, known)
    return known
  }
  return {
    async of(address, topic) {
      const from = await firstBlock(rpc, chain, { address, topic, fromBlock })
      if (from === undefined) return []
      const mayHold = bloomTest([address, topic])
      const blocks = (await chain.since(from)).filter(({ logsBloom }) => mayHold(logsBloom))
      const logs: RpcLog[] = []
      for (let at = 0; at < blocks.length; at += AT_ONCE) {
        const some = blocks.slice(at, at + AT_ONCE)
        const read = await Promise.all(some.map(receiptsOf))
        for (const [index, header] of some.entries()) {
          logs.push(...logsOf(read[index] ?? [], header, address, topic))
        }
      }
      return logs
    },
    blockCount: () => receipts.size,
  }
}

/** Where to begin, as the endpoint says. */
async function firstBlock(
  rpc: ProofRpc,
  { trusted }: HeaderChain,
  { address, topic, fromBlock }: { address: Hex; topic: Hex; fromBlock: bigint },
): Promise<bigint | undefined> {
  const toBlock = numberToHex(trusted.number)
  const filter = { address, topics: [null, topic], fromBlock: numberToHex(fromBlock), toBlock }
  const answer = await rpc.ask('eth_getLogs', [filter])
  const numbers = (Array.isArray(answer) ? answer : []).flatMap((log: unknown) => {
    const number = (log as { blockNumber?: unknown } | null)?.blockNumber
    return isHex(number) && number !== '0x' ? [BigInt(number)] : []
  })
  return numbers
    .filter((number) => number <= trusted.number)
    .reduce<bigint | undefined>(
      (least, one) => (least !== undefined && least < one ? least : one),
      undefined,
    )
}

async function readBlock(rpc: ProofRpc, header: BlockHeader): Promise<Receipt[]> {
  const receipts = readReceipts(await rpc.ask('eth_getBlockReceipts', [numberToHex(header.number)]))
  const root = receipts && (await listRoot(receipts.map(({ encoded }) => encoded)))
  if (receipts && root === header.receiptsRoot) return receipts
  throw notProven('the receipts are not those that the header commits to', {
    block: String(header.number),
    expected: header.receiptsRoot,
    found: root ?? 'no receipts',
  })
}

function logsOf(
  receipts: readonly Receipt[],
  header: BlockHeader,
  address: Hex,
  topic: Hex,
): RpcLog[] {
  const ours = { address: address.toLowerCase(), topic: topic.toLowerCase() }
  return receipts.flatMap(({ logs }, transactionIndex) =>
    logs
      .filter((log) => log.address === ours.address && log.topics[1] === ours.topic)
      .map(({ topics, ...log }) => ({
        ...log,
        topics: topics as RpcLog['topics'],
        blockHash: header.hash,
        blockNumber: numberToHex(header.number),
        blockTimestamp: numberToHex(header.seconds),
        // No proof covers the hash of a transaction: its place stands for it.
        transactionHash: toHex(transactionIndex, { size: 32 }),
        transactionIndex: numberToHex(transactionIndex),
        logIndex: '0x0',
        removed: false,
      })),
  )
}
