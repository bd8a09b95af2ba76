import type { AdmissionCode, FoldCode } from '../trust/verdicts.ts'
import { hasBand } from './band.ts'
import { dropCalibrations, isCalibrated, uncertaintyPpmAt } from './calibration.ts'
import type { FoldDraft } from './fold-state.ts'
import type { FoldTerms } from './fold-terms.ts'
import { judge } from './judge.ts'
import { baselineAt } from './judgement.ts'
import { periodEndMs, periodOf } from './period.ts'
import { registerOf } from './register.ts'
import type { Sampled } from './samples.ts'
import { dropSpansUntil, firstIndex } from './spans.ts'

/** What the fold says of an envelope: its admission code if that is not `OK`, else the rule's. */
export type StepCode = AdmissionCode | FoldCode

/**
 * Folds one reading into the draft; a refused one leaves it untouched. Returns the reading's code and the period that it billed, or whose late
 * input it added to (`LATE_FOR_PERIOD`). The register of a period billed is left to `moveRegister`.
 */
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
  if (terms.rule.calibration && !isCalibrated(draft.calibrations, sample.timeMs, sample.timeMs)) {
    // The next one that counts begins anew; an allowance for readings goes on, since it is no reading.
    if (terms.rule.rule !== 'count') draft.baseline = baselineAt(sample)
    passTo(draft, sample.timeMs)
    return { code: 'UNCALIBRATED' }
  }
  const judgement = judge(terms, draft, sample)
  if (judgement.code !== 'OK' && judgement.code !== 'GAP') return judgement
  draft.baseline = judgement.baseline
  const uncertaintyPpm = hasBand(terms.rule)
    ? uncertaintyPpmAt(draft.calibrations, sample.timeMs)
    : 0
  passTo(draft, sample.timeMs)
  const period = periodOf(terms, sample.timeMs)
  if (judgement.code === 'GAP' || period === undefined) return { code: judgement.code }
  excuse(draft, period, judgement.excusedMs ?? 0)
  // A final period never reprices: what comes for it is kept apart, for its adjustment.
  const isLate = periodEndMs(terms, period) + terms.lateSeconds * 1000 < loggedAt
  const code = isLate ? 'LATE_FOR_PERIOD' : 'OK'
  if (judgement.delta === 0n) return { code }
  if (isLate) draft.late.set(period, (draft.late.get(period) ?? 0n) + judgement.delta)
  else bill(draft, period, judgement.delta, uncertaintyPpm)
  return { code, period }
}

/** A good reading's time: what lies before it matters no more. */
function passTo(draft: FoldDraft, timeMs: number): void {
  draft.lastReadingMs = timeMs
  draft.gapPending = false
  dropSpansUntil(draft.declaredGapsMs, timeMs)
  dropSpansUntil(draft.excusesMs, timeMs)
  dropCalibrations(draft, timeMs)
  const pending = firstIndex(draft.replacementsMs, (atMs) => atMs > timeMs)
  if (pending > 0) draft.replacementsMs.splice(0, pending)
}

/** Too old when logged, or after the last period. Before the start is inside: a baseline. */
function isOutsideWindow(terms: FoldTerms, timeMs: number, loggedAt: number): boolean {
  if (timeMs < loggedAt - terms.backfillSeconds * 1000) return true
  return timeMs >= terms.startMs && periodOf(terms, timeMs) === undefined
}

function excuse(draft: FoldDraft, period: number, excusedMs: number): void {
  if (excusedMs > 0) {
    draft.excusedMs.set(period, (draft.excusedMs.get(period) ?? 0) + excusedMs)
  }
}

function bill(draft: FoldDraft, period: number, delta: bigint, uncertaintyPpm: number): void {
  const billed = draft.periods.get(period)
  if (billed) billed.input += delta
  else draft.periods.set(period, { input: delta, register: 0n })
  if (uncertaintyPpm === 0) return
  const open = draft.uncertainty.get(period) ?? 0n
  draft.uncertainty.set(period, open + delta * BigInt(uncertaintyPpm))
}

/** Computes the register of a period anew, after readings that billed it. */
export function moveRegister({ rule }: FoldTerms, draft: FoldDraft, period: number): void {
  const billed = draft.periods.get(period)
  // The whole period's input is scaled and floored at once, so that rounding never adds up.
  if (billed) billed.register = registerOf(rule, billed.input)
}
