import type { Agreement, Deployment, Hex, PartyDetails, PeriodView } from '@liquefy/client'
import { type Tariff, tariffUnits } from '@liquefy/protocol'
import type { InvoiceInput } from '../../src/documents/invoice.ts'
import {
  type SettlementLine,
  type StatementInput,
  settlementLine,
} from '../../src/documents/statement.ts'
import { costOf } from '../../src/transact/cost.ts'
import { RULE } from '../business.ts'

const START = 1_700_000_000
export const PERIOD_SECONDS = 3_600
const LATE_SECONDS = 86_400
/** When the first period has ended, and when nothing late counts for it any more. */
export const OVER_MS = (START + PERIOD_SECONDS) * 1_000
export const FINAL_MS = OVER_MS + LATE_SECONDS * 1_000 + 1

export const SELLER: PartyDetails = {
  name: 'Silowerk AG',
  street: 'Am Hafen 1',
  postcode: '20457',
  city: 'Hamburg',
  country: 'DE',
  vatId: 'DE123456789',
  taxNumber: null,
  registration: 'HRB 12345',
  vat: { category: 'S', ratePercent: '19', reason: null },
}
export const BUYER: PartyDetails = {
  ...SELLER,
  name: 'Nordmühle GmbH & Co. KG <"Mühle">',
  street: "Rue de l'Église 2",
  country: 'FR',
  vatId: 'FR12345678901',
  registration: null,
}

const address = (byte: string): Hex => `0x${byte.repeat(20)}`
const deployment = {
  chainId: 1819,
  embedded: true,
  clearingHouse: address('cc'),
  registry: address('dd'),
  evidenceAnchor: address('ee'),
  asset: { address: address('ff'), symbol: 'tEUR', decimals: 6 },
  people: [{ name: 'Nordmühle GmbH', address: address('aa') }],
} as unknown as Deployment

export const PERIOD: PeriodView = {
  period: 0,
  startMs: START * 1_000,
  endMs: OVER_MS,
  asOf: String(START + PERIOD_SECONDS),
  registers: ['1234567'],
  owedMinor: '518518140',
  costMinor: '518518140',
  signedMinor: '0',
  sentMinor: '0',
  includedMinor: '518000000',
  finalMinor: '517000000',
  arrearsMinor: '0',
  adjustedMinor: '0',
  refundedMinor: '0',
  heads: [{ stream: 'weight', seq: '812' }],
  band: null,
}
export const FLAT: Tariff = { kind: 'linear', prices: [420n], scale: 0 }

function agreementOf(registers: number, periods: PeriodView[]): Agreement {
  const streams = ['weight', 'energy', 'time'].slice(0, registers)
  return {
    agreementId: `0x${'ab'.repeat(32)}`,
    machineId: '7',
    machineName: 'Silo 1 wheat',
    payer: address('aa'),
    payee: address('bb'),
    open: true,
    position: { owner: address('bb'), accruedMinor: '0' },
    terms: { meters: streams.map((stream) => ({ stream })) },
    tariffInWords: '0.42 tEUR per kg.',
    rulesInWords: streams.map((stream) => `What ${stream} counts.`),
    metersSignedBy: 'machine 7',
    periods,
  } as unknown as Agreement
}

const unitsOf = (registers: number) =>
  tariffUnits(
    {
      meters: ['weight', 'energy', 'time'].slice(0, registers).map((stream) => ({ stream })),
      limits: Array(registers).fill({ burst: 0n, perHour: 0n }),
    } as never,
    [RULE, { ...RULE, registerUnit: 'Wh' }, { ...RULE, registerUnit: 's' }],
  )

/** The period with the cost that the node reckons from what is owed and paid. */
function withCost(period: PeriodView): PeriodView {
  const paidMinor = BigInt(period.includedMinor)
  const costMinor = costOf(BigInt(period.owedMinor), {
    paidMinor,
    provenMinor: paidMinor + BigInt(period.arrearsMinor),
    adjustedMinor: BigInt(period.adjustedMinor),
  })
  return { ...period, costMinor: String(costMinor) }
}

/** An invoice of one period, changed where told; its cost follows. */
export function invoiceInput(change: Partial<InvoiceInput> = {}): InvoiceInput {
  const period = withCost(change.period ?? PERIOD)
  const registers = period.registers.length
  return {
    agreement: agreementOf(registers, [period]),
    terms: {
      start: BigInt(START),
      periodSeconds: PERIOD_SECONDS,
      lateSeconds: LATE_SECONDS,
    } as InvoiceInput['terms'],
    tariff: FLAT,
    units: unitsOf(registers),
    deployment,
    seller: SELLER,
    buyer: BUYER,
    currency: 'EUR',
    ...change,
    period,
  }
}

/** A statement of some periods, changed where told. */
export function statementInput(
  periods: PeriodView[] = [PERIOD],
  change: Partial<StatementInput> = {},
): StatementInput {
  return {
    agreement: agreementOf(1, periods),
    units: unitsOf(1),
    deployment,
    head: { size: '900', root: `0x${'11'.repeat(32)}`, anchored: null },
    wantedPeriod: undefined,
    nowMs: FINAL_MS,
    ...change,
  }
}

/** One settlement a period, the first of them final. */
export function settlementLines(count: number): SettlementLine[] {
  return Array.from({ length: count }, (_, period) =>
    settlementLine(
      {
        kind: 'settled',
        agreementId: `0x${'ab'.repeat(32)}`,
        period,
        asOf: 0n,
        registers: [],
        paidMinor: 518_000_000n,
        txHash: `0x${'cd'.repeat(32)}`,
        block: 100 + period,
        logIndex: 0,
        detail: {},
        atMs: OVER_MS,
      },
      { deployment, finalBlock: 100 },
    ),
  )
}
