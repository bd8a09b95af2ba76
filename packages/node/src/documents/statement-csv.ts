import { BYTE_ORDER_MARK, writeCsv } from './csv.ts'
import type { SettlementLine, StatementAmounts, StatementContent } from './statement.ts'

const AMOUNT_HEADS: Record<keyof StatementAmounts, string> = {
  owed: 'owed',
  included: 'included',
  final: 'final',
  arrears: 'in arrears',
  adjusted: 'for late evidence',
  refunded: 'refunded',
}
const AMOUNTS = Object.keys(AMOUNT_HEADS) as (keyof StatementAmounts)[]

/** Cells by the heading of their column; the others stay empty. */
type Row = Readonly<Record<string, string>>

/**
 * A statement as one table (RFC 4180): the first column says whether a row is `about` the agreement, a `period`, or a `settlement`. Times are
 * UTC (ISO 8601); units stand in the headings. In pieces, because an agreement may have any number of settlements.
 *
 * @param settlements pages of them, in the order in which they are written.
 */
export async function* statementCsv(
  content: StatementContent,
  settlements: AsyncIterable<readonly SettlementLine[]>,
): AsyncGenerator<string> {
  const { symbol, registers } = content
  const amountHead = (amount: keyof StatementAmounts) => `${AMOUNT_HEADS[amount]} (${symbol})`
  const bandHeads = content.periods.some(({ band }) => band)
    ? [`owed at least (${symbol})`, `owed at most (${symbol})`, 'uncertainty (ppm, k = 2)']
    : []
  const moved = `moved (${symbol})`
  const heads = [
    'record',
    'what',
    'value',
    'period',
    'from (UTC)',
    'to (UTC)',
    'as of (UTC)',
    ...registers,
    ...AMOUNTS.map(amountHead),
    ...bandHeads,
    moved,
    'transaction',
    'block',
    'evidence (stream and seq)',
  ]
  const about = [
    ...content.about,
    { what: 'Written', value: utc(content.writtenMs) },
    { what: 'Check it', value: content.check },
  ].map((one): Row => ({ record: 'about', ...one }))
  const periods = content.periods.map(
    (period): Row => ({
      record: 'period',
      period: String(period.period),
      'from (UTC)': utc(period.fromMs),
      'to (UTC)': utc(period.toMs),
      'as of (UTC)': utc(period.asOfMs),
      ...Object.fromEntries(registers.map((name, index) => [name, period.registers[index] ?? ''])),
      ...Object.fromEntries(AMOUNTS.map((amount) => [amountHead(amount), period[amount]])),
      ...bandCells(bandHeads, period.band),
      'evidence (stream and seq)': period.evidence.join(', '),
    }),
  )
  const settlement = (one: SettlementLine): Row => ({
    record: 'settlement',
    what: one.what,
    value: one.isFinal ? 'final' : 'included',
    period: String(one.period),
    'as of (UTC)': utc(one.atMs),
    [moved]: one.amount,
    transaction: one.txHash,
    block: String(one.block),
  })
  const write = (rows: readonly Row[]) =>
    writeCsv(rows.map((row) => heads.map((head) => row[head] ?? '')))
  yield BYTE_ORDER_MARK + writeCsv([heads]) + write([...about, ...periods])
  for await (const page of settlements) yield write(page.map(settlement))
}

function bandCells(
  heads: readonly string[],
  band: StatementContent['periods'][number]['band'],
): Row {
  if (!band) return {}
  const cells = [band.lower, band.upper, String(band.uncertaintyPpm)]
  return Object.fromEntries(heads.map((head, index) => [head, cells[index] ?? '']))
}

function utc(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
