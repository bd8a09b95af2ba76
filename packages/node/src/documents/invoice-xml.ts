import { formatDecimal } from '@liquefy/protocol'
import type { Invoice, InvoiceLine, InvoiceParty } from './invoice.ts'
import { basisPointsOf } from './invoice.ts'
import { element, writeXml, type XmlElement } from './xml.ts'

/** EN 16931 and nothing beyond it: no national rules. */
const GUIDELINE = 'urn:cen.eu:en16931:2017'
/** UNTDID 4461: as both have agreed. */
const MUTUALLY_DEFINED = 'ZZZ'
const NAMESPACE = 'urn:un:unece:uncefact:data:standard'

/**
 * An invoice as XML: UN/CEFACT Cross Industry Invoice D16B, the syntax of EN 16931 that Factur-X and ZUGFeRD carry. The order of elements
 * is the schema's.
 */
export function invoiceXml(invoice: Invoice): string {
  return writeXml(
    element(
      'rsm:CrossIndustryInvoice',
      [
        element('rsm:ExchangedDocumentContext', [
          element('ram:GuidelineSpecifiedDocumentContextParameter', [text('ram:ID', GUIDELINE)]),
        ]),
        element('rsm:ExchangedDocument', [
          text('ram:ID', invoice.number),
          text('ram:TypeCode', invoice.type),
          day('ram:IssueDateTime', invoice.issuedMs),
          ...invoice.notes.map((note) => element('ram:IncludedNote', [text('ram:Content', note)])),
        ]),
        element('rsm:SupplyChainTradeTransaction', [
          ...invoice.lines.map((line, index) => lineElement(invoice, line, index + 1)),
          agreementElement(invoice),
          element('ram:ApplicableHeaderTradeDelivery', []),
          settlementElement(invoice),
        ]),
      ],
      {
        'xmlns:rsm': `${NAMESPACE}:CrossIndustryInvoice:100`,
        'xmlns:ram': `${NAMESPACE}:ReusableAggregateBusinessInformationEntity:100`,
        'xmlns:udt': `${NAMESPACE}:UnqualifiedDataType:100`,
      },
    ),
  )
}

function lineElement(invoice: Invoice, line: InvoiceLine, id: number): XmlElement {
  const { name, description, quantity, unitCode, netCents } = line
  const unit = { unitCode }
  return element('ram:IncludedSupplyChainTradeLineItem', [
    element('ram:AssociatedDocumentLineDocument', [text('ram:LineID', String(id))]),
    element('ram:SpecifiedTradeProduct', [
      text('ram:Name', name),
      text('ram:Description', description),
    ]),
    element('ram:SpecifiedLineTradeAgreement', [
      // The price is of the whole quantity: so it is exact for every tariff, and never below zero.
      element('ram:NetPriceProductTradePrice', [
        text('ram:ChargeAmount', money(netCents < 0n ? -netCents : netCents)),
        text('ram:BasisQuantity', quantity.replace('-', ''), unit),
      ]),
    ]),
    element('ram:SpecifiedLineTradeDelivery', [text('ram:BilledQuantity', quantity, unit)]),
    element('ram:SpecifiedLineTradeSettlement', [
      element('ram:ApplicableTradeTax', [
        text('ram:TypeCode', 'VAT'),
        text('ram:CategoryCode', invoice.seller.vat.category),
        rate(invoice),
      ]),
      element('ram:SpecifiedTradeSettlementLineMonetarySummation', [
        text('ram:LineTotalAmount', money(netCents)),
      ]),
    ]),
  ])
}

function agreementElement({ seller, buyer, agreementId }: Invoice): XmlElement {
  // Out of the scope of VAT nobody's VAT number may stand (BR-O-02).
  const withVat = seller.vat.category !== 'O'
  return element('ram:ApplicableHeaderTradeAgreement', [
    partyElement('ram:SellerTradeParty', seller, withVat),
    partyElement('ram:BuyerTradeParty', { ...buyer, taxNumber: null }, withVat),
    element('ram:ContractReferencedDocument', [text('ram:IssuerAssignedID', agreementId)]),
  ])
}

function partyElement(name: string, party: InvoiceParty, withVat: boolean): XmlElement {
  const tax = (id: string | null, schemeID: string) =>
    id !== null && withVat
      ? element('ram:SpecifiedTaxRegistration', [text('ram:ID', id, { schemeID })])
      : undefined
  return element(name, [
    text('ram:ID', party.account),
    text('ram:Name', party.name),
    party.registration === null
      ? undefined
      : element('ram:SpecifiedLegalOrganization', [text('ram:ID', party.registration)]),
    element('ram:PostalTradeAddress', [
      text('ram:PostcodeCode', party.postcode),
      text('ram:LineOne', party.street),
      text('ram:CityName', party.city),
      text('ram:CountryID', party.country),
    ]),
    tax(party.vatId, 'VA'),
    tax(party.taxNumber, 'FC'),
  ])
}

function settlementElement(invoice: Invoice): XmlElement {
  const { currency, replaces } = invoice
  const currencyID = { currencyID: currency }
  return element('ram:ApplicableHeaderTradeSettlement', [
    text('ram:InvoiceCurrencyCode', currency),
    element('ram:SpecifiedTradeSettlementPaymentMeans', [
      text('ram:TypeCode', MUTUALLY_DEFINED),
      text('ram:Information', invoice.paidBy),
    ]),
    taxElement(invoice),
    element('ram:BillingSpecifiedPeriod', [
      day('ram:StartDateTime', invoice.startMs),
      // The period ends before its end.
      day('ram:EndDateTime', invoice.endMs - 1),
    ]),
    element('ram:SpecifiedTradePaymentTerms', [text('ram:Description', invoice.paymentTerms)]),
    element('ram:SpecifiedTradeSettlementHeaderMonetarySummation', [
      text('ram:LineTotalAmount', money(invoice.netCents)),
      text('ram:TaxBasisTotalAmount', money(invoice.netCents)),
      text('ram:TaxTotalAmount', money(invoice.taxCents), currencyID),
      invoice.roundingCents === 0n
        ? undefined
        : text('ram:RoundingAmount', money(invoice.roundingCents)),
      text('ram:GrandTotalAmount', money(invoice.grossCents)),
      text('ram:TotalPrepaidAmount', money(invoice.paidCents)),
      text('ram:DuePayableAmount', money(invoice.dueCents)),
    ]),
    replaces === undefined
      ? undefined
      : element('ram:InvoiceReferencedDocument', [text('ram:IssuerAssignedID', replaces)]),
  ])
}

function taxElement(invoice: Invoice): XmlElement {
  const { vat } = invoice.seller
  const code = { S: undefined, AE: 'VATEX-EU-AE', E: undefined, O: 'VATEX-EU-O' }[vat.category]
  const reason = vat.category === 'AE' ? 'Reverse charge' : vat.reason
  return element('ram:ApplicableTradeTax', [
    text('ram:CalculatedAmount', money(invoice.taxCents)),
    text('ram:TypeCode', 'VAT'),
    vat.category === 'S' || reason === null ? undefined : text('ram:ExemptionReason', reason),
    text('ram:BasisAmount', money(invoice.netCents)),
    text('ram:CategoryCode', vat.category),
    code === undefined ? undefined : text('ram:ExemptionReasonCode', code),
    rate(invoice),
  ])
}

/** Out of the scope of VAT there is no rate (BR-O-05); without VAT it is zero. */
function rate({ seller }: Invoice): XmlElement | undefined {
  if (seller.vat.category === 'O') return undefined
  return text('ram:RateApplicablePercent', formatDecimal(basisPointsOf(seller), 2, { trim: true }))
}

function text(name: string, value: string, attributes: Record<string, string> = {}): XmlElement {
  return element(name, value, attributes)
}

/** A date in UTC, as `format` 102 of UN/CEFACT writes it: CCYYMMDD. */
function day(name: string, timeMs: number): XmlElement {
  const digits = new Date(timeMs).toISOString().slice(0, 10).replaceAll('-', '')
  return element(name, [element('udt:DateTimeString', digits, { format: '102' })])
}

function money(cents: bigint): string {
  return formatDecimal(cents, 2)
}
