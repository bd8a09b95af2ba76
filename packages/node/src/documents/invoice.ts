import type { Agreement, Deployment, PartyDetails, PeriodView } from '@liquefy/client'
import {
  finalFromMs,
  formatDecimal,
  owed,
  parseDecimal,
  type Tariff,
  type TariffUnit,
  type Terms,
} from '@liquefy/protocol'
import { apportion, netOf, taxOn, wholeCents } from './cents.ts'
import { accountId, quantityOf, registerName } from './statement.ts'
import { PIECE, unitCode } from './unit-codes.ts'

/** One thing invoiced. `netCents` is what `quantity` of it cost without VAT: the price of an invoice is per that quantity. */
export interface InvoiceLine {
  name: string
  description: string
  /** A decimal; below zero for what is taken off. */
  quantity: string
  unitCode: string
  netCents: bigint
}

/** A seller or buyer, with the account on the ledger (CAIP-10). */
export interface InvoiceParty extends PartyDetails {
  account: string
}

/** An invoice in the terms of EN 16931-1 (BT and BG numbers are its own). Amounts in whole cents. */
export interface Invoice {
  /** BT-1. */
  number: string
  /** BT-3, UNTDID 1001: 325 proforma, 380 invoice, 384 corrected invoice. */
  type: '325' | '380' | '384'
  /** BT-2. */
  issuedMs: number
  /** BT-5, ISO 4217. */
  currency: string
  /** BT-12. */
  agreementId: string
  /** BT-25: the invoice that a corrected one replaces. */
  replaces: string | undefined
  /** BT-22. */
  notes: string[]
  seller: InvoiceParty
  buyer: InvoiceParty
  /** BG-14: half-open. */
  startMs: number
  endMs: number
  /** BT-82. */
  paidBy: string
  /** BT-20. */
  paymentTerms: string
  lines: InvoiceLine[]
  /** BT-106 and BT-109: there is nothing between them. */
  netCents: bigint
  /** BT-110. */
  taxCents: bigint
  /** BT-112. */
  grossCents: bigint
  /** BT-114: what makes net and rounded tax the amount of the ledger. */
  roundingCents: bigint
  /** BT-113. */
  paidCents: bigint
  /** BT-115. */
  dueCents: bigint
}

/** Which invoice of a final period: the first, 0, or its n-th correction, and when it was issued. */
export interface Issue {
  correction: number
  issuedMs: number
}

export interface InvoiceInput {
  agreement: Agreement
  terms: Terms
  /** Undefined where the node does not know the contract. */
  tariff: Tariff | undefined
  /** In the order of the registers. */
  units: readonly TariffUnit[]
  deployment: Deployment
  period: PeriodView
  seller: PartyDetails
  buyer: PartyDetails
  currency: string
}

/** What a period costs, and what of it is paid, smallest units. Late evidence and what was given back are in both. */
export function billOf(period: PeriodView): { costMinor: bigint; paidMinor: bigint } {
  const refunded = BigInt(period.refundedMinor)
  return {
    costMinor: BigInt(period.costMinor) - refunded,
    paidMinor: BigInt(period.includedMinor) - refunded,
  }
}

/**
 * The invoice of one period (docs/documents.md). The ledger's amounts include VAT: nothing is asked for beside them.
 *
 * @param issue what makes it one that stays: all but its number, type and date is the same for every issue of equal input.
 */
export function invoiceOf(input: InvoiceInput, issue: Issue): Invoice {
  const number = numberOf(input)
  const { correction, issuedMs } = issue
  return {
    ...bodyOf(input),
    ...(correction === 0
      ? { number, type: '380', replaces: undefined }
      : {
          number: `${number}-C${correction}`,
          type: '384',
          replaces: correction === 1 ? number : `${number}-C${correction - 1}`,
        }),
    issuedMs,
    paymentTerms:
      'Paid from escrow on the ledger; what is due is paid there with the next settlement. Nothing is to be transferred.',
  }
}

/** The proforma invoice of a period that may still change: it claims nothing. */
export function proformaOf(input: InvoiceInput, nowMs: number): Invoice {
  const body = bodyOf(input)
  const finalAt = new Date(finalFromMs(input.terms, input.period.period)).toISOString()
  return {
    ...body,
    number: `${numberOf(input)}-PROFORMA`,
    type: '325',
    replaces: undefined,
    issuedMs: nowMs,
    notes: [
      `Preliminary: readings of this period may arrive until ${finalAt}. The invoice follows then, under its own number.`,
      ...body.notes,
    ],
    paymentTerms: 'Preliminary: nothing is to be paid by this document.',
  }
}

type Body = Omit<Invoice, 'number' | 'type' | 'replaces' | 'issuedMs' | 'paymentTerms'>

function bodyOf(input: InvoiceInput): Body {
  const { agreement, deployment, period, seller, buyer, currency } = input
  const { decimals } = deployment.asset
  const { costMinor, paidMinor } = billOf(period)
  const billedCents = wholeCents(costMinor, decimals)
  const paidCents = wholeCents(paidMinor, decimals)
  const basisPoints = basisPointsOf(seller)
  const netCents = netOf(billedCents, basisPoints)
  const taxCents = taxOn(netCents, basisPoints)
  const grossCents = netCents + taxCents
  return {
    currency,
    agreementId: agreement.agreementId,
    notes: notesOf(input, { costMinor, paidMinor }),
    seller: { ...seller, account: accountId(deployment, agreement.payee) },
    buyer: { ...buyer, account: accountId(deployment, agreement.payer) },
    startMs: period.startMs,
    endMs: period.endMs,
    paidBy: `Escrow of the agreement at ${accountId(deployment, deployment.clearingHouse)}`,
    lines: linesOf(input, netCents),
    netCents,
    taxCents,
    grossCents,
    roundingCents: billedCents - grossCents,
    paidCents,
    dueCents: billedCents - paidCents,
  }
}

/** Hundredths of a percent; 0 where no VAT is charged. */
export function basisPointsOf({ vat }: PartyDetails): bigint {
  return vat.category === 'S' && vat.ratePercent !== null ? parseDecimal(vat.ratePercent, 2) : 0n
}

function numberOf({ agreement, period }: InvoiceInput): string {
  return `LQ-${agreement.agreementId.slice(2, 14).toUpperCase()}-${period.period}`
}

function notesOf(
  { agreement, deployment, period, seller, currency }: InvoiceInput,
  { costMinor, paidMinor }: { costMinor: bigint; paidMinor: bigint },
): string[] {
  const { symbol, decimals } = deployment.asset
  const exact = (minor: bigint) => `${formatDecimal(minor, decimals)} ${symbol}`
  return [
    `On the ledger exactly: ${exact(costMinor)} owed, ${exact(paidMinor)} paid. Here in whole cents, rounded down; 1 ${symbol} counts as 1 ${currency}.`,
    `From ${new Date(period.startMs).toISOString()} to ${new Date(period.endMs).toISOString()}. Price: ${agreement.tariffInWords}${seller.vat.category === 'S' ? ' VAT is included in it.' : ''}`,
    `Agreement ${agreement.agreementId} on eip155:${deployment.chainId}, clearing house ${deployment.clearingHouse}. Anybody can check it: npx liquefy audit ${agreement.agreementId}`,
    ...(deployment.embedded ? [`${symbol} is test money: this invoice is for practice.`] : []),
  ]
}

function linesOf(input: InvoiceInput, netCents: bigint): InvoiceLine[] {
  const { agreement, terms, tariff, units, period } = input
  const registers = period.registers.map(BigInt)
  const { costMinor } = billOf(period)
  const [adjusted, refunded] = [BigInt(period.adjustedMinor), BigInt(period.refundedMinor)]
  const usage = usageOf(tariff, registers)
  const sum = usage.reduce((all, part) => all + part, 0n)
  const rest = costMinor - adjusted + refunded - sum
  // Each register's part is rounded down: what that leaves belongs to the last of them.
  const isDust = rest >= 0n && rest < BigInt(usage.length)
  const byRegister = registers
    .map((register, index) => ({ register, index, part: usage[index] ?? 0n }))
    .map((one) => ({
      ...one,
      part: isDust && one.index === usage.length - 1 ? one.part + rest : one.part,
    }))
    .filter(({ register, part }) => register > 0n || part > 0n)
    .map(({ register, index, part }) => {
      const unit = units[index] ?? { unit: 'units', per: 1n, label: '' }
      return {
        part,
        name: `${agreement.machineName}, ${registerName(agreement, index)} (${unit.unit})`,
        description: agreement.rulesInWords[index] ?? agreement.tariffInWords,
        quantity: quantityOf(String(register), unit),
        unitCode: unitCode(unit),
      }
    })
  const once = (part: bigint, name: string, description: string) =>
    part === 0n
      ? []
      : [{ part, name, description, quantity: part < 0n ? '-1' : '1', unitCode: PIECE }]
  const parts = [
    ...byRegister,
    ...once(
      isDust ? 0n : rest,
      rest < 0n ? 'Limited to the most of a period' : 'For the period',
      agreement.tariffInWords,
    ),
    ...once(
      adjusted,
      'Late evidence',
      `Arrived more than ${terms.lateSeconds} s after the period.`,
    ),
    ...once(-refunded, 'Given back', 'Refunded by the payee on the ledger.'),
  ]
  const shares = apportion(
    netCents,
    parts.map(({ part }) => part),
  )
  return parts.map(({ part: _, ...line }, index) => ({ ...line, netCents: shares[index] ?? 0n }))
}

/** What each register costs by itself, rounded down; none where only the whole has a price. */
function usageOf(tariff: Tariff | undefined, registers: readonly bigint[]): bigint[] {
  if (tariff === undefined) return registers.map(() => 0n)
  if (tariff.kind === 'tiered') return [owed(tariff, registers, 0n)]
  const power = 10n ** BigInt(tariff.scale)
  return registers.map((register, index) => (register * (tariff.prices[index] ?? 0n)) / power)
}
