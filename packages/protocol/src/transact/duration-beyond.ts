import {
  type Baseline,
  baselineAt,
  type Elapsed,
  type Judgement,
  measured,
  type Sample,
} from './judgement.ts'
import {
  factorText,
  type InputFields,
  MAX_SECONDS,
  quantity,
  type RegisterFields,
  readInputFields,
  readRegisterFields,
  readSilence,
  seconds,
} from './rule-input.ts'
import { type Fields, readInteger, readSigned, readText } from './strict-json.ts'

/** Time beyond a threshold, less what was excused beforehand. `threshold` in input units, a decimal string that may be negative. */
export type DurationBeyondRule = {
  rule: 'duration-beyond'
  beyond: 'above' | 'below'
  threshold: string
  maxSilenceSeconds: number
  /** Most that excuses may take off one period. */
  maxExcusedSeconds: number
} & RegisterFields &
  InputFields

const SIDES = /^(?:above|below)$/
const VALUE_BITS = 128

export function readDurationBeyond(fields: Fields): DurationBeyondRule {
  const side = readText(fields, 'beyond', SIDES, '"above" or "below"')
  return {
    rule: 'duration-beyond',
    ...readRegisterFields(fields),
    ...readInputFields(fields),
    beyond: side === 'above' ? 'above' : 'below',
    threshold: readSigned(fields, 'threshold', VALUE_BITS).toString(),
    maxSilenceSeconds: readSilence(fields),
    maxExcusedSeconds: readInteger(fields, 'maxExcusedSeconds', 0, MAX_SECONDS),
  }
}

export function explainDurationBeyond(rule: DurationBeyondRule): string {
  const factor = factorText(rule, 0, 's')
  return (
    `Counts in ${rule.registerUnit} how long readings stay ${rule.beyond} ${quantity(rule, rule.threshold)}${factor}; ` +
    `time excused beforehand is left out, up to ${seconds(rule.maxExcusedSeconds)} a period, and so are declared gaps ` +
    `and every undeclared silence of more than ${seconds(rule.maxSilenceSeconds)}.`
  )
}

/**
 * Rule `duration-beyond`: the time between two consecutive readings counts if both lie beyond the threshold, in ms.
 *
 * @param excusableMs of the measured time, how much an excuse names and the period's allowance still covers.
 */
export function judgeDurationBeyond(
  rule: DurationBeyondRule,
  baseline: Baseline,
  sample: Sample,
  elapsed: Elapsed,
  excusableMs: number,
): Judgement {
  if (!isBeyond(rule, baseline.value) || !isBeyond(rule, sample.value)) {
    return measured(sample, 0n, elapsed)
  }
  if (elapsed.acrossGap) return measured(sample, BigInt(elapsed.measuredMs), elapsed)
  const delta = BigInt(elapsed.measuredMs - excusableMs)
  return { code: 'OK', baseline: baselineAt(sample), delta, excusedMs: excusableMs }
}

function isBeyond({ beyond, threshold }: DurationBeyondRule, value: bigint): boolean {
  return beyond === 'above' ? value > BigInt(threshold) : value < BigInt(threshold)
}
