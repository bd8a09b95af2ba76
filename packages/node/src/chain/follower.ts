import { LiquefyError } from '@liquefy/protocol'
import type { PublicClient } from 'viem'
import type { Clock } from '../clock.ts'
import type { Database, Queryable } from '../store/database.ts'
import {
  type BlockRow,
  dropEmptyBlocksBelow,
  forgetAbove,
  readBlocksDown,
  saveBlocks,
  type Touched,
} from '../store/ledger.ts'
import { readKnownVaults } from '../store/vaults.ts'
import { type BlockRange, MovedError, openBlockReader } from './block-reader.ts'
import type { ContractDeployment } from './deployment.ts'
import type { LedgerEvent } from './events.ts'
import type { Logger } from './logger.ts'
import { watchVaults } from './vault-watch.ts'

/** What the follower has just applied to the tables. */
export interface Applied extends Touched {
  toBlock: number
  /** First block that was replaced by a reorganisation, if there was one. */
  reorgedFrom?: number
}

/** Copies the ledger's events of our contracts into the node's tables, and follows reorganisations. */
export interface Follower {
  /** Resolves when everything up to the ledger's head at the time of the call is applied. */
  synced(): Promise<void>
  /** Called after each commit; the answer removes the listener. */
  onApplied(listener: (change: Applied) => void): () => void
  /** Looks now instead of at the next poll. */
  kick(): void
  /** Blocks applied and blocks final; -1 before the first. */
  block(): { included: number; final: number }
  /** Blocks behind the head seen last, and seconds since the tables were level with the ledger. */
  lag(): { blocks: number; seconds: number }
  /** Ends after the range in work. */
  stop(): Promise<void>
}

/** Blocks asked for at once: within what public endpoints allow. */
const RANGE = 1_000
/** Blocks below the head that are read one by one: an endpoint may have replicas that do not know them yet. */
const NEAR = 64
const READ_DOWN = 64
const MAX_RETRY_MS = 15_000

class FollowerStoppedError extends LiquefyError {
  constructor() {
    super('FOLLOWER_STOPPED', 'The node is shutting down.')
    this.name = 'FollowerStoppedError'
  }
}

/**
 * Starts following. `finality`: `head` for the embedded chain, whose blocks are on disk before they exist; else the
 * chain's `finalized` tag, or, where it knows none, `finalityBlocks` below the head.
 */
export function startFollower(options: {
  client: PublicClient
  deployment: ContractDeployment
  database: Database
  clock: Clock
  logger: Logger
  pollMs: number
  finality: 'head' | 'tag'
  finalityBlocks: number
  /** Tells other processes, in the transaction that applies the change. */
  announce?: ((db: Queryable, change: Applied) => Promise<void>) | undefined
}): Follower {
  const { client, deployment, database, clock, logger, pollMs, finality, finalityBlocks } = options
  const factory = deployment.cooperation?.vaultFactory
  const vaults = factory
    ? watchVaults(client, factory, (block) => readKnownVaults(database.pool, block))
    : undefined
  const reader = openBlockReader(client, deployment, vaults)
  const listeners = new Set<(change: Applied) => void>()
  const waiting = new Set<{ block: number; resolve: () => void; reject: (error: Error) => void }>()
  let applied = -1
  let final = -1
  let head = -1
  let levelMs = performance.now()
  let stopping = false
  let again = false
  let wake = Promise.withResolvers<void>()

  /** The highest block that node and ledger share; undefined if they share none. */
  async function commonAncestor(): Promise<BlockRow | undefined> {
    let from = Number.MAX_SAFE_INTEGER
    for (;;) {
      const rows = await readBlocksDown(database.pool, from, READ_DOWN)
      for (const row of rows) {
        if ((await reader.at(row.number))?.hash === row.hash) return row
      }
      const last = rows.at(-1)
      if (!last) return undefined
      from = last.number - 1
    }
  }

  /** Applies one range; true if there is more. */
  async function step(): Promise<boolean> {
    const newest = await reader.newest()
    head = newest.number
    const [top] = await readBlocksDown(database.pool, Number.MAX_SAFE_INTEGER, 1)
    if (top && top.number === newest.number && top.hash === newest.hash) {
      await settleFinal(newest.number)
      levelMs = performance.now()
      return false
    }
    const base = await commonAncestor()
    const reorged = top !== undefined && base?.number !== top.number
    const from = base ? base.number + 1 : deployment.fromBlock
    if (newest.number < from && !reorged) return false
    const deep = Math.min(newest.number - NEAR, from + RANGE - 1)
    const to = deep < from ? newest : await reader.at(deep)
    if (!to) throw new MovedError(`Block ${deep} has gone`)
    const range =
      to === newest
        ? await reader.readEach(base, from, to)
        : await reader.readAtOnce(base, from, to)
    await apply(base?.number ?? -1, to.number, range, reorged)
    await settleFinal(to.number)
    if (to === newest) levelMs = performance.now()
    return to !== newest
  }

  async function apply(
    base: number,
    toBlock: number,
    { blocks, events }: BlockRange,
    reorged: boolean,
  ): Promise<void> {
    if (reorged && base < final) {
      logger.error({ from: base + 1, final }, 'The ledger has changed blocks that it called final')
    }
    // Old and new come in one transaction, so that nobody sees money vanish and return.
    const change = await database.transaction(async (db) => {
      const forgotten = reorged ? await forgetAbove(db, base, clock.nowMs()) : undefined
      await saveBlocks(db, blocks, events)
      const touched: Applied = { ...touchedBy(events, forgotten), toBlock }
      if (reorged) touched.reorgedFrom = base + 1
      await options.announce?.(db, touched)
      return touched
    })
    applied = toBlock
    if (reorged) {
      final = Math.min(final, base)
      logger.warn({ from: base + 1, to: toBlock }, 'The ledger was reorganised')
    }
    for (const listener of listeners) tell(listener, change)
  }

  function tell(listener: (change: Applied) => void, change: Applied): void {
    try {
      listener(change)
    } catch (error) {
      logger.error({ err: error }, 'A listener to the ledger failed')
    }
  }

  async function settleFinal(head: number): Promise<void> {
    applied = head
    final = Math.max(final, Math.min(head, await finalNumber(head)))
    await dropEmptyBlocksBelow(database.pool, Math.min(final, head))
    for (const one of waiting) {
      if (one.block > applied) continue
      waiting.delete(one)
      one.resolve()
    }
  }

  async function finalNumber(head: number): Promise<number> {
    if (finality === 'head') return head
    const tagged = await reader.finalized()
    return tagged ? tagged.number : head - finalityBlocks
  }

  async function run(): Promise<void> {
    let retryMs = pollMs
    while (!stopping) {
      again = false
      try {
        const more = await step()
        retryMs = pollMs
        if (more || again) continue
        await pause(pollMs)
      } catch (error) {
        if (error instanceof MovedError) {
          await pause(pollMs)
          continue
        }
        logger.warn({ err: error, retryMs }, 'The ledger could not be followed; trying again')
        retryMs = Math.min(MAX_RETRY_MS, retryMs * 2)
        await pause(retryMs)
      }
    }
  }

  async function pause(ms: number): Promise<void> {
    if (stopping || again) return
    const timer = setTimeout(() => wake.resolve(), ms)
    await wake.promise
    clearTimeout(timer)
    wake = Promise.withResolvers<void>()
  }

  function kick(): void {
    again = true
    wake.resolve()
  }

  const running = run()

  return {
    async synced() {
      const head = Number(await client.getBlockNumber({ cacheTime: 0 }))
      if (stopping) throw new FollowerStoppedError()
      await new Promise<void>((resolve, reject) => {
        waiting.add({ block: head, resolve, reject })
        kick()
      })
    },
    onApplied(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    kick,
    block: () => ({ included: applied, final }),
    lag: () => ({
      blocks: Math.max(0, head - applied),
      seconds: (performance.now() - levelMs) / 1_000,
    }),
    async stop() {
      stopping = true
      kick()
      await running
      for (const { reject } of waiting) reject(new FollowerStoppedError())
      waiting.clear()
    },
  }
}

function touchedBy(events: readonly LedgerEvent[], before: Touched | undefined): Touched {
  const machineIds = new Set(before?.machineIds)
  const agreementIds = new Set(before?.agreementIds)
  for (const event of events) {
    if ('machineId' in event) machineIds.add(event.machineId)
    if ('agreementId' in event) agreementIds.add(event.agreementId)
  }
  return { machineIds: [...machineIds], agreementIds: [...agreementIds] }
}
