import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  encodeTariffData,
  type Hex,
  isValidTariff,
  type MeterRule,
  machineSigner,
  parseRule,
  parseTerms,
  parseUnsigned,
  ruleHash,
  type Tariff,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { bytesToHex, isAddress } from 'viem'
import type { KnownContracts } from './data-folder.ts'
import { CliError } from './failure.ts'

/**
 * What people write down to agree on: names instead of addresses where the embedded chain knows them, rules and tariff in full.
 * `packages/cli/README.md` has an example.
 */
interface Offer {
  payer: string
  payee: string
  machineId: string
  meters: {
    stream: string
    rule: unknown
    startHead?: Hex
    limit: { burst: string; perHour: string }
  }[]
  tariff: { kind: 'linear' | 'tiered'; prices: string[]; upTo?: string[]; scale: number }
  capMinor: string
  /** Put into escrow by the payer when it opens. */
  fundMinor?: string
  /** Seconds since 1970; now if absent. */
  start?: string
  periodSeconds?: number
  periods?: number
  backfillSeconds?: number
  lateSeconds?: number
  gapTimeoutSeconds?: number
  settleSeconds?: number
  shared?: boolean
}

export interface ReadOffer {
  terms: Terms
  rules: MeterRule[]
  fundMinor: bigint
}

const DAY_SECONDS = 86_400
const DEFAULTS = {
  periodSeconds: 30 * DAY_SECONDS,
  periods: 12,
  backfillSeconds: DAY_SECONDS,
  lateSeconds: DAY_SECONDS,
  gapTimeoutSeconds: 3_600,
  settleSeconds: 30 * DAY_SECONDS,
} as const

const FIELDS = [
  'payer',
  'payee',
  'machineId',
  'meters',
  'tariff',
  'capMinor',
  'fundMinor',
  'start',
  'shared',
  ...Object.keys(DEFAULTS),
]

/** Turns an offer into terms. `addressOf` knows people by name. @throws CliError `OFFER_INVALID`. */
export function readOffer(
  path: string,
  contracts: KnownContracts,
  addressOf: (name: string) => Hex,
  nowSeconds: number,
): ReadOffer {
  const offer = parseOffer(path)
  const invalid = (message: string) => new CliError('OFFER_INVALID', `${path}: ${message}`)
  const party = (name: string) => (isAddress(name, { strict: false }) ? name : addressOf(name))
  const amount = (name: string, text: unknown): bigint => {
    const parsed = parseUnsigned(text)
    if (parsed === undefined) throw invalid(`${name} must be a whole number as text, like "1000".`)
    return parsed
  }
  const rules = offer.meters.map(({ rule, stream }) => {
    const parsed = parseRule(rule)
    if (!parsed.ok) throw invalid(`rule of ${stream}: ${parsed.message}`)
    return parsed.rule
  })
  const tariff = tariffOf(offer, amount)
  if (!isValidTariff(tariff, rules.length)) {
    throw invalid(
      'the tariff needs one price a meter if linear; one meter, rising "upTo" and one price more than that if tiered; and a scale from 0 to 77.',
    )
  }
  const machineId = amount('machineId', offer.machineId)
  const parsed = parseTerms({
    payer: party(offer.payer),
    payee: party(offer.payee),
    asset: contracts.asset.address,
    machineId: machineId.toString(),
    meters: offer.meters.map(({ stream, startHead }, index) => ({
      stream,
      ruleHash: ruleHash(rules[index] as MeterRule),
      startHead: startHead ?? ZERO_DIGEST,
    })),
    signerKind: 1,
    signer: machineSigner(machineId),
    tariff: offer.tariff.kind === 'tiered' ? contracts.tieredTariff : contracts.linearTariff,
    tariffData: encodeTariffData(tariff),
    limits: offer.meters.map(({ limit }) => limit),
    capMinor: offer.capMinor,
    start: offer.start ?? String(nowSeconds),
    ...Object.fromEntries(
      Object.entries(DEFAULTS).map(([name, value]) => [
        name,
        offer[name as keyof typeof DEFAULTS] ?? value,
      ]),
    ),
    shared: offer.shared ?? false,
    openBy: String(nowSeconds + DAY_SECONDS),
    salt: bytesToHex(randomBytes(32)),
  })
  if (!parsed.ok) throw invalid(parsed.message)
  return { terms: parsed.terms, rules, fundMinor: amount('fundMinor', offer.fundMinor ?? '0') }
}

function tariffOf(offer: Offer, amount: (name: string, text: unknown) => bigint): Tariff {
  const { kind, scale } = offer.tariff
  const prices = offer.tariff.prices.map((price) => amount('tariff.prices', price))
  if (kind === 'linear') return { kind, prices, scale }
  return {
    kind,
    upTo: (offer.tariff.upTo ?? []).map((border) => amount('tariff.upTo', border)),
    prices,
    scale,
  }
}

function parseOffer(path: string): Offer {
  let json: Partial<Offer>
  try {
    json = JSON.parse(readFileSync(path, 'utf8')) as Partial<Offer>
  } catch (cause) {
    throw new CliError(
      'OFFER_INVALID',
      `${path} cannot be read as JSON. The README of packages/cli has an example.`,
      { cause },
    )
  }
  if (typeof json !== 'object' || json === null) {
    throw new CliError('OFFER_INVALID', `${path} must hold one JSON object.`)
  }
  const stranger = Object.keys(json).find((name) => !FIELDS.includes(name))
  if (stranger) throw new CliError('OFFER_INVALID', `${path}: unknown field "${stranger}".`)
  const missing = ['payer', 'payee', 'machineId', 'meters', 'tariff', 'capMinor'].find(
    (name) => (json[name as keyof Offer] ?? undefined) === undefined,
  )
  if (missing) throw new CliError('OFFER_INVALID', `${path}: "${missing}" is missing.`)
  const wrong = wrongIn(json as Offer)
  if (wrong) throw new CliError('OFFER_INVALID', `${path}: ${wrong}.`)
  return json as Offer
}

/** Says what of the shape is wrong; values are checked where they are read. */
function wrongIn({ meters, tariff }: Offer): string | undefined {
  if (!Array.isArray(meters) || !Array.isArray(tariff.prices)) {
    return '"meters" and "tariff.prices" must be lists'
  }
  if (meters.some((meter) => typeof meter !== 'object' || meter === null)) {
    return 'each of "meters" must be an object'
  }
  if (tariff.kind !== 'linear' && tariff.kind !== 'tiered') {
    return '"tariff.kind" must be "linear" or "tiered"'
  }
  if (tariff.upTo !== undefined && !Array.isArray(tariff.upTo))
    return '"tariff.upTo" must be a list'
  return Number.isInteger(tariff.scale) ? undefined : '"tariff.scale" must be a whole number'
}
