import {
  type Baseline,
  baselineAt,
  isPlausible,
  type Judgement,
  rebase,
  type Sample,
} from './judgement.ts'
import {
  factorText,
  type InputFields,
  quantity,
  type RegisterFields,
  type RuleRate,
  rateText,
  readInputFields,
  readRate,
  readRegisterFields,
  readSilence,
  seconds,
} from './rule-input.ts'
import { type Fields, readInteger } from './strict-json.ts'

/** A level that falls as material is withdrawn; refills do not count. `noiseBand` in input units. */
export type DrawdownRule = {
  rule: 'drawdown'
  maxRate: RuleRate
  noiseBand: number
  maxSilenceSeconds: number
} & RegisterFields &
  InputFields

export function readDrawdown(fields: Fields): DrawdownRule {
  return {
    rule: 'drawdown',
    ...readRegisterFields(fields),
    ...readInputFields(fields),
    maxRate: readRate(fields),
    noiseBand: readInteger(fields, 'noiseBand', 0, Number.MAX_SAFE_INTEGER),
    maxSilenceSeconds: readSilence(fields),
  }
}

export function explainDrawdown(rule: DrawdownRule): string {
  const factor = factorText(rule, rule.scale, rule.unit)
  return (
    `Counts in ${rule.registerUnit} how far a level falls${factor}; refills are free, changes up to ${quantity(rule, rule.noiseBand)} are noise, ` +
    `falls during an undeclared silence of more than ${seconds(rule.maxSilenceSeconds)} are not billed, and ${rateText(rule, rule.maxRate)}.`
  )
}

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
