import { isCalibrated } from './calibration.ts'
import { judgeCount } from './count.ts'
import { judgeCounter } from './counter.ts'
import { judgeDistance } from './distance.ts'
import { judgeDrawdown } from './drawdown.ts'
import { type DurationBeyondRule, judgeDurationBeyond } from './duration-beyond.ts'
import type { FoldDraft } from './fold-state.ts'
import type { FoldTerms } from './fold-terms.ts'
import { isBelievableRate, judgeIntegral } from './integral.ts'
import { type Elapsed, type Judgement, rebase, type Sample } from './judgement.ts'
import { periodOf } from './period.ts'
import { uncoveredMs } from './spans.ts'

/** What the agreement's rule says of a sample that is no older than the last good one. */
export function judge(terms: FoldTerms, draft: FoldDraft, sample: Sample): Judgement {
  const { rule } = terms
  if (rule.rule === 'count') return judgeCount(rule, draft.baseline, sample)
  if (rule.rule === 'integral' && !isBelievableRate(rule, sample)) return { code: 'IMPLAUSIBLE' }
  const { baseline, lastReadingMs } = draft
  const replaced = (draft.replacementsMs[0] ?? Number.POSITIVE_INFINITY) <= sample.timeMs
  if (baseline === undefined || lastReadingMs === undefined || replaced) return rebase(sample)
  // What a sensor showed while nobody vouched for it is nobody's debt, nor is what lies between that and now.
  const isVouchedFor =
    rule.calibration === undefined || isCalibrated(draft.calibrations, lastReadingMs, sample.timeMs)
  if (!isVouchedFor) return rebase(sample)
  if (rule.rule === 'counter') return judgeCounter(rule, baseline, sample)
  const elapsed = elapsedSince(draft, lastReadingMs, sample, rule.maxSilenceSeconds)
  switch (rule.rule) {
    case 'drawdown':
      return judgeDrawdown(rule, baseline, sample, elapsed.acrossGap)
    case 'integral':
      return judgeIntegral(baseline, sample, elapsed)
    case 'duration-beyond': {
      const excusableMs = excusable(terms, rule, draft, lastReadingMs, sample)
      return judgeDurationBeyond(rule, baseline, sample, elapsed, excusableMs)
    }
    case 'distance':
      return judgeDistance(rule, baseline, sample, elapsed)
  }
}

function elapsedSince(
  draft: FoldDraft,
  lastReadingMs: number,
  { timeMs }: Sample,
  maxSilenceSeconds: number,
): Elapsed {
  const measuredMs = uncoveredMs(draft.declaredGapsMs, lastReadingMs, timeMs)
  const acrossGap = draft.gapPending || measuredMs > maxSilenceSeconds * 1000
  return { elapsedMs: timeMs - lastReadingMs, measuredMs, acrossGap }
}

/** Of the time since the last good reading that no gap is declared for: what is excused, as far as the period's allowance goes. */
function excusable(
  terms: FoldTerms,
  rule: DurationBeyondRule,
  draft: FoldDraft,
  lastReadingMs: number,
  { timeMs }: Sample,
): number {
  const period = periodOf(terms, timeMs)
  const usedMs = period === undefined ? 0 : (draft.excusedMs.get(period) ?? 0)
  let excusedMs = 0
  for (const [from, to] of draft.excusesMs) {
    const [first, last] = [Math.max(from, lastReadingMs), Math.min(to, timeMs)]
    if (first < last) excusedMs += uncoveredMs(draft.declaredGapsMs, first, last)
  }
  return Math.min(excusedMs, rule.maxExcusedSeconds * 1000 - usedMs)
}
