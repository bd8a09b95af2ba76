import type { Hex } from '@liquefy/client'
import type { SignedAdjustment } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** It has been adjusted, or can be no more. */
const DONE = `SELECT FROM agreement_events e WHERE e.agreement_id = adjustments.agreement_id
  AND (e.kind = 'closed' OR e.kind = 'adjusted' AND e.period = adjustments.period)`

/** A signed adjustment that equals the node's own fold. */
export interface StoredAdjustment extends Omit<SignedAdjustment, 'heads'> {
  heads: { stream: string; seq: string }[]
  /** How often the ledger refused it. */
  attempts: number
}

/**
 * Keeps an adjustment unless its period has one. One that is not on the ledger gives way to the same signed anew, by the next key, and once the
 * ledger has refused it to any other. True if it is this one that is kept now.
 */
export async function saveAdjustment(
  db: Queryable,
  adjustment: SignedAdjustment,
  nowMs: number,
): Promise<boolean> {
  const { agreementId, period, amount, evidenceHead, heads, signature } = adjustment
  await db.query(
    `INSERT INTO adjustments (agreement_id, period, amount, evidence_head, heads, signature, received_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (agreement_id, period) DO UPDATE SET amount = EXCLUDED.amount, evidence_head = EXCLUDED.evidence_head,
       heads = EXCLUDED.heads, signature = EXCLUDED.signature, received_ms = EXCLUDED.received_ms, attempts = 0, retry_ms = 0
     WHERE adjustments.signature <> EXCLUDED.signature
       AND (adjustments.attempts > 0 OR (adjustments.amount, adjustments.evidence_head) = (EXCLUDED.amount, EXCLUDED.evidence_head))
       AND NOT EXISTS (${DONE})`,
    [
      bytesOf(agreementId),
      period,
      amount,
      bytesOf(evidenceHead),
      JSON.stringify(heads.map(({ stream, seq }) => ({ stream, seq: seq.toString() }))),
      bytesOf(signature),
      nowMs,
    ],
  )
  const [kept] = await readAdjustments(db, agreementId, period)
  return kept?.amount === amount && kept.evidenceHead === evidenceHead
}

/** Adjustments of an agreement, or of one of its periods. */
export async function readAdjustments(
  db: Queryable,
  agreementId: Hex,
  period?: number,
): Promise<StoredAdjustment[]> {
  const { rows } = await db.query(
    `SELECT * FROM adjustments WHERE agreement_id = $1 AND ($2::int IS NULL OR period = $2) ORDER BY period`,
    [bytesOf(agreementId), period ?? null],
  )
  return rows.map(toAdjustment)
}

/**
 * Adjustments of open agreements that are not on the ledger yet and due to be tried, the oldest first.
 *
 * @param asset only of agreements in this token; undefined: in any.
 * @param maxAttempts only those that the ledger refused less often.
 */
export async function readUnrelayed(
  db: Queryable,
  options: { asset: Hex | undefined; maxAttempts: number; nowMs: number },
): Promise<StoredAdjustment[]> {
  const { asset, maxAttempts, nowMs } = options
  const { rows } = await db.query(
    `SELECT adjustments.* FROM adjustments JOIN agreements USING (agreement_id)
     WHERE attempts < $1 AND retry_ms <= $2 AND ($3::bytea IS NULL OR asset = $3) AND NOT EXISTS (${DONE})
     ORDER BY received_ms LIMIT 100`,
    [maxAttempts, nowMs, asset === undefined ? null : bytesOf(asset)],
  )
  return rows.map(toAdjustment)
}

/** Counts a refusal by the ledger; the adjustment is not tried before `retryMs`. */
export async function countRefused(
  db: Queryable,
  { agreementId, period }: Pick<StoredAdjustment, 'agreementId' | 'period'>,
  retryMs: number,
): Promise<void> {
  await db.query(
    'UPDATE adjustments SET attempts = attempts + 1, retry_ms = $3 WHERE agreement_id = $1 AND period = $2',
    [bytesOf(agreementId), period, retryMs],
  )
}

function toAdjustment(row: {
  agreement_id: Buffer
  period: number
  amount: bigint
  evidence_head: Buffer
  heads: { stream: string; seq: string }[]
  signature: Buffer
  attempts: number
}): StoredAdjustment {
  return {
    agreementId: hexOf(row.agreement_id),
    period: row.period,
    amount: row.amount,
    evidenceHead: hexOf(row.evidence_head),
    heads: row.heads,
    signature: hexOf(row.signature),
    attempts: row.attempts,
  }
}
