/** A place on earth: degrees x 10^scale. */
export type Position = { latitude: bigint; longitude: bigint }

/** Mean radius of the earth (IUGG), micrometres. */
const EARTH_RADIUS = 6_371_008_800_000n
/** pi and cosines are counts of 10^-18. */
const ONE = 10n ** 18n
const PI = 3_141_592_653_589_793_238n

/**
 * Length of the straight line between two near positions in micrometres, floored: equirectangular with the cosine of the
 * mean latitude, the short way round the earth. Integers only, so that every computer has the same. Within 1e-4 of the
 * great circle for hops of up to 10 km up to 85 degrees of latitude; beyond that too long rather than too short.
 */
export function hopMicrometres(from: Position, to: Position, scale: number): bigint {
  const degree = 10n ** BigInt(scale)
  const north = to.latitude - from.latitude
  const around = magnitude(to.longitude - from.longitude)
  const east = around > 180n * degree ? 360n * degree - around : around
  const narrowing = cosine(magnitude(from.latitude + to.latitude), 360n * degree)
  const degrees = squareRoot((north * ONE) ** 2n + (east * narrowing) ** 2n)
  return (degrees * EARTH_RADIUS * PI) / (180n * degree * ONE * ONE)
}

/** Cosine of `part / whole x pi`, at most a right angle, by its series with each term floored. */
function cosine(part: bigint, whole: bigint): bigint {
  const angle = (part * PI) / whole
  const square = angle * angle
  let sum = 0n
  let term = ONE
  for (let order = 0n; term > 0n; order += 2n) {
    sum += order % 4n === 0n ? term : -term
    term = (term * square) / (ONE * ONE * (order + 1n) * (order + 2n))
  }
  return sum > 0n ? sum : 0n
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value
}

/** Floored, by Newton's method from above. */
function squareRoot(value: bigint): bigint {
  if (value < 2n) return value
  let root = 2n ** BigInt(Math.ceil(value.toString(2).length / 2))
  for (;;) {
    const next = (root + value / root) / 2n
    if (next >= root) return root
    root = next
  }
}
