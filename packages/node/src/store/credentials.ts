import type { Hex } from '@liquefy/client'
import type { QueryResultRow } from 'pg'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** A credential that was taken. */
export interface StoredCredential {
  issuer: string
  credentialId: string
  machineId: bigint
  keyId: Hex
  serial: string
  validFromMs: number
  acceptedMs: number
  inForce: boolean
  jwt: string
}

/** Keeps others from storing credentials until the transaction ends. They are few, and each must be the only one of its kind. */
export async function lockCredentials(db: Queryable): Promise<void> {
  await db.query('LOCK TABLE credentials IN SHARE ROW EXCLUSIVE MODE')
}

/** Credentials that a new one may collide with: of the same name, of the same serial number of the maker's, and the one in force for its key. */
export async function readRivals(
  db: Queryable,
  { issuer, credentialId, serial, keyId }: Omit<StoredCredential, 'jwt' | 'inForce'>,
): Promise<StoredCredential[]> {
  const { rows } = await db.query(
    `SELECT * FROM credentials
     WHERE (issuer = $1 AND (credential_id = $2 OR serial = $3)) OR (key_id = $4 AND in_force)`,
    [issuer, credentialId, serial, bytesOf(keyId)],
  )
  return rows.map(credentialOf)
}

/** Stores a credential as the one in force for its key, in place of the one that was. */
export async function saveCredential(db: Queryable, credential: StoredCredential): Promise<void> {
  const key = bytesOf(credential.keyId)
  await db.query('UPDATE credentials SET in_force = false WHERE key_id = $1 AND in_force', [key])
  await db.query(
    `INSERT INTO credentials (issuer, credential_id, machine_id, key_id, serial, valid_from_ms, accepted_ms, in_force, jwt)
     VALUES ($1, $2, $3, $4, $5, $6, $7, true, $8)`,
    [
      credential.issuer,
      credential.credentialId,
      credential.machineId,
      key,
      credential.serial,
      credential.validFromMs,
      credential.acceptedMs,
      credential.jwt,
    ],
  )
}

/** A machine's credentials, those in force first, the newest of each first; at most `limit`. */
export async function readCredentials(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<StoredCredential[]> {
  const { rows } = await db.query(
    `SELECT * FROM credentials WHERE machine_id = $1
     ORDER BY in_force DESC, valid_from_ms DESC, credential_id LIMIT $2`,
    [machineId, limit],
  )
  return rows.map(credentialOf)
}

/** From when the newest list of a name is; undefined if none is known. */
export async function readStatusListTime(
  db: Queryable,
  issuer: string,
  listId: string,
): Promise<number | undefined> {
  const { rows } = await db.query(
    'SELECT valid_from_ms FROM status_lists WHERE issuer = $1 AND list_id = $2',
    [issuer, listId],
  )
  return rows[0] && Number(rows[0].valid_from_ms)
}

/** The newest list of a name, as it came; undefined if none is known. */
export async function readStatusListJwt(
  db: Queryable,
  issuer: string,
  listId: string,
): Promise<string | undefined> {
  const { rows } = await db.query(
    'SELECT jwt FROM status_lists WHERE issuer = $1 AND list_id = $2',
    [issuer, listId],
  )
  return rows[0]?.jwt
}

/** How many lists of an issuer are known, beside the one of this name. */
export async function countOtherLists(
  db: Queryable,
  issuer: string,
  listId: string,
): Promise<number> {
  const { rows } = await db.query(
    'SELECT count(*) AS lists FROM status_lists WHERE issuer = $1 AND list_id <> $2',
    [issuer, listId],
  )
  return Number(rows[0].lists)
}

/** Stores a list unless one of its name is as new. False: one is. */
export async function saveStatusList(
  db: Queryable,
  list: { issuer: string; id: string; validFromMs: number; jwt: string },
): Promise<boolean> {
  const { rowCount } = await db.query(
    `INSERT INTO status_lists (issuer, list_id, valid_from_ms, jwt) VALUES ($1, $2, $3, $4)
     ON CONFLICT (issuer, list_id) DO UPDATE SET valid_from_ms = EXCLUDED.valid_from_ms, jwt = EXCLUDED.jwt
     WHERE status_lists.valid_from_ms < EXCLUDED.valid_from_ms`,
    [list.issuer, list.id, list.validFromMs, list.jwt],
  )
  return rowCount === 1
}

function credentialOf(row: QueryResultRow): StoredCredential {
  return {
    issuer: row.issuer,
    credentialId: row.credential_id,
    machineId: BigInt(row.machine_id),
    keyId: hexOf(row.key_id),
    serial: row.serial,
    validFromMs: Number(row.valid_from_ms),
    acceptedMs: Number(row.accepted_ms),
    inForce: row.in_force,
    jwt: row.jwt,
  }
}
