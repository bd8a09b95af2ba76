import { LiquefyError } from '../error.ts'

const DECIMAL = /^(-?)([0-9]+)(?:\.([0-9]+))?$/
const MAX_DECIMAL_CHARACTERS = 200

/** A decimal text that cannot be read exactly: `DECIMAL_INVALID`. */
export class DecimalError extends LiquefyError {
  constructor(message: string) {
    super('DECIMAL_INVALID', message)
    this.name = 'DecimalError'
  }
}

/**
 * Reads a plain decimal text ("12.345", "-0.5") as an integer count of 10^-decimals.
 *
 * @throws DecimalError for exponents, signs other than "-", empty parts, and whatever it would have to round.
 */
export function parseDecimal(text: string, decimals: number): bigint {
  const { value, rounded } = roundHalfEven(text, decimals)
  if (rounded) {
    throw new DecimalError(
      `"${text}" has more than ${decimals} decimal places; give it exactly, or round it on purpose first.`,
    )
  }
  return value
}

/**
 * Reads a plain decimal text and rounds it to `decimals` places, ties to the even neighbour. This is the declared
 * transformation `ROUNDED_TO_UNIT`: `rounded` says whether the value was changed, so that callers can count it.
 *
 * @throws DecimalError if the text is no plain decimal.
 */
export function roundHalfEven(text: string, decimals: number): { value: bigint; rounded: boolean } {
  const { negative, digits, places } = splitDecimal(text)
  if (places <= decimals) {
    const exact = digits * 10n ** BigInt(decimals - places)
    return { value: negative ? -exact : exact, rounded: false }
  }
  const divisor = 10n ** BigInt(places - decimals)
  const floor = digits / divisor
  const twiceRest = (digits % divisor) * 2n
  const up = twiceRest > divisor || (twiceRest === divisor && floor % 2n === 1n)
  const magnitude = up ? floor + 1n : floor
  return { value: negative ? -magnitude : magnitude, rounded: twiceRest !== 0n }
}

/**
 * Writes an integer count of 10^-decimals as a decimal text, all places kept: `formatDecimal(1200n, 3)` is "1.200".
 * `grouping` sets commas between thousands; `trim` drops trailing zeros of the fraction. Without `grouping`, `parseDecimal` reads it back.
 */
export function formatDecimal(
  value: bigint,
  decimals: number,
  options: { grouping?: boolean; trim?: boolean } = {},
): string {
  const digits = (value < 0n ? -value : value).toString().padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals)
  const fraction = digits.slice(digits.length - decimals)
  const shownWhole = options.grouping ? whole.replace(/\B(?=(?:[0-9]{3})+$)/g, ',') : whole
  const shownFraction = options.trim ? fraction.replace(/0+$/, '') : fraction
  return `${value < 0n ? '-' : ''}${shownWhole}${shownFraction === '' ? '' : `.${shownFraction}`}`
}

/** `mantissa x 10^exponent` as a decimal text, exactly: `{ mantissa: 91205n, exponent: -1 }` is "9120.5". */
export function decimalText({
  mantissa,
  exponent,
}: {
  mantissa: bigint
  exponent: number
}): string {
  return exponent > 0
    ? formatDecimal(mantissa * 10n ** BigInt(exponent), 0)
    : formatDecimal(mantissa, -exponent)
}

function splitDecimal(text: string): { negative: boolean; digits: bigint; places: number } {
  const match = text.length <= MAX_DECIMAL_CHARACTERS ? DECIMAL.exec(text) : null
  if (!match) {
    throw new DecimalError(
      `"${text.slice(0, 40)}" is not a plain decimal number; write digits with at most one point, like 12.345.`,
    )
  }
  const fraction = match[3] ?? ''
  return {
    negative: match[1] === '-',
    digits: BigInt(`${match[2] ?? ''}${fraction}`),
    places: fraction.length,
  }
}
