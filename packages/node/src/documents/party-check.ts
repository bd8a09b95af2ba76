import type { PartyDetails } from '@liquefy/client'
import { COUNTRY_CODES, DecimalError, parseDecimal } from '@liquefy/protocol'

const VAT_ID = /^([A-Z]{2})[0-9A-Z+*]{2,13}$/
/** Greece writes EL, Northern Ireland XI: they are no countries of ISO 3166 (BR-CO-09 takes them). */
const OTHER_VAT_COUNTRIES = ['EL', 'XI']
const MOST_RATE = 5_000n

/** What keeps somebody's details from any invoice, in words; undefined: nothing. The rules named are those of EN 16931-1. */
export function partyProblem(details: PartyDetails): string | undefined {
  const { country, vatId, taxNumber, vat } = details
  // BR-CL-14
  if (!COUNTRY_CODES.includes(country)) {
    return `"${country}" is no country code of ISO 3166, like DE.`
  }
  // BR-CO-09
  const prefix = vatId === null ? undefined : VAT_ID.exec(vatId)?.[1]
  const isKnown =
    prefix !== undefined && [...COUNTRY_CODES, ...OTHER_VAT_COUNTRIES].includes(prefix)
  if (vatId !== null && !isKnown) {
    return `"${vatId}" is no VAT id: it begins with two letters of a country, without spaces, like DE123456789.`
  }
  // BR-S-02, BR-AE-02, BR-E-02
  if (vat.category !== 'O' && vatId === null && taxNumber === null) {
    return 'Give a VAT id, or the tax number where you have none: an invoice with VAT, with reverse charge, or exempt from VAT needs one.'
  }
  if (vat.category === 'S') return rateProblem(vat.ratePercent)
  // BR-E-10, BR-O-10
  if (vat.category !== 'AE' && vat.reason === null) {
    return 'Say why no VAT is charged: the reason stands on the invoice.'
  }
  return undefined
}

function rateProblem(ratePercent: string | null): string | undefined {
  try {
    const rate = parseDecimal(ratePercent ?? '', 2)
    // BR-S-05
    if (rate > 0n && rate <= MOST_RATE) return undefined
  } catch (error) {
    if (!(error instanceof DecimalError)) throw error
  }
  return 'The VAT rate is a percentage above 0 and at most 50 with at most two decimals, like 19 or 5.5.'
}

/** What a seller's kind of VAT wants of the buyer and does not find, in words; undefined: nothing (BR-AE-02). */
export function buyerProblem(seller: PartyDetails, buyer: PartyDetails): string | undefined {
  if (seller.vat.category !== 'AE' || buyer.vatId !== null || buyer.registration !== null) {
    return undefined
  }
  return 'With reverse charge the buyer owes the VAT, and an invoice needs the VAT id or the register number'
}
