import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** The key of all nonces of this database: `made` on the first call. */
export async function openSignInKey(db: Queryable, made: Uint8Array): Promise<Buffer> {
  await db.query('INSERT INTO sign_in_key (key) VALUES ($1) ON CONFLICT DO NOTHING', [made])
  const { rows } = await db.query('SELECT key FROM sign_in_key')
  return rows[0].key
}

/** Uses a nonce up. False: it was used before. */
export async function useNonce(
  db: Queryable,
  { nonce, expiresMs, nowMs }: { nonce: string; expiresMs: number; nowMs: number },
): Promise<boolean> {
  await db.query('DELETE FROM sign_in_nonces WHERE expires_ms < $1', [nowMs])
  const { rowCount } = await db.query(
    'INSERT INTO sign_in_nonces VALUES ($1, $2) ON CONFLICT DO NOTHING',
    [nonce, expiresMs],
  )
  return rowCount === 1
}

/** Keeps a session, and drops those that ended. */
export async function saveSession(
  db: Queryable,
  session: { tokenHash: Uint8Array; address: Hex; expiresMs: number; nowMs: number },
): Promise<void> {
  const { tokenHash, address, expiresMs, nowMs } = session
  await db.query('DELETE FROM sessions WHERE expires_ms < $1', [nowMs])
  await db.query('INSERT INTO sessions VALUES ($1, $2, $3)', [
    tokenHash,
    bytesOf(address),
    expiresMs,
  ])
}

/** Whose session it is; undefined if it is none or has ended. */
export async function readSession(
  db: Queryable,
  tokenHash: Uint8Array,
  nowMs: number,
): Promise<{ address: Hex; expiresMs: number } | undefined> {
  const { rows } = await db.query(
    'SELECT address, expires_ms FROM sessions WHERE token_hash = $1 AND expires_ms >= $2',
    [tokenHash, nowMs],
  )
  const [row] = rows
  return row && { address: hexOf(row.address), expiresMs: Number(row.expires_ms) }
}

export async function endSession(db: Queryable, tokenHash: Uint8Array): Promise<void> {
  await db.query('DELETE FROM sessions WHERE token_hash = $1', [tokenHash])
}
