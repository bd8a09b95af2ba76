import type { Hex } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import type { LogEntry } from './envelopes.ts'
import { bytesOf, hexOf } from './hex.ts'

/** An envelope that is to be erased, in the order of the log. */
export interface Erasable extends Pick<LogEntry, 'logIndex' | 'digest' | 'loggedAt' | 'code'> {
  stream: string
  seq: bigint
  bytes: number
}

/** Blocks up to this one stay: what the ledger says in later ones counts as not said. */
type Final = { machineId: bigint; finalBlock: number }

/** Whether the ledger says for good that a machine is decommissioned. */
export async function isDecommissioned(
  db: Queryable,
  { machineId, finalBlock }: Final,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `SELECT FROM machine_states WHERE machine_id = $1 AND state = 'decommissioned' AND block <= $2`,
    [machineId, finalBlock],
  )
  return rowCount !== 0
}

/** Agreements that meter a machine and are not closed for good. */
export async function readOpenMetering(
  db: Queryable,
  { machineId, finalBlock }: Final,
): Promise<Hex[]> {
  const { rows } = await db.query(
    `SELECT agreement_id FROM agreements a
      WHERE machine_id = $1 AND jsonb_array_length(terms->'meters') > 0
        AND NOT EXISTS (SELECT FROM agreement_events c
          WHERE c.agreement_id = a.agreement_id AND c.kind = 'closed' AND c.block <= $2)
      ORDER BY opened_ms`,
    [machineId, finalBlock],
  )
  return rows.map((row) => hexOf(row.agreement_id))
}

/** Files outside that have envelopes of a machine, and those that an archiving which was cut short may have written. */
export async function readFilesInTheWay(db: Queryable, machineId: bigint): Promise<string[]> {
  const { rows } = await db.query<{ file: string }>(
    `SELECT file FROM archives WHERE NOT complete
        OR archive_id IN (SELECT archive_id FROM envelopes WHERE machine_id = $1 AND archive_id IS NOT NULL)
      ORDER BY file`,
    [machineId],
  )
  return rows.map(({ file }) => file)
}

/** The next envelopes of a machine with bytes, in the order of the log: behind `afterIndex`, below `size`. */
export async function readErasable(
  db: Queryable,
  of: { machineId: bigint; afterIndex: bigint; size: bigint; limit: number },
): Promise<Erasable[]> {
  const { rows } = await db.query(
    `SELECT log_index, digest, stream, seq, logged_at, code, length(raw) AS bytes FROM envelopes
      WHERE machine_id = $1 AND log_index > $2 AND log_index < $3 AND raw IS NOT NULL
      ORDER BY log_index LIMIT $4`,
    [of.machineId, of.afterIndex, of.size, of.limit],
  )
  return rows.map((row) => ({
    logIndex: row.log_index,
    digest: hexOf(row.digest),
    stream: row.stream,
    seq: row.seq,
    loggedAt: Number(row.logged_at),
    code: row.code,
    bytes: row.bytes,
  }))
}

/**
 * Takes out what people measured with a machine: bytes below `size`, charts, registers after single envelopes, samples of what was refused, and what its
 * owner said of it. Answers how many envelopes lost their bytes.
 */
export async function eraseMeasured(
  db: Queryable,
  of: { machineId: bigint; size: bigint; erasureId: number },
): Promise<number> {
  const { machineId, size, erasureId } = of
  const { rowCount } = await db.query(
    `UPDATE envelopes SET raw = NULL, erasure_id = $3
      WHERE machine_id = $1 AND log_index < $2 AND raw IS NOT NULL`,
    [machineId, size, erasureId],
  )
  await eraseBeside(db, machineId)
  return rowCount ?? 0
}

/** All that is not the bytes of envelopes: it may come again after an erasure, from an owner or from a device that is still on. */
export async function eraseBeside(db: Queryable, machineId: bigint): Promise<void> {
  for (const table of [
    'rollups',
    'hour_rollups',
    'sensor_declarations',
    'machine_names',
    'machine_places',
  ]) {
    await db.query(`DELETE FROM ${table} WHERE machine_id = $1`, [machineId])
  }
  await db.query(`UPDATE refusals SET sample = NULL, message = '' WHERE machine_id = $1`, [
    machineId,
  ])
  await thinRegisters(db, machineId)
}

/** Of each period the last register stays, which was billed; of every other envelope the verdict alone. */
async function thinRegisters(db: Queryable, machineId: bigint): Promise<void> {
  await db.query(
    `WITH ofMachine AS (SELECT agreement_id FROM agreements WHERE machine_id = $1), gone AS (
       DELETE FROM metered m USING ofMachine a
        WHERE m.agreement_id = a.agreement_id AND m.period >= 0
          AND EXISTS (SELECT FROM metered n WHERE n.agreement_id = m.agreement_id AND n.meter = m.meter
            AND n.period = m.period AND (n.seq, n.digest) > (m.seq, m.digest))
       RETURNING m.*)
     INSERT INTO metered (agreement_id, meter, seq, period, register, digest, code, covered, last_ms)
     SELECT DISTINCT ON (agreement_id, meter, seq, digest)
            agreement_id, meter, seq, -1, 0, digest, code, covered, NULL FROM gone
     ON CONFLICT DO NOTHING`,
    [machineId],
  )
  await db.query(
    `DELETE FROM metered_late l USING agreements a
      WHERE a.agreement_id = l.agreement_id AND a.machine_id = $1
        AND EXISTS (SELECT FROM metered_late n WHERE n.agreement_id = l.agreement_id AND n.meter = l.meter
          AND n.period = l.period AND n.seq > l.seq)`,
    [machineId],
  )
}

/** A statement of an erasure as it was signed; JSON, numbers as decimal strings. */
export interface StoredErasure {
  statement: Record<string, unknown>
  signature: Hex
}

/** The id of the next erasure, before there is a statement of it. */
export async function nextErasureId(db: Queryable): Promise<number> {
  const { rows } = await db.query(
    `SELECT nextval(pg_get_serial_sequence('erasures', 'erasure_id')) AS id`,
  )
  return Number(rows[0].id)
}

/** Keeps a statement, for ever. */
export async function saveErasure(
  db: Queryable,
  { erasureId, machineId }: { erasureId: number; machineId: bigint },
  { statement, signature }: StoredErasure,
): Promise<void> {
  await db.query(
    'INSERT INTO erasures (erasure_id, machine_id, statement, signature) OVERRIDING SYSTEM VALUE VALUES ($1, $2, $3, $4)',
    [erasureId, machineId, JSON.stringify(statement), bytesOf(signature)],
  )
}

/** All statements of a machine, the oldest first. */
export async function readErasures(db: Queryable, machineId: bigint): Promise<StoredErasure[]> {
  const { rows } = await db.query(
    'SELECT statement, signature FROM erasures WHERE machine_id = $1 ORDER BY erasure_id',
    [machineId],
  )
  return rows.map((row) => ({ statement: row.statement, signature: hexOf(row.signature) }))
}
