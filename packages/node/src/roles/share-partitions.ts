import { setTimeout as sleep } from 'node:timers/promises'
import type { BaseLogger } from 'pino'
import type { Database, Queryable } from '../store/database.ts'
import {
  acquireLeases,
  beGone,
  bePresent,
  fence,
  type Lease,
  LeaseLostError,
  releaseLeases,
  renewLeases,
} from '../store/leases.ts'
import { LEASE_MS, RENEW_MS } from './keep-lease.ts'

/** Machines are spread over so many parts: far more than there will be processes, so that shares are even. */
const PARTITIONS = 64
const PARTITION_BITS = 6n
/** 2^64 divided by the golden ratio, odd: ids that follow one another fall into different parts. */
const SPREAD = 0x9e3779b97f4a7c15n

/** The share of one process in work on all machines. */
export interface PartitionShare {
  owns(machineId: bigint): boolean
  /** Fences a transaction that works on these machines. @throws LeaseLostError if one is not ours any more. */
  fence(client: Queryable, machineIds: readonly bigint[]): Promise<void>
  /** Partitions held now. */
  held(): number
  /** Gives all back. */
  close(): Promise<void>
}

/** The partition of a machine, 0 to 63. */
export function partitionOf(machineId: bigint): number {
  return Number(BigInt.asUintN(64, machineId * SPREAD) >> (64n - PARTITION_BITS))
}

/**
 * Joins the processes that share all machines among themselves by leases on partitions: each takes its even part, gives back what is more
 * when another one joins, and takes over what one that died has left.
 *
 * @param onGained hears of partitions that are ours from now on.
 */
export async function sharePartitions(options: {
  database: Database
  group: string
  holder: string
  onGained: (isGained: (machineId: bigint) => boolean) => void
  logger: BaseLogger
}): Promise<PartitionShare> {
  const { database, group, holder, onGained, logger } = options
  const db = database.pool
  const names = Array.from({ length: PARTITIONS }, (_, index) => `${group}/${index}`)
  const stopped = new AbortController()
  let held = new Map<string, Lease>()

  const leaseOf = (machineId: bigint) => held.get(`${group}/${partitionOf(machineId)}`)
  const byName = (leases: readonly Lease[]) => new Map(leases.map((lease) => [lease.name, lease]))

  const balance = async (): Promise<void> => {
    const living = await bePresent(db, { group, holder, ms: LEASE_MS })
    const fair = Math.ceil(PARTITIONS / living)
    const still = await renewLeases(db, [...held.values()], LEASE_MS)
    if (still.length < held.size) logger.warn({ lost: held.size - still.length }, 'lost partitions')
    const surplus = still.slice(fair)
    // Forgotten first: nothing new begins under what is given back.
    held = byName(still.slice(0, fair))
    await releaseLeases(db, surplus)
    if (held.size >= fair) return
    const free = names.filter((name) => !held.has(name))
    const gained = byName(
      await acquireLeases(db, { names: free, holder, ms: LEASE_MS, limit: fair - held.size }),
    )
    if (gained.size === 0) return
    held = new Map([...held, ...gained])
    logger.info({ group, held: held.size, of: PARTITIONS, living }, 'partitions')
    onGained((machineId) => gained.has(`${group}/${partitionOf(machineId)}`))
  }

  await balance()
  const run = async () => {
    for (;;) {
      await sleep(RENEW_MS, undefined, { signal: stopped.signal }).catch(() => undefined)
      if (stopped.signal.aborted) return
      await balance().catch((error) => {
        logger.warn({ err: error }, 'could not renew partitions yet')
      })
    }
  }
  const running = run()

  return {
    owns: (machineId) => leaseOf(machineId) !== undefined,
    async fence(client, machineIds) {
      const leases = machineIds.map((machineId) => {
        const lease = leaseOf(machineId)
        if (!lease) throw new LeaseLostError([`${group}/${partitionOf(machineId)}`])
        return lease
      })
      await fence(client, leases)
    },
    held: () => held.size,
    async close() {
      stopped.abort()
      await running
      const mine = [...held.values()]
      held = new Map()
      await releaseLeases(db, mine)
      await beGone(db, group, holder)
    },
  }
}
