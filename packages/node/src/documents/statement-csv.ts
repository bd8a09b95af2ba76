import { writeCsv } from './csv.ts'
import type { StatementAmounts, StatementContent } from './statement.ts'

const AMOUNTS: readonly (keyof StatementAmounts)[] = [
  'owed',
  'included',
  'final',
  'arrears',
  'adjusted',
  'refunded',
]

/**
 * A statement as one table (RFC 4180): the first column says whether a row is `about` the agreement, a `period`, or a `settlement`. Times are
 * UTC (ISO 8601); units stand in the headings.
 */
export function statementCsv(content: StatementContent): string {
  const { symbol, registers } = content
  const noRegisters = registers.map(() => '')
  const noAmounts = AMOUNTS.map(() => '')
  const about = [
    ...content.about,
    { what: 'Written', value: utc(content.writtenMs) },
    { what: 'Check it', value: content.check },
  ]
  return writeCsv([
    [
      'record',
      'what',
      'value',
      'period',
      'from (UTC)',
      'to (UTC)',
      'as of (UTC)',
      ...registers,
      `owed (${symbol})`,
      `included (${symbol})`,
      `final (${symbol})`,
      `in arrears (${symbol})`,
      `for late evidence (${symbol})`,
      `refunded (${symbol})`,
      `moved (${symbol})`,
      'transaction',
      'block',
      'evidence (stream and seq)',
    ],
    ...about.map(({ what, value }) => [
      ...['about', what, value, '', '', '', ''],
      ...noRegisters,
      ...noAmounts,
      ...['', '', '', ''],
    ]),
    ...content.periods.map((period) => [
      ...['period', '', '', String(period.period)],
      ...[utc(period.fromMs), utc(period.toMs), utc(period.asOfMs)],
      ...period.registers,
      ...AMOUNTS.map((amount) => period[amount]),
      ...['', '', '', period.evidence],
    ]),
    ...content.settlements.map((one) => [
      ...['settlement', one.what, one.isFinal ? 'final' : 'included', String(one.period)],
      ...['', '', utc(one.atMs)],
      ...noRegisters,
      ...noAmounts,
      ...[one.amount, one.txHash, String(one.block), ''],
    ]),
  ])
}

function utc(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
