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

/**
 * `floor(sum(register x price) / 10^scale + fee x elapsed / feeSeconds)`, floored once, at least `minimum` and at most `maximum` a period;
 * one price a register, amounts in smallest units of the asset. A subscription has no registers, time of use one for each band.
 * No fee: 0 for each second. No most: `NO_MAXIMUM`.
 */
export type PlanTariff = {
  kind: 'plan'
  prices: readonly bigint[]
  scale: number
  fee: bigint
  feeSeconds: number
  minimum: bigint
  maximum: bigint
}

/** What a register costs: the mirror of the contracts behind `ITariff`. */
export type Tariff = LinearTariff | TieredTariff | PlanTariff

/** Where the contracts of the kinds are. */
export type TariffContracts = { linearTariff: Hex; tieredTariff: Hex; planTariff: Hex }

/** Of a deployment, the tariff contracts alone. */
export function tariffContracts(deployment: TariffContracts): TariffContracts {
  const { linearTariff, tieredTariff, planTariff } = deployment
  return { linearTariff, tieredTariff, planTariff }
}

/** The contract of a kind. */
export function tariffContract(contracts: TariffContracts, kind: Tariff['kind']): Hex {
  return contracts[CONTRACT_OF[kind]]
}

/** The kind of the tariff at an address; undefined for somebody else's contract. */
export function tariffKindAt(contracts: TariffContracts, address: Hex): Tariff['kind'] | undefined {
  return TARIFF_KINDS.find(
    (kind) => tariffContract(contracts, kind).toLowerCase() === address.toLowerCase(),
  )
}

/** Every kind of tariff. */
export const TARIFF_KINDS: readonly Tariff['kind'][] = ['linear', 'tiered', 'plan']

const CONTRACT_OF = {
  linear: 'linearTariff',
  tiered: 'tieredTariff',
  plan: 'planTariff',
} as const

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
/** `maximum` of a plan that has none. */
export const NO_MAXIMUM = UINT256_LIMIT - 1n
/** The contract keeps amounts in 96 bits. */
const AMOUNT_LIMIT = 2n ** 96n
/** 10^77 is the largest power of ten below 2^256. */
const MAX_SCALE = 77
/** So that 10^scale x feeSeconds fits too. */
const MAX_PLAN_SCALE = 60
/** More tier borders would cost more gas than a tariff gets. */
const MAX_BORDERS = 64
const UINT32_MOST = 2 ** 32 - 1
const TIERED_DATA = [{ name: 'upTo', type: 'uint256[]' }, ...LINEAR_DATA] as const
const PLAN_DATA = [
  ...LINEAR_DATA,
  { name: 'fee', type: 'uint256' },
  { name: 'feeSeconds', type: 'uint32' },
  { name: 'minimum', type: 'uint256' },
  { name: 'maximum', type: 'uint256' },
] as const

/** The tariff's `data` for the contract. */
export function encodeTariffData(tariff: Tariff): Hex {
  const { prices, scale } = tariff
  switch (tariff.kind) {
    case 'linear':
      return encodeAbiParameters(LINEAR_DATA, [prices, scale])
    case 'tiered':
      return encodeAbiParameters(TIERED_DATA, [tariff.upTo, prices, scale])
    case 'plan': {
      const { fee, feeSeconds, minimum, maximum } = tariff
      return encodeAbiParameters(PLAN_DATA, [prices, scale, fee, feeSeconds, minimum, maximum])
    }
  }
}

/** Reads the `data` of a tariff contract of the given kind. @throws TariffError if it is not that. */
export function decodeTariffData(kind: Tariff['kind'], data: Hex): Tariff {
  try {
    if (kind === 'linear') {
      const [prices, scale] = decodeAbiParameters(LINEAR_DATA, data)
      return { kind, prices, scale }
    }
    if (kind === 'tiered') {
      const [upTo, prices, scale] = decodeAbiParameters(TIERED_DATA, data)
      return { kind, upTo, prices, scale }
    }
    const [prices, scale, fee, feeSeconds, minimum, maximum] = decodeAbiParameters(PLAN_DATA, data)
    return { kind, prices, scale, fee, feeSeconds, minimum, maximum }
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
  if (tariff.kind !== 'tiered' && tariff.prices.length !== registerCount) return false
  if (tariff.kind === 'linear') return true
  if (tariff.kind === 'plan') {
    const { scale, feeSeconds, minimum, maximum } = tariff
    const hasTime = feeSeconds >= 1 && feeSeconds <= UINT32_MOST
    return scale <= MAX_PLAN_SCALE && hasTime && minimum <= maximum
  }
  const { upTo, prices } = tariff
  const rises = upTo.every((border, tier) => border > (upTo[tier - 1] ?? 0n))
  const fits = upTo.length <= MAX_BORDERS && prices.length === upTo.length + 1
  return registerCount === 1 && fits && rises
}

/**
 * The amount owed for a period, smallest units of the asset. Pure and monotone in each register and in time; equal to the contract's.
 *
 * @param elapsedSeconds from the start of the period to the reading.
 * @throws TariffError where the contract reverts: the number of registers does not fit, or the sum is 2^256 or more.
 */
export function owed(tariff: Tariff, registers: readonly bigint[], elapsedSeconds: bigint): bigint {
  const amount = amountOf(tariff, registers, elapsedSeconds)
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
  elapsedSeconds: bigint,
  capMinor: bigint,
): bigint {
  const amount = amountOf(tariff, registers, elapsedSeconds)
  if (amount === undefined || amount >= AMOUNT_LIMIT) return 0n
  return amount < capMinor ? amount : capMinor
}

/** The amount, or undefined where the contract's 256 bits overflow. */
function amountOf(
  tariff: Tariff,
  registers: readonly bigint[],
  elapsedSeconds: bigint,
): bigint | undefined {
  if (tariff.kind === 'plan') return planAmount(tariff, registers, elapsedSeconds)
  const sum = tariff.kind === 'linear' ? linearSum(tariff, registers) : tieredSum(tariff, registers)
  if (sum >= UINT256_LIMIT || tariff.scale > MAX_SCALE) return undefined
  return sum / 10n ** BigInt(tariff.scale)
}

function planAmount(
  plan: PlanTariff,
  registers: readonly bigint[],
  elapsedSeconds: bigint,
): bigint | undefined {
  if (plan.scale > MAX_SCALE) return undefined
  const power = 10n ** BigInt(plan.scale)
  const feeSeconds = BigInt(plan.feeSeconds)
  const usage = linearSum(plan, registers) * feeSeconds
  const sum = usage + plan.fee * elapsedSeconds * power
  const divisor = power * feeSeconds
  if (sum >= UINT256_LIMIT || divisor >= UINT256_LIMIT || divisor === 0n) return undefined
  const amount = sum / divisor
  if (amount < plan.minimum) return plan.minimum
  return amount < plan.maximum ? amount : plan.maximum
}

function linearSum(
  { kind, prices }: LinearTariff | PlanTariff,
  registers: readonly bigint[],
): bigint {
  if (registers.length !== prices.length) {
    throw new TariffError(
      `A ${kind} tariff needs one register a price: it has ${prices.length} prices, but ${registers.length} registers were given.`,
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
