import { LiquefyError } from '@liquefy/protocol'
import pg from 'pg'
import type { BaseLogger } from 'pino'
import { startEmbeddedPostgres } from './embedded-postgres.ts'
import { migrate } from './migrate.ts'

/** Where a query can run: the pool, or the one connection of a transaction. */
export type Queryable = Pick<pg.ClientBase, 'query'>

/** The node's PostgreSQL. `int8` arrives as bigint, `numeric` as bigint if it is an integer and as text otherwise. */
export interface Database {
  pool: pg.Pool
  /** Connection string of the server, for tools and tests. Holds the password. */
  url: string
  /** Runs `work` in one transaction: commits when it resolves, rolls back when it throws. */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** Data folder of the node; the embedded server lives in its `postgres` folder. */
  dataDir: string
  /** An outside PostgreSQL (16 or newer) instead of the embedded one. */
  databaseUrl?: string | undefined
  /** Names one process of several that share the database; undefined: the only one. */
  role?: string | undefined
  logger: BaseLogger
}

/** The database is in use by another node. */
export class DatabaseInUseError extends LiquefyError {
  constructor() {
    super(
      'DATABASE_IN_USE',
      'Another node runs on this database. Stop it, or give this one another data folder or DATABASE_URL. Processes with a role share one, but not with a node that does everything.',
    )
  }
}

const MIGRATIONS = new URL('./migrations/', import.meta.url)
const NODE_LOCK = 7_158_202
const NODE_LOCK_TRIES = 50
const NODE_LOCK_WAIT_MS = 100
const NODE_LOCK_RETRY_MS = 500

/**
 * A process that is stopped in the middle of a transaction (SIGSTOP, a cable pulled) must not hold its locks, on the log or on a lease,
 * longer than its leases last: others wait for them.
 */
const IDLE_LIMIT = '-c idle_in_transaction_session_timeout=5s'
// Whoever was told "stored" must find it after a power cut, whatever the server's default says.
// And a figure for a page must not take all cores, nor the time to compile it, from what machines send.
const SETTINGS = '-c synchronous_commit=on -c max_parallel_workers_per_gather=0 -c jit=off'

const toBigInt = (text: string): bigint => BigInt(text)
const toBigIntOrText = (text: string): bigint | string =>
  /^-?\d+$/.test(text) ? BigInt(text) : text
const toArray =
  <T>(element: (text: string) => T) =>
  (text: string): (T | null)[] =>
    text === '{}'
      ? []
      : text
          .slice(1, -1)
          .split(',')
          .map((item) => (item === 'NULL' ? null : element(item)))

const PARSERS = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, toBigInt],
  [pg.types.builtins.NUMERIC, toBigIntOrText],
  [1016, toArray(toBigInt)],
  [1231, toArray(toBigIntOrText)],
])

/** How values arrive: see `Database`. */
export const databaseTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    const parser = format === 'binary' ? undefined : PARSERS.get(oid)
    return parser ?? pg.types.getTypeParser(oid, format as 'text')
  }) as typeof pg.types.getTypeParser,
}

/**
 * Opens the node's database: starts the embedded PostgreSQL, or reaches the one of `databaseUrl`; migrates it; and
 * makes sure that no other node works on it.
 *
 * @throws DatabaseInUseError, MigrationChangedError, SchemaNewerError, and LiquefyError `POSTGRES_*` if the server does not start, `DATABASE_UNREACHABLE`
 * if it does not answer.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const embedded =
    options.databaseUrl === undefined
      ? await startEmbeddedPostgres({ dataDir: options.dataDir, logger: options.logger })
      : undefined
  const url = embedded?.url ?? String(options.databaseUrl)
  const pool = new pg.Pool({
    connectionString: url,
    max: 12,
    types: databaseTypes,
    connectionTimeoutMillis: 15_000,
    options: options.role ? `${SETTINGS} ${IDLE_LIMIT}` : SETTINGS,
    application_name: applicationName(options.role),
  })
  // Without listeners a connection that dies while idle, or between two queries of whoever has it, would end the process; the next query reports it anyway.
  let closing = false
  pool.on('connect', (client) => client.on('error', () => undefined))
  pool.on('error', (error) => {
    if (!closing) options.logger.warn({ err: error }, 'an idle database connection died')
  })
  let lock: NodeLock | undefined
  try {
    lock = await holdNodeLock(url, options.role !== undefined, options.logger)
    await migrate(pool, MIGRATIONS, Date.now())
  } catch (error) {
    await lock?.release()
    await pool.end()
    // The server of another node must survive our refusal.
    if (!(error instanceof DatabaseInUseError)) await embedded?.stop()
    throw error
  }
  const held = lock
  return {
    pool,
    url,
    transaction: (work) => transaction(pool, work),
    async close() {
      closing = true
      await pool.end()
      await held.release()
      await embedded?.stop()
    },
  }
}

async function transaction<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('BEGIN')
    const result = await work(client)
    await client.query('COMMIT')
    client.release()
    return result
  } catch (error) {
    let broken = false
    try {
      await client.query('ROLLBACK')
    } catch {
      broken = true
    }
    client.release(broken)
    throw error
  }
}

/** By which others see whose connection it is. */
export function applicationName(role: string | undefined): string {
  return role === undefined ? 'liquefy' : `liquefy ${role}`
}

interface NodeLock {
  release(): Promise<void>
}

/**
 * Holds an advisory lock on a connection of its own, so that it falls the moment this process dies, however it dies.
 * When the server restarts the lock is taken again.
 */
async function holdNodeLock(url: string, shared: boolean, logger: BaseLogger): Promise<NodeLock> {
  let released = false
  let holder = await acquire()
  async function acquire(): Promise<pg.Client> {
    const client = await acquireNodeLock(url, shared)
    client.on('error', (error) => logger.warn({ err: error }, 'lost the lock on the database'))
    client.once('end', () => {
      if (!released) void regain()
    })
    return client
  }
  async function regain(): Promise<void> {
    while (!released) {
      try {
        holder = await acquire()
        if (released) await holder.end()
        return
      } catch (error) {
        logger.warn({ err: error }, 'cannot take the lock on the database yet')
        await new Promise((resolve) => setTimeout(resolve, NODE_LOCK_RETRY_MS))
      }
    }
  }
  return {
    async release() {
      released = true
      await holder.end().catch(() => undefined)
    },
  }
}

async function acquireNodeLock(url: string, shared: boolean): Promise<pg.Client> {
  const tryLock = shared ? 'pg_try_advisory_lock_shared' : 'pg_try_advisory_lock'
  const client = new pg.Client({ connectionString: url, keepAlive: true })
  client.on('error', () => undefined)
  try {
    await client.connect()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new LiquefyError(
      'DATABASE_UNREACHABLE',
      `The database does not let us in: ${reason}. Is it running, and is DATABASE_URL right?`,
      { cause },
    )
  }
  for (let attempt = 0; attempt < NODE_LOCK_TRIES; attempt += 1) {
    const answer = await client.query(`SELECT ${tryLock}($1) AS held`, [NODE_LOCK])
    if (answer.rows[0].held === true) return client
    // A node killed a moment ago may still have a backend that is finishing its statement.
    await new Promise((resolve) => setTimeout(resolve, NODE_LOCK_WAIT_MS))
  }
  await client.end()
  throw new DatabaseInUseError()
}
