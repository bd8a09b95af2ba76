import { formatDecimal } from '../units/decimal.ts'
import { hopMicrometres, type Position } from './hop.ts'
import {
  type Baseline,
  baselineAt,
  type Elapsed,
  type Judgement,
  type Sample,
} from './judgement.ts'
import {
  factorText,
  type RegisterFields,
  readRegisterFields,
  readSilence,
  seconds,
} from './rule-input.ts'
import { type Fields, readInteger } from './strict-json.ts'

/** The way between positions, each a record in `lat` and one in `lon` (docs/protocol/meter-rules.md). */
export type DistanceRule = {
  rule: 'distance'
  /** Decimal places of a degree: at scale 7, one count is about 11 mm. */
  scale: number
  noiseBandMm: number
  maxMmPerSecond: number
  maxSilenceSeconds: number
} & RegisterFields

/** At nine places a count is a tenth of a millimetre; no receiver is finer. */
const MAX_SCALE = 9
const MAX_MM = 2 ** 32 - 1
const MICROMETRES_PER_MM = 1_000n
const MS_PER_SECOND = 1_000n

export function readDistance(fields: Fields): DistanceRule {
  return {
    rule: 'distance',
    ...readRegisterFields(fields),
    scale: readInteger(fields, 'scale', 0, MAX_SCALE),
    noiseBandMm: readInteger(fields, 'noiseBandMm', 0, MAX_MM),
    maxMmPerSecond: readInteger(fields, 'maxMmPerSecond', 1, MAX_MM),
    maxSilenceSeconds: readSilence(fields),
  }
}

export function explainDistance(rule: DistanceRule): string {
  const metres = (mm: number) => `${formatDecimal(BigInt(mm), 3, { grouping: true, trim: true })} m`
  return (
    `Counts in ${rule.registerUnit} the straight lines between positions${factorText(rule, 0, 'm')}; moves up to ${metres(rule.noiseBandMm)} are noise, ` +
    `moves during an undeclared silence of more than ${seconds(rule.maxSilenceSeconds)} are not billed, and more than ${metres(rule.maxMmPerSecond)} a second is not believed.`
  )
}

/**
 * Rule `distance`: the straight line from the baseline, once it is longer than the noise band, in micrometres. What
 * `elapsed` says of the last good reading bounds it: since then nobody can have come further than his speed allows.
 */
export function judgeDistance(
  rule: DistanceRule,
  baseline: Baseline,
  sample: Sample,
  elapsed: Elapsed,
): Judgement {
  const hop = hopMicrometres(positionOf(baseline), positionOf(sample), rule.scale)
  const noise = BigInt(rule.noiseBandMm) * MICROMETRES_PER_MM
  if (hop <= noise) return { code: 'OK', baseline, delta: 0n }
  if (elapsed.acrossGap) return { code: 'GAP', baseline: baselineAt(sample) }
  const reach = BigInt(rule.maxMmPerSecond) * BigInt(elapsed.elapsedMs)
  if (hop > noise + (reach * MICROMETRES_PER_MM) / MS_PER_SECOND) return { code: 'IMPLAUSIBLE' }
  return { code: 'OK', baseline: baselineAt(sample), delta: hop }
}

function positionOf({ value, longitude }: Pick<Sample, 'value' | 'longitude'>): Position {
  return { latitude: value, longitude: longitude ?? 0n }
}
