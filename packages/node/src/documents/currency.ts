import type { Deployment } from '@liquefy/client'

/** Which currency (ISO 4217) a token is a claim to, one for one. */
const CURRENCY_OF: Readonly<Record<string, string>> = {
  EURC: 'EUR',
  EURe: 'EUR',
  EURI: 'EUR',
  USDC: 'USD',
  PYUSD: 'USD',
  GBPe: 'GBP',
}

/** The currency of invoices in a ledger's asset; the embedded ledger's test euro counts as euro. Undefined: it is none that is known. */
export function currencyOf({
  embedded,
  asset,
}: Pick<Deployment, 'embedded' | 'asset'>): string | undefined {
  if (embedded && asset.symbol === 'tEUR') return 'EUR'
  return CURRENCY_OF[asset.symbol]
}
