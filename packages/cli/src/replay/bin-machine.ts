import { type Machine, openMachine, saveIdentity } from '@liquefy/machine'
import type { Collection } from '../bins/collection.ts'
import type { SettableClock } from './settable-clock.ts'

/** Sum of the counters' readings stands in the machine, as in any meter. */
export interface BinMachine {
  machine: Machine
  /** The first reading of both counters: nothing has been collected yet. */
  begin(): Promise<void>
  /** One emptying: both counters and the fill level before and after. */
  empty(collection: Collection): Promise<void>
}

/** Litres and kilograms to three places, as the meter rules read them. */
const MILLI = -3
/** Meter values are signed when the replay says so: its clock jumps days in a second. */
const NEVER_MS = Number.MAX_SAFE_INTEGER
const SECOND_MS = 1_000

/** Puts the bin of a folder that holds its key on the wire. */
export async function openBin(options: {
  folder: string
  identity: Parameters<typeof saveIdentity>[1]
  clock: SettableClock
}): Promise<BinMachine> {
  const { folder, identity, clock } = options
  saveIdentity(folder, identity)
  const machine = await openMachine({ folder, clock, signEveryMs: NEVER_MS })
  let volumeMl = 0n
  let massG = 0n
  const counters = async (timeMs: number) => {
    const reading = (unit: string, mantissa: bigint) => [
      { unit, timeMs, value: { mantissa, exponent: MILLI } },
    ]
    await Promise.all([
      machine.publish('volume', reading('l', volumeMl)),
      machine.publish('mass', reading('kg', massG)),
    ])
  }
  return {
    machine,
    begin: () => counters(clock.nowMs()),
    async empty(collection) {
      volumeMl += collection.volumeMl
      massG += collection.massG
      await Promise.all([
        counters(collection.collectedMs),
        machine.publish('fill', [
          { unit: '%', timeMs: collection.collectedMs - SECOND_MS, value: collection.fillBefore },
          { unit: '%', timeMs: collection.collectedMs, value: collection.fillAfter },
        ]),
      ])
    },
  }
}
