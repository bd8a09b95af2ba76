import { formatDecimal } from '../units/decimal.ts'
import { durationWords } from '../units/duration.ts'
import type { MeterRule } from './rule.ts'
import { NO_MAXIMUM, type PlanTariff, type Tariff, type TieredTariff } from './tariff.ts'
import type { Terms } from './terms.ts'

/** How to name one register: `per` register units are one `unit`, and `label` says what was counted ("withdrawn"). */
export type TariffUnit = { unit: string; per: bigint; label: string }

/** What prices are quoted in, where that is larger than the register's unit. */
const QUOTED: Readonly<Record<string, string>> = { g: 'kg', ml: 'l', Wh: 'kWh', m: 'km' }

/** How a tariff speaks of a register that counts in this unit, empty where the rule is not known; `label` tells it apart from others. */
export function tariffUnit(registerUnit: string, register = 0, label = ''): TariffUnit {
  const quoted = QUOTED[registerUnit]
  if (quoted) return { unit: quoted, per: 1000n, label }
  const unit = registerUnit === '' ? `unit of register ${register + 1}` : registerUnit
  return { unit, per: 1n, label }
}

/** How a tariff speaks of an agreement's registers. Several may count in one unit: which is which, their streams say. */
export function tariffUnits(
  { meters, limits }: Pick<Terms, 'meters' | 'limits'>,
  rules: readonly (MeterRule | undefined)[],
): TariffUnit[] {
  return limits.map((_, index) => {
    const stream = meters.length > 1 ? meters[index]?.stream : undefined
    return tariffUnit(rules[index]?.registerUnit ?? '', index, stream ? `(${stream})` : '')
  })
}

/** Whose smallest units the prices are in. */
export type TariffAsset = { symbol: string; decimals: number }

/**
 * A tariff in one plain sentence, exact: "0.42 tEUR per kg withdrawn", "0.42 tEUR per kg withdrawn; the first 1,000 kg at 0.42, above that
 * 0.38 tEUR per kg", "0.30 tEUR per kWh at peak, plus 30 tEUR per 30 days, charged by the second; at least 5 tEUR a period".
 */
export function explainTariff(
  tariff: Tariff,
  context: { units: readonly TariffUnit[]; asset: TariffAsset },
): string {
  const words = wordsOf(tariff, context)
  switch (tariff.kind) {
    case 'linear':
      return usageText(tariff, words)
    case 'tiered':
      return tieredText(tariff, words)
    case 'plan':
      return planText(tariff, words)
  }
}

/** How one tariff's numbers are said. */
type Words = {
  unitAt: (index: number) => TariffUnit
  priceOf: (price: bigint, unit: TariffUnit) => string
  /** A price with what it is for. */
  rate: (price: bigint, unit: TariffUnit) => string
  /** An amount of the asset. */
  money: (amountMinor: bigint) => string
}

function wordsOf(
  { scale }: Tariff,
  { units, asset }: { units: readonly TariffUnit[]; asset: TariffAsset },
): Words {
  const plain = { grouping: true, trim: true }
  const priceOf = (price: bigint, unit: TariffUnit) =>
    formatDecimal(price * unit.per, scale + asset.decimals, plain)
  return {
    unitAt: (index) =>
      units[index] ?? { unit: `unit of register ${index + 1}`, per: 1n, label: '' },
    priceOf,
    rate: (price, unit) => `${priceOf(price, unit)} ${asset.symbol} per ${unit.unit}`,
    money: (amountMinor) => `${formatDecimal(amountMinor, asset.decimals, plain)} ${asset.symbol}`,
  }
}

function usageText({ prices }: Tariff, { rate, unitAt }: Words): string {
  return prices
    .map((price, index) => labelled(rate(price, unitAt(index)), unitAt(index)))
    .join(', plus ')
}

function tieredText({ prices, upTo }: TieredTariff, { unitAt, priceOf, rate }: Words): string {
  const unit = unitAt(0)
  const [first = 0n] = prices
  if (upTo.length === 0) return labelled(rate(first, unit), unit)
  const tiers = upTo.map((border, tier) => {
    const end = `${quotient(border, unit.per)} ${unit.unit}`
    const price = priceOf(prices[tier] ?? 0n, unit)
    return tier === 0 ? `the first ${end} at ${price}` : `then up to ${end} at ${price}`
  })
  const last = prices.at(-1) ?? 0n
  return `${labelled(rate(first, unit), unit)}; ${tiers.join(', ')}, above that ${rate(last, unit)}`
}

function planText(plan: PlanTariff, words: Words): string {
  const { fee, feeSeconds, minimum, maximum } = plan
  const usage = usageText(plan, words)
  const byTime = `${words.money(fee)} per ${perWords(feeSeconds)}, charged by the second`
  const parts = [...(usage === '' ? [] : [usage]), ...(fee === 0n ? [] : [byTime])]
  const bounds = [
    ...(minimum === 0n ? [] : [`at least ${words.money(minimum)}`]),
    ...(maximum === NO_MAXIMUM ? [] : [`at most ${words.money(maximum)}`]),
  ]
  const price = parts.length === 0 ? 'nothing for use or time' : parts.join(', plus ')
  return bounds.length === 0 ? price : `${price}; ${bounds.join(' and ')} a period`
}

/** "30 days", "hour": what a fee is per. */
function perWords(seconds: number): string {
  return durationWords(seconds).replace(/^1 /, '')
}

function labelled(text: string, { label }: TariffUnit): string {
  return label === '' ? text : `${text} ${label}`
}

/** A quotient as a decimal if it has few places, else as a fraction: never rounded. */
export function quotient(numerator: bigint, denominator: bigint): string {
  const MOST_PLACES = 18
  for (let places = 0; places <= MOST_PLACES; places += 1) {
    const scaled = numerator * 10n ** BigInt(places)
    if (scaled % denominator === 0n) {
      return formatDecimal(scaled / denominator, places, { grouping: true })
    }
  }
  return `${formatDecimal(numerator, 0, { grouping: true })}/${formatDecimal(denominator, 0, { grouping: true })}`
}
