import {
  decodeTariffData,
  formatDecimal,
  type MeterRule,
  NO_MAXIMUM,
  type RuleFactor,
  type Tariff,
  type TariffAsset,
  type TariffContracts,
  type Terms,
  tariffKindAt,
  tariffUnit,
  tariffUnits,
} from '@liquefy/protocol'
import { type Offer, type OfferPrice, readOffer } from './offer.ts'
import {
  CALIBRATION_PLACES,
  countedIn,
  type OfferMeter,
  RATE_PLACES,
  READING_PLACES,
} from './offer-meter.ts'
import type { Hex } from './types.ts'

/**
 * Terms as an offer that people can change and propose anew; undefined if an offer cannot say all that they say, such as several meters.
 * What `readOffer` makes of it, with the same context, is these terms again.
 */
export function offerOfTerms(
  terms: Terms,
  rules: readonly MeterRule[],
  deployment: { asset: TariffAsset & { address: Hex } } & TariffContracts,
): Offer | undefined {
  const kind = tariffKindAt(deployment, terms.tariff)
  if (!kind || terms.meters.length > 1) return undefined
  const tariff = decodeTariffData(kind, terms.tariffData)
  const per = tariffUnits(terms, rules)[0]?.per ?? 1n
  const [rule] = rules
  const limit = terms.limits[0]
  const meter =
    rule && limit ? meterOf(rule, terms.meters[0]?.stream ?? '', limit.perHour, per) : null
  const { decimals } = deployment.asset
  const offer: Offer = {
    machineId: String(terms.machineId),
    payer: terms.payer,
    payee: terms.payee,
    meter,
    price: priceOf(tariff, decimals, per),
    cap: plain(terms.capMinor, decimals),
    periodSeconds: terms.periodSeconds,
    periods: terms.periods,
    backfillSeconds: terms.backfillSeconds,
    lateSeconds: terms.lateSeconds,
    gapTimeoutSeconds: terms.gapTimeoutSeconds,
    settleSeconds: terms.settleSeconds,
  }
  const again = readOffer(offer, {
    deployment,
    startSeconds: terms.start,
    openBySeconds: terms.openBy,
    startHead: terms.meters[0]?.startHead ?? '0x',
    salt: terms.salt,
  })
  return again.ok && textOf(again.terms) === textOf(terms) ? offer : undefined
}

/** Terms as one text, to be compared: addresses may be written in either case. */
function textOf(terms: Terms): string {
  return JSON.stringify(terms, (_, value) =>
    typeof value === 'bigint' ? `${value}` : value,
  ).toLowerCase()
}

function plain(value: bigint, decimals: number): string {
  return formatDecimal(value, decimals, { trim: true })
}

function priceOf(tariff: Tariff, decimals: number, per: bigint): OfferPrice {
  const [price = 0n] = tariff.prices
  switch (tariff.kind) {
    case 'linear':
      return { kind: 'linear', price: plain(price, decimals) }
    case 'tiered':
      return {
        kind: 'tiered',
        tiers: tariff.upTo.map((border, tier) => ({
          upTo: String(border / per),
          price: plain(tariff.prices[tier] ?? 0n, decimals),
        })),
        above: plain(tariff.prices.at(-1) ?? 0n, decimals),
      }
    case 'plan': {
      const { fee, feeSeconds, minimum, maximum } = tariff
      return {
        kind: 'plan',
        price: price === 0n ? '' : plain(price, decimals),
        fee: fee === 0n ? '' : plain(fee, decimals),
        feeSeconds,
        minimum: minimum === 0n ? '' : plain(minimum, decimals),
        maximum: maximum === NO_MAXIMUM ? '' : plain(maximum, decimals),
      }
    }
  }
}

function meterOf(rule: MeterRule, stream: string, perHour: bigint, per: bigint): OfferMeter {
  const unit = rule.rule === 'distance' ? 'lat' : rule.unit
  const meter: OfferMeter = {
    stream,
    measure: rule.rule,
    unit,
    perHour:
      rule.rule === 'duration-beyond'
        ? ''
        : plain((perHour * 10n ** BigInt(RATE_PLACES)) / per, RATE_PLACES),
    noise: noiseOf(rule),
    beyond: rule.rule === 'duration-beyond' ? rule.beyond : 'above',
    threshold: rule.rule === 'duration-beyond' ? plain(BigInt(rule.threshold), READING_PLACES) : '',
    silenceSeconds: 'maxSilenceSeconds' in rule ? rule.maxSilenceSeconds : 900,
  }
  const counted = countedIn(meter)
  const isAsItIs =
    counted.registerUnit === rule.registerUnit && isEqual(counted.factor, rule.factor)
  return isAsItIs ? meter : { ...meter, calibration: calibrationOf(rule, per) }
}

function noiseOf(rule: MeterRule): string {
  if (rule.rule === 'drawdown') return plain(BigInt(rule.noiseBand), READING_PLACES)
  return rule.rule === 'distance' ? plain(BigInt(rule.noiseBandMm), READING_PLACES) : '0'
}

function isEqual(one: RuleFactor, other: RuleFactor): boolean {
  return one.numerator === other.numerator && one.denominator === other.denominator
}

/** What one unit of the reading was agreed to be worth, in the unit that prices are per. */
function calibrationOf(rule: MeterRule, per: bigint): { amount: string; unit: string } {
  const { numerator, denominator } = rule.factor
  const scaled =
    (BigInt(numerator) * 10n ** BigInt(CALIBRATION_PLACES + READING_PLACES)) /
    (BigInt(denominator) * per)
  return { amount: plain(scaled, CALIBRATION_PLACES), unit: tariffUnit(rule.registerUnit).unit }
}
