import type { RuleRate } from './rule-input.ts'

/** A reading as a rule sees it: `value` in input units. Of a position, `value` is the latitude. */
export type Sample = { timeMs: number; value: bigint; longitude?: bigint }

/** The reading that deltas are taken from, and when it last moved. */
export type Baseline = { value: bigint; movedAtMs: number; longitude?: bigint }

/** What a rule says of one sample: take it (and bill `delta`), take it without billing it, or refuse it. */
export type Judgement =
  | { code: 'OK'; baseline: Baseline; delta: bigint; excusedMs?: number }
  | { code: 'GAP'; baseline: Baseline }
  | { code: 'COUNTER_ROLLBACK' | 'IMPLAUSIBLE' }

/** What lies between the last good reading and a sample: all time, what no gap is declared for, and whether too much of it is undeclared. */
export type Elapsed = { elapsedMs: number; measuredMs: number; acrossGap: boolean }

export const MS_PER_HOUR = 3_600_000n

/** The sample becomes the baseline; nothing is billed. */
export function rebase(sample: Sample): Judgement {
  return { code: 'OK', baseline: baselineAt(sample), delta: 0n }
}

export function baselineAt({ timeMs, value, longitude }: Sample): Baseline {
  return longitude === undefined
    ? { value, movedAtMs: timeMs }
    : { value, movedAtMs: timeMs, longitude }
}

/** Takes a sample and bills what was measured since the last one, unless a gap lies between. Where nothing is lost, a gap does not matter. */
export function measured(sample: Sample, delta: bigint, { acrossGap }: Elapsed): Judgement {
  const baseline = baselineAt(sample)
  return acrossGap && delta > 0n ? { code: 'GAP', baseline } : { code: 'OK', baseline, delta }
}

/** The plausibility bound `delta <= burst + perHour x elapsed`, exact. */
export function isPlausible(rate: RuleRate, delta: bigint, elapsedMs: number): boolean {
  const { burst, burstMs, perHour } = parsed(rate)
  // Most readings need no more than that: no time has passed that could make it less.
  if (delta <= burst && elapsedMs >= 0) return true
  return delta * MS_PER_HOUR <= burstMs + perHour * BigInt(elapsedMs)
}

type ParsedRate = { burst: bigint; burstMs: bigint; perHour: bigint }

const parsedRates = new WeakMap<RuleRate, ParsedRate>()

/** A rate is asked for with every reading: its decimal strings are read once. */
function parsed(rate: RuleRate): ParsedRate {
  const known = parsedRates.get(rate)
  if (known) return known
  const burst = BigInt(rate.burst)
  const made = { burst, burstMs: burst * MS_PER_HOUR, perHour: BigInt(rate.perHour) }
  parsedRates.set(rate, made)
  return made
}
