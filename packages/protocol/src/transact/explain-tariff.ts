import { formatDecimal } from '../units/decimal.ts'
import type { Tariff } from './tariff.ts'

/** How to name one register: `per` register units are one `unit`, and `label` says what was counted ("withdrawn"). */
export type TariffUnit = { unit: string; per: bigint; label: string }

/** Whose smallest units the prices are in. */
export type TariffAsset = { symbol: string; decimals: number }

/** A tariff in one plain sentence, exact: "0.42 tEUR per kg withdrawn; the first 1,000 kg at 0.42, above that 0.38 tEUR per kg". */
export function explainTariff(
  tariff: Tariff,
  context: { units: readonly TariffUnit[]; asset: TariffAsset },
): string {
  const { asset } = context
  const priceOf = (price: bigint, unit: TariffUnit) =>
    formatDecimal(price * unit.per, tariff.scale + asset.decimals, { grouping: true, trim: true })
  const unitAt = (index: number): TariffUnit =>
    context.units[index] ?? { unit: `unit of register ${index + 1}`, per: 1n, label: '' }
  const rate = (price: bigint, unit: TariffUnit) =>
    `${priceOf(price, unit)} ${asset.symbol} per ${unit.unit}`
  if (tariff.kind === 'linear') {
    return tariff.prices
      .map((price, index) => labelled(rate(price, unitAt(index)), unitAt(index)))
      .join(', plus ')
  }
  const unit = unitAt(0)
  const [first = 0n] = tariff.prices
  if (tariff.upTo.length === 0) return labelled(rate(first, unit), unit)
  const tiers = tariff.upTo.map((border, tier) => {
    const upTo = `${quotient(border, unit.per)} ${unit.unit}`
    const price = priceOf(tariff.prices[tier] ?? 0n, unit)
    return tier === 0 ? `the first ${upTo} at ${price}` : `then up to ${upTo} at ${price}`
  })
  const last = tariff.prices.at(-1) ?? 0n
  return `${labelled(rate(first, unit), unit)}; ${tiers.join(', ')}, above that ${rate(last, unit)}`
}

function labelled(text: string, { label }: TariffUnit): string {
  return label === '' ? text : `${text} ${label}`
}

/** A quotient as a decimal if it has few places, else as a fraction: never rounded. */
function quotient(numerator: bigint, denominator: bigint): string {
  const MOST_PLACES = 18
  for (let places = 0; places <= MOST_PLACES; places += 1) {
    const scaled = numerator * 10n ** BigInt(places)
    if (scaled % denominator === 0n) {
      return formatDecimal(scaled / denominator, places, { grouping: true })
    }
  }
  return `${formatDecimal(numerator, 0, { grouping: true })}/${formatDecimal(denominator, 0, { grouping: true })}`
}
