import type { Hex, Log, PublicClient } from 'viem'
import type { BlockRow } from '../store/ledger.ts'
import { isSparse, mayHoldLogs } from './bloom.ts'
import type { ContractDeployment } from './deployment.ts'
import { followedAddresses, type LedgerEvent, readLedgerEvent } from './events.ts'
import type { WatchedVaults } from './vault-watch.ts'

/** The ledger changed while it was being read; the next look begins anew. */
export class MovedError extends Error {}

/** Head of a block. */
interface Header {
  number: number
  hash: Hex
  parentHash: Hex
  timeMs: number
  logsBloom: Hex
  transactions: readonly Hex[]
}

/** Consecutive blocks that all stand on one ledger, and the events of our contracts in them. */
export interface BlockRange {
  blocks: BlockRow[]
  events: LedgerEvent[]
}

/** Reads blocks through an endpoint that may be behind, repeat itself or leave something out. */
export interface BlockReader {
  newest(): Promise<Header>
  /** The block that the ledger calls final; undefined if it knows no such thing. */
  finalized(): Promise<Header | undefined>
  /** The block of that number, undefined if there is none (a chain that became shorter, an endpoint that is behind). */
  at(number: number): Promise<Header | undefined>
  /**
   * Everything between `base` and `to`, block by block: a header says whether the block may hold logs of ours, which are then asked for by its
   * hash (EIP-234). So an answer is the whole truth about that very block, or an error.
   *
   * @throws MovedError if the blocks are not one chain
   */
  readEach(base: BlockRow | undefined, from: number, to: Header): Promise<BlockRange>
  /**
   * The same by one question for all, which is fast and takes the endpoint at its word: for blocks so deep that every replica has them.
   *
   * @throws MovedError if the blocks changed meanwhile
   */
  readAtOnce(base: BlockRow | undefined, from: number, to: Header): Promise<BlockRange>
}

type OurLog = Log<bigint, number, false>

/** Addresses in one question for logs: within what public endpoints allow. */
const ADDRESSES = 500

/** @param vaults undefined on a ledger without any. */
export function openBlockReader(
  client: PublicClient,
  deployment: ContractDeployment,
  vaults?: WatchedVaults,
): BlockReader {
  const fixed = followedAddresses(deployment)
  const followed = () => [...fixed, ...(vaults?.addresses() ?? [])]

  /** What `ask` answers for all that is followed, and then for the vaults that the answer tells of. */
  async function withNewVaults(ask: (address: Hex[]) => Promise<OurLog[]>): Promise<OurLog[]> {
    const logs = await inParts(followed(), ask)
    const made = (await vaults?.take(once(logs))) ?? []
    return made.length === 0 ? logs : [...logs, ...(await inParts(made, ask))]
  }

  async function headerOf(
    which: { blockNumber: bigint } | { blockTag: 'latest' | 'finalized' },
  ): Promise<Header> {
    const block = await client.getBlock({ ...which, includeTransactions: false })
    if (block.number === null || block.hash === null || block.logsBloom === null) {
      throw new MovedError('A block that is not sealed')
    }
    return {
      number: Number(block.number),
      hash: block.hash,
      parentHash: block.parentHash,
      timeMs: Number(block.timestamp) * 1000,
      logsBloom: block.logsBloom,
      transactions: block.transactions,
    }
  }

  const at = (number: number) =>
    headerOf({ blockNumber: BigInt(number) }).catch((error: Error) => {
      if (error.name === 'BlockNotFoundError') return undefined
      throw error
    })

  async function logsOf(header: Header, address: Hex[]): Promise<OurLog[]> {
    if (!mayHoldLogs(header.logsBloom, address)) return []
    const logs = await client.getLogs({ address, blockHash: header.hash })
    // The filter says maybe and the endpoint says no: one of them is wrong, and receipts know which.
    if (logs.length === 0 && isWorthReceipts(header, address)) {
      return logsOfReceipts(header, address)
    }
    return logs
  }

  /** Few addresses are asked about more closely than many, whose filter says maybe in almost every block. */
  function isWorthReceipts({ logsBloom }: Header, address: Hex[]): boolean {
    return (
      isSparse(logsBloom, address.length) ||
      (isSparse(logsBloom, fixed.length) && mayHoldLogs(logsBloom, fixed))
    )
  }

  async function logsOfReceipts(
    { number, hash, transactions }: Header,
    address: Hex[],
  ): Promise<OurLog[]> {
    const logs: OurLog[] = []
    for (const transaction of transactions) {
      const receipt = await client.getTransactionReceipt({ hash: transaction })
      if (receipt.blockHash !== hash) throw new MovedError(`Block ${number} has changed`)
      logs.push(...receipt.logs.filter((log) => address.includes(log.address.toLowerCase() as Hex)))
    }
    return logs
  }

  function rangeOf(headers: Iterable<Header>, logs: readonly OurLog[]): BlockRange {
    const byNumber = new Map([...headers].map((header) => [header.number, header]))
    const eventful = new Set<number>()
    const events: LedgerEvent[] = []
    for (const log of once(logs)) {
      const header = byNumber.get(Number(log.blockNumber))
      if (header?.hash !== log.blockHash) throw new MovedError('A log of another block')
      eventful.add(header.number)
      const event = readLedgerEvent(deployment, log, header.timeMs, vaults)
      if (event) events.push(event)
    }
    const blocks = [...byNumber.values()]
      .sort((a, b) => a.number - b.number)
      .map(({ number, hash, timeMs }) => ({
        number,
        hash,
        timeMs,
        hasEvents: eventful.has(number),
      }))
    return { blocks, events }
  }

  return {
    newest: () => headerOf({ blockTag: 'latest' }),
    finalized: () => headerOf({ blockTag: 'finalized' }).catch(() => undefined),
    at,
    async readEach(base, from, to) {
      await vaults?.standAt(from - 1)
      const headers: Header[] = []
      const logs: OurLog[] = []
      let parent = base && base.number + 1 === from ? base.hash : undefined
      for (let number = from; number <= to.number; number += 1) {
        const header = number === to.number ? to : await at(number)
        if (!header || (parent && header.parentHash !== parent)) {
          throw new MovedError(`Block ${number} has another parent`)
        }
        headers.push(header)
        logs.push(...(await withNewVaults((address) => logsOf(header, address))))
        parent = header.hash
      }
      return rangeOf(headers, logs)
    },
    async readAtOnce(base, from, to) {
      await vaults?.standAt(from - 1)
      const [fromBlock, toBlock] = [BigInt(from), BigInt(to.number)]
      const logs = await withNewVaults((address) => client.getLogs({ address, fromBlock, toBlock }))
      const headers = new Map([[to.number, to]])
      for (const number of new Set(logs.map(({ blockNumber }) => Number(blockNumber)))) {
        const header = number === to.number ? to : await at(number)
        if (header) headers.set(number, header)
      }
      const range = rangeOf(headers.values(), logs)
      // If both ends still stand, so does what was read between them.
      if ((await at(to.number))?.hash !== to.hash) throw new MovedError('The end has moved')
      if (base && (await at(base.number))?.hash !== base.hash) {
        throw new MovedError('The start has moved')
      }
      return range
    },
  }
}

async function inParts(
  addresses: Hex[],
  ask: (address: Hex[]) => Promise<OurLog[]>,
): Promise<OurLog[]> {
  const logs: OurLog[] = []
  for (let at = 0; at < addresses.length; at += ADDRESSES) {
    logs.push(...(await ask(addresses.slice(at, at + ADDRESSES))))
  }
  return logs
}

/** Each log once, in the ledger's order, however often the endpoint gave it. */
function once(logs: readonly OurLog[]): OurLog[] {
  const byPlace = new Map(logs.map((log) => [`${log.blockHash}:${log.logIndex}`, log]))
  return [...byPlace.values()].sort(
    (a, b) => Number(a.blockNumber - b.blockNumber) || a.logIndex - b.logIndex,
  )
}
