import { setTimeout as sleep } from 'node:timers/promises'
import type { BaseLogger } from 'pino'
import type { Database } from '../store/database.ts'
import { acquireLeases, type Lease, releaseLeases, renewLeases } from '../store/leases.ts'

/** A lease lasts so long, and is renewed so often: who is stopped or cut off has lost it within `LEASE_MS`. */
export const LEASE_MS = 5_000
export const RENEW_MS = 1_500
/** How often who stands by looks whether the lease is free. */
const STANDBY_MS = 500
const RETRY_MS = 2_000

/** Work that exactly one process does at a time. */
export interface KeptLease {
  /** Ends the work if it is done here, and gives the lease back. */
  stop(): Promise<void>
}

/**
 * Stands by until nobody else holds the lease, then does the work under it until it is lost, and stands by again. Whatever the work writes must be
 * fenced with its lease: who was stopped learns only afterwards that he has lost it.
 *
 * @param begin begins the work; its answer ends it.
 * @returns once the work has begun, or another process is found to do it. Throws what the first `begin` throws.
 */
export async function keepLease(options: {
  database: Database
  name: string
  holder: string
  begin: (lease: Lease) => Promise<() => Promise<void>>
  logger: BaseLogger
}): Promise<KeptLease> {
  const { database, name, holder, begin, logger } = options
  const db = database.pool
  const stopped = new AbortController()
  const pause = (ms: number) =>
    sleep(ms, undefined, { signal: stopped.signal }).catch(() => undefined)

  const take = async (): Promise<Lease | undefined> => {
    const [lease] = await acquireLeases(db, { names: [name], holder, ms: LEASE_MS })
    return lease
  }

  /** Holds the lease by the side of the work. Resolves when it is lost or we stop. */
  const hold = async (lease: Lease, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await sleep(RENEW_MS, undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      try {
        if ((await renewLeases(db, [lease], LEASE_MS)).length > 0) continue
        logger.warn({ name }, 'another process has taken over')
        return
      } catch (error) {
        // While the database is away nobody can take over either, and nothing can be written.
        logger.warn({ err: error, name }, 'could not renew a lease yet')
      }
    }
  }

  /** Begins the work, and resolves then; `ended` resolves when it is over. */
  const work = async (lease: Lease): Promise<{ ended: Promise<void> }> => {
    const done = new AbortController()
    const signal = AbortSignal.any([stopped.signal, done.signal])
    const held = hold(lease, signal)
    const giveBack = () => releaseLeases(db, [lease]).catch(() => undefined)
    let end: () => Promise<void>
    try {
      logger.info({ name, token: String(lease.token) }, 'active')
      end = await begin(lease)
    } catch (error) {
      done.abort()
      await held
      await giveBack()
      throw error
    }
    const ended = held.then(async () => {
      await end().catch((error) => logger.error({ err: error }, 'the work did not end in order'))
      await giveBack()
    })
    return { ended }
  }

  let current = await take().then((lease) => lease && work(lease))
  const run = async () => {
    for (;;) {
      await current?.ended
      current = undefined
      if (stopped.signal.aborted) return
      try {
        const lease = await take()
        if (lease) current = await work(lease)
        else await pause(STANDBY_MS)
      } catch (error) {
        logger.error({ err: error, name }, 'could not take over; trying again')
        await pause(RETRY_MS)
      }
    }
  }
  if (!current) logger.info({ name }, 'standing by')
  const running = run()
  return {
    async stop() {
      stopped.abort()
      await running
    },
  }
}
