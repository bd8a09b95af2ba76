import { decodeAbiParameters, encodeAbiParameters, type Hex } from 'viem'
import { LiquefyError } from '../error.ts'

/** `floor(sum(register x price) / 10^scale)`, one price a register, in smallest units of the asset. */
export type LinearTariff = { kind: 'linear'; prices: readonly bigint[]; scale: number }

/** One register, marginal tiers: up to `upTo[0]` at `prices[0]`, beyond it at `prices[1]`, and so on. Floored once. */
export type TieredTariff = {
  kind: 'tiered'
  upTo: readonly bigint[]
  prices: readonly bigint[]
  scale: number
}

/** What a register costs: the mirror of the contracts behind `ITariff`. */
export type Tariff = LinearTariff | TieredTariff

/** Tariff data that its contract would refuse: `TARIFF_INVALID`. */
export class TariffError extends LiquefyError {
  constructor(message: string, options?: ErrorOptions) {
    super('TARIFF_INVALID', message, options)
    this.name = 'TariffError'
  }
}

const LINEAR_DATA = [
  { name: 'prices', type: 'uint256[]' },
  { name: 'scale', type: 'uint8' },
] as const
const UINT256_LIMIT = 2n ** 256n
/** The contract keeps amounts in 96 bits. */
const AMOUNT_LIMIT = 2n ** 96n
/** 10^77 is the largest power of ten below 2^256. */
const MAX_SCALE = 77
const TIERED_DATA = [{ name: 'upTo', type: 'uint256[]' }, ...LINEAR_DATA] as const

/** The tariff's `data` for the contract. */
export function encodeTariffData(tariff: Tariff): Hex {
  return tariff.kind === 'linear'
    ? encodeAbiParameters(LINEAR_DATA, [tariff.prices, tariff.scale])
    : encodeAbiParameters(TIERED_DATA, [tariff.upTo, tariff.prices, tariff.scale])
}

/** Reads the `data` of a tariff contract of the given kind. @throws TariffError if it is not that. */
export function decodeTariffData(kind: Tariff['kind'], data: Hex): Tariff {
  try {
    if (kind === 'linear') {
      const [prices, scale] = decodeAbiParameters(LINEAR_DATA, data)
      return { kind, prices, scale }
    }
    const [upTo, prices, scale] = decodeAbiParameters(TIERED_DATA, data)
    return { kind, upTo, prices, scale }
  } catch (error) {
    throw new TariffError(
      `This is not the data of a ${kind} tariff; encode it with encodeTariffData.`,
      {
        cause: error,
      },
    )
  }
}

/** Whether the tariff's contract would accept it at `open`, for an agreement with that many registers. */
export function isValidTariff(tariff: Tariff, registerCount: number): boolean {
  if (tariff.scale < 0 || tariff.scale > MAX_SCALE) return false
  if (tariff.kind === 'linear') return tariff.prices.length === registerCount
  const { upTo, prices } = tariff
  const rises = upTo.every((border, tier) => border > (upTo[tier - 1] ?? 0n))
  return registerCount === 1 && prices.length === upTo.length + 1 && rises
}

/**
 * The amount owed for a period, smallest units of the asset. Pure and monotone in each register; equal to the contract's.
 *
 * @param _elapsedSeconds since the period began; these two kinds do not charge for time.
 * @throws TariffError where the contract reverts: the number of registers does not fit, or the sum is 2^256 or more.
 */
export function owed(
  tariff: Tariff,
  registers: readonly bigint[],
  _elapsedSeconds: bigint,
): bigint {
  const amount = amountOf(tariff, registers)
  if (amount === undefined) {
    throw new TariffError(
      'The sum of this tariff does not fit 256 bits, so that its contract fails; lower prices or scale.',
    )
  }
  return amount
}

/**
 * What the contract would credit for a period at most: `min(owed, capMinor)`, and nothing where it would skip the item because the tariff
 * fails (`TARIFF_FAILED`) or the amount is 2^96 or more, cap or not (`AMOUNT_TOO_LARGE`).
 *
 * @throws TariffError if the number of registers does not fit.
 */
export function owedCapped(
  tariff: Tariff,
  registers: readonly bigint[],
  _elapsedSeconds: bigint,
  capMinor: bigint,
): bigint {
  const amount = amountOf(tariff, registers)
  if (amount === undefined || amount >= AMOUNT_LIMIT) return 0n
  return amount < capMinor ? amount : capMinor
}

/** The amount, or undefined where the contract's 256 bits overflow. */
function amountOf(tariff: Tariff, registers: readonly bigint[]): bigint | undefined {
  const sum = tariff.kind === 'linear' ? linearSum(tariff, registers) : tieredSum(tariff, registers)
  if (sum >= UINT256_LIMIT || tariff.scale > MAX_SCALE) return undefined
  return sum / 10n ** BigInt(tariff.scale)
}

function linearSum({ prices }: LinearTariff, registers: readonly bigint[]): bigint {
  if (registers.length !== prices.length) {
    throw new TariffError(
      `A linear tariff needs one register a price: it has ${prices.length} prices, but ${registers.length} registers were given.`,
    )
  }
  return registers.reduce((sum, register, index) => sum + register * (prices[index] ?? 0n), 0n)
}

function tieredSum({ upTo, prices }: TieredTariff, registers: readonly bigint[]): bigint {
  const [register] = registers
  if (register === undefined || registers.length !== 1 || upTo.length + 1 !== prices.length) {
    throw new TariffError(
      'A tiered tariff needs one register, and one price more than it has tier borders.',
    )
  }
  return prices.reduce((sum, price, tier) => {
    const from = tier === 0 ? 0n : (upTo[tier - 1] ?? 0n)
    const border = upTo[tier]
    const to = border === undefined || register < border ? register : border
    return to > from ? sum + (to - from) * price : sum
  }, 0n)
}
