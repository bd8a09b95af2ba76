import type { LogHead, NodeEvent } from '@liquefy/client'
import type { Hex } from '@liquefy/protocol'
import pg from 'pg'
import type { BaseLogger } from 'pino'
import { applicationName, type Queryable } from './database.ts'

/** What the processes of one deployment tell each other through the database. None is needed for correctness: each may be missed. */
export type Bulletin =
  /** The tables hold more of the ledger. */
  | { kind: 'ledger'; machineIds: string[]; agreementIds: Hex[] }
  /** Rules became known. */
  | { kind: 'rules' }
  | { kind: 'events'; events: NodeEvent[] }
  /** Somebody needs a head of the log signed now, and its answer. */
  | { kind: 'head-wanted'; id: string }
  | { kind: 'head'; id: string; head: Omit<LogHead, 'anchored'> }
  /** Somebody needs the root at a size signed for receipts, and its answer (COSE, base64; null: it cannot be signed). */
  | { kind: 'root-wanted'; id: string; size: string }
  | { kind: 'root'; id: string; signed: string | null }
  /** Something was, or may have been, missed: look at everything. */
  | { kind: 'missed' }

/** Hears what other processes tell. */
export interface Bulletins {
  /** Adds a listener; the answer removes it. */
  on(listener: (bulletin: Bulletin) => void): () => void
  close(): Promise<void>
}

const CHANNEL = 'liquefy'
/** PostgreSQL takes 7,999 bytes; the sender's name and JSON around a bulletin are within the rest. */
const MAX_BULLETIN_BYTES = 7_500
const RETRY_MS = 500

/** Tells all other processes on this database once the transaction of `db` commits. A bulletin that is too long is told as `missed`. */
export async function tell(db: Queryable, from: string, bulletin: Bulletin): Promise<void> {
  const text = JSON.stringify({ from, bulletin })
  const isShort = Buffer.byteLength(text) <= MAX_BULLETIN_BYTES
  const payload = isShort ? text : JSON.stringify({ from, bulletin: { kind: 'missed' } })
  await db.query('SELECT pg_notify($1, $2)', [CHANNEL, payload])
}

/**
 * Listens on a connection of its own. Whenever that was lost, and while it cannot be had again, listeners hear `missed`.
 *
 * @param holder name of this process: it does not hear itself.
 */
export async function listenToBulletins(options: {
  url: string
  role: string
  holder: string
  logger: BaseLogger
}): Promise<Bulletins> {
  const { url, role, holder, logger } = options
  const listeners = new Set<(bulletin: Bulletin) => void>()
  let closed = false
  let client = await connect()

  function emit(bulletin: Bulletin): void {
    for (const listener of listeners) {
      try {
        listener(bulletin)
      } catch (error) {
        logger.error({ err: error }, 'a listener to other processes failed')
      }
    }
  }

  async function connect(): Promise<pg.Client> {
    const next = new pg.Client({
      connectionString: url,
      keepAlive: true,
      application_name: applicationName(role),
    })
    next.on('error', (error) => logger.warn({ err: error }, 'lost touch with other processes'))
    next.on('notification', ({ payload }) => {
      const { from, bulletin } = JSON.parse(payload ?? '{}') as { from: string; bulletin: Bulletin }
      if (from !== holder) emit(bulletin)
    })
    await next.connect()
    await next.query(`LISTEN ${CHANNEL}`)
    next.once('end', () => void reconnect())
    return next
  }

  async function reconnect(): Promise<void> {
    while (!closed) {
      emit({ kind: 'missed' })
      try {
        client = await connect()
        if (closed) await client.end()
        else emit({ kind: 'missed' })
        return
      } catch (error) {
        logger.warn({ err: error }, 'cannot hear other processes yet')
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  return {
    on(listener) {
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
      }
    },
    async close() {
      closed = true
      await client.end().catch(() => undefined)
    },
  }
}
