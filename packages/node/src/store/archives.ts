import type { Hex, NodeReader, PublicKey } from '@liquefy/protocol'
import pg from 'pg'
import { databaseTypes, type Queryable } from './database.ts'
import { type EnvelopeRow, envelopeOf } from './envelopes.ts'
import { bytesOf, hexOf } from './hex.ts'

/** Which envelopes may leave the database. */
export interface Departure {
  /** Only what was logged before, ms since 1970. */
  beforeMs: number
  /** Leaves under the anchor that proofs will lead to. */
  size: bigint
  /** Blocks up to this one stay: what the ledger says in later ones counts as not said. */
  finalBlock: number
}

/** Why an envelope stays: an agreement that is not closed needs it; a new agreement may begin behind it. */
export type Hold = 'agreement' | 'newest'

/** Held by whoever archives, and by whoever erases: a file must not take up what is being erased. */
const ARCHIVE_LOCK = 7_158_204

/**
 * From which `seq` on a stream is needed by an agreement that may still cost money: folds can begin anew (a revocation), and its bundle shows what it
 * begins behind. An agreement whose start is not known holds all of its streams. After `close` nothing can be settled, collected or adjusted.
 */
const HELD = `
  SELECT a.machine_id, m.meter->>'stream' AS stream, min(coalesce(f.start_seq - 1, 0)) AS from_seq
    FROM agreements a
   CROSS JOIN LATERAL jsonb_array_elements(a.terms->'meters') WITH ORDINALITY AS m (meter, place)
    LEFT JOIN folds f ON f.agreement_id = a.agreement_id AND f.meter = m.place - 1
   WHERE NOT EXISTS (SELECT FROM agreement_events c
           WHERE c.agreement_id = a.agreement_id AND c.kind = 'closed' AND c.block <= $1)
   GROUP BY 1, 2`

/** Why `e`, beside what is held of its stream as `h`, stays; null if it may leave. */
const HOLD = `
  CASE WHEN e.seq >= h.from_seq THEN 'agreement'
       WHEN e.seq = (SELECT n.seq FROM envelopes n
         WHERE n.machine_id = e.machine_id AND n.stream = e.stream ORDER BY n.seq DESC LIMIT 1) THEN 'newest' END`

/** A connection of its own to a node's database, for whatever works beside the node. */
export async function connectBeside(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    types: databaseTypes,
    application_name: 'liquefy archive',
    // What is told as done must be on the disk, whatever the server's default says.
    options: '-c synchronous_commit=on',
  })
  await client.connect()
  return client
}

/** Takes the right to archive until the connection ends; false if somebody has it. */
export async function holdArchiving(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query('SELECT pg_try_advisory_lock($1) AS held', [ARCHIVE_LOCK])
  return rows[0]?.held === true
}

/** The same right until the transaction ends. */
export async function holdArchivingHere(db: Queryable): Promise<boolean> {
  const { rows } = await db.query('SELECT pg_try_advisory_xact_lock($1) AS held', [ARCHIVE_LOCK])
  return rows[0]?.held === true
}

/** The largest anchor of `log` in a block that stays. */
export async function readFinalAnchor(
  db: Queryable,
  log: Hex,
  finalBlock: number,
): Promise<{ size: bigint; root: Hex } | undefined> {
  const { rows } = await db.query(
    'SELECT size, root FROM anchors WHERE log = $1 AND block <= $2 ORDER BY size DESC LIMIT 1',
    [bytesOf(log), finalBlock],
  )
  return rows[0] && { size: rows[0].size, root: hexOf(rows[0].root) }
}

/** Whether `log` has anchored a root in a block that stays. */
export async function isAnchored(
  db: Queryable,
  log: Hex,
  { size, root }: { size: bigint; root: Hex },
  finalBlock: number,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'SELECT FROM anchors WHERE log = $1 AND size = $2 AND root = $3 AND block <= $4',
    [bytesOf(log), size, bytesOf(root), finalBlock],
  )
  return rowCount === 1
}

/** An envelope that is looked at, and why it stays; undefined if it may leave. */
export interface Candidate {
  row: EnvelopeRow
  hold: Hold | undefined
  raw: Buffer
}

/** The next envelopes that are neither archived nor erased, in the order of the log, at most `limit`: none once all were looked at. */
export async function readCandidates(
  db: Queryable,
  { beforeMs, size, finalBlock }: Departure,
  fromIndex: bigint,
  limit: number,
): Promise<Candidate[]> {
  const { rows } = await db.query(
    `WITH held AS (${HELD}), looked AS (
       SELECT * FROM envelopes
        WHERE log_index >= $2 AND log_index < $3 AND archive_id IS NULL AND erasure_id IS NULL ORDER BY log_index LIMIT $4)
     SELECT e.*, ${HOLD} AS hold FROM looked e LEFT JOIN held h USING (machine_id, stream)
      WHERE e.logged_at < $5 ORDER BY e.log_index`,
    [finalBlock, fromIndex, size, limit, beforeMs],
  )
  return rows.map((row) => ({
    row: envelopeOf(row),
    hold: row.hold ?? undefined,
    raw: row.raw,
  }))
}

/** How many envelopes of before a time no anchor that stays covers. */
export async function countUnanchored(
  db: Queryable,
  { beforeMs, size }: Departure,
): Promise<number> {
  const { rows } = await db.query(
    'SELECT count(*) AS count FROM envelopes WHERE log_index >= $1 AND logged_at < $2',
    [size, beforeMs],
  )
  return Number(rows[0]?.count)
}

/** Reads what the proofs of some leaves are made of, at once: the siblings on their paths, and the complete subtrees at the right edge. */
export async function readPaths(
  db: Queryable,
  indexes: readonly bigint[],
  size: bigint,
): Promise<NodeReader> {
  const known = new Map<string, Hex>()
  for (let level = 0n; 1n << level <= size; level += 1n) {
    const places = new Set(indexes.map((index) => (index >> level) ^ 1n))
    if ((size >> level) & 1n) places.add((size >> level) - 1n)
    const { rows } = await db.query(
      'SELECT idx, hash FROM log_nodes WHERE level = $1 AND idx = ANY ($2::bigint[])',
      [level, [...places]],
    )
    for (const { idx, hash } of rows) known.set(`${level}/${idx}`, hexOf(hash))
  }
  return async (level, index) => {
    const node = known.get(`${level}/${index}`)
    if (node !== undefined) return node
    throw new RangeError(`The log has no node ${level}/${index}.`)
  }
}

/** Names of the files of which nothing is left to take out. */
export async function readCompleteArchives(db: Queryable): Promise<Set<string>> {
  const { rows } = await db.query<{ file: string }>('SELECT file FROM archives WHERE complete')
  return new Set(rows.map(({ file }) => file))
}

/** Makes a file known, before anything of it leaves; answers its id. */
export async function beginArchive(db: Queryable, file: string): Promise<number> {
  const { rows } = await db.query(
    `INSERT INTO archives (file) VALUES ($1)
     ON CONFLICT (file) DO UPDATE SET complete = false RETURNING archive_id`,
    [file],
  )
  return rows[0]?.archive_id
}

/** Nothing of a file is left to take out. */
export async function completeArchive(db: Queryable, archiveId: number): Promise<void> {
  await db.query('UPDATE archives SET complete = true WHERE archive_id = $1', [archiveId])
}

/** Takes the bytes of those envelopes out that have the very same ones and may leave now. One statement is one transaction. Answers how many. */
export async function removeBytes(
  db: Queryable,
  archiveId: number,
  { beforeMs, size, finalBlock }: Departure,
  envelopes: readonly { logIndex: bigint; raw: Uint8Array }[],
): Promise<number> {
  const { rowCount } = await db.query(
    `WITH held AS (${HELD})
     UPDATE envelopes SET raw = NULL, archive_id = $2
       FROM unnest($3::bigint[], $4::bytea[]) AS gone (log_index, raw)
       JOIN envelopes e USING (log_index, raw) LEFT JOIN held h USING (machine_id, stream)
      WHERE envelopes.log_index = e.log_index AND envelopes.archive_id IS NULL
        AND e.log_index < $5 AND e.logged_at < $6 AND (${HOLD}) IS NULL`,
    [
      finalBlock,
      archiveId,
      envelopes.map(({ logIndex }) => logIndex),
      envelopes.map(({ raw }) => raw),
      size,
      beforeMs,
    ],
  )
  return rowCount ?? 0
}

/** Puts bytes back, of those envelopes that have the same digest and whose bytes are out. Answers how many. */
export async function returnBytes(
  db: Queryable,
  envelopes: readonly { logIndex: bigint; digest: Hex; raw: Uint8Array }[],
): Promise<number> {
  const { rowCount } = await db.query(
    `UPDATE envelopes e SET raw = back.raw, archive_id = NULL
       FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS back (log_index, digest, raw)
      WHERE e.log_index = back.log_index AND e.digest = back.digest AND e.archive_id IS NOT NULL`,
    [
      envelopes.map(({ logIndex }) => logIndex),
      envelopes.map(({ digest }) => bytesOf(digest)),
      envelopes.map(({ raw }) => raw),
    ],
  )
  return rowCount ?? 0
}

/** Keys that the ledger has named, of those that are asked for. */
export async function readKeys(
  db: Queryable,
  keyIds: readonly Hex[],
): Promise<Map<Hex, PublicKey>> {
  const { rows } = await db.query(
    'SELECT key_id, curve, x, y FROM machine_keys WHERE key_id = ANY ($1)',
    [[...new Set(keyIds)].map(bytesOf)],
  )
  return new Map(
    rows.map((row) => [
      hexOf(row.key_id),
      { curve: row.curve === 1 ? 'P-256' : 'secp256k1', x: hexOf(row.x), y: hexOf(row.y) },
    ]),
  )
}

/** Files that some archived envelopes are in, by log index. */
export async function readArchiveFiles(
  db: Queryable,
  logIndexes: readonly bigint[],
): Promise<Map<bigint, string>> {
  if (logIndexes.length === 0) return new Map()
  const { rows } = await db.query(
    `SELECT e.log_index, a.file FROM envelopes e JOIN archives a USING (archive_id)
      WHERE e.log_index = ANY ($1::bigint[])`,
    [logIndexes],
  )
  return new Map(rows.map((row) => [row.log_index, row.file]))
}

/** The file of the first envelope without bytes that the folds of an agreement still have before them, null if it was erased; undefined if there is none. */
export async function readArchivedAhead(
  db: Queryable,
  agreementId: Hex,
): Promise<string | null | undefined> {
  const { rows } = await db.query(
    `SELECT ahead.file FROM agreements a
      CROSS JOIN LATERAL jsonb_array_elements(a.terms->'meters') WITH ORDINALITY AS m (meter, place)
       LEFT JOIN folds f ON f.agreement_id = a.agreement_id AND f.meter = m.place - 1
       LEFT JOIN envelopes s ON s.digest = decode(substr(m.meter->>'startHead', 3), 'hex')
      CROSS JOIN LATERAL (
        SELECT r.file FROM envelopes e LEFT JOIN archives r USING (archive_id)
         WHERE e.raw IS NULL AND e.machine_id = a.machine_id AND e.stream = m.meter->>'stream'
           AND e.seq >= coalesce((f.state->>'nextSeq')::bigint, s.seq + 1, 1)
         ORDER BY e.seq LIMIT 1) AS ahead
      WHERE a.agreement_id = $1 LIMIT 1`,
    [bytesOf(agreementId)],
  )
  return rows[0]?.file
}
