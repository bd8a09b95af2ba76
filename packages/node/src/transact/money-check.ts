import { clearingHouseAbi } from '@liquefy/abi'
import type { Hex } from '@liquefy/client'
import { type GetLogsReturnType, getAbiItem, type PublicClient } from 'viem'
import { type MoneyTotals, readMoneyTotals } from '../store/agreements.ts'
import type { Database } from '../store/database.ts'

/** Whether the database's view of money equals a replay of the ledger's events (INV-5). */
export interface MoneyCheck {
  ok: boolean
  /** Up to which block was compared. */
  block: number
  /** What differs: `<agreement> <kind>`, with both sums. At most a few. */
  differences: { what: string; database: string; ledger: string }[]
}

const DIFFERENCES_SHOWN = 10
const RANGE = 1_000n
const EVENTS = [
  getAbiItem({ abi: clearingHouseAbi, name: 'Funded' }),
  getAbiItem({ abi: clearingHouseAbi, name: 'Settled' }),
  getAbiItem({ abi: clearingHouseAbi, name: 'Collected' }),
  getAbiItem({ abi: clearingHouseAbi, name: 'Adjusted' }),
  getAbiItem({ abi: clearingHouseAbi, name: 'Refunded' }),
  getAbiItem({ abi: clearingHouseAbi, name: 'Credited' }),
  getAbiItem({ abi: clearingHouseAbi, name: 'Closed' }),
  getAbiItem({ abi: clearingHouseAbi, name: 'Withdrawn' }),
] as const

/**
 * Makes the check: it reads the clearing house's events itself, not through the follower, and adds them up. What is final
 * is read once; the rest anew each time.
 */
export function createMoneyCheck(options: {
  database: Database
  client: PublicClient
  clearingHouse: Hex
  fromBlock: number
  block(): { included: number; final: number }
}): () => Promise<MoneyCheck> {
  const { database, client, clearingHouse } = options
  let settled: MoneyTotals = new Map()
  let settledTo = options.fromBlock - 1

  const replay = async (totals: MoneyTotals, from: number, to: number): Promise<MoneyTotals> => {
    const sums = new Map(totals)
    for (let first = BigInt(from); first <= BigInt(to); first += RANGE) {
      const last = first + RANGE - 1n
      const logs = await client.getLogs({
        address: clearingHouse,
        events: EVENTS,
        strict: true,
        fromBlock: first,
        toBlock: last < BigInt(to) ? last : BigInt(to),
      })
      for (const log of logs) {
        const [what, amount] = entryOf(log)
        sums.set(what, (sums.get(what) ?? 0n) + amount)
      }
    }
    return sums
  }

  return async () => {
    const { included, final } = options.block()
    if (final > settledTo) {
      settled = await replay(settled, settledTo + 1, final)
      settledTo = final
    }
    const ledger = await replay(settled, settledTo + 1, included)
    const stored = await readMoneyTotals(database.pool, included)
    const differences = [...new Set([...ledger.keys(), ...stored.keys()])].flatMap((what) => {
      const [a, b] = [stored.get(what) ?? 0n, ledger.get(what) ?? 0n]
      return a === b ? [] : [{ what, database: String(a), ledger: String(b) }]
    })
    return {
      ok: differences.length === 0,
      block: included,
      differences: differences.slice(0, DIFFERENCES_SHOWN),
    }
  }
}

type MoneyLog = GetLogsReturnType<undefined, typeof EVENTS, true>[number]

function entryOf(log: MoneyLog): [what: string, amount: bigint] {
  switch (log.eventName) {
    case 'Funded':
      return [`${log.args.agreementId} funded`, log.args.amount]
    case 'Settled':
      return [`${log.args.agreementId} settled`, log.args.paid]
    case 'Collected':
      return [`${log.args.agreementId} collected`, log.args.paid]
    case 'Adjusted':
      return [`${log.args.agreementId} adjusted`, log.args.paid]
    case 'Refunded':
      return [`${log.args.agreementId} refunded`, log.args.amount]
    case 'Credited':
      return [`${log.args.agreementId} credited`, log.args.amount]
    case 'Closed':
      return [`${log.args.agreementId} closed`, log.args.refund]
    case 'Withdrawn':
      return [`${log.args.account} withdrawn ${log.args.asset}`.toLowerCase(), log.args.amount]
  }
}
