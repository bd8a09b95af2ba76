import { setImmediate } from 'node:timers/promises'
import { ppmText } from '@liquefy/protocol'
import type { SettlementLine, StatementAmounts, StatementContent } from './statement.ts'

/** Rows of each table in a PDF: beyond them the CSV, or the statement of one period. */
export const MOST_ROWS = 400
/** Lines of what was metered in one row, and letters of what an agreement says: pdfkit cuts off what is taller than a page. */
const MOST_LINES = 6
const MOST_LETTERS = 2_000
/** After so many rows others have their turn: drawing takes a millisecond a row. */
const ROWS_AT_ONCE = 20
const MARGIN = 42
const INK = '#14201e'
const MUTED = '#566661'
const LINE = '#dde5e2'
const SMALL = 8
const AMOUNT_WIDTH = 78

type Document = PDFKit.PDFDocument
type Cell = { text: string; align?: 'right'; font?: { src: string; size?: number } }

/** Settlements in a PDF: the newest, the oldest of them first, and how many are earlier than these. */
export interface NewestSettlements {
  shown: readonly SettlementLine[]
  earlier: number
}

/**
 * A statement as PDF, A4, for people.
 *
 * @param timeZone of all times in it, an IANA name; each is written with its offset.
 */
export async function statementPdf(
  content: StatementContent,
  settlements: NewestSettlements,
  timeZone: string,
): Promise<Buffer> {
  const { default: PdfDocument } = await import('pdfkit')
  const doc = new PdfDocument({
    size: 'A4',
    margin: MARGIN,
    bufferPages: true,
    lang: 'en',
    displayTitle: true,
    info: {
      Title: `Statement of agreement ${content.agreementId}`,
      CreationDate: new Date(content.writtenMs),
    },
  })
  const time = timeWriter(timeZone)
  const drawn = collect(doc)
  drawHead(doc, content, time)
  await drawAbout(doc, content)
  await drawPeriods(doc, content, time)
  await drawSettlements(doc, content, settlements, time)
  drawCheck(doc, content)
  drawFeet(doc, content)
  doc.end()
  return drawn
}

function collect(doc: Document): Promise<Buffer> {
  const chunks: Buffer[] = []
  doc.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise((resolve, reject) => {
    doc.on('end', () => resolve(Buffer.concat(chunks)))
    doc.on('error', reject)
  })
}

/** "2026-11-30 17:18:52 GMT+1": sorts as it reads, and says its zone. */
function timeWriter(timeZone: string): (timeMs: number) => string {
  const format = new Intl.DateTimeFormat('sv-SE', {
    dateStyle: 'short',
    timeStyle: 'medium',
    timeZone,
  })
  const zone = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'shortOffset' })
  return (timeMs) => {
    const offset = zone.formatToParts(timeMs).find(({ type }) => type === 'timeZoneName')?.value
    return `${format.format(timeMs)} ${offset?.replace(/^GMT(\+0)?$/, 'UTC')}`
  }
}

function drawHead(
  doc: Document,
  { period, totals, symbol, writtenMs }: StatementContent,
  time: (timeMs: number) => string,
): void {
  const of = period === undefined ? 'all periods' : `period ${period}`
  doc.fillColor(INK).font('Helvetica-Bold').fontSize(20).text('Statement')
  doc
    .font('Helvetica')
    .fontSize(10)
    .fillColor(MUTED)
    .text(`Of ${of}, written ${time(writtenMs)}. What is owed goes on while the machine runs.`)
    .moveDown()
  const figures = [
    ['Owed', totals.owed],
    ['Included in a block', totals.included],
    ['Final', totals.final],
  ] as const
  const top = doc.y
  const width = (doc.page.width - 2 * MARGIN) / figures.length
  for (const [index, [name, amount]] of figures.entries()) {
    const x = MARGIN + index * width
    doc.fontSize(9).fillColor(MUTED).text(name, x, top, { width })
    doc
      .font('Helvetica-Bold')
      .fontSize(13)
      .fillColor(INK)
      .text(`${grouped(amount)} ${printable(symbol)}`, x, top + 13, { width })
      .font('Helvetica')
  }
  doc.x = MARGIN
  doc.moveDown()
}

async function drawAbout(doc: Document, { about }: StatementContent): Promise<void> {
  heading(doc, 'Agreement')
  await table(
    doc,
    [130, '*'],
    about.flatMap(({ what, value }) =>
      piecesOf(value).map((text, index) => [{ text: index === 0 ? what : '' }, { text }]),
    ),
  )
}

async function drawPeriods(
  doc: Document,
  content: StatementContent,
  time: (timeMs: number) => string,
): Promise<void> {
  const { periods, registers, totals, symbol } = content
  heading(doc, 'Periods')
  if (periods.length === 0) return sentence(doc, 'Nothing was metered.')
  const rowsOf = (period: Period) => periodRows(period, { registers, time })
  const shown = newestWithin(periods, rowsOf)
  await table(
    doc,
    [34, '*', 118, AMOUNT_WIDTH, AMOUNT_WIDTH, AMOUNT_WIDTH],
    [
      head(
        'Period',
        'From, to, as of',
        'Metered, evidence up to',
        `-Owed (${symbol})`,
        `-Included (${symbol})`,
        `-Final (${symbol})`,
      ),
      ...shown.flatMap(rowsOf),
      [
        bold('All'),
        bold(periods.length === 1 ? '1 period' : `${periods.length} periods`),
        { text: '' },
        ...amountsOf(totals).map((text): Cell => ({ ...bold(text), align: 'right' })),
      ],
    ],
  )
  leftOut(doc, periods.length - shown.length, 'earlier periods')
}

type Period = StatementContent['periods'][number]

/** A period with its amounts; what it metered goes on in rows beneath. */
function periodRows(
  period: Period,
  { registers, time }: Pick<StatementContent, 'registers'> & { time: (timeMs: number) => string },
): Cell[][] {
  const metered = [
    ...registers.map((name, index) => `${name}: ${period.registers[index]}`),
    ...period.evidence,
  ]
  const first: Cell[] = [
    { text: String(period.period) },
    { text: [period.fromMs, period.toMs, period.asOfMs].map(time).join('\n') },
    { text: metered.slice(0, MOST_LINES).join('\n') },
    ...amountsOf(period, bandLines(period)).map(number),
  ]
  const more: Cell[][] = []
  for (let line = MOST_LINES; line < metered.length; line += MOST_LINES) {
    const text = metered.slice(line, line + MOST_LINES).join('\n')
    more.push([{ text: '' }, { text: '' }, { text }, { text: '' }, { text: '' }, { text: '' }])
  }
  return [first, ...more]
}

/** The newest periods whose rows fit, and at least the newest. */
function newestWithin(
  periods: readonly Period[],
  rowsOf: (period: Period) => Cell[][],
): readonly Period[] {
  let [rows, from] = [0, periods.length]
  for (const period of periods.toReversed()) {
    rows += rowsOf(period).length
    if (rows > MOST_ROWS && from < periods.length) break
    from -= 1
  }
  return periods.slice(from)
}

/** Owed, included, final, with what belongs to each. */
function amountsOf(amounts: StatementAmounts, ofOwed: readonly string[] = []): string[] {
  return [
    [beside(amounts.owed, [['+', amounts.adjusted, 'late evidence']]), ...ofOwed].join('\n'),
    beside(amounts.included, [
      ['', amounts.arrears, 'in arrears'],
      ['-', amounts.refunded, 'refunded'],
    ]),
    grouped(amounts.final),
  ]
}

/** Between what and what the amount owed lies, by the calibration of the meters. */
function bandLines({ band }: Period): string[] {
  return band
    ? [`${grouped(band.lower)} to ${grouped(band.upper)}`, `within ${ppmText(band.uncertaintyPpm)}`]
    : []
}

/** An amount, and beneath it those that are not zero. */
function beside(amount: string, others: [sign: string, amount: string, what: string][]): string {
  const told = others.filter(([, other]) => /[1-9]/.test(other))
  return [
    grouped(amount),
    ...told.map(([sign, other, what]) => `${sign}${grouped(other)} ${what}`),
  ].join('\n')
}

async function drawSettlements(
  doc: Document,
  { symbol }: StatementContent,
  { shown, earlier }: NewestSettlements,
  time: (timeMs: number) => string,
): Promise<void> {
  heading(doc, 'Settlements on the ledger')
  if (shown.length === 0) return sentence(doc, 'None yet.')
  await table(
    doc,
    [112, '*', AMOUNT_WIDTH, 246],
    [
      head('When', 'What', `-Amount (${symbol})`, 'Transaction'),
      ...shown.map((one): Cell[] => [
        { text: time(one.atMs) },
        {
          text: `${one.what}, period ${one.period}\n${one.isFinal ? 'final' : 'included'}, block ${one.block}`,
        },
        number(grouped(one.amount)),
        { text: one.txHash, font: { src: 'Courier', size: 6 } },
      ]),
    ],
  )
  leftOut(doc, earlier, 'earlier settlements')
}

function drawCheck(doc: Document, { check }: StatementContent): void {
  heading(doc, 'Check it')
  sentence(
    doc,
    'Nothing here has to be believed. The ledger under the contracts above says what was paid; the evidence says why. This command takes every signed reading, verifies it, prices it anew, and compares:',
  )
  doc.font('Courier').fontSize(SMALL).fillColor(INK).text(check).font('Helvetica')
}

function drawFeet(doc: Document, { agreementId }: StatementContent): void {
  const { start, count } = doc.bufferedPageRange()
  for (let page = start; page < start + count; page += 1) {
    doc.switchToPage(page)
    // Below the margin pdfkit would begin a page.
    doc.page.margins.bottom = 0
    doc
      .font('Helvetica')
      .fontSize(7)
      .fillColor(MUTED)
      .text(
        `${agreementId} · page ${page + 1} of ${count}`,
        MARGIN,
        doc.page.height - MARGIN + 12,
        { width: doc.page.width - 2 * MARGIN, align: 'center' },
      )
  }
}

/** Commas between thousands, for reading. */
function grouped(amount: string): string {
  return amount.replace(/\B(?=(?:\d{3})+(?:\.|$))(?<!\.\d*)/g, ',')
}

function heading(doc: Document, text: string): void {
  doc.x = MARGIN
  doc.moveDown()
  // A heading stands with what it heads.
  if (doc.y > doc.page.height - MARGIN - 90) doc.addPage()
  doc.font('Helvetica-Bold').fontSize(12).fillColor(INK).text(text).font('Helvetica').moveDown(0.3)
}

function sentence(doc: Document, text: string): void {
  doc.x = MARGIN
  doc.fontSize(9).fillColor(MUTED).text(text).moveDown(0.4)
}

function leftOut(doc: Document, count: number, what: string): void {
  if (count > 0) {
    doc.moveDown(0.4)
    sentence(doc, `${count} ${what} are left out: the CSV has all of them.`)
  }
}

/** A text in pieces that fit a page, parted at spaces where it has some. */
function piecesOf(text: string): string[] {
  const pieces = new RegExp(`[^]{1,${MOST_LETTERS}}(?=\\s|$)|[^]{1,${MOST_LETTERS}}`, 'g')
  return text.match(pieces)?.map((piece) => piece.trim()) ?? ['']
}

async function table(doc: Document, widths: (number | '*')[], rows: Cell[][]): Promise<void> {
  doc.x = MARGIN
  doc.fontSize(SMALL).fillColor(INK)
  const drawn = doc.table({
    columnStyles: widths.map((width) => ({ width })),
    defaultStyle: { border: [0, 0, 0.5, 0], borderColor: LINE, padding: [5, 6, 4, 0] },
  })
  for (const [index, row] of rows.entries()) {
    if (index % ROWS_AT_ONCE === ROWS_AT_ONCE - 1) await setImmediate()
    drawn.row(
      row.map(({ text, align = 'left' as const, font }) => ({
        text: printable(text),
        align: { x: align, y: 'top' as const },
        ...(font ? { font } : {}),
      })),
    )
  }
  drawn.end()
}

/** Heads of columns; `-` in front: of numbers. */
function head(...names: string[]): Cell[] {
  return names.map((name) =>
    name.startsWith('-') ? { ...bold(name.slice(1)), align: 'right' } : bold(name),
  )
}

function bold(text: string): Cell {
  return { text, font: { src: 'Helvetica-Bold' } }
}

function number(text: string): Cell {
  return { text, align: 'right' }
}

// What the fonts that every reader of PDF has can show (WinAnsi); no font has to be embedded for it.
const UNPRINTABLE = /[^\n\x20-\x7e\xa0-\xff€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]/gu

function printable(text: string): string {
  return text.normalize('NFC').replace(UNPRINTABLE, '?')
}
