import {
  createRandom,
  type Observation,
  type Process,
  type ProcessSource,
  type Random,
} from '@liquefy/simulator'

/** A simulated charge point. Power in watts, energy in watt hours, times in seconds of the process. */
export interface ChargePointDefinition {
  connectors: number
  maxWatts: number
  /** Between two cars that find a free connector, on average. */
  arrivalSeconds: number
  /** What a car takes. */
  needWh: readonly [least: number, most: number]
  /** Seconds after midnight at which the process begins. */
  startOfDaySeconds: number
}

interface Car {
  needWh: number
  takenWh: number
}

interface ChargePointState {
  random: number
  atSeconds: number
  nextCarAt: number
  cars: (Car | null)[]
  /** The three counters, not yet rounded down to what the meter shows. */
  peakWh: number
  offPeakWh: number
  minutes: number
}

const STREAMS = ['peak', 'offpeak', 'minutes'] as const
const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3_600
/** Weekends are left out: every day of the process is a working day. */
const PEAK = [7 * HOUR_SECONDS, 19 * HOUR_SECONDS] as const
/** Power falls from here on, to a tenth at the end: a battery takes its last part slowly. */
const TAPER_FROM = 0.8
const TAPER_TO = 0.1
/** Long steps are walked in pieces of this length. */
const PIECE_SECONDS = 10

/** The physics of a charge point: counters `peak` and `offpeak` in Wh, `minutes` in min; each is told when it has moved. */
export function chargePointProcess(definition: ChargePointDefinition): ProcessSource {
  return (seed, saved) => {
    const state = (saved as ChargePointState | undefined) ?? beginning(definition, seed)
    return createChargePoint(definition, structuredClone(state), createRandom(state.random))
  }
}

/** What has been delivered since the beginning, by the process's own saved state. */
export function delivered(process: Process): {
  peakWh: bigint
  offPeakWh: bigint
  minutes: bigint
} {
  return counters(process.save() as ChargePointState)
}

function beginning({ connectors, startOfDaySeconds }: ChargePointDefinition, seed: number) {
  const random = createRandom(seed)
  const state: ChargePointState = {
    random: random.state(),
    atSeconds: startOfDaySeconds,
    nextCarAt: startOfDaySeconds,
    cars: Array.from({ length: connectors }, () => null),
    peakWh: 0,
    offPeakWh: 0,
    minutes: 0,
  }
  return state
}

function counters({ peakWh, offPeakWh, minutes }: ChargePointState) {
  return {
    peakWh: BigInt(Math.floor(peakWh)),
    offPeakWh: BigInt(Math.floor(offPeakWh)),
    minutes: BigInt(Math.floor(minutes)),
  }
}

function createChargePoint(
  point: ChargePointDefinition,
  state: ChargePointState,
  random: Random,
): Process {
  let shown: readonly bigint[] = []

  function walk(seconds: number): void {
    state.atSeconds += seconds
    welcome()
    state.cars = state.cars.map((car) => (car ? charge(car, seconds) : null))
  }

  function welcome(): void {
    const free = state.cars.indexOf(null)
    if (state.atSeconds < state.nextCarAt || free < 0) return
    state.cars[free] = { needWh: random.between(...point.needWh), takenWh: 0 }
    // Arrivals without memory: the wait is exponential.
    const wait = -Math.log(1 - random.next()) * point.arrivalSeconds
    state.nextCarAt = state.atSeconds + wait
  }

  function charge(car: Car, seconds: number): Car | null {
    const part = car.takenWh / car.needWh
    const slope = (1 - TAPER_TO) / (1 - TAPER_FROM)
    const share = part < TAPER_FROM ? 1 : Math.max(TAPER_TO, 1 - (part - TAPER_FROM) * slope)
    const wh = Math.min((point.maxWatts * share * seconds) / HOUR_SECONDS, car.needWh - car.takenWh)
    const timeOfDay = state.atSeconds % DAY_SECONDS
    if (timeOfDay >= PEAK[0] && timeOfDay < PEAK[1]) state.peakWh += wh
    else state.offPeakWh += wh
    state.minutes += seconds / 60
    const takenWh = car.takenWh + wh
    return takenWh >= car.needWh ? null : { ...car, takenWh }
  }

  function observe(timeMs: number): Observation[] {
    const { peakWh, offPeakWh, minutes } = counters(state)
    const values = [peakWh, offPeakWh, minutes]
    const moved = STREAMS.flatMap((stream, index): Observation[] => {
      const value = values[index] ?? 0n
      if (value === shown[index]) return []
      const unit = stream === 'minutes' ? 'min' : 'Wh'
      return [{ kind: 'reading', stream, sample: { unit, value, timeMs } }]
    })
    shown = values
    return moved
  }

  return {
    step(elapsedMs, nowMs) {
      let seconds = elapsedMs / 1000
      for (; seconds > PIECE_SECONDS; seconds -= PIECE_SECONDS) walk(PIECE_SECONDS)
      if (seconds > 0) walk(seconds)
      return observe(nowMs)
    },
    save: () => ({ ...structuredClone(state), random: random.state() }),
  }
}
