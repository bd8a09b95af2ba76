import { type Baseline, baselineAt, isPlausible, type Judgement, type Sample } from './judgement.ts'
import type { CounterRule } from './rule.ts'

/** Rule `counter`: bills each rise; a fall is no reason to believe anything. 100, 50, 110 bills 10. */
export function judgeCounter(rule: CounterRule, baseline: Baseline, sample: Sample): Judgement {
  const delta = sample.value - baseline.value
  if (delta < 0n) return { code: 'COUNTER_ROLLBACK' }
  if (delta === 0n) return { code: 'OK', baseline, delta }
  if (!isPlausible(rule.maxRate, delta, sample.timeMs - baseline.movedAtMs)) {
    return { code: 'IMPLAUSIBLE' }
  }
  return { code: 'OK', baseline: baselineAt(sample), delta }
}
