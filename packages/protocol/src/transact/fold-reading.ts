import type { Reading } from '../trust/envelope.ts'
import type { AdmissionCode, FoldCode } from '../trust/verdicts.ts'
import { judgeCounter } from './counter.ts'
import { judgeDrawdown } from './drawdown.ts'
import type { FoldDraft } from './fold-state.ts'
import type { FoldTerms } from './fold-terms.ts'
import { type Judgement, rebase, type Sample } from './judgement.ts'
import { periodEndMs, periodOf } from './period.ts'
import { inputQuantity } from './quantity.ts'
import { dropSpansUntil, firstIndex, uncoveredMs } from './spans.ts'

/** What the fold says of an envelope: its admission code if that is not `OK`, else the rule's. */
export type StepCode = AdmissionCode | FoldCode

/** Folds one reading into the draft; a refused one leaves it untouched. Returns the reading's code and the period it billed. */
export function foldReading(
  terms: FoldTerms,
  draft: FoldDraft,
  reading: Reading,
  loggedAt: number,
): { code: StepCode; period?: number } {
  if (reading.unit !== terms.rule.unit) return { code: 'UNIT_MISMATCH' }
  const value = inputQuantity(reading.value, terms.rule.scale)
  if (value === undefined) return { code: 'VALUE_INVALID' }
  if (isOutsideWindow(terms, reading.timeMs, loggedAt)) return { code: 'OUTSIDE_WINDOW' }
  if (draft.lastReadingMs !== undefined && reading.timeMs < draft.lastReadingMs) {
    return { code: 'TIME_REVERSED' }
  }
  const sample = { timeMs: reading.timeMs, value }
  const judgement = judge(terms, draft, sample)
  if (judgement.code !== 'OK' && judgement.code !== 'GAP') return judgement
  draft.baseline = judgement.baseline
  draft.lastReadingMs = sample.timeMs
  draft.gapPending = false
  dropSpansUntil(draft.declaredGapsMs, sample.timeMs)
  const pending = firstIndex(draft.replacementsMs, (atMs) => atMs > sample.timeMs)
  if (pending > 0) draft.replacementsMs.splice(0, pending)
  const period = periodOf(terms, sample.timeMs)
  if (judgement.code === 'GAP' || judgement.delta === 0n || period === undefined) {
    return { code: judgement.code }
  }
  bill(terms, draft, period, judgement.delta)
  return { code: 'OK', period }
}

function judge(terms: FoldTerms, draft: FoldDraft, sample: Sample): Judgement {
  const replaced = (draft.replacementsMs[0] ?? Number.POSITIVE_INFINITY) <= sample.timeMs
  if (draft.baseline === undefined || draft.lastReadingMs === undefined || replaced) {
    return rebase(sample)
  }
  if (terms.rule.rule === 'counter') return judgeCounter(terms.rule, draft.baseline, sample)
  const silenceMs = uncoveredMs(draft.declaredGapsMs, draft.lastReadingMs, sample.timeMs)
  const acrossGap = draft.gapPending || silenceMs > terms.rule.maxSilenceSeconds * 1000
  return judgeDrawdown(terms.rule, draft.baseline, sample, acrossGap)
}

/** Too old when logged, after the last period, or of a period that was final when logged. Before the start is inside: a baseline. */
function isOutsideWindow(terms: FoldTerms, timeMs: number, loggedAt: number): boolean {
  if (timeMs < loggedAt - terms.backfillSeconds * 1000) return true
  if (timeMs < terms.startMs) return false
  const period = periodOf(terms, timeMs)
  return period === undefined || periodEndMs(terms, period) + terms.lateSeconds * 1000 < loggedAt
}

function bill(terms: FoldTerms, draft: FoldDraft, period: number, delta: bigint): void {
  const { numerator, denominator } = terms.rule.factor
  const input = (draft.periods.get(period)?.input ?? 0n) + delta
  // The whole period's input is scaled and floored at once, so that rounding never adds up.
  draft.periods.set(period, { input, register: (input * BigInt(numerator)) / BigInt(denominator) })
}
