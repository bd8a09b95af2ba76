import { type Baseline, baselineAt, isPlausible, type Judgement, type Sample } from './judgement.ts'
import {
  factorText,
  type InputFields,
  type RegisterFields,
  type RuleRate,
  rateText,
  readInputFields,
  readRate,
  readRegisterFields,
} from './rule-input.ts'
import type { Fields } from './strict-json.ts'

/** A meter that only rises. */
export type CounterRule = { rule: 'counter'; maxRate: RuleRate } & RegisterFields & InputFields

export function readCounter(fields: Fields): CounterRule {
  return {
    rule: 'counter',
    ...readRegisterFields(fields),
    ...readInputFields(fields),
    maxRate: readRate(fields),
  }
}

export function explainCounter(rule: CounterRule): string {
  const factor = factorText(rule, rule.scale, rule.unit)
  return `Counts in ${rule.registerUnit} what a rising meter adds${factor}; a fall is refused, and ${rateText(rule, rule.maxRate)}.`
}

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
