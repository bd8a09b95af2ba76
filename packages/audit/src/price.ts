import { decodeTariffData, owedCapped, periodStart, type Terms } from '@liquefy/protocol'
import type { Hex } from 'viem'
import type { LedgerReader } from './ledger.ts'

/** The contract keeps amounts in 96 bits, and skips what is more. */
const AMOUNT_LIMIT = 2n ** 96n

/** Money of a period under the agreement's tariff, capped, in smallest units; 0n where the contract would skip the item. */
export type Price = (registers: readonly bigint[], period: number, asOf: bigint) => Promise<bigint>

/**
 * The agreement's tariff: recomputed here if the ledger runs one of our tariff contracts at its address, else asked of the
 * contract, which is what the parties agreed on.
 */
export async function priceOf(terms: Terms, ledger: LedgerReader): Promise<Price> {
  const kind = await ledger.tariffKind(terms.tariff)
  const raw = kind === 'other' ? undefined : decodeTariffData(kind, terms.tariffData)
  return async (registers, period, asOf) => {
    // A claim may show any number of registers; the contract would skip it.
    if (registers.length !== terms.limits.length) return 0n
    const elapsed = asOf - periodStart(terms, period)
    if (raw) return owedCapped(raw, registers, elapsed, terms.capMinor)
    const amount = await ledger.callTariff(terms.tariff, terms.tariffData, [...registers], elapsed)
    if (amount === undefined || amount >= AMOUNT_LIMIT) return 0n
    return amount < terms.capMinor ? amount : terms.capMinor
  }
}

/** The latest `asOf` that a value of this period may carry, as far as `nowMs` has come. */
export function latestAsOf(terms: Terms, period: number, nowMs: number): bigint {
  const start = periodStart(terms, period)
  const end = start + BigInt(terms.periodSeconds)
  const now = BigInt(Math.floor(nowMs / 1000))
  return now < start ? start : now < end ? now : end
}

/** One line for a fault: `[1200, 7]`. */
export function listText(values: readonly (bigint | Hex)[]): string {
  return `[${values.join(', ')}]`
}
