import { type Baseline, type Elapsed, type Judgement, measured, type Sample } from './judgement.ts'
import {
  factorText,
  type InputFields,
  quantity,
  type RegisterFields,
  readInputFields,
  readRegisterFields,
  readSilence,
  seconds,
} from './rule-input.ts'
import { type Fields, readUnsigned } from './strict-json.ts'

/** A rate over time: W become Wh, l/min become l. `maxValue` in input units, a decimal string. */
export type IntegralRule = {
  rule: 'integral'
  maxValue: string
  maxSilenceSeconds: number
} & RegisterFields &
  InputFields

const VALUE_BITS = 128

export function readIntegral(fields: Fields): IntegralRule {
  return {
    rule: 'integral',
    ...readRegisterFields(fields),
    ...readInputFields(fields),
    maxValue: readUnsigned(fields, 'maxValue', VALUE_BITS).toString(),
    maxSilenceSeconds: readSilence(fields),
  }
}

export function explainIntegral(rule: IntegralRule): string {
  const factor = factorText(rule, rule.scale, `${rule.unit} s`)
  return (
    `Counts in ${rule.registerUnit} what a rate in ${rule.unit} adds up to over time${factor}; nothing is counted over a declared gap ` +
    `or an undeclared silence of more than ${seconds(rule.maxSilenceSeconds)}, and more than ${quantity(rule, rule.maxValue)} is not believed.`
  )
}

/** Whether a rate may be believed at all; asked of a new baseline too, as that one bills with the next reading. */
export function isBelievableRate(rule: IntegralRule, sample: Sample): boolean {
  return sample.value <= BigInt(rule.maxValue)
}

/**
 * Rule `integral`: the mean of two consecutive rates, times the time between them that no gap is declared for. The
 * delta is twice that, in input units x ms, so that it is an integer.
 */
export function judgeIntegral(baseline: Baseline, sample: Sample, elapsed: Elapsed): Judgement {
  return measured(sample, (baseline.value + sample.value) * BigInt(elapsed.measuredMs), elapsed)
}
