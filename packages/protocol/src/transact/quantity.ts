import type { SenmlValue } from '../trust/envelope.ts'

/** Inputs below 2^128 and exponents within 64 keep a hostile reading from costing memory. */
const INPUT_LIMIT = 2n ** 128n
const LEAST_INPUT = -INPUT_LIMIT
const EXPONENT_LIMIT = 64

/**
 * A billed value as an integer count of 10^-scale, or undefined for what may not be billed: floats, texts, more places
 * than `scale`, and what is 2^128 or more in size. Never rounds.
 */
export function inputQuantity(value: SenmlValue, scale: number): bigint | undefined {
  if (value.kind !== 'decimal') return undefined
  const places = value.exponent + scale
  if (Math.abs(places) > EXPONENT_LIMIT) return undefined
  const quantity = places === 0 ? value.mantissa : shifted(value.mantissa, places)
  if (quantity === undefined) return undefined
  return LEAST_INPUT < quantity && quantity < INPUT_LIMIT ? quantity : undefined
}

function shifted(mantissa: bigint, places: number): bigint | undefined {
  const power = 10n ** BigInt(Math.abs(places))
  if (places > 0) return mantissa * power
  return mantissa % power === 0n ? mantissa / power : undefined
}

/** Whether a reading of this name belongs to the metered stream: what follows the last `/` or `:` is the stream's name or empty. */
export function countsForStream(name: string, stream: string): boolean {
  const begin = Math.max(name.lastIndexOf('/'), name.lastIndexOf(':')) + 1
  return begin === name.length || (name.length - begin === stream.length && name.endsWith(stream))
}
