import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf } from './hex.ts'

/** Periods of an agreement: from one on, before another one. */
export interface PeriodSpan {
  from: number
  before: number
}

/** All that there can be: the ledger counts them by 32 bits. */
export const ALL_PERIODS: PeriodSpan = { from: 0, before: 2 ** 32 }

/** The shortest span that has the newest `limit` periods before one. Money may have moved in more than are owed: it may have more. */
export async function newestPeriods(
  db: Queryable,
  agreementId: Hex,
  limit: number,
  before = ALL_PERIODS.before,
): Promise<PeriodSpan> {
  const { rows } = await db.query(
    `SELECT period FROM owed WHERE agreement_id = $1 AND period < $2::bigint
     ORDER BY period DESC OFFSET $3 LIMIT 1`,
    [bytesOf(agreementId), before, limit - 1],
  )
  return { from: rows[0]?.period ?? ALL_PERIODS.from, before }
}
