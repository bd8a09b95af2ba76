import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import {
  accountSigner,
  encodeTariffData,
  type Hex,
  isValidTariff,
  type MeterRule,
  machineSigner,
  NO_MAXIMUM,
  NOBODY_SIGNER,
  parseRule,
  parseTerms,
  parseUnsigned,
  quorumSigner,
  ruleHash,
  SIGNER_KIND,
  TARIFF_KINDS,
  type Tariff,
  type Terms,
  tariffContract,
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
  tariff: {
    kind: Tariff['kind']
    prices: string[]
    scale: number
    /** The unit that each price is per: compared with what the rules count. */
    units?: string[]
    upTo?: string[]
    fee?: string
    feeSeconds?: number
    minimum?: string
    maximum?: string
  }
  /** Who signs the meter values: the machine itself unless told. */
  signer?:
    | { machine: string }
    | { account: string }
    | { threshold: number; signers: Hex[] }
    | 'nobody'
  /** Limits of registers that no meter measures. */
  limits?: { burst: string; perHour: string }[]
  /** The agreement that this one belongs to. */
  linkedTo?: Hex
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
  'signer',
  'limits',
  'linkedTo',
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
  const limits = offer.meters.length > 0 ? offer.meters.map(({ limit }) => limit) : offer.limits
  if (!isValidTariff(tariff, limits?.length ?? 0)) {
    throw invalid(
      'the tariff needs one price a register if linear or a plan; one register, rising "upTo" and one price more than that if tiered; a scale from 0 to 77 (60 for a plan); and of a plan a minimum that is not above its maximum.',
    )
  }
  const mismatch = unitMismatch(offer, rules)
  if (mismatch !== undefined) throw new CliError('UNIT_MISMATCH', `${path}: ${mismatch}`)
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
    ...signerOf(offer, machineId, party, amount),
    tariff: tariffContract(contracts, offer.tariff.kind),
    tariffData: encodeTariffData(tariff),
    limits: limits ?? [],
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
    salt: offer.linkedTo ?? bytesToHex(randomBytes(32)),
  })
  if (!parsed.ok) throw invalid(parsed.message)
  return { terms: parsed.terms, rules, fundMinor: amount('fundMinor', offer.fundMinor ?? '0') }
}

function tariffOf(offer: Offer, amount: (name: string, text: unknown) => bigint): Tariff {
  const { kind, scale } = offer.tariff
  const prices = offer.tariff.prices.map((price) => amount('tariff.prices', price))
  if (kind === 'linear') return { kind, prices, scale }
  if (kind === 'plan') {
    const { fee = '0', feeSeconds = 1, minimum = '0', maximum } = offer.tariff
    return {
      kind,
      prices,
      scale,
      fee: amount('tariff.fee', fee),
      feeSeconds,
      minimum: amount('tariff.minimum', minimum),
      maximum: maximum === undefined ? NO_MAXIMUM : amount('tariff.maximum', maximum),
    }
  }
  return {
    kind,
    upTo: (offer.tariff.upTo ?? []).map((border) => amount('tariff.upTo', border)),
    prices,
    scale,
  }
}

/** The first price that is per another unit than its register counts in; undefined if all fit or no units are given. */
function unitMismatch({ tariff, meters }: Offer, rules: readonly MeterRule[]): string | undefined {
  if (!tariff.units) return undefined
  if (tariff.units.length !== rules.length) {
    return `tariff.units names ${tariff.units.length} units, but there are ${rules.length} meters.`
  }
  const index = rules.findIndex(({ registerUnit }, at) => registerUnit !== tariff.units?.[at])
  if (index < 0) return undefined
  return `meter ${index + 1} ("${meters[index]?.stream}") counts in ${rules[index]?.registerUnit}, but its price is per ${tariff.units[index]}.`
}

function signerOf(
  { signer }: Offer,
  machineId: bigint,
  party: (name: string) => Hex,
  amount: (name: string, text: unknown) => bigint,
): { signerKind: number; signer: Hex } {
  if (signer === undefined) {
    return { signerKind: SIGNER_KIND.machine, signer: machineSigner(machineId) }
  }
  if (signer === 'nobody') return { signerKind: SIGNER_KIND.nobody, signer: NOBODY_SIGNER }
  if ('machine' in signer) {
    const id = amount('signer.machine', signer.machine)
    return { signerKind: SIGNER_KIND.machine, signer: machineSigner(id) }
  }
  if ('account' in signer) {
    return { signerKind: SIGNER_KIND.account, signer: accountSigner(party(signer.account)) }
  }
  return { signerKind: SIGNER_KIND.quorum, signer: quorumSigner(signer) }
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
  if (!TARIFF_KINDS.includes(tariff.kind)) {
    return `"tariff.kind" must be one of ${TARIFF_KINDS.map((kind) => `"${kind}"`).join(', ')}`
  }
  if (tariff.upTo !== undefined && !Array.isArray(tariff.upTo))
    return '"tariff.upTo" must be a list'
  return Number.isInteger(tariff.scale) ? undefined : '"tariff.scale" must be a whole number'
}
