import { larger, smaller } from '../units/larger.ts'
import { type FoldState, registerAt } from './fold-state.ts'
import { scaleOf } from './register.ts'
import type { MeterRule } from './rule.ts'

/** A register with what its calibration leaves open. */
export type RegisterBand = {
  /** Floored. */
  lower: bigint
  /** Rounded up. */
  upper: bigint
  /** Of what the period counted, on average, rounded up; undefined of a register that no calibration bounds, which is as it was counted. */
  uncertaintyPpm: number | undefined
}

/** An amount with what the calibration of its meters leaves open, smallest units. */
export type AmountBand = {
  lowerMinor: bigint
  upperMinor: bigint
  /** The largest of its registers. */
  uncertaintyPpm: number
}

const MILLION = 1_000_000n

/** Whether the register is in proportion to the readings, so that their uncertainty is also that of the register. */
export function hasBand({ rule, calibration }: MeterRule): boolean {
  return (
    calibration !== undefined && (rule === 'counter' || rule === 'drawdown' || rule === 'integral')
  )
}

/**
 * The band of a period's register: each part of its input less and more its uncertainty when it was read, scaled as the register is, the lower
 * end floored and the upper one rounded up. The register lies within.
 */
export function registerBand(state: FoldState, rule: MeterRule, period: number): RegisterBand {
  const register = registerAt(state, period)
  if (!hasBand(rule)) return { lower: register, upper: register, uncertaintyPpm: undefined }
  const input = BigInt(state.periods[period]?.input ?? '0')
  const open = BigInt(state.uncertainty?.[period] ?? '0')
  const { numerator, denominator } = scaleOf(rule)
  const whole = denominator * MILLION
  return {
    lower: ((input * MILLION - open) * numerator) / whole,
    upper: ((input * MILLION + open) * numerator + whole - 1n) / whole,
    uncertaintyPpm: input === 0n ? 0 : Number((open + input - 1n) / input),
  }
}

/** Both ends of some registers, in their order; undefined if no calibration bounds any. */
export function bandEnds(
  registers: readonly RegisterBand[],
): { lower: bigint[]; upper: bigint[]; uncertaintyPpm: number } | undefined {
  const known = registers.flatMap(({ uncertaintyPpm }) => uncertaintyPpm ?? [])
  if (known.length === 0) return undefined
  return {
    lower: registers.map(({ lower }) => lower),
    upper: registers.map(({ upper }) => upper),
    uncertaintyPpm: Math.max(...known),
  }
}

/**
 * The band of a period's amount: what the lower and the upper registers cost. A price never falls with what it counts, so that what is owed lies
 * within; where the contract would skip the upper end, which is more than it can pay, that end is what is owed. Undefined if no calibration bounds
 * any register.
 *
 * @param price what registers cost, smallest units
 * @param owedMinor what the registers themselves cost
 */
export function amountBand(
  registers: readonly RegisterBand[],
  owedMinor: bigint,
  price: (registers: readonly bigint[]) => bigint,
): AmountBand | undefined {
  const ends = bandEnds(registers)
  if (!ends) return undefined
  return {
    lowerMinor: smaller(owedMinor, price(ends.lower)),
    upperMinor: larger(owedMinor, price(ends.upper)),
    uncertaintyPpm: ends.uncertaintyPpm,
  }
}
