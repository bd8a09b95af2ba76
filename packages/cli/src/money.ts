import type { Deployment } from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'

/** Writes amounts in smallest units of an asset for people: `1,234.500000 tEUR`. */
export function moneyText({ decimals, symbol }: Omit<Deployment['asset'], 'address'>) {
  return (minor: string): string =>
    `${formatDecimal(BigInt(minor), decimals, { grouping: true })} ${symbol}`
}
