import { type Declaration, decodeEnvelope } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { COLUMNS, type EnvelopeRow, envelopeOf } from './envelopes.ts'

/** Verdicts of each meter that are looked at, the newest by `seq`. */
const LOOK_BACK = 10_000

/**
 * A machine's newest envelopes of readings that nobody pays, each with the code that says why: of its admission, or of the first agreement that did
 * not price it. Of each meter the newest 10,000 verdicts are looked at that are not OK: what is older is not told of.
 */
export async function readUnpriced(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<EnvelopeRow[]> {
  const { rows } = await db.query(
    `WITH said AS (
       SELECT DISTINCT m.digest FROM agreements a JOIN folds f USING (agreement_id)
         CROSS JOIN LATERAL (SELECT digest FROM metered
           WHERE agreement_id = f.agreement_id AND meter = f.meter AND code <> 'OK'
           ORDER BY seq DESC LIMIT $3) m
       WHERE a.machine_id = $1
     ), found AS (
       (SELECT e.log_index FROM said s JOIN envelopes e USING (digest)
         WHERE e.code = 'OK' AND e.readings > 0
           AND NOT EXISTS (SELECT FROM metered p WHERE p.digest = s.digest AND p.code = 'OK')
         ORDER BY e.log_index DESC LIMIT $2)
       UNION ALL
       (SELECT log_index FROM envelopes WHERE machine_id = $1 AND code <> 'OK' AND readings > 0
         ORDER BY log_index DESC LIMIT $2)
     )
     SELECT ${COLUMNS}, CASE WHEN e.code <> 'OK' THEN e.code ELSE (
         SELECT min(m.code) FROM metered m JOIN agreements a USING (agreement_id)
         WHERE m.digest = e.digest AND a.machine_id = $1 AND m.code <> 'OK') END AS code
     FROM envelopes e WHERE log_index IN (SELECT log_index FROM found) ORDER BY log_index DESC LIMIT $2`,
    [machineId, limit, LOOK_BACK],
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
