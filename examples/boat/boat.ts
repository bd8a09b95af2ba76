import type { Observation, Process, ProcessSource } from '@liquefy/simulator'
import type { Fix } from './logbook.ts'
import { type Counters, homeward, type Voyage, voyageOf } from './voyage.ts'

/** When the boat sails, seconds after its beginning: at each departure out or, every other time, home. */
export interface Timetable {
  /** Rising, and each after the trip before it; an even number, so that the boat lies where it began. */
  departures: readonly number[]
  /** After this long, the same again; never if undefined. */
  repeatSeconds?: number
}

interface BoatState {
  atSeconds: number
  /** When it last said what its instruments show. */
  saidAtSeconds: number
  /** Whether it was at sea then. */
  wasAtSea: boolean
}

/** Where the boat is, and its counters. */
interface Moment extends Counters {
  isAtSea: boolean
  latitudeE7: number
  longitudeE7: number
}

const HARBOUR_SECONDS = 600
const TEN_MILLIONTHS = -7
const MILLI = -3

/**
 * A boat that sails what a log holds: streams `position` (lat, lon), `distance` (m), `engine` (s) and `fuel` (l to three places).
 * At sea it says at each step what its instruments show, and when it has come in; in harbour every ten minutes.
 */
export function boatProcess(fixes: readonly Fix[], timetable: Timetable): ProcessSource {
  const voyages = [voyageOf(fixes), voyageOf(homeward(fixes))] as const
  return (_seed, saved) => createBoat(voyages, timetable, (saved as BoatState | undefined) ?? NEW)
}

const NEW: BoatState = { atSeconds: 0, saidAtSeconds: -HARBOUR_SECONDS, wasAtSea: false }

function createBoat(
  voyages: readonly [Voyage, Voyage],
  timetable: Timetable,
  saved: BoatState,
): Process {
  const state = { ...saved }
  return {
    step(elapsedMs, nowMs) {
      state.atSeconds += elapsedMs / 1_000
      const moment = momentAt(voyages, timetable, state.atSeconds)
      const isDue = state.atSeconds >= state.saidAtSeconds + HARBOUR_SECONDS
      if (!moment.isAtSea && !state.wasAtSea && !isDue) return []
      state.saidAtSeconds = state.atSeconds
      state.wasAtSea = moment.isAtSea
      return observe(moment, nowMs)
    },
    save: () => ({ ...state }),
  }
}

function momentAt(
  voyages: readonly [Voyage, Voyage],
  { departures, repeatSeconds = Number.POSITIVE_INFINITY }: Timetable,
  atSeconds: number,
): Moment {
  const rounds = Math.floor(atSeconds / repeatSeconds)
  const roundSeconds = rounds === 0 ? atSeconds : atSeconds - rounds * repeatSeconds
  const left = departures.filter((at) => at <= roundSeconds)
  const trips = rounds * departures.length + left.length
  const [out, home] = voyages
  if (trips === 0) return { ...out.at(0), isAtSea: false }
  const voyage = trips % 2 === 1 ? out : home
  const departed = left.at(-1)
  // Before the first departure of a round it lies where the last trip ended.
  const second = departed === undefined ? voyage.seconds : roundSeconds - departed
  const [outs, homes] = [Math.floor(trips / 2), Math.floor((trips - 1) / 2)]
  const added = [
    voyage.at(second),
    times(out.at(out.seconds), outs),
    times(home.at(home.seconds), homes),
  ]
  const { latitudeE7, longitudeE7 } = voyage.at(second)
  return {
    isAtSea: second < voyage.seconds,
    latitudeE7,
    longitudeE7,
    seconds: added.reduce((sum, { seconds }) => sum + seconds, 0),
    metres: added.reduce((sum, { metres }) => sum + metres, 0),
    millilitres: added.reduce((sum, { millilitres }) => sum + millilitres, 0n),
  }
}

function times({ seconds, metres, millilitres }: Counters, trips: number): Counters {
  return {
    seconds: seconds * trips,
    metres: metres * trips,
    millilitres: millilitres * BigInt(trips),
  }
}

function observe(moment: Moment, timeMs: number): Observation[] {
  const degrees = (unit: 'lat' | 'lon', value: number) => ({
    unit,
    timeMs,
    value: { mantissa: BigInt(value), exponent: TEN_MILLIONTHS },
  })
  const counter = (stream: string, unit: string, value: bigint, exponent = 0): Observation => {
    return {
      kind: 'reading',
      stream,
      sample: { unit, timeMs, value: { mantissa: value, exponent } },
    }
  }
  return [
    {
      kind: 'position',
      stream: 'position',
      records: [degrees('lat', moment.latitudeE7), degrees('lon', moment.longitudeE7)],
    },
    counter('distance', 'm', BigInt(moment.metres)),
    counter('engine', 's', BigInt(moment.seconds)),
    counter('fuel', 'l', moment.millilitres, MILLI),
  ]
}
