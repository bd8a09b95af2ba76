import type { Hex, Lag } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** Payments that are looked at: newest first, so that a long history costs nothing. */
const PAYMENTS = 300

/**
 * From the commit of the newest reading of a bill until it was owed, of each bill that changed since; until it was paid, by the time of the
 * payment's block, of each payment since whose meter value the node has been given. Undefined where there is none.
 */
export async function readLags(
  db: Queryable,
  sinceMs: number,
): Promise<{ owed: Lag | undefined; paid: Lag | undefined }> {
  const [owed, paid] = await Promise.all([
    db.query(
      QUANTILES(`SELECT o.updated_ms - max(e.logged_at) AS ms FROM owed o
         CROSS JOIN LATERAL jsonb_to_recordset(o.heads) AS h (stream text, seq bigint)
         JOIN folds f ON f.agreement_id = o.agreement_id AND f.stream = h.stream
         JOIN envelopes e ON e.machine_id = f.machine_id AND e.stream = f.stream AND e.seq = h.seq
         WHERE o.updated_ms > $1 GROUP BY o.agreement_id, o.period, o.updated_ms`),
      [sinceMs],
    ),
    db.query(
      `WITH newest AS (
         SELECT agreement_id, period, as_of, at_ms FROM agreement_events
         WHERE kind = 'settled' ORDER BY block DESC, log_index DESC LIMIT ${PAYMENTS}
       ) ${QUANTILES(`SELECT n.at_ms - max(e.logged_at) AS ms FROM newest n
         JOIN meter_values v USING (agreement_id, period, as_of)
         CROSS JOIN LATERAL jsonb_to_recordset(v.heads) AS h (stream text, seq bigint)
         JOIN folds f ON f.agreement_id = n.agreement_id AND f.stream = h.stream
         JOIN envelopes e ON e.machine_id = f.machine_id AND e.stream = f.stream AND e.seq = h.seq
         WHERE n.at_ms > $1 GROUP BY n.agreement_id, n.period, n.as_of, n.at_ms`)}`,
      [sinceMs],
    ),
  ])
  return { owed: lagOf(owed.rows[0]), paid: lagOf(paid.rows[0]) }
}

/** Block times are whole seconds: what came within the second of its block took no time. */
const QUANTILES = (lags: string) =>
  `SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY greatest(ms, 0)) AS p50,
     percentile_disc(0.99) WITHIN GROUP (ORDER BY greatest(ms, 0)) AS p99 FROM (${lags}) AS lags`

const lagOf = (row: { p50: bigint | null; p99: bigint | null }): Lag | undefined =>
  row.p50 === null || row.p99 === null
    ? undefined
    : { p50Ms: Number(row.p50), p99Ms: Number(row.p99) }

/** A transaction that settled, and how many bills it settled. */
export interface SettlingTransaction {
  txHash: Hex
  atMs: number
  bills: number
}

/** The newest transactions that settled, newest first. */
export async function readSettlingTransactions(
  db: Queryable,
  limit: number,
): Promise<SettlingTransaction[]> {
  const { rows } = await db.query(
    `SELECT tx_hash, max(at_ms) AS at_ms, count(*) AS bills FROM (
       SELECT tx_hash, at_ms, block FROM agreement_events WHERE kind = 'settled'
       ORDER BY block DESC, log_index DESC LIMIT ${PAYMENTS}
     ) AS newest GROUP BY tx_hash ORDER BY max(block) DESC, tx_hash LIMIT $1`,
    [limit],
  )
  return rows.map((row) => ({
    txHash: hexOf(row.tx_hash),
    atMs: Number(row.at_ms),
    bills: Number(row.bills),
  }))
}

/** A transaction that is not in a block: why it is asked for, since when, and what stands in its way. */
export interface WaitingTransaction {
  kind: string
  status: 'queued' | 'sent'
  sinceMs: number
  problem: string | null
}

/** Oldest first. */
export async function readWaitingTransactions(
  db: Queryable,
  limit: number,
): Promise<WaitingTransaction[]> {
  const { rows } = await db.query(
    `SELECT kind, status, created_ms, error FROM outbox WHERE status IN ('queued', 'sent')
     ORDER BY position LIMIT $1`,
    [limit],
  )
  return rows.map(({ kind, status, created_ms, error }) => ({
    kind,
    status,
    sinceMs: Number(created_ms),
    problem: error,
  }))
}

/** Accepted meter values of open agreements that the ledger skipped until the node gave up, and that nothing later has paid. */
export async function countGivenUp(db: Queryable): Promise<number> {
  const { rows } = await db.query(
    `SELECT count(*) AS count FROM meter_values v WHERE v.given_up
       AND v.owed_minor > (SELECT coalesce(sum(e.amount), 0) FROM agreement_events e
         WHERE e.agreement_id = v.agreement_id AND e.period = v.period AND e.kind IN ('settled', 'collected'))
       AND NOT EXISTS (SELECT FROM agreement_events c WHERE c.agreement_id = v.agreement_id AND c.kind = 'closed')`,
  )
  return Number(rows[0]?.count)
}

/** When each code was given last, of those of which samples are kept. */
export async function readRefusalTimes(db: Queryable): Promise<Map<string, number>> {
  const { rows } = await db.query('SELECT code, max(at_ms) AS at_ms FROM refusals GROUP BY code')
  return new Map(rows.map((row) => [row.code, Number(row.at_ms)]))
}

/** How many readings the newest envelopes carry, mean of 1,000; undefined without any. */
export async function readReadingsPerEnvelope(db: Queryable): Promise<number | undefined> {
  const { rows } = await db.query(
    `SELECT avg(readings)::float8 AS mean FROM
       (SELECT readings FROM envelopes ORDER BY log_index DESC LIMIT 1000) AS newest`,
  )
  return rows[0]?.mean ?? undefined
}

/** When this database was made: what it counts, it counts since then. */
export async function readDatabaseBirth(db: Queryable): Promise<number> {
  const { rows } = await db.query('SELECT min(applied_ms) AS ms FROM schema_migrations')
  return Number(rows[0]?.ms)
}

/** The newest anchor of `log`, and where it stands on the ledger. */
export async function readAnchorPlace(
  db: Queryable,
  log: Hex,
): Promise<{ size: string; txHash: Hex; block: number; atMs: number } | null> {
  const { rows } = await db.query(
    'SELECT size, tx_hash, block, at_ms FROM anchors WHERE log = $1 ORDER BY size DESC LIMIT 1',
    [bytesOf(log)],
  )
  const [row] = rows
  return row === undefined
    ? null
    : {
        size: String(row.size),
        txHash: hexOf(row.tx_hash),
        block: Number(row.block),
        atMs: Number(row.at_ms),
      }
}
