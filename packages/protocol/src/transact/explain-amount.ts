import { formatDecimal } from '../units/decimal.ts'
import { quotient, type TariffAsset, type TariffUnit } from './explain-tariff.ts'
import {
  NO_MAXIMUM,
  owedCapped,
  type PlanTariff,
  type Tariff,
  type TieredTariff,
} from './tariff.ts'

/** What one period is charged for. */
export type Charged = {
  registers: readonly bigint[]
  /** From the start of the period to the reading. */
  elapsedSeconds: bigint
  /** The most that a period may cost. */
  capMinor: bigint
}

/** One summand: what was counted, and what it costs in units of 10^-scale of the asset's smallest. */
type Summand = { words: string; product: bigint }

/**
 * How the amount owed for a period comes about, step by step: "12.5 kg × 0.42 tEUR = 5.25 tEUR", with what was rounded down, and with the
 * minimum, maximum or cap where one decides. It ends in the amount that `owedCapped` gives.
 */
export function explainAmount(
  tariff: Tariff,
  charged: Charged,
  context: { units: readonly TariffUnit[]; asset: TariffAsset },
): string {
  const { registers, elapsedSeconds, capMinor } = charged
  const { decimals, symbol } = context.asset
  const money = (minor: bigint) =>
    `${formatDecimal(minor, decimals, { grouping: true, trim: true })} ${symbol}`
  const amount = owedCapped(tariff, registers, elapsedSeconds, capMinor)
  const power = 10n ** BigInt(tariff.scale)
  const { fee, feeSeconds, minimum, maximum } = tariff.kind === 'plan' ? timeOf(tariff) : NO_TIME
  const summand = summandOf(tariff.scale, context)
  const summands =
    tariff.kind === 'tiered'
      ? tiersOf(tariff, registers[0] ?? 0n, summand)
      : registers.map((register, index) => summand(register, tariff.prices[index] ?? 0n, index))
  const total = summands.reduce((sum, { product }) => sum + product, 0n)
  const numerator = total * feeSeconds + fee * elapsedSeconds * power
  const denominator = power * feeSeconds
  const plain = numerator / denominator
  const bounded = plain < minimum ? minimum : plain < maximum ? plain : maximum
  // Numbers that the ledger's arithmetic cannot hold: nothing is owed, whatever the cap.
  if (amount < bounded && amount !== capMinor) {
    return `too much for the ledger to count: ${money(amount)}`
  }
  const words = summands.map((summand) => summand.words)
  if (fee > 0n) words.push(`${seconds(elapsedSeconds)} × ${money(fee)} / ${seconds(feeSeconds)}`)
  const steps = [`${words.length === 0 ? '0' : words.join(' + ')} = ${money(plain)}`]
  if (numerator % denominator !== 0n) steps.push('rounded down')
  if (plain < minimum) steps.push(`at least ${money(minimum)} a period`)
  if (plain > maximum) steps.push(`at most ${money(maximum)} a period`)
  if (amount < bounded) steps.push(`capped at ${money(capMinor)}`)
  return steps.join(', ')
}

type ToSummand = (count: bigint, price: bigint, register: number) => Summand

function summandOf(
  scale: number,
  { units, asset }: { units: readonly TariffUnit[]; asset: TariffAsset },
): ToSummand {
  return (count, price, register) => {
    const { unit, per, label } = units[register] ?? {
      unit: `unit of register ${register + 1}`,
      per: 1n,
      label: '',
    }
    const cost = formatDecimal(price * per, scale + asset.decimals, { grouping: true, trim: true })
    const counted = `${quotient(count, per)} ${unit}${label === '' ? '' : ` ${label}`}`
    return { words: `${counted} × ${cost} ${asset.symbol}`, product: count * price }
  }
}

/** The part of a register that lies in each tier; empty tiers are left out, but not the first. */
function tiersOf({ prices, upTo }: TieredTariff, register: bigint, summand: ToSummand): Summand[] {
  return prices.flatMap((price, tier) => {
    const from = tier === 0 ? 0n : (upTo[tier - 1] ?? 0n)
    const border = upTo[tier]
    const to = border === undefined || register < border ? register : border
    return to > from || tier === 0 ? [summand(to - from, price, 0)] : []
  })
}

const NO_TIME = { fee: 0n, feeSeconds: 1n, minimum: 0n, maximum: NO_MAXIMUM }

function timeOf(plan: PlanTariff): typeof NO_TIME {
  return { ...plan, feeSeconds: BigInt(plan.feeSeconds) }
}

function seconds(count: bigint): string {
  return `${formatDecimal(count, 0, { grouping: true })} s`
}
