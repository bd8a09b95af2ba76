import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** A period that owes more by the time elapsed than the ledger has on record. Money in smallest units, `asOf` in seconds. */
export interface TimeOwed {
  agreementId: Hex
  period: number
  asOf: bigint
  owedMinor: bigint
  onLedgerMinor: bigint
  /** Up to when the ledger has it, or when the period began. */
  sinceSeconds: bigint
  hasEnded: boolean
}

/**
 * What the agreements that nobody signs owe beyond the ledger, the oldest periods first. Not those whose values are on their way, and not
 * those without any escrow: time proves itself, so that nothing is lost by waiting for it.
 *
 * @param asset only of agreements in this token; undefined: in any.
 */
export async function readTimeOwed(
  db: Queryable,
  asset: Hex | undefined,
  limit: number,
): Promise<TimeOwed[]> {
  const { rows } = await db.query(
    `WITH untimed AS (
       SELECT agreement_id, terms FROM agreements a
       WHERE terms->>'signerKind' = '4' AND ($1::bytea IS NULL OR asset = $1)
         AND NOT EXISTS (SELECT FROM agreement_events c WHERE c.agreement_id = a.agreement_id AND c.kind = 'closed')
         AND 0 < (SELECT coalesce(sum(CASE kind WHEN 'funded' THEN amount ELSE -amount END), 0) FROM agreement_events e
           WHERE e.agreement_id = a.agreement_id AND e.kind IN ('funded', 'settled', 'collected'))
     ), ledger AS (
       SELECT e.agreement_id, e.period, max(e.as_of) AS as_of,
         greatest(sum(e.amount), max(least((e.detail->>'owed')::numeric, (u.terms->>'capMinor')::numeric))) AS minor
       FROM agreement_events e JOIN untimed u USING (agreement_id)
       WHERE e.kind IN ('settled', 'collected') GROUP BY 1, 2
     ), due AS (
       SELECT o.agreement_id, o.period, o.as_of, o.owed_minor, coalesce(l.minor, 0) AS minor, l.as_of AS ledger_as_of,
         (u.terms->>'start')::bigint + (u.terms->>'periodSeconds')::bigint * o.period AS start,
         (u.terms->>'periodSeconds')::bigint AS length
       FROM owed o JOIN untimed u USING (agreement_id) LEFT JOIN ledger l USING (agreement_id, period)
     )
     SELECT agreement_id, period, as_of, owed_minor, minor, coalesce(ledger_as_of, start) AS since, as_of >= start + length AS ended
     FROM due d WHERE owed_minor > minor AND NOT EXISTS (
       SELECT FROM meter_values v WHERE v.agreement_id = d.agreement_id AND v.period = d.period
         AND (v.intent_id IS NOT NULL OR v.owed_minor > d.minor)
     )
     ORDER BY period, agreement_id LIMIT $2`,
    [asset === undefined ? null : bytesOf(asset), limit],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    asOf: row.as_of,
    owedMinor: row.owed_minor,
    onLedgerMinor: row.minor,
    sinceSeconds: row.since,
    hasEnded: row.ended,
  }))
}
