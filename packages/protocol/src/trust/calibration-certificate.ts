import type { Hex } from 'viem'
import { LiquefyError } from '../error.ts'
import { boundedCache } from './bounded-cache.ts'
import { fromHex, toHex } from './bytes.ts'
import { type CborMap, type CborValue, decodeStrict, encode } from './cbor.ts'
import { CURVE_ALG, CWT_CLAIM, decodeSign1, encodeSign1, sigStructure } from './cose.ts'
import { formatSub, parseSub } from './identifier.ts'
import { type Curve, keyId, type PublicKey, parsePublicKey, type SigningKey } from './key.ts'
import { sha256, sign, verify } from './signature.ts'

/** What a laboratory says of one sensor (docs/protocol/metrology.md); the words are those of PTB's digital calibration certificate. */
export type CalibrationStatement = {
  /** What the laboratory calls itself. Nobody checks it: trust rests on the key. */
  calibrationLaboratory: string
  machineId: bigint
  stream: string
  /** When it was signed, seconds since 1970. */
  iat: number
  /** UCUM code of what the sensor shows. */
  unit: string
  /** In force from this moment on, ms since 1970. */
  validFromMs: number
  /** In force before this moment, ms since 1970. */
  validUntilMs: number
  /** Expanded uncertainty (k = 2) in parts per million of the reading. */
  expandedUncertaintyPpm: number
  /** The certificate's number. */
  uniqueIdentifier: string
  /** What identifies the sensor: its serial number, or that of the part. */
  item: string
  /** SHA-256 of the document that says all of it. */
  documentDigest?: Hex
}

/** A certificate that its laboratory has signed. */
export type CalibrationCertificate = CalibrationStatement & {
  laboratoryKey: PublicKey
  /** Key id of `laboratoryKey`: what an agreement names. */
  laboratory: Hex
  /** SHA-256 of what was signed: the certificate's identity, whatever its signature. */
  digest: Hex
}

/** The outcome of reading a certificate. */
export type ReadCertificate =
  | { ok: true; certificate: CalibrationCertificate }
  | { ok: false; code: 'CERTIFICATE_INVALID'; message: string }

/** Size of the largest certificate, in bytes. */
export const MAX_CERTIFICATE_BYTES = 2_048

/** All of the reading: nobody certifies more. */
export const MAX_UNCERTAINTY_PPM = 1_000_000

const HEADER = { alg: 1, contentType: 3, kid: 4, kccs: 14, cwtClaims: 15 } as const
const COSE_KEY = { kty: 1, crv: -1, x: -2, y: -3 } as const
const CONFIRMED_KEY = 1
const EC2 = 2
const CONTENT_TYPE = 'application/vnd.liquefy.calibration+cbor'
const FIELD = {
  unit: 1,
  validFrom: 2,
  validUntil: 3,
  expandedUncertainty: 4,
  uniqueIdentifier: 5,
  item: 6,
  documentDigest: 7,
} as const
const CRV = { 'P-256': 1, secp256k1: 8 } as const satisfies Record<Curve, number>
const LIMITS = { maxBytes: MAX_CERTIFICATE_BYTES, maxDepth: 4, tags: [] }
const NO_AAD = new Uint8Array(0)
/** Shown on terminals and pages: no character that either would obey. */
const LINE = /^[^\p{C}\p{Zl}\p{Zp}]{1,128}$/u
const UCUM_CODE = /^[\x21-\x7e]{1,32}$/

class Invalid extends Error {}

const known = boundedCache<ReadCertificate>(1_000)

/**
 * Reads a certificate strictly and verifies its signature: a `COSE_Sign1` (RFC 9052), ES256 or ES256K, with the laboratory's key in it
 * (`kccs`, RFC 9528) and that key's id as `kid`. Each is verified once. Never throws.
 */
export function readCalibrationCertificate(bytes: Uint8Array): ReadCertificate {
  if (bytes.length > MAX_CERTIFICATE_BYTES) {
    return refusal(`a certificate has at most ${MAX_CERTIFICATE_BYTES} bytes`)
  }
  return known(toHex(sha256(bytes)), () => readOnce(bytes))
}

/**
 * Signs a certificate with the laboratory's key.
 *
 * @throws LiquefyError `CERTIFICATE_INVALID` if the result would be refused: nothing is signed that cannot be read.
 */
export function encodeCalibrationCertificate(
  key: SigningKey,
  statement: CalibrationStatement,
): Uint8Array {
  const protectedBytes = encode(headerOf(key, statement))
  const payload = encode(payloadOf(statement))
  const signed = sigStructure(protectedBytes, NO_AAD, payload)
  const bytes = encodeSign1(protectedBytes, payload, sign(key, signed))
  const read = readCalibrationCertificate(bytes)
  if (!read.ok) throw new LiquefyError(read.code, `Correct the certificate: ${read.message}.`)
  return bytes
}

function headerOf(key: SigningKey, statement: CalibrationStatement): CborMap {
  const { curve, x, y } = key.publicKey
  const coseKey = mapOf([
    [COSE_KEY.kty, EC2],
    [COSE_KEY.crv, CRV[curve]],
    [COSE_KEY.x, fromHex(x)],
    [COSE_KEY.y, fromHex(y)],
  ])
  const claims = mapOf([
    [CWT_CLAIM.iss, statement.calibrationLaboratory],
    [CWT_CLAIM.sub, formatSub(statement)],
    [CWT_CLAIM.iat, statement.iat],
  ])
  return mapOf([
    [HEADER.alg, CURVE_ALG[curve]],
    [HEADER.contentType, CONTENT_TYPE],
    [HEADER.kid, fromHex(keyId(key.publicKey))],
    [HEADER.kccs, mapOf([[CWT_CLAIM.cnf, mapOf([[CONFIRMED_KEY, coseKey]])]])],
    [HEADER.cwtClaims, claims],
  ])
}

function payloadOf(statement: CalibrationStatement): CborMap {
  const payload = mapOf([
    [FIELD.unit, statement.unit],
    [FIELD.validFrom, statement.validFromMs],
    [FIELD.validUntil, statement.validUntilMs],
    [FIELD.expandedUncertainty, statement.expandedUncertaintyPpm],
    [FIELD.uniqueIdentifier, statement.uniqueIdentifier],
    [FIELD.item, statement.item],
  ])
  const { documentDigest } = statement
  if (documentDigest !== undefined) payload.set(FIELD.documentDigest, fromHex(documentDigest))
  return payload
}

function readOnce(bytes: Uint8Array): ReadCertificate {
  try {
    return { ok: true, certificate: verified(bytes) }
  } catch (error) {
    if (error instanceof Invalid) return refusal(error.message)
    throw error
  }
}

function verified(bytes: Uint8Array): CalibrationCertificate {
  const decoded = decodeSign1(bytes)
  if (!decoded.ok) throw new Invalid(decoded.message)
  const { tagged, protectedBytes, protectedHeader, unprotectedHeader, payload, signature } =
    decoded.sign1
  if (!tagged || unprotectedHeader.size > 0 || payload === null) {
    throw new Invalid(
      'a certificate carries tag 18, its payload, and nothing in the unprotected header',
    )
  }
  only('the protected header', protectedHeader, Object.values(HEADER))
  if (protectedHeader.get(HEADER.contentType) !== CONTENT_TYPE) {
    throw new Invalid(`its content type must be ${CONTENT_TYPE}`)
  }
  const laboratoryKey = keyOf(protectedHeader.get(HEADER.kccs))
  const laboratory = keyId(laboratoryKey)
  const kid = protectedHeader.get(HEADER.kid)
  if (!(kid instanceof Uint8Array) || toHex(kid) !== laboratory) {
    throw new Invalid('kid must be the id of the key that the certificate carries')
  }
  if (protectedHeader.get(HEADER.alg) !== CURVE_ALG[laboratoryKey.curve]) {
    throw new Invalid('alg must fit the key: ES256 on P-256, ES256K on secp256k1')
  }
  const claims = claimsOf(protectedHeader.get(HEADER.cwtClaims))
  const fields = fieldsOf(payload)
  const signed = sigStructure(protectedBytes, NO_AAD, payload)
  if (!verify(laboratoryKey, signed, signature)) {
    throw new Invalid('its signature is not by the key that it carries')
  }
  return { ...claims, ...fields, laboratoryKey, laboratory, digest: toHex(sha256(signed)) }
}

function keyOf(kccs: CborValue | undefined): PublicKey {
  const cnf = kccs instanceof Map && kccs.size === 1 ? kccs.get(CWT_CLAIM.cnf) : undefined
  const key = cnf instanceof Map && cnf.size === 1 ? cnf.get(CONFIRMED_KEY) : undefined
  if (!(key instanceof Map)) throw new Invalid('kccs must hold {8: {1: COSE_Key}} alone')
  only('COSE_Key', key, Object.values(COSE_KEY))
  const [x, y] = [key.get(COSE_KEY.x), key.get(COSE_KEY.y)]
  if (!(x instanceof Uint8Array) || !(y instanceof Uint8Array)) {
    throw new Invalid('COSE_Key must have both coordinates as bytes')
  }
  const crv = key.get(COSE_KEY.crv)
  const curve = key.get(COSE_KEY.kty) === EC2 ? curveOf(crv) : undefined
  const parsed = parsePublicKey({ curve, x: toHex(x), y: toHex(y) })
  if (!parsed.ok) throw new Invalid(parsed.message)
  return parsed.key
}

function curveOf(crv: CborValue | undefined): Curve | undefined {
  if (crv === CRV['P-256']) return 'P-256'
  return crv === CRV.secp256k1 ? 'secp256k1' : undefined
}

type Claims = Pick<CalibrationStatement, 'calibrationLaboratory' | 'machineId' | 'stream' | 'iat'>

function claimsOf(field: CborValue | undefined): Claims {
  if (!(field instanceof Map)) throw new Invalid('it has no CWT claims')
  only('CWT claims', field, [CWT_CLAIM.iss, CWT_CLAIM.sub, CWT_CLAIM.iat])
  const sub = field.get(CWT_CLAIM.sub)
  const subject = typeof sub === 'string' ? parseSub(sub) : undefined
  if (!subject) throw new Invalid('sub must be <machineId>/<stream>')
  return {
    calibrationLaboratory: textOf(field, CWT_CLAIM.iss, 'iss', LINE),
    ...subject,
    iat: integerOf(field, CWT_CLAIM.iat, 'iat', Number.MAX_SAFE_INTEGER),
  }
}

function fieldsOf(payload: Uint8Array): Omit<CalibrationStatement, keyof Claims> {
  const decoded = decodeStrict(payload, LIMITS)
  const map = decoded.ok ? decoded.value : undefined
  if (!(map instanceof Map)) throw new Invalid('its payload is no map in strict CBOR')
  const { documentDigest, ...demanded } = FIELD
  const names = Object.values(demanded)
  only('the payload', map, map.has(documentDigest) ? [...names, documentDigest] : names)
  const validFromMs = integerOf(map, FIELD.validFrom, 'validFrom', Number.MAX_SAFE_INTEGER)
  const validUntilMs = integerOf(map, FIELD.validUntil, 'validUntil', Number.MAX_SAFE_INTEGER)
  if (validUntilMs <= validFromMs) throw new Invalid('validUntil must be after validFrom')
  const digest = map.get(documentDigest)
  if (digest !== undefined && !(digest instanceof Uint8Array && digest.length === 32)) {
    throw new Invalid('documentDigest must be 32 bytes')
  }
  return {
    unit: textOf(map, FIELD.unit, 'unit', UCUM_CODE),
    validFromMs,
    validUntilMs,
    expandedUncertaintyPpm: integerOf(
      map,
      FIELD.expandedUncertainty,
      'expandedUncertainty',
      MAX_UNCERTAINTY_PPM,
    ),
    uniqueIdentifier: textOf(map, FIELD.uniqueIdentifier, 'uniqueIdentifier', LINE),
    item: textOf(map, FIELD.item, 'item', LINE),
    ...(digest && { documentDigest: toHex(digest) }),
  }
}

function only(what: string, map: CborMap, keys: readonly number[]): void {
  if (map.size !== keys.length || keys.some((key) => !map.has(key))) {
    throw new Invalid(`${what} must hold ${keys.join(', ')} alone`)
  }
}

function textOf(map: CborMap, key: number, name: string, pattern: RegExp): string {
  const text = map.get(key)
  if (typeof text === 'string' && pattern.test(text)) return text
  throw new Invalid(`${name} must be one short line of text`)
}

function integerOf(map: CborMap, key: number, name: string, most: number): number {
  const value = map.get(key)
  if (typeof value === 'number' && value >= 0 && value <= most) return value
  throw new Invalid(`${name} must be an integer from 0 to ${most}`)
}

function mapOf(entries: [number, CborValue][]): CborMap {
  return new Map<CborValue, CborValue>(entries)
}

function refusal(message: string): ReadCertificate {
  return { ok: false, code: 'CERTIFICATE_INVALID', message }
}
