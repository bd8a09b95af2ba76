import type { Fix } from './logbook.ts'

/**
 * What the log does not say, and a simulated engine does: it runs while the boat makes three knots or more over ground. The fuel is that of a
 * small diesel, at idle and with the cube of the speed: 0.8 l an hour + 0.0134 l an hour for each cubic knot.
 */
const ENGINE = { fromCentiknots: 300, idleParts: 8_000_000_000n, cubicCentiknotParts: 134n }
/** Consumption stands in tenths of a nanolitre an hour, and is added up by the second. */
const FUEL_PARTS_PER_ML = 3_600n * 10_000_000n
/** A nautical mile is 1,852 m; hundredths of a knot over seconds. */
const METRES = { numerator: 1_852, denominator: 360_000 }
/** Between fixes further apart than this, nobody knows what the boat did: nothing is counted. */
const SILENT_SECONDS = 10

/** The boat's counters since the beginning. */
export interface Counters {
  /** Of the engine. */
  seconds: number
  /** Of fuel. */
  millilitres: bigint
  /** By the log's speed over ground. */
  metres: number
}

/** Where the boat is within a trip, and what the trip has added to its counters until then. */
interface VoyageMoment extends Counters {
  latitudeE7: number
  longitudeE7: number
}

/** One trip, from the first fix to the last. */
export interface Voyage {
  seconds: number
  /** The last fix at or before `second`. */
  at(second: number): VoyageMoment
}

/** The trip of a log. What a fix says of the speed holds until the next one. @throws RangeError without fixes. */
export function voyageOf(fixes: readonly Fix[]): Voyage {
  let [seconds, fuelParts, centiknotSeconds] = [0, 0n, 0]
  const moments = fixes.map((fix, index) => {
    const before = fixes[index - 1]
    const elapsed = before ? fix.second - before.second : 0
    if (before && elapsed <= SILENT_SECONDS) {
      centiknotSeconds += before.centiknots * elapsed
      if (before.centiknots >= ENGINE.fromCentiknots) {
        seconds += elapsed
        fuelParts += hourlyFuelParts(before.centiknots) * BigInt(elapsed)
      }
    }
    const { latitudeE7, longitudeE7 } = fix
    const millilitres = fuelParts / FUEL_PARTS_PER_ML
    const metres = Math.floor((centiknotSeconds * METRES.numerator) / METRES.denominator)
    return { latitudeE7, longitudeE7, seconds, millilitres, metres }
  })
  const last = fixes.at(-1)
  if (!last) throw new RangeError('A voyage needs a fix.')
  return {
    seconds: last.second,
    at(second) {
      const index = fixes.findLastIndex((fix) => fix.second <= second)
      return moments[Math.max(index, 0)] as VoyageMoment
    },
  }
}

/** The same way back: the log holds one trip, and the boat must come home. */
export function homeward(fixes: readonly Fix[]): Fix[] {
  const end = fixes.at(-1)?.second ?? 0
  return fixes.toReversed().map((fix) => ({ ...fix, second: end - fix.second }))
}

function hourlyFuelParts(centiknots: number): bigint {
  return ENGINE.idleParts + ENGINE.cubicCentiknotParts * BigInt(centiknots) ** 3n
}
