import type { PartyDetails, PeriodView } from '@liquefy/client'
import { NO_MAXIMUM, type Tariff } from '@liquefy/protocol'
import { FacturX } from 'factur-x-kit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Invoice,
  type InvoiceInput,
  invoiceOf,
  proformaOf,
} from '../../src/documents/invoice.ts'
import { invoiceXml } from '../../src/documents/invoice-xml.ts'
import { partyProblem } from '../../src/documents/party-check.ts'
import { BUYER, FINAL_MS, FLAT, invoiceInput, OVER_MS, PERIOD, SELLER } from './fixture.ts'
import { ruleFaults, schemaFaults } from './outside-validators.ts'

const vatOf = (vat: PartyDetails['vat']): PartyDetails => ({ ...SELLER, vat })
const noRate = { ratePercent: null, reason: null }
const TWO: Tariff = { kind: 'linear', prices: [333n, 77_777n], scale: 3 }
const PLAN: Tariff = {
  kind: 'plan',
  prices: [420n],
  scale: 0,
  fee: 30_000_000n,
  feeSeconds: 3_600,
  minimum: 0n,
  maximum: NO_MAXIMUM,
}
const FIRST = { correction: 0, issuedMs: FINAL_MS }
const firstOf = (change: Partial<InvoiceInput> = {}) => invoiceOf(invoiceInput(change), FIRST)
const CASES: [string, Partial<InvoiceInput>][] = [
  ['of a final period', {}],
  ['with reverse charge', { seller: vatOf({ ...noRate, category: 'AE' }) }],
  ['exempt', { seller: vatOf({ ...noRate, category: 'E', reason: '§ 19 UStG' }) }],
  ['out of scope', { seller: vatOf({ ...noRate, category: 'O', reason: 'Damages' }) }],
  ['at 5.5 %', { seller: vatOf({ category: 'S', ratePercent: '5.5', reason: null }) }],
  [
    'with a tax number instead of a VAT id',
    { seller: { ...SELLER, vatId: null, taxNumber: '22/815' } },
  ],
  [
    'of two registers',
    {
      tariff: TWO,
      period: {
        ...PERIOD,
        registers: ['1999999', '5000001'],
        owedMinor: '389551077',
        includedMinor: '0',
      },
    },
  ],
  ['of a plan with a fee', { tariff: PLAN, period: { ...PERIOD, owedMinor: '548518140' } }],
  [
    'limited to the most of a period',
    {
      tariff: { ...PLAN, maximum: 100_000_000n },
      period: { ...PERIOD, owedMinor: '100000000', includedMinor: '0' },
    },
  ],
  [
    'of time alone',
    {
      tariff: { ...PLAN, prices: [] },
      period: { ...PERIOD, registers: [], owedMinor: '30000000', includedMinor: '0' },
    },
  ],
  ['of an unknown tariff', { tariff: undefined }],
  [
    'corrected for late evidence, and a refund',
    {
      period: {
        ...PERIOD,
        adjustedMinor: '1234567',
        refundedMinor: '5000000',
        includedMinor: '519234567',
      },
    },
  ],
  [
    'given back whole',
    { period: { ...PERIOD, owedMinor: '518000000', refundedMinor: '518000000' } },
  ],
  [
    'with an amount that no net and tax make',
    { period: { ...PERIOD, owedMinor: '30000', includedMinor: '30000' } },
  ],
]

describe('the invoice satisfies validators that others wrote', () => {
  test.each([
    ...CASES.map(([what, change]) => [what, firstOf(change)] as const),
    ['of a period that is not final: proforma', proformaOf(invoiceInput(), OVER_MS)] as const,
    ['that corrects another', invoiceOf(invoiceInput(), { ...FIRST, correction: 2 })] as const,
  ])('%s', async (_, invoice) => {
    const xml = invoiceXml(invoice)
    expect(await schemaFaults(xml)).toEqual([])
    expect(await ruleFaults(xml)).toEqual([])
  })

  const good = invoiceXml(firstOf())
  test.each<[string, string | RegExp, string, RegExp]>([
    [
      'a wrong sum of lines',
      '<ram:LineTotalAmount>435.72',
      '<ram:LineTotalAmount>435.73',
      /BR-CO-10/,
    ],
    [
      'a wrong total with VAT',
      '<ram:GrandTotalAmount>518.51',
      '<ram:GrandTotalAmount>518.52',
      /BR-CO-15/,
    ],
    ['a wrong VAT', '<ram:CalculatedAmount>82.79', '<ram:CalculatedAmount>82.99', /BR-CO-14/],
    [
      'no VAT id of its seller',
      '<ram:ID schemeID="VA">DE123456789</ram:ID>',
      '<ram:ID schemeID="VA"></ram:ID>',
      /BR-S-2|cannot be read/,
    ],
    ['no name of its buyer', /<ram:Name>Nordm.*\n/, '', /cannot be read/],
    ['an unknown type', '<ram:TypeCode>380', '<ram:TypeCode>999', /cannot be read/],
  ])('and they find %s', async (_, from, to, fault) => {
    const tampered = good.replace(from, to)
    expect(tampered).not.toBe(good)
    expect((await ruleFaults(tampered)).join('\n')).toMatch(fault)
  })

  test.each<[string, string | RegExp, string]>([
    ['no country of its seller', '<ram:CountryID>DE</ram:CountryID>', ''],
    ['no currency', /<ram:InvoiceCurrencyCode>.*\n/, ''],
    [
      'elements in another order',
      /(<ram:TaxBasisTotalAmount.*)\n\s*(<ram:TaxTotalAmount.*)/,
      '$2$1',
    ],
  ])('and the schema finds %s', async (_, from, to) => {
    const tampered = good.replace(from, to)
    expect(tampered).not.toBe(good)
    expect(await schemaFaults(tampered)).not.toEqual([])
  })
})

/** What factur-x-kit reads in the XML, amounts in cents. */
const readBack = async (invoice: Invoice) => {
  const { object } = await FacturX.fromXML(invoiceXml(invoice))
  return object as unknown as Record<string, unknown>
}

const periodOf = fc
  .record({
    grams: fc.bigInt({ min: 1n, max: 10n ** 9n }),
    wattHours: fc.bigInt({ min: 0n, max: 10n ** 9n }),
    paidShare: fc.integer({ min: 0, max: 100 }),
    late: fc.bigInt({ min: 0n, max: 10n ** 7n }),
    refundShare: fc.integer({ min: 0, max: 40 }),
  })
  .map(({ grams, wattHours, paidShare, late, refundShare }): PeriodView => {
    const owed = (grams * 333n + wattHours * 77_777n) / 1_000n
    const paid = ((owed + late) * BigInt(paidShare)) / 100n
    return {
      ...PERIOD,
      registers: [String(grams), String(wattHours)],
      owedMinor: String(owed),
      adjustedMinor: String(late),
      includedMinor: String(paid),
      refundedMinor: String((paid * BigInt(refundShare)) / 100n),
    }
  })
const sellers = fc.constantFrom(
  SELLER,
  vatOf({ category: 'S', ratePercent: '5.5', reason: null }),
  vatOf({ ...noRate, category: 'AE' }),
)
const anyInvoice = fc
  .tuple(periodOf, sellers)
  .map(([period, seller]) => firstOf({ period, seller, tariff: TWO }))

describe('arithmetic of EN 16931, exactly, in cents', () => {
  const rates: Record<string, bigint> = { '19': 1_900n, '5.5': 550n }
  const rateOf = ({ seller }: Invoice) => rates[seller.vat.ratePercent ?? ''] ?? 0n
  const sum = (values: bigint[]) => values.reduce((all, value) => all + value, 0n)

  test.each<[string, (invoice: Invoice) => [bigint, bigint]]>([
    [
      'BR-CO-10: BT-106 is the sum of the lines',
      ({ netCents, lines }) => [netCents, sum(lines.map((line) => line.netCents))],
    ],
    [
      'BR-CO-15: BT-112 is BT-109 with BT-110',
      ({ grossCents, netCents, taxCents }) => [grossCents, netCents + taxCents],
    ],
    [
      'BR-CO-16: BT-115 is BT-112 less BT-113 with BT-114',
      (one) => [one.dueCents, one.grossCents - one.paidCents + one.roundingCents],
    ],
    [
      'BR-CO-17, BR-S-09: BT-117 is the rate of BT-116, rounded to the cent',
      (one) => [one.taxCents, (one.netCents * rateOf(one) * 2n + 10_000n) / 20_000n],
    ],
  ])('%s', (_, sides) => {
    fc.assert(
      fc.property(anyInvoice, (invoice) => {
        const [left, right] = sides(invoice)
        expect(left).toBe(right)
      }),
    )
  })

  test('what is asked and said to be paid is what the ledger has, in whole cents rounded down', () => {
    fc.assert(
      fc.property(periodOf, (period) => {
        const { grossCents, roundingCents, paidCents } = firstOf({ period, tariff: TWO })
        const cost =
          BigInt(period.owedMinor) + BigInt(period.adjustedMinor) - BigInt(period.refundedMinor)
        const paid = BigInt(period.includedMinor) - BigInt(period.refundedMinor)
        expect(grossCents + roundingCents).toBe(cost / 10_000n)
        expect(paidCents).toBe(paid / 10_000n)
        expect(roundingCents === 0n || roundingCents === 1n).toBe(true)
      }),
    )
  })

  test('BR-25, BR-27: no line without a name, no price below zero', () => {
    fc.assert(
      fc.property(anyInvoice, (invoice) => {
        expect(invoice.lines.length).toBeGreaterThan(0)
        expect(invoice.lines.every(({ name }) => name !== '')).toBe(true)
        expect(invoiceXml(invoice)).not.toMatch(/ChargeAmount>-/)
      }),
    )
  })

  test('an outside reader reads the same amounts in the XML', async () => {
    const invoice = firstOf()
    const { totals, buyer } = (await readBack(invoice)) as {
      totals: Record<string, number>
      buyer: { name: string }
    }
    expect(buyer.name).toBe(BUYER.name)
    expect(totals).toMatchObject({
      netTotal: 435.72,
      grossTotal: 518.51,
      prepaidAmount: 518,
      openAmount: 0.51,
    })
  })
})

describe('number, type and words', () => {
  test('a proforma invoice claims nothing; the invoice has its own number', () => {
    const early = proformaOf(invoiceInput(), FINAL_MS - 1)
    expect(early).toMatchObject({ number: 'LQ-ABABABABABAB-0-PROFORMA', type: '325' })
    expect(early.paymentTerms).toMatch(/nothing is to be paid/)
    expect(firstOf()).toMatchObject({ number: 'LQ-ABABABABABAB-0', type: '380' })
  })

  test('a correction names the invoice that it replaces; nothing else of it differs', () => {
    const { number: _, type, replaces, issuedMs, ...body } = firstOf()
    const [once, twice] = [1, 2].map((correction) =>
      invoiceOf(invoiceInput(), { correction, issuedMs: FINAL_MS + correction }),
    )
    expect([type, replaces, issuedMs]).toEqual(['380', undefined, FINAL_MS])
    expect(once).toEqual({
      ...body,
      number: 'LQ-ABABABABABAB-0-C1',
      type: '384',
      replaces: 'LQ-ABABABABABAB-0',
      issuedMs: FINAL_MS + 1,
    })
    expect(twice).toMatchObject({
      number: 'LQ-ABABABABABAB-0-C2',
      replaces: 'LQ-ABABABABABAB-0-C1',
    })
  })

  test('quantities are exact, in units of Rec 20; the exact amount stands in a note', () => {
    const { lines, notes } = firstOf({
      tariff: TWO,
      period: {
        ...PERIOD,
        registers: ['1999999', '5000001'],
        owedMinor: '389551077',
        includedMinor: '0',
      },
    })
    expect(lines).toMatchObject([
      { quantity: '1999.999', unitCode: 'KGM', name: 'Silo 1 wheat, weight (kg)' },
      { quantity: '5000.001', unitCode: 'KWH' },
    ])
    expect(notes.join('\n')).toContain('389.551077 tEUR owed')
  })

  test('a line for every register that counted, none for one that did not', () => {
    const period = {
      ...PERIOD,
      registers: ['1234567', '0'],
      owedMinor: '411110',
      includedMinor: '0',
    }
    expect(firstOf({ period, tariff: TWO }).lines).toHaveLength(1)
    expect(firstOf({ tariff: FLAT }).lines).toHaveLength(1)
  })
})

describe('details of a party', () => {
  test.each<[string, Partial<PartyDetails>, RegExp | undefined]>([
    ['complete', {}, undefined],
    ['Greece', { country: 'GR', vatId: 'EL123456789' }, undefined],
    ['BR-CL-14: a country that is none', { country: 'XX' }, /ISO 3166/],
    ['BR-CO-09: a VAT id without its country', { vatId: '123456789' }, /no VAT id/],
    ['BR-S-02: no VAT id and no tax number', { vatId: null }, /Give a VAT id/],
    ['BR-S-05: no rate', { vat: { ...noRate, category: 'S' } }, /percentage/],
    [
      'BR-S-05: a rate of zero',
      { vat: { category: 'S', ratePercent: '0', reason: null } },
      /above 0/,
    ],
    ['BR-E-10: exempt without a reason', { vat: { ...noRate, category: 'E' } }, /why/],
    ['reverse charge', { vat: { ...noRate, category: 'AE' } }, undefined],
  ])('%s', (_, change, words) => {
    const problem = partyProblem({ ...SELLER, ...change })
    if (words) expect(problem).toMatch(words)
    else expect(problem).toBeUndefined()
  })
})
