/** What a ledger amount is in whole hundredths of a currency: rounded down, never up. What is left, less than a cent, is on no invoice. */
export function wholeCents(minor: bigint, decimals: number): bigint {
  return decimals < 2 ? minor * 10n ** BigInt(2 - decimals) : minor / 10n ** BigInt(decimals - 2)
}

/**
 * Splits a whole number in proportion to parts that may be negative: each share rounded down, then the largest remainders one up (the first
 * of equals), so that the shares add up to `total` exactly.
 *
 * @param parts their sum is above zero; or it is zero, and so is `total`: then each share is.
 */
export function apportion(total: bigint, parts: readonly bigint[]): bigint[] {
  if (total === 0n) return parts.map(() => 0n)
  const sum = parts.reduce((all, part) => all + part, 0n)
  const scaled = parts.map((part) => part * total)
  const remainders = scaled.map((value) => ((value % sum) + sum) % sum)
  const floors = scaled.map((value, index) => (value - (remainders[index] ?? 0n)) / sum)
  const missing = total - floors.reduce((all, share) => all + share, 0n)
  const up = new Set(
    remainders
      .map((remainder, index) => ({ remainder, index }))
      .sort((a, b) => Number(b.remainder > a.remainder) - Number(b.remainder < a.remainder))
      .slice(0, Number(missing))
      .map(({ index }) => index),
  )
  return floors.map((share, index) => (up.has(index) ? share + 1n : share))
}

/** A tax on whole cents, rounded half up. @param basisPoints hundredths of a percent. */
export function taxOn(cents: bigint, basisPoints: bigint): bigint {
  return (cents * basisPoints + 5_000n) / 10_000n
}

/**
 * The largest net amount that with its tax is not above `gross`. Few amounts are exactly a net with its rounded tax: the rest is at most one cent.
 *
 * @param gross whole cents. @param basisPoints hundredths of a percent, at most 10,000.
 */
export function netOf(gross: bigint, basisPoints: bigint): bigint {
  const near = (gross * 10_000n) / (10_000n + basisPoints)
  // Rounding may leave room for one more.
  return near + 1n + taxOn(near + 1n, basisPoints) <= gross ? near + 1n : near
}
