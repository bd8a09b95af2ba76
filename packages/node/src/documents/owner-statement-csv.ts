import type { OwnerStatement, StatementLine } from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'
import { BYTE_ORDER_MARK, writeCsv } from './csv.ts'

/**
 * An owner's statement as a table (RFC 4180): what each income brought him by his shares, and what he was paid. Times are UTC (ISO 8601);
 * units stand in the headings.
 */
export function ownerStatementCsv(
  lines: readonly StatementLine[],
  { symbol, decimals }: OwnerStatement['asset'],
): string {
  const money = (minor: string | null) =>
    minor === null ? '' : formatDecimal(BigInt(minor), decimals)
  const heads = [
    'time (UTC)',
    'what',
    'shares',
    'of shares',
    `owners' income (${symbol})`,
    `change (${symbol})`,
    `balance (${symbol})`,
    `paid beside (${symbol})`,
    'other account',
    'transaction',
    'place on the ledger',
  ]
  const rows = lines.map((line) => [
    new Date(line.atMs).toISOString(),
    line.kind,
    line.shares,
    line.kind === 'income' ? line.supply : '',
    money(line.ownersMinor),
    money(line.minor),
    money(line.balanceMinor),
    money(line.paidMinor),
    line.other ?? '',
    line.txHash,
    line.place,
  ])
  return BYTE_ORDER_MARK + writeCsv([heads, ...rows])
}
