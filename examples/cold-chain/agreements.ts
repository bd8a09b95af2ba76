import type { AgreementDraft } from '@liquefy/client'
import type { DistanceRule, DurationBeyondRule } from '@liquefy/protocol'

/**
 * Two agreements on one tracker. Freight: the shipper pays the carrier by the metre. Penalty: linked to it, the carrier
 * pays the shipper for every second that the load was too warm. The shipper owns the tracker.
 */

const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3_600
/** Test euro: six decimals. */
const EURO = 1_000_000n

/** Days of the tour; each is a billing period of both agreements. */
export const DAYS = 3

/** Warmer than this is too warm, tenths of a degree. */
export const LIMIT_TENTHS = 80n

/** A defrost warms the sensor, not the load: so much of a day may be excused. */
export const EXCUSED_SECONDS = 2_400

const common = {
  periodSeconds: DAY_SECONDS,
  periods: DAYS,
  backfillSeconds: DAY_SECONDS,
  lateSeconds: HOUR_SECONDS,
  gapTimeoutSeconds: HOUR_SECONDS,
  settleSeconds: 30 * DAY_SECONDS,
}

const way: DistanceRule = {
  rule: 'distance',
  version: 1,
  scale: 7,
  registerUnit: 'm',
  factor: { numerator: 1, denominator: 1 },
  noiseBandMm: 25_000,
  maxMmPerSecond: 33_000,
  maxSilenceSeconds: 900,
}

const breach: DurationBeyondRule = {
  rule: 'duration-beyond',
  version: 1,
  unit: 'Cel',
  scale: 1,
  registerUnit: 's',
  factor: { numerator: 1, denominator: 1 },
  beyond: 'above',
  threshold: LIMIT_TENTHS.toString(),
  maxSilenceSeconds: 300,
  maxExcusedSeconds: EXCUSED_SECONDS,
}

/** 1.35 tEUR a kilometre, at least 180 tEUR a day. */
export const freight: AgreementDraft = {
  ...common,
  meters: [{ stream: 'position', rule: way, limit: { burst: 50_000n, perHour: 120_000n } }],
  priceUnits: ['m'],
  tariff: {
    kind: 'plan',
    prices: [1_350n],
    scale: 0,
    fee: 0n,
    feeSeconds: 1,
    minimum: 180n * EURO,
    maximum: 2n ** 256n - 1n,
  },
  capMinor: 2_000n * EURO,
}

/** 0.25 tEUR a second in breach, at most 1,200 tEUR a day. */
export const penalty: AgreementDraft = {
  ...common,
  meters: [{ stream: 'temperature', rule: breach, limit: { burst: 60n, perHour: 3_600n } }],
  priceUnits: ['s'],
  tariff: { kind: 'linear', prices: [250_000n], scale: 0 },
  capMinor: 1_200n * EURO,
}
