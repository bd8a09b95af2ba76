import { type Hex, hashTypedData } from 'viem'
import { LiquefyError } from '../error.ts'
import { accountOfSigner, NOBODY_SIGNER, SIGNER_KIND } from './signer.ts'
import {
  FieldRefusal,
  openFields,
  readArray,
  readBoolean,
  readBytes,
  readHex,
  readInteger,
  readText,
  readUnsigned,
} from './strict-json.ts'

/** One metered stream. `startHead`: digest of its last envelope before the agreement, zeros for none. */
export type Meter = { stream: string; ruleHash: Hex; startHead: Hex }

/** Most that a register may show, in output units: `burst + perHour x hours since the period began`. */
export type Limit = { burst: bigint; perHour: bigint }

/** Terms of an agreement, as the contract takes them. Amounts in smallest units of `asset`, `start` and `openBy` in s since 1970. */
export type Terms = {
  payer: Hex
  payee: Hex
  asset: Hex
  machineId: bigint
  meters: readonly Meter[]
  /** One of `SIGNER_KIND`; it says what `signer` is. */
  signerKind: number
  signer: Hex
  tariff: Hex
  tariffData: Hex
  limits: readonly Limit[]
  capMinor: bigint
  start: bigint
  periodSeconds: number
  periods: number
  backfillSeconds: number
  lateSeconds: number
  gapTimeoutSeconds: number
  settleSeconds: number
  shared: boolean
  openBy: bigint
  salt: Hex
}

/** EIP-712 types of the terms, in the order of docs/protocol/agreement.md. */
export const TERMS_TYPES = {
  Terms: [
    { name: 'payer', type: 'address' },
    { name: 'payee', type: 'address' },
    { name: 'asset', type: 'address' },
    { name: 'machineId', type: 'uint256' },
    { name: 'meters', type: 'Meter[]' },
    { name: 'signerKind', type: 'uint8' },
    { name: 'signer', type: 'bytes32' },
    { name: 'tariff', type: 'address' },
    { name: 'tariffData', type: 'bytes' },
    { name: 'limits', type: 'Limit[]' },
    { name: 'capMinor', type: 'uint256' },
    { name: 'start', type: 'uint64' },
    { name: 'periodSeconds', type: 'uint32' },
    { name: 'periods', type: 'uint32' },
    { name: 'backfillSeconds', type: 'uint32' },
    { name: 'lateSeconds', type: 'uint32' },
    { name: 'gapTimeoutSeconds', type: 'uint32' },
    { name: 'settleSeconds', type: 'uint32' },
    { name: 'shared', type: 'bool' },
    { name: 'openBy', type: 'uint64' },
    { name: 'salt', type: 'bytes32' },
  ],
  Meter: [
    { name: 'stream', type: 'string' },
    { name: 'ruleHash', type: 'bytes32' },
    { name: 'startHead', type: 'bytes32' },
  ],
  Limit: [
    { name: 'burst', type: 'uint256' },
    { name: 'perHour', type: 'uint256' },
  ],
} as const

/** The JSON of terms: uint256 and uint64 as decimal strings, smaller integers as numbers. */
export type TermsJson = {
  [Name in keyof Terms]: Terms[Name] extends bigint
    ? string
    : Name extends 'limits'
      ? { burst: string; perHour: string }[]
      : Name extends 'meters'
        ? Meter[]
        : Terms[Name]
}

/** Result of reading terms that come from outside. */
export type ParsedTerms =
  | { ok: true; terms: Terms }
  | { ok: false; code: 'FIELD_FORBIDDEN' | 'TERMS_INVALID'; message: string }

const TERMS_FIELDS = TERMS_TYPES.Terms.map(({ name }) => name)
/** Days that an offer may stand: nodes carry none whose `openBy` lies further ahead. */
export const MAX_OPEN_DAYS = 90
/** What a stream may be called. */
export const STREAM_NAME = /^[a-z][a-z0-9-]{0,31}$/
const UINT32_MOST = 2 ** 32 - 1
/** Amounts of money are below 2^96. */
export const AMOUNT_BITS = 96
/** 20 years of 365.25 days: longer than that no agreement lasts. */
const LONGEST_SECONDS = 631_152_000
/** As many registers as the contract takes. */
export const MAX_REGISTERS = 32
const MAX_TARIFF_BYTES = 8192

/** When a period begins, seconds since 1970. */
export function periodStart(
  { start, periodSeconds }: Pick<Terms, 'start' | 'periodSeconds'>,
  period: number,
): bigint {
  return start + BigInt(period) * BigInt(periodSeconds)
}

/** The EIP-712 domain of a clearing house. */
export function clearingHouseDomain(chainId: number, clearingHouse: Hex) {
  return {
    name: 'Liquefy ClearingHouse',
    version: '1',
    chainId,
    verifyingContract: clearingHouse,
  } as const
}

/** The agreement's id: the EIP-712 digest of its terms, which both parties sign. Known before opening. */
export function agreementId(input: { chainId: number; clearingHouse: Hex; terms: Terms }): Hex {
  return hashTypedData({
    domain: clearingHouseDomain(input.chainId, input.clearingHouse),
    types: TERMS_TYPES,
    primaryType: 'Terms',
    message: input.terms,
  })
}

/** Terms as plain JSON. */
export function termsToJson(terms: Terms): TermsJson {
  return {
    ...terms,
    machineId: terms.machineId.toString(),
    meters: terms.meters.map((meter) => ({ ...meter })),
    limits: terms.limits.map(({ burst, perHour }) => ({
      burst: burst.toString(),
      perHour: perHour.toString(),
    })),
    capMinor: terms.capMinor.toString(),
    start: terms.start.toString(),
    openBy: terms.openBy.toString(),
  }
}

/** Reads terms strictly: each field present and in range (`TERMS_INVALID`), none unknown (`FIELD_FORBIDDEN`). */
export function parseTerms(json: unknown): ParsedTerms {
  try {
    return { ok: true, terms: readTerms(json) }
  } catch (error) {
    if (!(error instanceof FieldRefusal)) throw error
    const code = error.forbidden ? 'FIELD_FORBIDDEN' : 'TERMS_INVALID'
    return { ok: false, code, message: error.message }
  }
}

/** Reads terms that ought to be good, such as those in our own storage. @throws TermsError if they are not. */
export function termsFromJson(json: unknown): Terms {
  const parsed = parseTerms(json)
  if (!parsed.ok) throw new TermsError(parsed.code, parsed.message)
  return parsed.terms
}

/** Terms that should have been good are not. */
export class TermsError extends LiquefyError {
  constructor(code: 'FIELD_FORBIDDEN' | 'TERMS_INVALID', message: string) {
    super(code, message)
    this.name = 'TermsError'
  }
}

function readTerms(json: unknown): Terms {
  const fields = openFields('terms', json, TERMS_FIELDS)
  const terms: Terms = {
    payer: readHex(fields, 'payer', 20),
    payee: readHex(fields, 'payee', 20),
    asset: readHex(fields, 'asset', 20),
    machineId: readUnsigned(fields, 'machineId', 256),
    meters: readArray(fields, 'meters', MAX_REGISTERS).map((meter, index) =>
      readMeter(meter, index),
    ),
    signerKind: readInteger(fields, 'signerKind', SIGNER_KIND.machine, SIGNER_KIND.nobody),
    signer: readHex(fields, 'signer', 32),
    tariff: readHex(fields, 'tariff', 20),
    tariffData: readBytes(fields, 'tariffData', MAX_TARIFF_BYTES),
    limits: readArray(fields, 'limits', MAX_REGISTERS).map((limit, index) =>
      readLimit(limit, index),
    ),
    capMinor: readUnsigned(fields, 'capMinor', AMOUNT_BITS),
    start: readUnsigned(fields, 'start', 40),
    periodSeconds: readInteger(fields, 'periodSeconds', 1, UINT32_MOST),
    periods: readInteger(fields, 'periods', 1, UINT32_MOST),
    backfillSeconds: readInteger(fields, 'backfillSeconds', 0, UINT32_MOST),
    lateSeconds: readInteger(fields, 'lateSeconds', 0, UINT32_MOST),
    gapTimeoutSeconds: readInteger(fields, 'gapTimeoutSeconds', 0, UINT32_MOST),
    settleSeconds: readInteger(fields, 'settleSeconds', 0, UINT32_MOST),
    shared: readBoolean(fields, 'shared'),
    openBy: readUnsigned(fields, 'openBy', 64),
    salt: readHex(fields, 'salt', 32),
  }
  requireConsistent(terms)
  return terms
}

function requireConsistent(terms: Terms): void {
  // Without meters the signer states registers of its own accord, as a buyer's voucher does.
  if (terms.meters.length !== 0 && terms.limits.length !== terms.meters.length) {
    throw new FieldRefusal(false, 'terms.limits must have one entry for each of terms.meters.')
  }
  if (terms.periodSeconds * terms.periods > LONGEST_SECONDS) {
    throw new FieldRefusal(
      false,
      `terms.periodSeconds x terms.periods must be at most ${LONGEST_SECONDS} s, 20 years.`,
    )
  }
  requireSigner(terms)
}

function requireSigner({ signerKind, signer, meters, limits }: Terms): void {
  if (signerKind === SIGNER_KIND.account && accountOfSigner(signer) === undefined) {
    throw new FieldRefusal(false, 'terms.signer must be an address, left-padded to 32 bytes.')
  }
  if (signerKind !== SIGNER_KIND.nobody) return
  if (signer !== NOBODY_SIGNER || meters.length !== 0 || limits.length !== 0) {
    throw new FieldRefusal(
      false,
      'terms.signer must be zero, terms.meters and terms.limits empty: nobody signs, time alone counts.',
    )
  }
}

function readMeter(json: unknown, index: number): Meter {
  const fields = openFields(`terms.meters[${index}]`, json, ['stream', 'ruleHash', 'startHead'])
  return {
    stream: readText(fields, 'stream', STREAM_NAME, 'a stream name like "level"'),
    ruleHash: readHex(fields, 'ruleHash', 32),
    startHead: readHex(fields, 'startHead', 32),
  }
}

function readLimit(json: unknown, index: number): Limit {
  const fields = openFields(`terms.limits[${index}]`, json, ['burst', 'perHour'])
  return {
    burst: readUnsigned(fields, 'burst', 256),
    perHour: readUnsigned(fields, 'perHour', 256),
  }
}
