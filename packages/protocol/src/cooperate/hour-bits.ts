import type { Hex } from 'viem'

/** Hours of a week, one bit each: bit h is hour h, Monday 00:00 being 0. Below 2^168. */
export type HourBits = bigint

/** Hours of a wall-clock week, whatever its clock does. */
export const HOURS_A_WEEK = 168
/** Every hour of a week. */
export const ALL_HOURS: HourBits = (1n << 168n) - 1n
const HEX_DIGITS = 42
const BITS = /^0x[0-9a-fA-F]{42}$/

/** The hours of a week that are set, ascending. */
export function hoursOfBits(bits: HourBits): number[] {
  const hours: number[] = []
  for (let hour = 0, rest = bits; rest !== 0n; hour += 1, rest >>= 1n) {
    if (rest & 1n) hours.push(hour)
  }
  return hours
}

/** Bits of hours. @throws RangeError for what is no hour of a week. */
export function bitsOfHours(hours: readonly number[]): HourBits {
  return hours.reduce((bits, hour) => {
    if (!Number.isInteger(hour) || hour < 0 || hour >= HOURS_A_WEEK) {
      throw new RangeError(`A week has the hours 0 to ${HOURS_A_WEEK - 1}, and no hour ${hour}.`)
    }
    return bits | (1n << BigInt(hour))
  }, 0n)
}

/** How many hours are set. */
export function countHours(bits: HourBits): number {
  let count = 0
  for (let rest = bits; rest !== 0n; rest &= rest - 1n) count += 1
  return count
}

/** As JSON has them: `0x` and 42 hex digits. */
export function bitsToHex(bits: HourBits): Hex {
  return `0x${bits.toString(16).padStart(HEX_DIGITS, '0')}`
}

/** Undefined for what is not `0x` and 42 hex digits. */
export function bitsFromHex(text: unknown): HourBits | undefined {
  return typeof text === 'string' && BITS.test(text) ? BigInt(text) : undefined
}
