import { readFileSync } from 'node:fs'
import { type Hex, TARIFF_KINDS, type Tariff } from '@liquefy/protocol'
import { CliError } from './failure.ts'

/**
 * What people write down to agree on: names instead of addresses where the embedded chain knows them, rules and tariff in full.
 * `packages/cli/README.md` has an example.
 */
export interface Offer {
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
    | { threshold: number; signers: string[] }
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

export const DAY_SECONDS = 86_400
/** What an offer need not say, in seconds, and how many periods. */
export const DEFAULTS = {
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

/** Reads an offer whose shape is right; values are checked where they are used. @throws CliError `OFFER_INVALID`. */
export function parseOffer(path: string): Offer {
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
function wrongIn(offer: Offer): string | undefined {
  if (!isObjects(offer.meters)) return '"meters" must be a list of objects'
  if (offer.limits !== undefined && !isObjects(offer.limits)) {
    return '"limits" must be a list of objects'
  }
  if (typeof offer.payer !== 'string' || typeof offer.payee !== 'string') {
    return '"payer" and "payee" must be names or addresses'
  }
  return wrongInTariff(offer.tariff) ?? wrongInSigner(offer.signer)
}

function wrongInTariff(tariff: Offer['tariff']): string | undefined {
  if (!isObject(tariff) || !TARIFF_KINDS.includes(tariff.kind)) {
    return `"tariff.kind" must be one of ${TARIFF_KINDS.map((kind) => `"${kind}"`).join(', ')}`
  }
  if (!Array.isArray(tariff.prices)) return '"tariff.prices" must be a list'
  for (const name of ['upTo', 'units'] as const) {
    if (tariff[name] !== undefined && !Array.isArray(tariff[name])) {
      return `"tariff.${name}" must be a list`
    }
  }
  const { scale, feeSeconds = 1 } = tariff
  if (!isCount(feeSeconds) || feeSeconds === 0) {
    return '"tariff.feeSeconds" must be a whole number from 1'
  }
  return isCount(scale) ? undefined : '"tariff.scale" must be a whole number'
}

function wrongInSigner(signer: Offer['signer']): string | undefined {
  if (signer === undefined || signer === 'nobody') return undefined
  const fits =
    isObject(signer) &&
    ('machine' in signer ||
      ('account' in signer && typeof signer.account === 'string') ||
      ('threshold' in signer && isTexts(signer.signers)))
  return fits
    ? undefined
    : '"signer" must be "nobody", or an object with "machine", with "account", or with "threshold" and a list of "signers"'
}

const isObject = (json: unknown): json is object => typeof json === 'object' && json !== null
const isObjects = (json: unknown): boolean => Array.isArray(json) && json.every(isObject)
const isTexts = (json: unknown): boolean =>
  Array.isArray(json) && json.every((one) => typeof one === 'string')
const isCount = (json: unknown): boolean => Number.isSafeInteger(json) && Number(json) >= 0
