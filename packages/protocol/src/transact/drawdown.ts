import {
  type Baseline,
  baselineAt,
  isPlausible,
  type Judgement,
  rebase,
  type Sample,
} from './judgement.ts'
import type { DrawdownRule } from './rule.ts'

/**
 * Rule `drawdown`: bills each fall beyond the noise band, never a refill. A fall that `acrossGap` hides part of is
 * not billed; the level behind it is the new baseline.
 */
export function judgeDrawdown(
  rule: DrawdownRule,
  baseline: Baseline,
  sample: Sample,
  acrossGap: boolean,
): Judgement {
  const noiseBand = BigInt(rule.noiseBand)
  const fall = baseline.value - sample.value
  if (fall < -noiseBand) return rebase(sample)
  if (fall <= noiseBand) return { code: 'OK', baseline, delta: 0n }
  if (acrossGap) return { code: 'GAP', baseline: baselineAt(sample) }
  if (!isPlausible(rule.maxRate, fall, sample.timeMs - baseline.movedAtMs)) {
    return { code: 'IMPLAUSIBLE' }
  }
  return { code: 'OK', baseline: baselineAt(sample), delta: fall }
}
