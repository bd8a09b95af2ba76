import { termsOf } from '@liquefy/client'
import { type CounterRule, type Hex, owed, type Tariff, type Terms } from '@liquefy/protocol'
import { keccak256, stringToHex } from 'viem'
import { type Collection, MOST } from '../bins/collection.ts'
import type { KnownContracts } from '../data-folder.ts'

/** A collection is paid by what it took away: 2 smallest units a millilitre and 100 a gram. */
const BIN_TARIFF: Tariff = { kind: 'linear', prices: [2n, 100n], scale: 0 }

const counter = (unit: string, registerUnit: string, most: bigint): CounterRule => ({
  rule: 'counter',
  version: 1,
  unit,
  scale: 3,
  registerUnit,
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: most.toString(), perHour: '0' },
})

/** Litres to three places are millilitres, kilograms to three places grams. */
export const BIN_RULES = [
  counter('l', 'ml', MOST.volumeMl),
  counter('kg', 'g', MOST.massG),
] as const

const DAY_SECONDS = 86_400
const PERIOD_SECONDS = 31 * DAY_SECONDS
/** Far above what a bin can fill in a month; the rule bounds each single collection. */
const LIMIT = { burst: 10n ** 12n, perHour: 0n }

export interface Registers {
  volumeMl: bigint
  massG: bigint
}

export function sumOf(collections: readonly Collection[]): Registers {
  return collections.reduce(
    (sum, { volumeMl, massG }) => ({ volumeMl: sum.volumeMl + volumeMl, massG: sum.massG + massG }),
    { volumeMl: 0n, massG: 0n },
  )
}

export function priceOf({ volumeMl, massG }: Registers): bigint {
  return owed(BIN_TARIFF, [volumeMl, massG], 0n)
}

/** One bin's agreement: the city pays the collector by millilitres and grams. */
export function binTerms(options: {
  contracts: KnownContracts
  payer: Hex
  payee: Hex
  machineId: bigint
  siteId: string
  startMs: number
  endMs: number
}): Terms {
  const { siteId, startMs, endMs, contracts, ...context } = options
  const start = Math.floor(startMs / 1000)
  const [volume, mass] = BIN_RULES
  return termsOf(
    {
      meters: [
        { stream: 'volume', rule: volume, limit: LIMIT },
        { stream: 'mass', rule: mass, limit: LIMIT },
      ],
      tariff: BIN_TARIFF,
      priceUnits: ['ml', 'g'],
      capMinor: 10n ** 12n,
      periodSeconds: PERIOD_SECONDS,
      periods: Math.ceil((endMs / 1000 - start) / PERIOD_SECONDS) + 1,
      backfillSeconds: 2 * DAY_SECONDS,
      lateSeconds: 2 * DAY_SECONDS,
      gapTimeoutSeconds: DAY_SECONDS,
      settleSeconds: PERIOD_SECONDS,
    },
    {
      ...context,
      deployment: contracts,
      startSeconds: BigInt(start),
      salt: keccak256(stringToHex(siteId)),
    },
  )
}
