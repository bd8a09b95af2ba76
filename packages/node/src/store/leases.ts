import { LiquefyError } from '@liquefy/protocol'
import type pg from 'pg'
import type { Database, Queryable } from './database.ts'

/** The right to do what only one process may do, until it expires or is taken over. */
export interface Lease {
  name: string
  /** Larger than that of every holder before. */
  token: bigint
}

/** Somebody else holds the lease now: what was begun under it must not take effect. */
export class LeaseLostError extends LiquefyError {
  constructor(names: readonly string[]) {
    super(
      'LEASE_LOST',
      `Another process has taken over ${names.join(', ')}. Nothing was written; that process does the work.`,
    )
  }
}

/**
 * Takes those of the leases that nobody holds, at most `limit` of them, by the database's clock. Whoever held one before can write nothing
 * under it from then on; a transaction of his that is under way is waited for.
 */
export async function acquireLeases(
  db: Queryable,
  wanted: { names: readonly string[]; holder: string; ms: number; limit?: number },
): Promise<Lease[]> {
  const { rows } = await db.query(
    `INSERT INTO leases AS l (name, holder, token, expires_at)
     SELECT name, $2, 1, clock_timestamp() + $3 * interval '1 ms' FROM unnest($1::text[]) name
      WHERE NOT EXISTS (SELECT FROM leases h WHERE h.name = name.name AND h.expires_at >= clock_timestamp())
      ORDER BY name LIMIT $4
     ON CONFLICT (name) DO UPDATE SET holder = EXCLUDED.holder, token = l.token + 1, expires_at = EXCLUDED.expires_at
      WHERE l.expires_at < clock_timestamp()
     RETURNING name, token`,
    [wanted.names, wanted.holder, wanted.ms, wanted.limit ?? wanted.names.length],
  )
  return rows
}

/** Prolongs leases; answers those that are still ours. */
export async function renewLeases(
  db: Queryable,
  leases: readonly Lease[],
  ms: number,
): Promise<Lease[]> {
  if (leases.length === 0) return []
  const { rows } = await db.query(
    `UPDATE leases l SET expires_at = clock_timestamp() + $3 * interval '1 ms'
     FROM unnest($1::text[], $2::bigint[]) mine (name, token)
     WHERE l.name = mine.name AND l.token = mine.token RETURNING l.name, l.token`,
    [leases.map(({ name }) => name), leases.map(({ token }) => token), ms],
  )
  return rows
}

/** How many processes hold leases now, by role, with which a holder's name begins. */
export async function countHolders(db: Queryable): Promise<Record<string, number>> {
  const { rows } = await db.query(
    `SELECT split_part(holder, '-', 1) AS role, count(DISTINCT holder) AS count FROM leases
     WHERE expires_at >= clock_timestamp() GROUP BY 1 ORDER BY 1`,
  )
  return Object.fromEntries(rows.map(({ role, count }) => [role, Number(count)]))
}

/** Gives leases back, so that nobody need wait for their end. */
export async function releaseLeases(db: Queryable, leases: readonly Lease[]): Promise<void> {
  if (leases.length === 0) return
  await db.query(
    `UPDATE leases l SET expires_at = '-infinity'
     FROM unnest($1::text[], $2::bigint[]) mine (name, token)
     WHERE l.name = mine.name AND l.token = mine.token`,
    [leases.map(({ name }) => name), leases.map(({ token }) => token)],
  )
}

/**
 * Fences a transaction: it holds up whoever would take the leases over until it ends. Call it first, in the transaction that has
 * the effect.
 *
 * @throws LeaseLostError if one was taken over.
 */
export async function fence(client: Queryable, leases: readonly Lease[]): Promise<void> {
  const names = [...new Set(leases.map(({ name }) => name))].sort()
  const { rows } = await client.query(
    'SELECT name, token FROM leases WHERE name = ANY ($1) ORDER BY name FOR KEY SHARE',
    [names],
  )
  const tokens = new Map(rows.map(({ name, token }) => [name, token]))
  const lost = leases.filter(({ name, token }) => tokens.get(name) !== token)
  if (lost.length > 0) throw new LeaseLostError(lost.map(({ name }) => name))
}

/** The database as the holder of a lease sees it: everything that writes is fenced, a transaction or a single statement. */
export function fencedDatabase(database: Database, lease: Lease): Database {
  const transaction: Database['transaction'] = (work) =>
    database.transaction(async (client) => {
      await fence(client, [lease])
      return work(client)
    })
  const query = (text: string, values?: unknown[]): Promise<pg.QueryResult> =>
    // What follows from a read is written under the fence, or not at all.
    isRead(text)
      ? database.pool.query(text, values)
      : transaction((client) => client.query(text, values))
  const pool: pg.Pool = Object.create(database.pool, { query: { value: query } })
  return { ...database, pool, transaction }
}

function isRead(text: string): boolean {
  return /^\s*SELECT\b/i.test(text) && !/\bFOR\s+(NO\s+KEY\s+UPDATE|UPDATE)\b|pg_notify/i.test(text)
}

const PRESENCE = 'present/'

/** Says that a process takes part in sharing `group`, and counts those that do. */
export async function bePresent(
  db: Queryable,
  { group, holder, ms }: { group: string; holder: string; ms: number },
): Promise<number> {
  await db.query(
    `INSERT INTO leases (name, holder, token, expires_at) VALUES ($1, $2, 1, clock_timestamp() + $3 * interval '1 ms')
     ON CONFLICT (name) DO UPDATE SET expires_at = EXCLUDED.expires_at`,
    [`${PRESENCE}${group}/${holder}`, holder, ms],
  )
  const { rows } = await db.query(
    'SELECT count(*)::int AS living FROM leases WHERE starts_with(name, $1) AND expires_at >= clock_timestamp()',
    [`${PRESENCE}${group}/`],
  )
  return rows[0].living
}

/** Ends what `bePresent` said, and forgets those who died. */
export async function beGone(db: Queryable, group: string, holder: string): Promise<void> {
  await db.query(
    'DELETE FROM leases WHERE name = $1 OR (starts_with(name, $2) AND expires_at < clock_timestamp())',
    [`${PRESENCE}${group}/${holder}`, `${PRESENCE}${group}/`],
  )
}
