import { type Baseline, type Judgement, MS_PER_HOUR, type Sample } from './judgement.ts'
import {
  factorText,
  type RegisterFields,
  type RuleRate,
  rateText,
  readRate,
  readRegisterFields,
  readUnit,
} from './rule-input.ts'
import { FieldRefusal, type Fields } from './strict-json.ts'

/** One for each reading, whatever its value. `maxRate` in readings; its burst is at least 1. */
export type CountRule = {
  rule: 'count'
  /** SenML unit name that each reading must carry. */
  unit: string
  maxRate: RuleRate
} & RegisterFields

export function readCount(fields: Fields): CountRule {
  const maxRate = readRate(fields)
  if (maxRate.burst === '0') {
    throw new FieldRefusal(false, 'rule.maxRate.burst must be at least 1, or nothing ever counts.')
  }
  return { rule: 'count', ...readRegisterFields(fields), unit: readUnit(fields), maxRate }
}

export function explainCount(rule: CountRule): string {
  const readings = { unit: 'readings', scale: 0 }
  const factor = factorText(rule, 0, readings.unit)
  return `Counts in ${rule.registerUnit} each reading in ${rule.unit}, whatever its value${factor}; ${rateText(readings, rule.maxRate)}.`
}

/**
 * Rule `count`: each reading is one, the first too, as long as the allowance lasts: at most `burst`, refilled at
 * `perHour`. The baseline is what is left of it, in 3,600,000ths of a reading, at the last good reading.
 */
export function judgeCount(
  { maxRate }: CountRule,
  baseline: Baseline | undefined,
  { timeMs }: Sample,
): Judgement {
  const full = BigInt(maxRate.burst) * MS_PER_HOUR
  const refilled = baseline
    ? baseline.value + BigInt(maxRate.perHour) * BigInt(timeMs - baseline.movedAtMs)
    : full
  const left = (refilled < full ? refilled : full) - MS_PER_HOUR
  if (left < 0n) return { code: 'IMPLAUSIBLE' }
  return { code: 'OK', baseline: { value: left, movedAtMs: timeMs }, delta: 1n }
}
