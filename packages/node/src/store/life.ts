import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { hexOf } from './hex.ts'
import { WITH_REASON } from './machines.ts'
import { ownerThen } from './overview.ts'

/** Who had a machine, since when, the oldest first: at most `limit`, the newest of them. */
export async function readOwners(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<{ owner: Hex; sinceMs: number; block: number }[]> {
  const { rows } = await db.query(
    `SELECT owner, at_ms, block FROM machine_owners WHERE machine_id = $1
     ORDER BY block DESC, log_index DESC LIMIT $2`,
    [machineId, limit],
  )
  return rows
    .map((row) => ({
      owner: hexOf(row.owner),
      sinceMs: Number(row.at_ms),
      block: Number(row.block),
    }))
    .reverse()
}

/** A key of a machine, and what ended it; `until` null while it speaks for the machine. */
export interface KeySpan {
  keyId: Hex
  curve: 'P-256' | 'secp256k1'
  epoch: bigint
  sinceMs: number
  block: number
  until: { atMs: number; why: 'rotated' | 'revoked' } | null
}

/** A machine's keys, the oldest first: at most `limit`, the newest of them. */
export async function readKeySpans(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<KeySpan[]> {
  const { rows } = await db.query(
    `SELECT * FROM (
       SELECT key_id, curve, epoch, at_ms, block, log_index,
              lead(at_ms) OVER later AS until_ms, lead(key_id) OVER later IS NULL AS is_revoked
         FROM machine_keys WHERE machine_id = $1 WINDOW later AS (ORDER BY block, log_index)) spans
      WHERE key_id IS NOT NULL ORDER BY block DESC, log_index DESC LIMIT $2`,
    [machineId, limit],
  )
  return rows
    .map(
      (row): KeySpan => ({
        keyId: hexOf(row.key_id),
        curve: row.curve === 1 ? 'P-256' : 'secp256k1',
        epoch: row.epoch,
        sinceMs: Number(row.at_ms),
        block: Number(row.block),
        until:
          row.until_ms === null
            ? null
            : { atMs: Number(row.until_ms), why: row.is_revoked ? 'revoked' : 'rotated' },
      }),
    )
    .reverse()
}

/** When a machine was suspended and by whom; `untilMs` null while it is, `reason` null where nobody said why. */
export interface Suspension {
  fromMs: number
  untilMs: number | null
  by: Hex
  reason: string | null
}

/** A machine's suspensions, the oldest first: at most `limit`, the newest of them. */
export async function readSuspensions(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<Suspension[]> {
  const { rows } = await db.query(
    `SELECT spans.*, ${ownerThen('spans')} AS owner
     FROM (
       SELECT s.state, s.at_ms, s.block, s.log_index, r.reason,
              lead(s.at_ms) OVER (ORDER BY s.block, s.log_index) AS until_ms
         FROM machine_states s ${WITH_REASON} WHERE s.machine_id = $1) spans
     WHERE state = 'suspended' ORDER BY block DESC, log_index DESC LIMIT $2`,
    [machineId, limit],
  )
  return rows
    .map((row) => ({
      fromMs: Number(row.at_ms),
      untilMs: row.until_ms === null ? null : Number(row.until_ms),
      by: hexOf(row.owner),
      reason: row.reason,
    }))
    .reverse()
}

/** What is amiss with the evidence of a stream: how many envelopes of each kind. */
export interface StreamFlaws {
  equivocations: number
  brokenChains: number
  archived: number
  erased: number
}

/** What is amiss with a machine's streams, by stream; those without a flaw are absent. */
export async function readStreamFlaws(
  db: Queryable,
  machineId: bigint,
): Promise<Map<string, StreamFlaws>> {
  const { rows } = await db.query(
    `SELECT stream, sum(equivocations)::int AS equivocations, sum(broken)::int AS broken, sum(archived)::int AS archived,
            sum(erased)::int AS erased
     FROM (
       SELECT stream, count(*) FILTER (WHERE code = 'EQUIVOCATION') AS equivocations,
              count(*) FILTER (WHERE code = 'CHAIN_BROKEN') AS broken, 0 AS archived, 0 AS erased
         FROM envelopes WHERE machine_id = $1 AND (code <> 'OK' OR readings = 0) GROUP BY stream
       UNION ALL SELECT stream, 0, 0, count(*), 0
         FROM envelopes WHERE machine_id = $1 AND archive_id IS NOT NULL GROUP BY stream
       UNION ALL SELECT s->>'stream', 0, 0, 0, (s->>'envelopes')::bigint
         FROM erasures, jsonb_array_elements(statement->'streams') s WHERE machine_id = $1) found
     GROUP BY stream`,
    [machineId],
  )
  return new Map(
    rows.map(({ stream, equivocations, broken, archived, erased }) => [
      stream,
      { equivocations, brokenChains: broken, archived, erased },
    ]),
  )
}
