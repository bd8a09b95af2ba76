import type { Hex } from '@liquefy/client'
import type { SignedAdjustment } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** A signed adjustment that equals the node's own fold. */
export interface StoredAdjustment extends Omit<SignedAdjustment, 'heads'> {
  heads: { stream: string; seq: string }[]
  /** How often the ledger refused it. */
  attempts: number
}

/** Keeps an adjustment unless its period has one. True if it is this one that is kept now. */
export async function saveAdjustment(
  db: Queryable,
  adjustment: SignedAdjustment,
  nowMs: number,
): Promise<boolean> {
  const { agreementId, period, amount, evidenceHead, heads, signature } = adjustment
  await db.query(
    `INSERT INTO adjustments (agreement_id, period, amount, evidence_head, heads, signature, received_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
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

/** Adjustments of open agreements that are not on the ledger yet, refused by it less than `maxAttempts` times. */
export async function readUnrelayed(
  db: Queryable,
  maxAttempts: number,
): Promise<StoredAdjustment[]> {
  const { rows } = await db.query(
    `SELECT j.* FROM adjustments j JOIN agreements USING (agreement_id)
     WHERE j.attempts < $1 AND NOT EXISTS (
       SELECT FROM agreement_events e WHERE e.agreement_id = j.agreement_id
         AND (e.kind = 'closed' OR e.kind = 'adjusted' AND e.period = j.period))
     ORDER BY j.received_ms LIMIT 100`,
    [maxAttempts],
  )
  return rows.map(toAdjustment)
}

/** Counts a refusal by the ledger. */
export async function countRefused(
  db: Queryable,
  { agreementId, period }: Pick<StoredAdjustment, 'agreementId' | 'period'>,
): Promise<void> {
  await db.query(
    'UPDATE adjustments SET attempts = attempts + 1 WHERE agreement_id = $1 AND period = $2',
    [bytesOf(agreementId), period],
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
