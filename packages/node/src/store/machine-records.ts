import type { Hex } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** A maker's record of a machine or a part of it, as lists show it. */
export interface StoredRecord {
  recordId: Hex
  kind: 'design' | 'build'
  issuer: string
  subject: string
  addedBy: Hex
  addedMs: number
}

/** Lets records be added to one machine one after the other, until the transaction ends. */
export async function lockRecords(db: Queryable, machineId: bigint): Promise<void> {
  await db.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`records ${machineId}`])
}

/** Adds a record; one that is there stays as it is. */
export async function saveRecord(
  db: Queryable,
  machineId: bigint,
  record: StoredRecord,
  raw: Uint8Array,
): Promise<void> {
  const { recordId, kind, issuer, subject, addedBy, addedMs } = record
  await db.query(
    `INSERT INTO machine_records (record_id, machine_id, kind, issuer, subject, raw, added_by, added_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
    [bytesOf(recordId), machineId, kind, issuer, subject, raw, bytesOf(addedBy), addedMs],
  )
}

/** A machine's records, the oldest first. */
export async function readRecords(db: Queryable, machineId: bigint): Promise<StoredRecord[]> {
  const { rows } = await db.query(
    `SELECT record_id, kind, issuer, subject, added_by, added_ms FROM machine_records
     WHERE machine_id = $1 ORDER BY added_ms, record_id`,
    [machineId],
  )
  return rows.map((row) => ({
    recordId: hexOf(row.record_id),
    kind: row.kind,
    issuer: row.issuer,
    subject: row.subject,
    addedBy: hexOf(row.added_by),
    addedMs: Number(row.added_ms),
  }))
}

/** The bytes of one record; undefined if the machine has no such one. */
export async function readRecordBytes(
  db: Queryable,
  machineId: bigint,
  recordId: Hex,
): Promise<Buffer | undefined> {
  const { rows } = await db.query<{ raw: Buffer }>(
    'SELECT raw FROM machine_records WHERE machine_id = $1 AND record_id = $2',
    [machineId, bytesOf(recordId)],
  )
  return rows[0]?.raw
}
