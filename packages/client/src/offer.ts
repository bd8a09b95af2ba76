import {
  type Hex,
  isValidTariff,
  LiquefyError,
  NO_MAXIMUM,
  NOBODY_SIGNER,
  SIGNER_KIND,
  type Tariff,
  type TariffAsset,
  type TariffContracts,
  type TariffUnit,
  type Terms,
  tariffUnit,
} from '@liquefy/protocol'
import { isAddress } from 'viem'
import { type AgreementDraft, type TermsContext, termsOf } from './agreement-terms.ts'
import {
  amountIn,
  countedIn,
  decimalIn,
  meterDraftOf,
  OfferFieldError,
  type OfferMeter,
} from './offer-meter.ts'

/** Prices in the asset, each per unit of `pricedUnit`; plain decimals. An empty text of a plan is nothing, and no maximum. */
export type OfferPrice =
  | { kind: 'linear'; price: string }
  | { kind: 'tiered'; tiers: readonly { upTo: string; price: string }[]; above: string }
  | {
      kind: 'plan'
      price: string
      fee: string
      feeSeconds: number
      minimum: string
      maximum: string
    }

/** What one party offers the other, as people write it down: one meter or none, decimal texts. `termsOfOffer` makes terms of it. */
export interface Offer {
  machineId: string
  payer: string
  payee: string
  /** Null: time alone counts, by a plan. */
  meter: OfferMeter | null
  price: OfferPrice
  /** Most that a period costs, in the asset. */
  cap: string
  periodSeconds: number
  periods: number
  backfillSeconds: number
  lateSeconds: number
  gapTimeoutSeconds: number
  settleSeconds: number
}

const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400

/** What most offers say of late evidence, silences and settlement. */
export const USUAL_TIMES: Readonly<
  Pick<Offer, 'backfillSeconds' | 'lateSeconds' | 'gapTimeoutSeconds' | 'settleSeconds'>
> = {
  backfillSeconds: DAY_SECONDS,
  lateSeconds: DAY_SECONDS,
  gapTimeoutSeconds: HOUR_SECONDS,
  settleSeconds: 30 * DAY_SECONDS,
}

/** What stands under each part of an offer that cannot be proposed so: why, and what to do. */
export type OfferProblems = Readonly<Record<string, string>>

/** Everything about an offer that cannot be seen in it. */
export interface OfferContext {
  deployment: { asset: TariffAsset & { address: Hex } } & TariffContracts
  startSeconds: bigint
  openBySeconds: bigint
  /** Digest of the stream's newest envelope; zeros for none. */
  startHead: Hex
  salt: Hex
}

/** What an offer would be on the ledger, or what stands in the way, by field. */
export type ReadOffer =
  | { ok: true; draft: AgreementDraft; terms: Terms }
  | { ok: false; problems: OfferProblems }

/** People copy addresses with and without their checksum. */
const ANY_CASE = { strict: false } as const
const MACHINE_ID = /^[1-9][0-9]{0,76}$/

/** How a price speaks of what the offer counts: "per kg", which is 1,000 of the register's g. None: time alone counts. */
export function pricedUnit(meter: OfferMeter | null): TariffUnit | undefined {
  return meter ? tariffUnit(registerUnitOf(meter)) : undefined
}

function registerUnitOf(meter: OfferMeter): string {
  try {
    return countedIn(meter).registerUnit
  } catch {
    // What is wrong with the calibration is told of its own field.
    return meter.calibration?.unit ?? meter.unit
  }
}

/** Reads an offer strictly: every text exact, every problem told at once. */
export function readOffer(offer: Offer, context: OfferContext): ReadOffer {
  const { asset } = context.deployment
  const problems: Record<string, string> = {}
  const reading = <T>(read: () => T): T | undefined => {
    try {
      return read()
    } catch (error) {
      if (!(error instanceof OfferFieldError)) throw error
      problems[error.field] ??= error.message
      return undefined
    }
  }
  requireParties(offer, problems)
  const unit = pricedUnit(offer.meter)
  const meter = offer.meter
  const drafted = reading(() => (meter && unit ? meterDraftOf(meter, unit.per) : null))
  const tariff = tariffOf(offer, unit, asset, reading)
  const capMinor = reading(() => amountIn('cap', offer.cap, asset.decimals))
  for (const field of ['periodSeconds', 'periods'] as const) {
    if (Number.isSafeInteger(offer[field]) && offer[field] > 0) continue
    problems[field] = 'It must be a whole number from 1.'
  }
  if (drafted === undefined || !tariff || capMinor === undefined) return { ok: false, problems }
  if (!isValidTariff(tariff, drafted ? 1 : 0)) problems.price = tariffProblem(offer.price)
  if (Object.keys(problems).length > 0) return { ok: false, problems }
  const draft: AgreementDraft = {
    meters: drafted ? [{ ...drafted, startHead: context.startHead }] : [],
    tariff,
    capMinor,
    periodSeconds: offer.periodSeconds,
    periods: offer.periods,
    backfillSeconds: offer.backfillSeconds,
    lateSeconds: offer.lateSeconds,
    gapTimeoutSeconds: offer.gapTimeoutSeconds,
    settleSeconds: offer.settleSeconds,
  }
  const on: TermsContext = {
    ...context,
    machineId: BigInt(offer.machineId),
    payer: offer.payer.toLowerCase() as Hex,
    payee: offer.payee.toLowerCase() as Hex,
    ...(drafted ? {} : { signer: { kind: SIGNER_KIND.nobody, id: NOBODY_SIGNER } }),
  }
  try {
    return { ok: true, draft, terms: termsOf(draft, on) }
  } catch (error) {
    if (!(error instanceof LiquefyError)) throw error
    return { ok: false, problems: { meter: error.message } }
  }
}

function requireParties({ machineId, payer, payee }: Offer, problems: Record<string, string>) {
  if (!MACHINE_ID.test(machineId)) problems.machineId = 'Choose the machine that it is about.'
  if (!isAddress(payer, ANY_CASE) || !isAddress(payee, ANY_CASE)) {
    problems.other = 'Choose the other party, or write its address: 0x and 40 hex digits.'
  } else if (payer.toLowerCase() === payee.toLowerCase()) {
    problems.other = 'This is yourself: choose somebody else.'
  }
}

type Reading = <T>(read: () => T) => T | undefined

function tariffOf(
  { price, meter }: Offer,
  unit: TariffUnit | undefined,
  asset: TariffAsset,
  reading: Reading,
): Tariff | undefined {
  const per = unit?.per ?? 1n
  // A price for 1,000 register units, kept exact: the tariff divides by 10^scale.
  const scale = String(per).length - 1
  const money = (field: string, text: string) =>
    reading(() => decimalIn(field, text, asset.decimals, 'least'))
  const orNothing = (field: string, text: string) => (text.trim() === '' ? 0n : money(field, text))
  switch (price.kind) {
    case 'linear': {
      const one = reading(() => amountIn('price', price.price, asset.decimals))
      return one === undefined ? undefined : { kind: 'linear', prices: [one], scale }
    }
    case 'tiered': {
      const upTo = price.tiers.map((tier, index) =>
        reading(() => amountIn(`upTo${index}`, tier.upTo, 0) * per),
      )
      const prices = [
        ...price.tiers.map((tier, index) => money(`tier${index}`, tier.price)),
        money('above', price.above),
      ]
      if (!isComplete(upTo) || !isComplete(prices)) return undefined
      return { kind: 'tiered', upTo, prices, scale }
    }
    case 'plan': {
      const prices = meter ? [orNothing('price', price.price)] : []
      const fee = orNothing('fee', price.fee)
      const minimum = orNothing('minimum', price.minimum)
      const maximum = price.maximum.trim() === '' ? NO_MAXIMUM : money('maximum', price.maximum)
      if (!isComplete(prices)) return undefined
      if (fee === undefined || minimum === undefined || maximum === undefined) return undefined
      const { feeSeconds } = price
      return { kind: 'plan', prices, scale: meter ? scale : 0, fee, feeSeconds, minimum, maximum }
    }
  }
}

function isComplete(values: readonly (bigint | undefined)[]): values is bigint[] {
  return !values.includes(undefined)
}

function tariffProblem({ kind }: OfferPrice): string {
  if (kind === 'tiered') return 'Each tier must end above the one before it.'
  return kind === 'plan'
    ? 'The least of a period must not be above its most; time alone needs a plan without a price for use.'
    : 'Without a meter only a plan has a price: choose what is counted.'
}
