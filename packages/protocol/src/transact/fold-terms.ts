import type { PeriodGrid } from './period.ts'
import type { MeterRule } from './rule.ts'
import type { Terms } from './terms.ts'

/** What a fold needs to know of an agreement: one meter's rule and stream, and the windows of time. */
export type FoldTerms = PeriodGrid & {
  rule: MeterRule
  machineId: bigint
  stream: string
  backfillSeconds: number
  lateSeconds: number
  gapTimeoutSeconds: number
  /** First `seq` metered: one after the envelope that the meter's `startHead` names, or 1. */
  startSeq: bigint
}

/** The fold terms of the meter at `meterIndex`. `rule` must be the one that the meter's `ruleHash` commits to. */
export function foldTermsOf(
  terms: Terms,
  meterIndex: number,
  rule: MeterRule,
  startSeq: bigint,
): FoldTerms {
  const meter = terms.meters[meterIndex]
  if (!meter) throw new RangeError(`The terms have no meter ${meterIndex}.`)
  return {
    rule,
    machineId: terms.machineId,
    stream: meter.stream,
    startMs: Number(terms.start) * 1000,
    periodSeconds: terms.periodSeconds,
    periods: terms.periods,
    backfillSeconds: terms.backfillSeconds,
    lateSeconds: terms.lateSeconds,
    gapTimeoutSeconds: terms.gapTimeoutSeconds,
    startSeq,
  }
}
