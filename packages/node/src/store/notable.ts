import { type Declaration, decodeEnvelope } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { type EnvelopeRow, envelopeOf } from './envelopes.ts'

/** A machine's newest envelopes of readings that nobody pays, each with the code that says why: of its admission, or of the first agreement that did not price it. */
export async function readUnpriced(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<EnvelopeRow[]> {
  const { rows } = await db.query(
    `WITH said AS (
       SELECT m.digest, min(m.code) AS why FROM metered m JOIN agreements a USING (agreement_id)
       WHERE a.machine_id = $1 AND m.code <> 'OK'
         AND NOT EXISTS (SELECT FROM metered p WHERE p.digest = m.digest AND p.code = 'OK')
       GROUP BY m.digest
     ), unpriced AS (
       SELECT e.log_index, s.why FROM said s JOIN envelopes e USING (digest) WHERE e.code = 'OK'
       UNION ALL SELECT e.log_index, e.code FROM envelopes e WHERE e.machine_id = $1 AND e.code <> 'OK'
     )
     SELECT e.*, u.why AS code FROM unpriced u JOIN envelopes e USING (log_index)
     WHERE e.readings > 0 ORDER BY log_index DESC LIMIT $2`,
    [machineId, limit],
  )
  return rows.map(envelopeOf)
}

/** What a machine declared, newest first. `declaration` is undefined where the envelope's bytes were archived. */
export async function readDeclarations(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<{ stream: string; seq: bigint; atMs: number; declaration: Declaration | undefined }[]> {
  const { rows } = await db.query(
    `SELECT stream, seq, logged_at, raw FROM envelopes
     WHERE machine_id = $1 AND readings = 0 ORDER BY log_index DESC LIMIT $2`,
    [machineId, limit],
  )
  return rows.map((row) => ({
    stream: row.stream,
    seq: row.seq,
    atMs: Number(row.logged_at),
    declaration: row.raw === null ? undefined : declarationIn(row.raw),
  }))
}

function declarationIn(raw: Uint8Array): Declaration | undefined {
  const decoded = decodeEnvelope(raw)
  if (!decoded.ok || decoded.envelope.content.kind !== 'declaration') return undefined
  return decoded.envelope.content.declaration
}
