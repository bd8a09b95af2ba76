import type { Handover, Replacement } from '../trust/replacement.ts'
import { foldReading, type StepCode } from './fold-reading.ts'
import type { FoldDraft } from './fold-state.ts'
import type { FoldTerms } from './fold-terms.ts'
import { isBelievableRate } from './integral.ts'
import type { Sample } from './judgement.ts'
import { periodEndMs } from './period.ts'
import type { MeterRule } from './rule.ts'
import { billedQuantity } from './samples.ts'
import { firstIndex } from './spans.ts'

/**
 * Folds a replacement; the register of a period billed is left to `moveRegister`. The last reading of the old part is a reading like any other, at the moment of replacement; behind it the scale is moved to
 * that of the new part, so that the register goes on. Without both readings, or if the rule refuses them, the first good reading from that moment
 * on is a new baseline.
 */
export function foldReplacement(
  terms: FoldTerms,
  draft: FoldDraft,
  { atMs, handover }: Replacement,
  loggedAt: number,
): { code: StepCode; period?: number } {
  const verdict = handover
    ? foldHandover(terms, draft, handover, { atMs, loggedAt })
    : ({ code: 'OK', isTaken: false } as const)
  if (!verdict.isTaken) expectReplacement(terms, draft, atMs)
  return verdict
}

type HandoverVerdict = { code: StepCode; period?: number; isTaken: boolean }

function foldHandover(
  terms: FoldTerms,
  draft: FoldDraft,
  handover: Handover,
  { atMs, loggedAt }: { atMs: number; loggedAt: number },
): HandoverVerdict {
  const { rule } = terms
  // A count does not look at values, and a place has two of them.
  if (rule.rule === 'count' || rule.rule === 'distance') return { code: 'OK', isTaken: false }
  const last = sampleOf(rule, handover.last, atMs)
  const first = sampleOf(rule, handover.first, atMs)
  if (!last || !first) return { code: 'VALUE_INVALID', isTaken: false }
  if (rule.rule === 'integral' && !isBelievableRate(rule, first)) {
    return { code: 'IMPLAUSIBLE', isTaken: false }
  }
  const verdict = foldReading(terms, draft, last, loggedAt)
  if (!isGood(verdict.code)) return { ...verdict, isTaken: false }
  moveScale(draft, first.value - last.value)
  return { ...verdict, isTaken: true }
}

function sampleOf(
  rule: Exclude<MeterRule, { rule: 'distance' }>,
  value: Handover['last'],
  timeMs: number,
): Sample | undefined {
  const quantity = billedQuantity(rule, { kind: 'decimal', ...value })
  return quantity === undefined ? undefined : { timeMs, value: quantity }
}

/** Whether a reading of this code has become the last good one. */
function isGood(code: StepCode): boolean {
  return code === 'OK' || code === 'GAP' || code === 'LATE_FOR_PERIOD'
}

/** What was noise on the old scale is as much on the new one: the baseline keeps its distance from the reading, and the time at which it moved. */
function moveScale(draft: FoldDraft, byValue: bigint): void {
  const { baseline } = draft
  if (baseline) draft.baseline = { ...baseline, value: baseline.value + byValue }
}

/** The first good reading at or after the moment is a new baseline. */
function expectReplacement(terms: FoldTerms, draft: FoldDraft, atMs: number): void {
  if (atMs >= periodEndMs(terms, terms.periods - 1)) return
  const place = firstIndex(draft.replacementsMs, (other) => other >= atMs)
  if (draft.replacementsMs[place] !== atMs) draft.replacementsMs.splice(place, 0, atMs)
}
