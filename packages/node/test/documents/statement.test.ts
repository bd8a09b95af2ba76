import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { extractText, getDocumentProxy } from 'unpdf'
import { describe, expect, test } from 'vitest'
import { BYTE_ORDER_MARK, writeCsv } from '../../src/documents/csv.ts'
import { type StatementContent, statementOf } from '../../src/documents/statement.ts'
import { statementCsv } from '../../src/documents/statement-csv.ts'
import { statementPdf } from '../../src/documents/statement-pdf.ts'
import { element, writeXml } from '../../src/documents/xml.ts'
import { PERIOD, PERIOD_SECONDS, settlementLines, statementInput } from './fixture.ts'

const periodsOf = (count: number) =>
  Array.from({ length: count }, (_, period) => ({
    ...PERIOD,
    period,
    startMs: PERIOD.startMs + period * PERIOD_SECONDS * 1_000,
    endMs: PERIOD.endMs + period * PERIOD_SECONDS * 1_000,
  }))
const content = statementOf(statementInput(periodsOf(3)))

/** What csv-parse, which others wrote, reads: each row by the headings. */
const read = (csv: string): Record<string, string>[] =>
  parse(csv, { bom: true, columns: true, record_delimiter: '\r\n' })

/** A statement with one settlement a period, in pages of two. */
async function csvOf(statement: StatementContent): Promise<string> {
  const lines = settlementLines(statement.periods.length)
  async function* pages() {
    for (let first = 0; first < lines.length; first += 2) yield lines.slice(first, first + 2)
  }
  let csv = ''
  for await (const piece of statementCsv(statement, pages())) csv += piece
  return csv
}
const pdfOf = (statement: StatementContent, timeZone = 'UTC', earlier = 0) =>
  statementPdf(statement, { shown: settlementLines(3), earlier }, timeZone)

describe('what a statement says', () => {
  test('sums are those of its periods; quantities and amounts are exact decimals', () => {
    expect(content.totals).toMatchObject({ owed: '1555.554420', included: '1554.000000' })
    expect(content.registers).toEqual(['weight (kg)'])
    expect(content.periods[0]).toMatchObject({
      registers: ['1234.567'],
      owed: '518.518140',
      evidence: ['weight 812'],
    })
  })

  test('between what and what an amount lies, where meters must be calibrated', async () => {
    const band = { lowerMinor: '515925550', upperMinor: '521110731', uncertaintyPpm: 5_000 }
    const [first, ...others] = periodsOf(2)
    const banded = statementOf(statementInput([{ ...PERIOD, ...first, band }, ...others]))
    const [row, next] = read(await csvOf(banded)).filter(({ record }) => record === 'period')
    expect(row).toMatchObject({
      'owed at least (tEUR)': '515.925550',
      'owed at most (tEUR)': '521.110731',
      'uncertainty (ppm, k = 2)': '5000',
    })
    expect(next?.['owed at least (tEUR)']).toBe('')
    expect(await csvOf(content)).not.toContain('owed at least')
    const pdf = await getDocumentProxy(new Uint8Array(await pdfOf(banded)))
    const { text } = await extractText(pdf, { mergePages: true })
    expect(text).toContain('515.925550 to')
    expect(text).toContain('within 0.5 %')
  })

  test('where and how it can be checked: agreement, chain, contracts, the command', () => {
    const said = content.about.map(({ value }) => value).join('\n')
    for (const known of [
      content.agreementId,
      'eip155:1819',
      `0x${'cc'.repeat(20)}`,
      `0x${'ee'.repeat(20)}`,
    ]) {
      expect(said).toContain(known)
    }
    expect(content.check).toBe(`npx liquefy audit ${content.agreementId}`)
  })

  test('two meters on one stream are told apart', async () => {
    const input = statementInput([{ ...PERIOD, registers: ['1000', '2000'] }])
    const [unit] = input.units
    if (!unit) throw new Error('no unit')
    const terms = { meters: [{ stream: 'weight' }, { stream: 'weight' }] }
    const twice = { ...input, units: [unit, unit], agreement: { ...input.agreement, terms } }
    expect(
      read(await csvOf(statementOf(twice))).find(({ record }) => record === 'period'),
    ).toMatchObject({ '1: weight (kg)': '1.000', '2: weight (kg)': '2.000' })
  })

  test('of one period: that one alone', () => {
    const one = statementOf(statementInput(periodsOf(3), { wantedPeriod: 1 }))
    expect(one.periods.map(({ period }) => period)).toEqual([1])
    expect(one.totals.owed).toBe('518.518140')
  })
})

describe('CSV', () => {
  test('every row has every column; times are UTC, units in the headings', async () => {
    const rows = read(await csvOf(content))
    expect(rows.filter(({ record }) => record === 'settlement')).toHaveLength(3)
    expect(rows.filter(({ record }) => record === 'period')).toHaveLength(3)
    expect(rows.find(({ record }) => record === 'period')).toMatchObject({
      'from (UTC)': '2023-11-14T22:13:20.000Z',
      'weight (kg)': '1234.567',
      'owed (tEUR)': '518.518140',
    })
    expect(rows.find(({ record }) => record === 'settlement')).toMatchObject({
      what: 'settled',
      'moved (tEUR)': '518.000000',
      transaction: `0x${'cd'.repeat(32)}`,
    })
    expect(rows.find(({ what }) => what === 'Payer')?.value).toContain('Nordmühle GmbH')
  })

  test('what is written is read back, whatever stands in a cell', () => {
    const text = fc.string({ unit: 'grapheme' }).filter((cell) => !/^[=+\-@\t\r]/.test(cell))
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { minLength: 1 }), (rows) => {
        fc.pre(rows.every((row) => row.some((cell) => cell !== '')))
        const csv = BYTE_ORDER_MARK + writeCsv([['a', 'b'], ...rows])
        expect(read(csv)).toEqual(rows.map(([a, b]) => ({ a, b })))
      }),
    )
  })

  test.each(['=1+2', '+1+2', '-1+2', '@SUM(A1)', '\t=1'])(
    'ATK %j is no formula to a spreadsheet',
    (cell) => {
      expect(writeCsv([[cell]])).toContain(`'${cell}`)
    },
  )

  test('a number below zero stays a number', () => {
    expect(writeCsv([['-1.50']])).toBe('-1.50\r\n')
  })
})

describe('PDF', () => {
  const readPages = async (pdf: Uint8Array) => {
    const { text } = await extractText(await getDocumentProxy(new Uint8Array(pdf)))
    return text
  }

  test('has what the statement says, umlauts too, times with their offset', async () => {
    const pdf = await pdfOf(content, 'Europe/Berlin')
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-')
    const page = (await readPages(pdf)).join(' ')
    for (const words of [
      'Nordmühle GmbH',
      '1,555.554420',
      '2023-11-14 23:13:20 GMT+1',
      'weight (kg): 1234.567',
      `0x${'cd'.repeat(32)}`,
      content.check,
      'page 1 of ',
    ]) {
      expect(page.replaceAll('\n', ' ')).toContain(words)
    }
  })

  test('a long one goes on over pages, and says what it leaves out', async () => {
    const pages = await readPages(
      await pdfOf(statementOf(statementInput(periodsOf(500))), 'UTC', 123_456),
    )
    expect(pages.length).toBeGreaterThan(10)
    expect(pages.at(-1)).toContain(`page ${pages.length} of ${pages.length}`)
    expect(pages.join(' ').replaceAll('\n', ' ')).toContain('100 earlier periods are left out')
    expect(pages.join(' ').replaceAll('\n', ' ')).toContain(
      '123456 earlier settlements are left out: the CSV has all of them',
    )
    expect(pages.join(' ')).toContain('UTC')
  })

  test('a character that its fonts do not have is a question mark, never another one', async () => {
    const input = statementInput()
    const odd = { ...input, agreement: { ...input.agreement, machineName: 'Σ 1 €' } }
    expect((await readPages(await pdfOf(statementOf(odd)))).join()).toContain('? 1 €')
  })

  test('what is taller than a page is on several: every register, every stream, the whole price', async () => {
    const price = Array.from({ length: 2_000 }, (_, index) => `price${index}`)
    const about = [{ what: 'Price', value: price.join(' ') }]
    const registers = Array.from({ length: 150 }, (_, index) => `meter ${index} (kg)`)
    const [period] = content.periods
    if (!period) throw new Error('no period')
    const amounts = registers.map((_, index) => `${index}.5`)
    const evidence = registers.map((_, index) => `stream${index} 812`)
    const periods = [{ ...period, registers: amounts, evidence }]
    const page = (await readPages(await pdfOf({ ...content, about, registers, periods }))).join(' ')
    const words = page.replaceAll(/\s+/g, ' ')
    const expected = [
      ...price,
      ...registers.map((name, index) => `${name}: ${index}.5`),
      ...evidence,
    ]
    expect(expected.filter((one) => !words.includes(one))).toEqual([])
  })
})

describe('XML', () => {
  test('ATK text cannot leave its element, nor can what XML forbids stand in it', () => {
    const evil = `</a><b x="'&"\u{0}\u{b}`
    expect(writeXml(element('a', evil, { b: evil }))).toContain(
      `<a b="&lt;/a&gt;&lt;b x=&quot;&apos;&amp;&quot;\u{fffd}\u{fffd}">&lt;/a&gt;&lt;b x=&quot;&apos;&amp;&quot;\u{fffd}\u{fffd}</a>`,
    )
  })
})
