import type { CounterRule, PlanTariff } from '@liquefy/protocol'
import { NO_MAXIMUM } from '@liquefy/protocol'
import { defineProduct, type MachineDefinition } from '@liquefy/simulator'
import { type ChargePointDefinition, chargePointProcess } from './charge-point.ts'

/**
 * Charging by time of use. An operator puts charge points onto a company's car park; the company pays for the energy its people and guests
 * take, more by day than by night, and a little for each minute a car stands there.
 */

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400
/** Test euro: six decimals. */
const EURO = 1_000_000n
/** A day of the car park passes in twelve minutes. */
const SPEED_UP = 120n

/** Two connectors of 50 kW; a car every forty minutes, 12 to 55 kWh. */
const carPark: ChargePointDefinition = {
  connectors: 2,
  maxWatts: 50_000,
  arrivalSeconds: 40 * 60,
  needWh: [12_000, 55_000],
  startOfDaySeconds: 6 * HOUR_SECONDS,
}

/** A meter's tariff register: what it adds an hour, at this speed, is bounded by what the connectors can give. */
function counter(unit: string, burst: bigint, perHour: bigint): CounterRule {
  return {
    rule: 'counter',
    version: 1,
    unit,
    scale: 0,
    registerUnit: unit,
    factor: { numerator: 1, denominator: 1 },
    maxRate: { burst: burst.toString(), perHour: perHour.toString() },
  }
}

/** 0.30 tEUR a kWh at peak (300 a Wh), 0.20 off peak, 0.01 a minute; at least 1 tEUR for each hour that the operator keeps the place ready. */
const timeOfUse: PlanTariff = {
  kind: 'plan',
  prices: [300n, 200n, 10_000n],
  scale: 0,
  fee: 0n,
  feeSeconds: 1,
  minimum: EURO,
  maximum: NO_MAXIMUM,
}

function chargePoint(
  name: string,
  seed: number,
  point: ChargePointDefinition,
): MachineDefinition<'peak' | 'offpeak' | 'minutes', 'host' | 'operator'> {
  const connectors = BigInt(point.connectors)
  const energy = {
    burst: BigInt(point.maxWatts) * connectors,
    perHour: BigInt(point.maxWatts) * connectors * SPEED_UP,
  }
  const time = { burst: 60n * connectors, perHour: 60n * connectors * SPEED_UP }
  const meter = (stream: 'peak' | 'offpeak' | 'minutes', unit: string, bound: typeof energy) => ({
    stream,
    rule: counter(unit, bound.burst, bound.perHour),
    // The bound that the contract checks: what a stolen key could take at most.
    limit: bound,
  })
  return {
    name,
    owner: 'operator',
    seed,
    streams: {
      peak: { unit: 'Wh', billed: true },
      offpeak: { unit: 'Wh', billed: true },
      minutes: { unit: 'min', billed: true },
    },
    process: chargePointProcess(point),
    agreement: {
      payer: 'host',
      payee: 'operator',
      meters: [
        meter('peak', 'Wh', energy),
        meter('offpeak', 'Wh', energy),
        meter('minutes', 'min', time),
      ],
      priceUnits: ['Wh', 'Wh', 'min'],
      tariff: timeOfUse,
      capMinor: 100_000n * EURO,
      escrowMinor: 20_000n * EURO,
      periodSeconds: HOUR_SECONDS,
      periods: 24 * 365,
      backfillSeconds: 7 * DAY_SECONDS,
      lateSeconds: DAY_SECONDS,
      gapTimeoutSeconds: HOUR_SECONDS,
      settleSeconds: 30 * DAY_SECONDS,
    },
  }
}

export const product = defineProduct({
  name: 'Charging',
  parties: { host: 'Nordmühle GmbH', operator: 'Silowerk AG' },
  readEveryMs: 1_000,
  packEvery: { records: 6, ageMs: 5_000 },
  signEveryMs: 8_000,
  speedUp: Number(SPEED_UP),
  machines: [
    chargePoint('Charge point 1', 11, carPark),
    chargePoint('Charge point 2', 12, carPark),
    chargePoint('Charge point 3 (fast)', 13, {
      ...carPark,
      maxWatts: 150_000,
      arrivalSeconds: 25 * 60,
    }),
  ],
})
