import { defineProduct, type MachineDefinition } from '@liquefy/simulator'
import { boatProcess } from './boat.ts'
import { DAY_SECONDS, EURO, metered } from './charter.ts'
import { LOG_PATH, openLogbook } from './logbook.ts'

/**
 * A boat for hire, for a node that runs already: out and home, day after day, much faster than the clock. Its trip is a real one where the
 * data is at hand, else a simulated one.
 */

const HOUR_SECONDS = 3_600
/** A day of the boat passes in twelve minutes. */
const SPEED_UP = 120

const boat: MachineDefinition<'position' | 'distance' | 'engine' | 'fuel', 'guest' | 'keeper'> = {
  name: 'Boat Plaka',
  owner: 'keeper',
  seed: 1,
  streams: {
    position: { unit: ['lat', 'lon'], billed: false },
    distance: { unit: 'm', billed: false },
    engine: { unit: 's', billed: true },
    fuel: { unit: 'l', billed: true },
  },
  process: (seed, saved) =>
    boatProcess(openLogbook(LOG_PATH).fixes, {
      departures: [HOUR_SECONDS, 13 * HOUR_SECONDS],
      repeatSeconds: DAY_SECONDS,
    })(seed, saved),
  agreement: {
    payer: 'guest',
    payee: 'keeper',
    ...metered(BigInt(SPEED_UP)),
    capMinor: 100_000n * EURO,
    escrowMinor: 20_000n * EURO,
    periodSeconds: DAY_SECONDS,
    periods: 365,
    backfillSeconds: 7 * DAY_SECONDS,
    lateSeconds: DAY_SECONDS,
    gapTimeoutSeconds: HOUR_SECONDS,
    settleSeconds: 30 * DAY_SECONDS,
  },
}

export const product = defineProduct({
  name: 'Boat',
  parties: { guest: 'City council', keeper: 'Collector Ltd' },
  readEveryMs: 1_000,
  packEvery: { records: 4, ageMs: 5_000 },
  signEveryMs: 8_000,
  speedUp: SPEED_UP,
  machines: [boat],
})
