/** How a seller's VAT is: category of UNCL 5305. A rate only with `S`, a reason only with `E` and `O`. */
export interface VatTreatment {
  /** `S` a rate, `AE` reverse charge (the buyer owes it), `E` exempt, `O` out of the scope of VAT. */
  category: 'S' | 'AE' | 'E' | 'O'
  /** Percent with at most two decimals: "19", "5.5". */
  ratePercent: string | null
  /** Why none is charged, as it stands on the invoice. */
  reason: string | null
}

/** Who somebody is before the law, as it stands on invoices. Private: to himself, and on invoices to who has an agreement with him. */
export interface PartyDetails {
  name: string
  street: string
  postcode: string
  city: string
  /** ISO 3166-1 alpha-2. */
  country: string
  /** With its country in front: "DE123456789". */
  vatId: string | null
  /** Given by the local tax office, where there is no VAT id. */
  taxNumber: string | null
  /** Of the register of companies: "HRB 12345". */
  registration: string | null
  vat: VatTreatment
}
