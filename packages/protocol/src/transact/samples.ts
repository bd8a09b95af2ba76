import type { Reading, SenmlValue } from '../trust/envelope.ts'
import type { DistanceRule } from './distance.ts'
import type { Sample } from './judgement.ts'
import { inputQuantity } from './quantity.ts'
import type { MeterRule } from './rule.ts'

/** What a reading is to a rule before any other is looked at. */
export type Sampled = Sample | { code: 'UNIT_MISMATCH' | 'VALUE_INVALID' }

const MOST_LATITUDE = 90n
const MOST_LONGITUDE = 180n

/** The samples of a pack, in order, from those of its readings that count for the stream. */
export function samplesOf(rule: MeterRule, readings: readonly Reading[]): Sampled[] {
  if (rule.rule === 'distance') return positionsOf(rule, readings)
  return readings.map(({ unit, value, timeMs }) => {
    if (unit !== rule.unit) return { code: 'UNIT_MISMATCH' }
    const quantity = billedQuantity(rule, value)
    return quantity === undefined ? { code: 'VALUE_INVALID' } : { timeMs, value: quantity }
  })
}

/** A billed value in input units; undefined for what this rule may not bill. */
export function billedQuantity(
  rule: Exclude<MeterRule, DistanceRule>,
  value: SenmlValue,
): bigint | undefined {
  // What is counted is that there is a reading, so that its decimal places do not matter.
  if (rule.rule === 'count') return value.kind === 'decimal' ? value.mantissa : undefined
  const quantity = inputQuantity(value, rule.scale)
  // A temperature may be below zero; what adds up in a register may not.
  const isNegative = quantity !== undefined && quantity < 0n
  return isNegative && rule.rule !== 'duration-beyond' ? undefined : quantity
}

/** A `lat` and a `lon` that follow each other at one time are a position, whichever comes first; one alone is none. */
function positionsOf(rule: DistanceRule, readings: readonly Reading[]): Sampled[] {
  const samples: Sampled[] = []
  let half: Reading | undefined
  for (const reading of readings) {
    if (reading.unit !== 'lat' && reading.unit !== 'lon') {
      samples.push({ code: 'UNIT_MISMATCH' })
      continue
    }
    if (half && half.unit !== reading.unit && half.timeMs === reading.timeMs) {
      samples.push(positionOf(rule, half, reading))
      half = undefined
      continue
    }
    if (half) samples.push({ code: 'VALUE_INVALID' })
    half = reading
  }
  if (half) samples.push({ code: 'VALUE_INVALID' })
  return samples
}

function positionOf({ scale }: DistanceRule, one: Reading, other: Reading): Sampled {
  const [lat, lon] = one.unit === 'lat' ? [one, other] : [other, one]
  const value = inputQuantity(lat.value, scale)
  const longitude = inputQuantity(lon.value, scale)
  const degree = 10n ** BigInt(scale)
  if (!isWithin(value, MOST_LATITUDE * degree) || !isWithin(longitude, MOST_LONGITUDE * degree)) {
    return { code: 'VALUE_INVALID' }
  }
  return { timeMs: lat.timeMs, value, longitude }
}

function isWithin(value: bigint | undefined, most: bigint): value is bigint {
  return value !== undefined && -most <= value && value <= most
}
