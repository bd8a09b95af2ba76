import type { Place } from '@liquefy/client'
import type { DrawdownRule, Tariff } from '@liquefy/protocol'
import {
  defineProduct,
  gramsPerMm,
  type MachineDefinition,
  type SiloDefinition,
  siloProcess,
} from '@liquefy/simulator'

/**
 * Silo pay-per-use. A builder puts silos into a mill and sells what is withdrawn by the kilogram: the level falls, kilograms
 * leave, the agreed price is paid. A refill is no consumption.
 */

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400
/** Test euro: six decimals. */
const EURO = 1_000_000n
const SPEED_UP = 4

/** Flour in a silo three metres wide: a screw takes out 18 t/h, a bucket elevator fills in 200 t/h. */
const flourSilo: SiloDefinition = {
  heightMm: 8_000,
  crossSectionM2: 7,
  bulkDensityKgPerM3: 650,
  startLevelMm: 7_000,
  withdrawalKgPerSecond: 5,
  batchSeconds: [120, 360],
  pauseSeconds: [20, 90],
  refillEverySeconds: [500, 900],
  refillKgPerSecond: 55,
  refillToMm: 7_200,
  bridgeEverySeconds: [300, 600],
  bridgeSeconds: [60, 120],
  noiseMm: 2,
  temperatureEveryMs: 10_000,
}

/** Level in millimetres -> grams withdrawn. What cannot be physics, at four times its speed, is not believed. */
function drawdown(silo: SiloDefinition): DrawdownRule {
  return {
    rule: 'drawdown',
    version: 1,
    unit: 'mm',
    scale: 0,
    registerUnit: 'g',
    factor: { numerator: gramsPerMm(silo), denominator: 1 },
    maxRate: { burst: '250', perHour: '30000' },
    noiseBand: 5,
    maxSilenceSeconds: 900,
  }
}

function siloMachine(
  name: string,
  seed: number,
  place: Place,
  silo: SiloDefinition,
  tariff: Tariff,
): MachineDefinition<'level' | 'temperature', 'plant' | 'builder'> {
  const rule = drawdown(silo)
  const grams = (mm: bigint) => mm * BigInt(gramsPerMm(silo))
  return {
    name,
    owner: 'builder',
    seed,
    place,
    streams: {
      level: { unit: 'mm', billed: true },
      temperature: { unit: 'Cel', billed: false },
    },
    process: siloProcess(silo),
    agreement: {
      payer: 'plant',
      payee: 'builder',
      // The bound that the contract checks: what a stolen key could take at most.
      meters: [{ stream: 'level', rule, limit: { burst: grams(250n), perHour: grams(30_000n) } }],
      priceUnits: ['g'],
      tariff,
      capMinor: 100_000n * EURO,
      escrowMinor: 60_000n * EURO,
      periodSeconds: HOUR_SECONDS,
      periods: 24 * 365,
      backfillSeconds: 7 * DAY_SECONDS,
      lateSeconds: DAY_SECONDS,
      gapTimeoutSeconds: HOUR_SECONDS,
      settleSeconds: 30 * DAY_SECONDS,
    },
  }
}

/** Registers are in grams, prices in smallest units a gram: 0.42 tEUR/kg = 420,000 / 1,000 = 420. */
const flatPrice: Tariff = { kind: 'linear', prices: [420n], scale: 0 }

/** The first 10 t of each hour at 0.40 tEUR/kg, then 0.36, above 30 t 0.31. */
const volumePrice: Tariff = {
  kind: 'tiered',
  upTo: [10_000_000n, 30_000_000n],
  prices: [400n, 360n, 310n],
  scale: 0,
}

/** The mill's three sites, each on a quay. */
const hamburg: Place = { latitudeE7: 535_180_000, longitudeE7: 99_890_000 }
const bremen: Place = { latitudeE7: 531_150_000, longitudeE7: 87_420_000 }
const luebeck: Place = { latitudeE7: 538_870_000, longitudeE7: 106_810_000 }

export const product = defineProduct({
  name: 'Silo',
  parties: { plant: 'Nordmühle GmbH', builder: 'Silowerk AG' },
  readEveryMs: 1_000,
  packEvery: { records: 3, ageMs: 5_000 },
  signEveryMs: 8_000,
  speedUp: SPEED_UP,
  machines: [
    siloMachine('Silo 1 wheat', 1, hamburg, flourSilo, flatPrice),
    siloMachine('Silo 2 rye', 2, bremen, { ...flourSilo, startLevelMm: 6_600 }, volumePrice),
    siloMachine(
      'Silo 3 bran',
      3,
      luebeck,
      {
        ...flourSilo,
        bulkDensityKgPerM3: 280,
        withdrawalKgPerSecond: 2,
        refillKgPerSecond: 22,
        startLevelMm: 6_800,
        probeReplaced: {
          afterSeconds: 4 * 180,
          offsetMm: -140,
          reason: 'radar probe replaced, mounted 140 mm lower',
        },
      },
      flatPrice,
    ),
  ],
})
