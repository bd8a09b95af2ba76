import type { CompletedNode } from '@liquefy/protocol'
import { type Connection, copyRows, TupleWriter } from './copy.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** Held by the transaction that appends: the order of leaves is the order of commits. */
const LOG_LOCK = 7_158_203

/** End of the log as the database has it. */
export interface StoredHead {
  size: bigint
  /** `loggedAt` of the last leaf, 0 if there is none. */
  lastLoggedAt: number
}

/** A signed statement of the log's root at a size. */
export interface CheckpointRow {
  size: bigint
  root: `0x${string}`
  timestamp: number
  signature: `0x${string}`
}

/** The end of the log, and whether a contradiction to it is kept: then nothing may be appended. */
type LogEnd = StoredHead & { isSplit: boolean }

/** Waits for the exclusive right to append until the transaction ends, and reads the end of the log. */
export async function lockLogHead(database: Queryable): Promise<LogEnd> {
  await database.query('SELECT pg_advisory_xact_lock($1)', [LOG_LOCK])
  return readLogEnd(database)
}

/** Reads the end of the log, and whether a contradiction to it is kept. */
export async function readLogEnd(database: Queryable): Promise<LogEnd> {
  const { rows } = await database.query(
    `SELECT EXISTS (SELECT FROM split_views) AS is_split, e.log_index, e.logged_at FROM (VALUES (1)) AS one
       LEFT JOIN LATERAL (SELECT log_index, logged_at FROM envelopes ORDER BY log_index DESC LIMIT 1) AS e ON true`,
  )
  const [row] = rows
  return {
    size: row.log_index === null ? 0n : row.log_index + 1n,
    lastLoggedAt: row.logged_at === null ? 0 : Number(row.logged_at),
    isSplit: row.is_split,
  }
}

/** Reads the end of the log. */
export async function readLogHead(database: Queryable): Promise<StoredHead> {
  const { isSplit: _, ...head } = await readLogEnd(database)
  return head
}

const NODE_BYTES = 64

/** Stores the hashes of subtrees that became complete. */
export async function insertLogNodes(
  transaction: Connection,
  nodes: readonly CompletedNode[],
): Promise<void> {
  const writer = new TupleWriter(nodes.length * NODE_BYTES)
  for (const { level, index, hash } of nodes) {
    writer.tuple(3)
    writer.int2(level)
    writer.int8(index)
    writer.hex(hash)
  }
  await copyRows(transaction, 'log_nodes (level, idx, hash)', writer.written())
}

/** Hash of one complete subtree; undefined if the log has not grown that far. */
export async function readLogNode(
  database: Queryable,
  level: number,
  index: bigint,
): Promise<`0x${string}` | undefined> {
  const answer = await database.query('SELECT hash FROM log_nodes WHERE level = $1 AND idx = $2', [
    level,
    index,
  ])
  const row = answer.rows[0]
  return row === undefined ? undefined : hexOf(row.hash)
}

/** Stores a checkpoint, and answers what is stored for its size: another root stays, and of one root the newest statement. */
export async function saveCheckpoint(
  database: Queryable,
  checkpoint: CheckpointRow,
): Promise<CheckpointRow> {
  await database.query(
    `INSERT INTO checkpoints AS old (size, root, timestamp, signature) VALUES ($1, $2, $3, $4)
     ON CONFLICT (size) DO UPDATE SET timestamp = EXCLUDED.timestamp, signature = EXCLUDED.signature
      WHERE old.root = EXCLUDED.root AND old.timestamp < EXCLUDED.timestamp`,
    [
      checkpoint.size,
      bytesOf(checkpoint.root),
      checkpoint.timestamp,
      bytesOf(checkpoint.signature),
    ],
  )
  const answer = await database.query('SELECT * FROM checkpoints WHERE size = $1', [
    checkpoint.size,
  ])
  return checkpointOf(answer.rows[0])
}

/** The checkpoint of the largest size. */
export async function readNewestCheckpoint(
  database: Queryable,
): Promise<CheckpointRow | undefined> {
  const answer = await database.query('SELECT * FROM checkpoints ORDER BY size DESC LIMIT 1')
  return answer.rows[0] === undefined ? undefined : checkpointOf(answer.rows[0])
}

/** The largest anchor of `log` that the ledger has. */
export async function readNewestAnchor(
  database: Queryable,
  log: `0x${string}`,
): Promise<{ size: bigint; root: `0x${string}`; txHash: `0x${string}` } | undefined> {
  const answer = await database.query(
    'SELECT size, root, tx_hash FROM anchors WHERE log = $1 ORDER BY size DESC LIMIT 1',
    [bytesOf(log)],
  )
  const row = answer.rows[0]
  return row === undefined
    ? undefined
    : { size: row.size, root: hexOf(row.root), txHash: hexOf(row.tx_hash) }
}

function checkpointOf(row: {
  size: bigint
  root: Buffer
  timestamp: bigint
  signature: Buffer
}): CheckpointRow {
  return {
    size: row.size,
    root: hexOf(row.root),
    timestamp: Number(row.timestamp),
    signature: hexOf(row.signature),
  }
}
