import type { AdmissionCode, FoldCode } from '../trust/verdicts.ts'
import type { FoldDraft } from './fold-state.ts'
import type { FoldTerms } from './fold-terms.ts'
import { judge } from './judge.ts'
import { periodEndMs, periodOf } from './period.ts'
import { registerOf } from './register.ts'
import type { Sampled } from './samples.ts'
import { dropSpansUntil, firstIndex } from './spans.ts'

/** What the fold says of an envelope: its admission code if that is not `OK`, else the rule's. */
export type StepCode = AdmissionCode | FoldCode

/** Folds one reading into the draft; a refused one leaves it untouched. Returns the reading's code and the period it billed. */
export function foldReading(
  terms: FoldTerms,
  draft: FoldDraft,
  sample: Sampled,
  loggedAt: number,
): { code: StepCode; period?: number } {
  if ('code' in sample) return sample
  if (isOutsideWindow(terms, sample.timeMs, loggedAt)) return { code: 'OUTSIDE_WINDOW' }
  if (draft.lastReadingMs !== undefined && sample.timeMs < draft.lastReadingMs) {
    return { code: 'TIME_REVERSED' }
  }
  const judgement = judge(terms, draft, sample)
  if (judgement.code !== 'OK' && judgement.code !== 'GAP') return judgement
  draft.baseline = judgement.baseline
  draft.lastReadingMs = sample.timeMs
  draft.gapPending = false
  dropSpansUntil(draft.declaredGapsMs, sample.timeMs)
  dropSpansUntil(draft.excusesMs, sample.timeMs)
  const pending = firstIndex(draft.replacementsMs, (atMs) => atMs > sample.timeMs)
  if (pending > 0) draft.replacementsMs.splice(0, pending)
  const period = periodOf(terms, sample.timeMs)
  if (judgement.code === 'GAP' || period === undefined) return { code: judgement.code }
  excuse(draft, period, judgement.excusedMs ?? 0)
  if (judgement.delta === 0n) return { code: 'OK' }
  bill(terms, draft, period, judgement.delta)
  return { code: 'OK', period }
}

/** Too old when logged, after the last period, or of a period that was final when logged. Before the start is inside: a baseline. */
function isOutsideWindow(terms: FoldTerms, timeMs: number, loggedAt: number): boolean {
  if (timeMs < loggedAt - terms.backfillSeconds * 1000) return true
  if (timeMs < terms.startMs) return false
  const period = periodOf(terms, timeMs)
  return period === undefined || periodEndMs(terms, period) + terms.lateSeconds * 1000 < loggedAt
}

function excuse(draft: FoldDraft, period: number, excusedMs: number): void {
  if (excusedMs > 0) {
    draft.excusedMs.set(period, (draft.excusedMs.get(period) ?? 0) + excusedMs)
  }
}

function bill({ rule }: FoldTerms, draft: FoldDraft, period: number, delta: bigint): void {
  const input = (draft.periods.get(period)?.input ?? 0n) + delta
  // The whole period's input is scaled and floored at once, so that rounding never adds up.
  draft.periods.set(period, { input, register: registerOf(rule, input) })
}
