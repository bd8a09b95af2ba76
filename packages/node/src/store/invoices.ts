import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf } from './hex.ts'

/** An invoice of a final period as it was issued. `correction` 0 is the first; n replaces n - 1. */
export interface IssuedInvoice {
  correction: number
  issuedMs: number
  xml: string
}

/** The invoice of a period that stands now: the first, or its last correction; undefined before any. */
export async function readNewestInvoice(
  db: Queryable,
  agreementId: Hex,
  period: number,
): Promise<IssuedInvoice | undefined> {
  const { rows } = await db.query(
    `SELECT correction, issued_ms, xml FROM invoices WHERE agreement_id = $1 AND period = $2
     ORDER BY correction DESC LIMIT 1`,
    [bytesOf(agreementId), period],
  )
  const [row] = rows
  return row && { correction: row.correction, issuedMs: Number(row.issued_ms), xml: row.xml }
}

/** Keeps an invoice for good. False: somebody else has issued this correction already, and his stays. */
export async function saveInvoice(
  db: Queryable,
  agreementId: Hex,
  period: number,
  { correction, issuedMs, xml }: IssuedInvoice,
): Promise<boolean> {
  const { rowCount } = await db.query(
    'INSERT INTO invoices VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING',
    [bytesOf(agreementId), period, correction, issuedMs, xml],
  )
  return rowCount === 1
}
