import {
  LiquefyError,
  type MeterRule,
  multiply,
  parseDecimal,
  type RuleFactor,
  STREAM_NAME,
  UNIT_NAME,
  type UnitQuantity,
  unitQuantity,
} from '@liquefy/protocol'
import type { MeterDraft } from './agreement-terms.ts'

/** What of a stream is counted, as people say it; each is the meter rule of the same name. */
export type Measure = MeterRule['rule']

/** One meter as people write it down. Texts are plain decimals. */
export interface OfferMeter {
  stream: string
  measure: Measure
  /** SenML unit of the readings; `lat` for positions. */
  unit: string
  /** What one `unit` of the reading is worth in another unit: one mm of a level is 23.5 kg. Nothing: it is counted as it is. */
  calibration?: { amount: string; unit: string }
  /** The most that is believed of one hour, in the unit that prices are per. Not asked of time beyond a threshold. */
  perHour: string
  /** Changes up to this are noise, in the reading's unit (of a position: m). Of a falling level and of distance. */
  noise: string
  /** Of time beyond a threshold, in the reading's unit. */
  beyond: 'above' | 'below'
  threshold: string
  /** Nothing is counted over a longer silence. */
  silenceSeconds: number
}

const LEVELS = ['mm', 'cm', '%', '%EL', '%RH']
const RATES = ['W', 'kW', 'l/s', 'm3/s', 'm/s', 'km/h']

/** How a stream of this SenML unit is most often counted: for people to change. */
export function usualMeasure(unit: string): Measure {
  if (unit === 'lat' || unit === 'lon') return 'distance'
  if (unit === 'Cel' || unit === 'K') return 'duration-beyond'
  if (LEVELS.includes(unit)) return 'drawdown'
  if (RATES.includes(unit)) return 'integral'
  return unit === 'count' ? 'count' : 'counter'
}

/** Decimal places that are read of a value; one with more is not priced. */
export const READING_PLACES = 3
const DEGREE_PLACES = 7
export const CALIBRATION_PLACES = 6
export const RATE_PLACES = 3
const HOUR_SECONDS = 3_600n

/** Registers count whole units: of these they count a smaller one, so that little is lost. */
const FINER: Readonly<Record<string, string>> = {
  l: 'ml',
  m3: 'l',
  kg: 'g',
  t: 'kg',
  kWh: 'Wh',
  km: 'm',
}
/** What a rate may add up to, the first that fits. */
const SUMS = ['Wh', 'ml', 'g', 'm']

/** A text of an offer that cannot stand, and which one it is. */
export class OfferFieldError extends LiquefyError {
  readonly field: string

  constructor(field: string, message: string) {
    super('OFFER_INVALID', message)
    this.field = field
  }
}

/**
 * The unit that a meter's register counts in, and how the reading becomes it.
 *
 * @throws OfferFieldError of `calibration` if it is no amount above zero.
 */
export function countedIn(
  meter: Pick<OfferMeter, 'measure' | 'unit' | 'calibration'>,
): Pick<MeterDraft['rule'], 'registerUnit' | 'factor'> {
  const { measure, unit, calibration } = meter
  const one = { numerator: 1, denominator: 1 }
  switch (measure) {
    case 'count':
      return { registerUnit: 'piece', factor: one }
    case 'distance':
      return { registerUnit: 'm', factor: one }
    case 'duration-beyond':
      return { registerUnit: 'min', factor: { numerator: 1, denominator: 60 } }
    case 'integral': {
      const [rate, second] = [unitQuantity(unit), unitQuantity('s')]
      const sum = rate && second && multiply(rate, second)
      const registerUnit = SUMS.find((one) => unitQuantity(one)?.dimension === sum?.dimension)
      return registerUnit && sum
        ? { registerUnit, factor: ratio(sum, registerUnit) }
        : { registerUnit: `${unit}.s`, factor: thousandth }
    }
    case 'counter':
    case 'drawdown':
      return calibration ? calibrated(calibration) : asItIs(unit)
  }
}

const thousandth: RuleFactor = { numerator: 1, denominator: 10 ** READING_PLACES }

function asItIs(unit: string): { registerUnit: string; factor: RuleFactor } {
  const registerUnit = FINER[unit]
  const quantity = unitQuantity(unit)
  if (registerUnit === undefined || !quantity) return { registerUnit: unit, factor: thousandth }
  return { registerUnit, factor: ratio(quantity, registerUnit) }
}

function calibrated({ amount, unit }: NonNullable<OfferMeter['calibration']>): {
  registerUnit: string
  factor: RuleFactor
} {
  const counts = amountIn('calibration', amount, CALIBRATION_PLACES)
  if (!UNIT_NAME.test(unit)) {
    throw new OfferFieldError('calibration', 'Name the unit that it is counted in, like kg.')
  }
  const registerUnit = FINER[unit] ?? unit
  const per = FINER[unit] ? 1_000n : 1n
  return {
    registerUnit,
    factor: reduced(counts * per, 10n ** BigInt(CALIBRATION_PLACES + READING_PLACES)),
  }
}

/** From thousandths of a unit to whole ones of another. */
function ratio(from: UnitQuantity, to: string): RuleFactor {
  const target = unitQuantity(to)
  if (!target) throw new RangeError(`${to} is no unit that is known.`)
  return reduced(
    from.numerator * target.denominator,
    from.denominator * target.numerator * 10n ** BigInt(READING_PLACES),
  )
}

function reduced(numerator: bigint, denominator: bigint): RuleFactor {
  let [a, b] = [numerator, denominator]
  while (b !== 0n) [a, b] = [b, a % b]
  return { numerator: Number(numerator / a), denominator: Number(denominator / a) }
}

/**
 * The meter as terms take it.
 *
 * @param per register units that one unit of the price is: `tariffUnits`.
 * @throws OfferFieldError
 */
export function meterDraftOf(meter: OfferMeter, per: bigint): MeterDraft {
  const { stream, measure, unit, silenceSeconds } = meter
  if (!STREAM_NAME.test(stream)) {
    throw new OfferFieldError('stream', 'Choose the stream that is metered.')
  }
  if (!UNIT_NAME.test(unit)) {
    throw new OfferFieldError('unit', 'Name the unit of its readings, like l.')
  }
  const counted = { version: 1 as const, ...countedIn(meter) }
  const input = { unit, scale: READING_PLACES }
  if (measure === 'duration-beyond') {
    const { beyond } = meter
    const threshold = decimalIn('threshold', meter.threshold, READING_PLACES).toString()
    const time = { maxSilenceSeconds: silenceSeconds, maxExcusedSeconds: 0 }
    const rule: MeterRule = { rule: measure, ...counted, ...input, beyond, threshold, ...time }
    return { stream, rule, limit: { burst: 1n, perHour: 60n } }
  }
  const thousandths = amountIn('perHour', meter.perHour, RATE_PLACES)
  const perHour = ceilDiv(thousandths * per, 10n ** BigInt(RATE_PLACES))
  // What arrives after a silence may be an hour's worth at once.
  const limit = { burst: perHour, perHour }
  const { numerator, denominator } = counted.factor
  const inputPerHour = ceilDiv(perHour * BigInt(denominator), BigInt(numerator))
  const maxRate = { burst: String(inputPerHour), perHour: String(inputPerHour) }
  const noise = () => Number(decimalIn('noise', meter.noise, READING_PLACES, 'least'))
  const maxSilenceSeconds = silenceSeconds
  const ruleOf = (): MeterRule => {
    switch (measure) {
      case 'count':
        return { rule: measure, ...counted, unit, maxRate }
      case 'counter':
        return { rule: measure, ...counted, ...input, maxRate }
      case 'drawdown':
        return {
          rule: measure,
          ...counted,
          ...input,
          maxRate,
          noiseBand: noise(),
          maxSilenceSeconds,
        }
      case 'integral':
        return {
          rule: measure,
          ...counted,
          ...input,
          maxValue: String(ceilDiv(inputPerHour, HOUR_SECONDS)),
          maxSilenceSeconds,
        }
      case 'distance':
        return {
          rule: measure,
          ...counted,
          scale: DEGREE_PLACES,
          // Metres with three places are millimetres.
          noiseBandMm: noise(),
          maxMmPerSecond: Number(ceilDiv(perHour * 1_000n, HOUR_SECONDS)),
          maxSilenceSeconds,
        }
    }
  }
  return { stream, rule: ruleOf(), limit }
}

function ceilDiv(a: bigint, b: bigint): bigint {
  return (a + b - 1n) / b
}

/** An amount above zero, exact, as a count of 10^-places. @throws OfferFieldError */
export function amountIn(field: string, text: string, places: number): bigint {
  const value = decimalIn(field, text, places, 'least')
  if (value > 0n) return value
  throw new OfferFieldError(field, 'It must be more than nothing.')
}

/** A plain decimal, exact, as a count of 10^-places; `least`: not below zero. @throws OfferFieldError */
export function decimalIn(field: string, text: string, places: number, least?: 'least'): bigint {
  if (text.trim() === '') throw new OfferFieldError(field, 'Write a number here.')
  const value = (() => {
    try {
      return parseDecimal(text.trim(), places)
    } catch (error) {
      throw new OfferFieldError(field, error instanceof Error ? error.message : String(error))
    }
  })()
  if (least && value < 0n) throw new OfferFieldError(field, 'It must not be below zero.')
  return value
}
