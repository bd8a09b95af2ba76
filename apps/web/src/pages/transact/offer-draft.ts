import {
  type Hex,
  type Measure,
  type Offer,
  type OfferMeter,
  type OfferPrice,
  type OfferProblems,
  USUAL_TIMES,
} from '@liquefy/client'

/** An offer while it is written: the parties as `I` and the other one. */
export interface OfferDraft {
  role: 'payer' | 'payee'
  /** Address of the other party. */
  other: string
  offer: Omit<Offer, 'payer' | 'payee'>
  /** First escrow, in the asset. */
  fund: string
  message: string
  /** Days that the offer stands. */
  openDays: number
}

const daySeconds = 86_400

export const emptyMeter: OfferMeter = {
  stream: '',
  measure: 'counter',
  unit: '',
  perHour: '',
  noise: '0',
  beyond: 'above',
  threshold: '',
  silenceSeconds: 900,
}

export const emptyDraft: OfferDraft = {
  role: 'payee',
  other: '',
  offer: {
    machineId: '',
    meter: emptyMeter,
    price: { kind: 'linear', price: '' },
    cap: '1000',
    periodSeconds: 30 * daySeconds,
    periods: 12,
    ...USUAL_TIMES,
  },
  fund: '100',
  message: '',
  openDays: 7,
}

/** The offer with both parties named. */
export const offerOf = ({ role, other, offer }: OfferDraft, me: Hex): Offer => ({
  ...offer,
  payer: role === 'payer' ? me : other.trim(),
  payee: role === 'payee' ? me : other.trim(),
})

export const measureWords: Record<Measure, string> = {
  counter: 'What a rising meter adds',
  drawdown: 'How far a level falls; refills are free',
  integral: 'A rate, added up over time',
  count: 'Each reading, as one piece',
  'duration-beyond': 'The time above or below a limit',
  distance: 'The way between positions',
}

/** A price of another kind that keeps what was written already. */
export const priceAs = (kind: OfferPrice['kind'], before: OfferPrice): OfferPrice => {
  const price = before.kind === 'tiered' ? (before.tiers[0]?.price ?? '') : before.price
  switch (kind) {
    case 'linear':
      return { kind, price }
    case 'tiered':
      return { kind, tiers: [{ upTo: '1000', price }], above: price }
    case 'plan':
      return { kind, price, fee: '', feeSeconds: 30 * daySeconds, minimum: '', maximum: '' }
  }
}

const fieldWords: Readonly<Record<string, string>> = {
  machineId: 'Machine',
  other: 'The other party',
  stream: 'What is metered',
  unit: 'Unit of its readings',
  meter: 'What counts',
  calibration: 'What one unit is worth',
  threshold: 'Limit',
  perHour: 'Most that is believed',
  noise: 'Noise',
  price: 'Price',
  above: 'Price above the tiers',
  fee: 'Fee',
  minimum: 'At least',
  maximum: 'At most',
  cap: 'What a period costs at most',
  fund: 'First escrow',
  periods: 'Number of periods',
  periodSeconds: 'Length of a period',
  openDays: 'Days that the offer stands',
}

/** What stands in the way of an offer, each with the name of its field. */
export const problemList = (problems: OfferProblems): string[] =>
  Object.entries(problems).map(([field, words]) => `${fieldWords[field] ?? 'Tier'}: ${words}`)
