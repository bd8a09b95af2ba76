import type { RuleRate } from './rule.ts'

/** A good reading as a rule sees it: `value` in input units. */
export type Sample = { timeMs: number; value: bigint }

/** The reading that deltas are taken from, and when it last moved. */
export type Baseline = { value: bigint; movedAtMs: number }

/** What a rule says of one sample: take it (and bill `delta`), take it without billing it, or refuse it. */
export type Judgement =
  | { code: 'OK'; baseline: Baseline; delta: bigint }
  | { code: 'GAP'; baseline: Baseline }
  | { code: 'COUNTER_ROLLBACK' | 'IMPLAUSIBLE' }

const MS_PER_HOUR = 3_600_000n

/** The sample becomes the baseline; nothing is billed. */
export function rebase(sample: Sample): Judgement {
  return { code: 'OK', baseline: baselineAt(sample), delta: 0n }
}

export function baselineAt(sample: Sample): Baseline {
  return { value: sample.value, movedAtMs: sample.timeMs }
}

/** The plausibility bound `delta <= burst + perHour x elapsed`, exact. */
export function isPlausible(rate: RuleRate, delta: bigint, elapsedMs: number): boolean {
  const bound = BigInt(rate.burst) * MS_PER_HOUR + BigInt(rate.perHour) * BigInt(elapsedMs)
  return delta * MS_PER_HOUR <= bound
}
