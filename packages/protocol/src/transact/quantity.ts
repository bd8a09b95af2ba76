import type { Reading, SenmlValue } from '../trust/envelope.ts'

/** Inputs below 2^128 and exponents within 64 keep a hostile reading from costing memory. */
const INPUT_LIMIT = 2n ** 128n
const EXPONENT_LIMIT = 64

/**
 * A billed value as an integer count of 10^-scale, or undefined for what may not be billed: floats, texts, more places
 * than `scale`, and what is 2^128 or more in size. Never rounds.
 */
export function inputQuantity(value: SenmlValue, scale: number): bigint | undefined {
  if (value.kind !== 'decimal') return undefined
  const places = value.exponent + scale
  if (Math.abs(places) > EXPONENT_LIMIT) return undefined
  const power = 10n ** BigInt(Math.abs(places))
  if (places < 0 && value.mantissa % power !== 0n) return undefined
  const quantity = places < 0 ? value.mantissa / power : value.mantissa * power
  return -INPUT_LIMIT < quantity && quantity < INPUT_LIMIT ? quantity : undefined
}

/** Whether a reading of the pack belongs to the metered stream: its name without the base name is the stream's or empty. */
export function countsForStream(reading: Reading, stream: string): boolean {
  const local = reading.name.slice(
    Math.max(reading.name.lastIndexOf('/'), reading.name.lastIndexOf(':')) + 1,
  )
  return local === '' || local === stream
}
