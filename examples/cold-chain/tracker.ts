import {
  createRandom,
  type Observation,
  type Process,
  type ProcessSource,
} from '@liquefy/simulator'

/** What happens to the trailer, in seconds after the tour's first midnight. */
export interface Tour {
  drives: readonly { from: number; to: number; kilometres: number }[]
  /** The load is at the mercy of the weather. */
  doorsOpen: readonly Stretch[]
  coolingFails: readonly Stretch[]
  /** The evaporator is heated to free it of ice. The tracker knows, and says so when it begins. */
  defrosts: readonly Stretch[]
  /** So long after a defrost the air may still be warm. */
  recoverySeconds: number
}

type Stretch = readonly [from: number, to: number]

interface TrailerState {
  random: number
  atSeconds: number
  /** Of the air at the sensor, degrees Celsius. */
  celsius: number
  isCooling: boolean
  drivenMetres: number
  positionAt: number
}

/** Hamburg, Schwerin, Neuruppin, Berlin: degrees. */
const ROUTE = [
  [53.551, 9.994],
  [53.629, 11.415],
  [52.928, 12.801],
  [52.521, 13.41],
] as const
const METRES_PER_DEGREE = 111_195
const OUTSIDE_CELSIUS = 24
const SET_CELSIUS = 4
const SECONDS = { throughWalls: 7_200, throughDoors: 720 }
const DEGREES_PER_SECOND = { cooling: -0.5 / 60, defrost: 0.25 / 60 }
const NOISE = { celsius: 0.15, degrees: 0.000_04 }
const POSITION_EVERY_SECONDS = 60
const TEN_MILLIONTHS = -7

/** The physics of a refrigerated trailer with a tracker: streams `temperature` (tenths Cel) and `position` (lat, lon). */
export function trailerProcess(tour: Tour): ProcessSource {
  return (seed, saved) => createTrailer(tour, (saved as TrailerState | undefined) ?? begin(seed))
}

/** What was driven since the beginning, metres, by the process's own saved state: to compare with what was billed. */
export function drivenMetres(process: Process): number {
  return (process.save() as TrailerState).drivenMetres
}

function begin(seed: number): TrailerState {
  return {
    random: createRandom(seed).state(),
    atSeconds: 0,
    celsius: SET_CELSIUS,
    isCooling: false,
    drivenMetres: 0,
    positionAt: 0,
  }
}

function createTrailer(tour: Tour, state: TrailerState): Process {
  const random = createRandom(state.random)
  const isIn = (stretches: readonly Stretch[]) =>
    stretches.some(([from, to]) => state.atSeconds >= from && state.atSeconds < to)

  function warm(seconds: number): void {
    const through = isIn(tour.doorsOpen) ? SECONDS.throughDoors : SECONDS.throughWalls
    const isDefrosting = isIn(tour.defrosts)
    if (state.celsius > SET_CELSIUS + 0.5) state.isCooling = true
    if (state.celsius < SET_CELSIUS) state.isCooling = false
    state.celsius += ((OUTSIDE_CELSIUS - state.celsius) / through) * seconds
    if (isDefrosting) state.celsius += DEGREES_PER_SECOND.defrost * seconds
    else if (state.isCooling && !isIn(tour.coolingFails)) {
      state.celsius += DEGREES_PER_SECOND.cooling * seconds
    }
  }

  function drive(seconds: number): void {
    const leg = tour.drives.find(({ from, to }) => state.atSeconds >= from && state.atSeconds < to)
    if (leg) state.drivenMetres += ((leg.kilometres * 1_000) / (leg.to - leg.from)) * seconds
  }

  /** The same road there and back: what was driven says where on it the trailer is. */
  function readPosition(timeMs: number): Observation {
    const legs = state.drivenMetres / ROUTE_METRES
    const there = legs % 2 <= 1 ? legs % 2 : 2 - (legs % 2)
    const [latitude, longitude] = placeAt(there * ROUTE_METRES)
    const record = (unit: 'lat' | 'lon', degrees: number) => {
      const jittered = degrees + random.between(-NOISE.degrees, NOISE.degrees)
      const mantissa = BigInt(Math.round(jittered * 10 ** -TEN_MILLIONTHS))
      return { unit, timeMs, value: { mantissa, exponent: TEN_MILLIONTHS } }
    }
    const records = [record('lat', latitude), record('lon', longitude)] as const
    return { kind: 'position', stream: 'position', records }
  }

  function readTemperature(timeMs: number): Observation {
    const shown = state.celsius + random.between(-NOISE.celsius, NOISE.celsius)
    const value = { mantissa: BigInt(Math.round(shown * 10)), exponent: -1 }
    return { kind: 'reading', stream: 'temperature', sample: { unit: 'Cel', timeMs, value } }
  }

  function excuse(sinceSeconds: number, nowMs: number): Observation[] {
    const begun = tour.defrosts.filter(([at]) => at > sinceSeconds && at <= state.atSeconds)
    return begun.map(([from, to]) => {
      const fromMs = nowMs - (state.atSeconds - from) * 1_000
      const toMs = fromMs + (to - from + tour.recoverySeconds) * 1_000
      return { kind: 'excuse', stream: 'temperature', fromMs, toMs, reason: 'defrost' }
    })
  }

  return {
    step(elapsedMs, nowMs) {
      const sinceSeconds = state.atSeconds
      for (let left = elapsedMs / 1_000; left > 0; left -= 1) {
        const seconds = Math.min(left, 1)
        state.atSeconds += seconds
        warm(seconds)
        drive(seconds)
      }
      const observations = [...excuse(sinceSeconds, nowMs), readTemperature(nowMs)]
      if (state.atSeconds < state.positionAt) return observations
      state.positionAt = state.atSeconds + POSITION_EVERY_SECONDS
      return [...observations, readPosition(nowMs)]
    },
    save: () => ({ ...state, random: random.state() }),
  }
}

type Place = readonly [latitude: number, longitude: number]

function lengthOf([a, b]: Place, [c, d]: Place): number {
  const narrowing = Math.cos(((a + c) / 2) * (Math.PI / 180))
  return Math.hypot(c - a, (d - b) * narrowing) * METRES_PER_DEGREE
}

const LEGS = ROUTE.slice(1).map((to, index) => {
  const from = ROUTE[index] ?? to
  return { from, to, metres: lengthOf(from, to) }
})
const ROUTE_METRES = LEGS.reduce((sum, { metres }) => sum + metres, 0)

function placeAt(metres: number): Place {
  let left = metres
  for (const { from, to, metres: length } of LEGS) {
    if (left <= length) {
      const part = left / length
      return [from[0] + (to[0] - from[0]) * part, from[1] + (to[1] - from[1]) * part]
    }
    left -= length
  }
  return ROUTE[ROUTE.length - 1] ?? ROUTE[0]
}
