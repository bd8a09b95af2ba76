import { openMachine, saveIdentity } from '@liquefy/machine'
import type { CounterReading } from '../charging/minutes.ts'
import type { ReplayMachine } from './run-replay.ts'
import type { SettableClock } from './settable-clock.ts'

/** A charge point whose counters are published as the data set has them. */
export interface ChargePoint extends ReplayMachine {
  /** Readings of all three counters, in order of time: one envelope a counter. */
  show(readings: readonly CounterReading[]): Promise<void>
}

/** Meter values are signed when the replay says so: its clock jumps days in a second. */
const NEVER_MS = Number.MAX_SAFE_INTEGER

/** Puts the charge point of a folder that holds its key on the wire. */
export async function openChargePoint(options: {
  folder: string
  identity: Parameters<typeof saveIdentity>[1]
  clock: SettableClock
}): Promise<ChargePoint> {
  const { folder, identity, clock } = options
  saveIdentity(folder, identity)
  const machine = await openMachine({ folder, clock, signEveryMs: NEVER_MS })
  const show = async (readings: readonly CounterReading[]) => {
    const valuesOf = (unit: string, counter: 'peakWh' | 'offPeakWh' | 'minutes') =>
      readings.map((reading) => ({ unit, timeMs: reading.timeMs, value: reading[counter] }))
    await Promise.all([
      machine.publish('peak', valuesOf('Wh', 'peakWh')),
      machine.publish('offpeak', valuesOf('Wh', 'offPeakWh')),
      machine.publish('minutes', valuesOf('min', 'minutes')),
    ])
  }
  const zero = { peakWh: 0n, offPeakWh: 0n, minutes: 0n }
  return { machine, show, begin: () => show([{ timeMs: clock.nowMs(), ...zero }]) }
}
