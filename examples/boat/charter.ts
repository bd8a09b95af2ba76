import type { AgreementDraft } from '@liquefy/client'
import { type CounterRule, NO_MAXIMUM, type PlanTariff } from '@liquefy/protocol'

/** What a charterer pays for the boat: by the day that it is kept for him, by the engine's hours and by the litre. */

export const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3_600
/** Test euro: six decimals. */
export const EURO = 1_000_000n

/** Days of a charter, Monday to Friday; each is a billing period. */
export const CHARTER_DAYS = 5

/** What the boat's counters can add at most: the engine its time, and no more fuel than its pump gives. */
const MOST = {
  seconds: { burst: 120n, perHour: 3_600n },
  millilitres: { burst: 500n, perHour: 12_000n },
}

/** 320 tEUR a day, 24.30 tEUR an engine hour (6,750 a second), 2.19 tEUR a litre. */
const charterPrice: PlanTariff = {
  kind: 'plan',
  prices: [6_750n, 2_190n],
  scale: 0,
  fee: 320n * EURO,
  feeSeconds: DAY_SECONDS,
  minimum: 0n,
  maximum: NO_MAXIMUM,
}

/** Five days from a Monday's midnight. */
export const charter: AgreementDraft = {
  ...metered(1n),
  capMinor: 600n * EURO,
  periodSeconds: DAY_SECONDS,
  periods: CHARTER_DAYS,
  backfillSeconds: DAY_SECONDS,
  lateSeconds: HOUR_SECONDS,
  gapTimeoutSeconds: HOUR_SECONDS,
  settleSeconds: 30 * DAY_SECONDS,
}

/** Meters and prices of a charter of a boat that sails this many times faster than the clock. */
export function metered(speedUp: bigint) {
  const meter = (
    stream: 'engine' | 'fuel',
    units: Pick<CounterRule, 'unit' | 'scale' | 'registerUnit'>,
    { burst, perHour }: { burst: bigint; perHour: bigint },
  ) => {
    const limit = { burst: burst * speedUp, perHour: perHour * speedUp }
    const maxRate = { burst: limit.burst.toString(), perHour: limit.perHour.toString() }
    const factor = { numerator: 1, denominator: 1 }
    const rule: CounterRule = { rule: 'counter', version: 1, ...units, factor, maxRate }
    return { stream, rule, limit }
  }
  return {
    meters: [
      meter('engine', { unit: 's', scale: 0, registerUnit: 's' }, MOST.seconds),
      meter('fuel', { unit: 'l', scale: 3, registerUnit: 'ml' }, MOST.millilitres),
    ],
    priceUnits: ['s', 'ml'],
    tariff: charterPrice,
  }
}
