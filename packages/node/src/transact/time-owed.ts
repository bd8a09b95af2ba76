import { elapsedSeconds, owedCapped, periodStart, type Tariff, type Terms } from '@liquefy/protocol'
import type { Queryable } from '../store/database.ts'
import { type OwedRow, readNewestOwed, saveOwed } from '../store/metering.ts'
import type { MeteredAgreement } from './agreements.ts'
import type { FoldPortion } from './fold-agreement.ts'

/** Periods that one transaction catches up at most. */
const PERIODS_A_PORTION = 500
/** What grows by the second is told this often. */
const STEP_MS = 2_000

/**
 * Advances the amounts owed of an agreement that nobody signs: they follow from the time elapsed alone. Call it in a transaction. Each
 * period is written once more when it has ended, and never after that.
 */
export async function advanceTime(
  db: Queryable,
  { agreementId, tariff }: MeteredAgreement,
  terms: Terms,
  nowMs: number,
): Promise<FoldPortion> {
  const nowSeconds = BigInt(Math.floor(nowMs / 1000))
  const current = periodAt(terms, nowSeconds)
  if (!tariff || current === undefined) return waiting(terms, nowMs)
  const before = await readNewestOwed(db, agreementId)
  const first = before?.period ?? 0
  const last = Math.min(current, first + PERIODS_A_PORTION - 1)
  const moved: OwedRow[] = []
  for (let period = first; period <= last; period += 1) {
    const row = { agreementId, ...owedByTime(terms, tariff, period, nowSeconds) }
    const old = before?.period === period ? before : undefined
    if (old?.asOf === row.asOf) continue
    await saveOwed(db, [row], nowMs)
    if (row.owedMinor !== (old?.owedMinor ?? 0n)) moved.push(row)
  }
  const over = current === terms.periods - 1 && nowSeconds >= periodStart(terms, current + 1)
  return { moved, more: last < current, wakeMs: over ? undefined : nowMs + STEP_MS }
}

/** What one period owes by then, `min(tariff, cap)`. */
function owedByTime(
  terms: Terms,
  tariff: Tariff,
  period: number,
  nowSeconds: bigint,
): Omit<OwedRow, 'agreementId'> {
  const end = periodStart(terms, period + 1)
  const asOf = nowSeconds < end ? nowSeconds : end
  const elapsed = elapsedSeconds(terms, { period, asOf })
  const owedMinor = owedCapped(tariff, [], elapsed, terms.capMinor)
  return { period, registers: [], asOf, owedMinor, heads: [] }
}

/** The period that runs at a second, the last one after the end; undefined before the start. */
function periodAt({ start, periodSeconds, periods }: Terms, seconds: bigint): number | undefined {
  if (seconds < start) return undefined
  const period = (seconds - start) / BigInt(periodSeconds)
  return period < BigInt(periods) ? Number(period) : periods - 1
}

function waiting({ start }: Terms, nowMs: number): FoldPortion {
  return { moved: [], more: false, wakeMs: Math.max(Number(start) * 1000, nowMs + STEP_MS) }
}
