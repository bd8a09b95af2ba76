import type { Hex } from 'viem'
import { LiquefyError } from '../error.ts'
import { fromHex, toHex } from './bytes.ts'
import { type CborMap, type CborValue, decodeStrict, encode } from './cbor.ts'
import {
  CURVE_ALG,
  CWT_CLAIM,
  decodeSign1,
  encodeSign1,
  MAX_ENVELOPE_BYTES,
  MAX_NESTING,
  sigStructure,
} from './cose.ts'
import { buildDeclaration, type Declaration, readDeclaration, readSeq } from './declaration.ts'
import {
  formatIss,
  formatSub,
  type Issuer,
  parseIss,
  parseSub,
  type Subject,
} from './identifier.ts'
import { type Curve, keyId, type PublicKey, type SigningKey } from './key.ts'
import {
  buildPack,
  type Reading,
  type ReadingInput,
  resolvePack,
  TAG_DECIMAL_FRACTION,
} from './senml.ts'
import { sha256, sign, verify } from './signature.ts'

export type { Declaration } from './declaration.ts'
export type { Reading, SenmlValue } from './senml.ts'

/** What an envelope says. */
export type EnvelopeContent =
  | { kind: 'readings'; readings: Reading[] }
  | { kind: 'declaration'; declaration: Declaration }

/** A well-formed envelope (docs/protocol/envelope.md). Its signature is not verified yet. */
export type Envelope = {
  /** The curve that the header's `alg` stands for. */
  alg: Curve
  /** Key id of the signing key. */
  kid: Hex
  /** The machine whose key signs. */
  iss: Issuer
  /** The machine that is measured (`sub`). */
  machineId: bigint
  stream: string
  /** When it was signed, in seconds since 1970. */
  iat: number
  seq: bigint
  /** Digest of the stream's envelope `seq - 1`; zeros at `seq` 1. */
  prev: Hex
  content: EnvelopeContent
  /** SHA-256 of `signedBytes`: the envelope's identity, whatever its signature. */
  digest: Hex
  /** 64 bytes `r || s`. */
  signature: Uint8Array
  /** The encoded `Sig_structure`. */
  signedBytes: Uint8Array
}

/** What `encodeEnvelope` signs. */
export type EnvelopeInput = {
  signer: SigningKey
  iss: Issuer
  machineId: bigint
  stream: string
  iat: number
  seq: bigint
  prev: Hex
  content:
    | { kind: 'readings'; readings: readonly ReadingInput[] }
    | { kind: 'declaration'; declaration: Declaration }
}

/** Why bytes are no envelope. */
export type EnvelopeRefusal = {
  ok: false
  code: 'TOO_LARGE' | 'ENVELOPE_MALFORMED' | 'ALG_MISMATCH'
  message: string
}

/** The outcome of decoding. */
export type DecodedEnvelope = { ok: true; envelope: Envelope } | EnvelopeRefusal

/** An envelope whose content is still as it was sent. */
export type SealedEnvelope = Omit<Envelope, 'content'> & {
  payload: Uint8Array
  isDeclaration: boolean
}

/** The outcome of opening. */
export type OpenedEnvelope = { ok: true; sealed: SealedEnvelope } | EnvelopeRefusal

/** The `prev` of a stream's first envelope. */
export const ZERO_DIGEST: Hex = `0x${'00'.repeat(32)}`

const HEADER = {
  alg: 1,
  contentType: 3,
  kid: 4,
  cwtClaims: 15,
  seq: -70_001,
  prev: -70_002,
} as const
const ALG_CURVE: ReadonlyMap<CborValue, Curve> = new Map([
  [-7, 'P-256'],
  [-47, 'secp256k1'],
])
const DECLARATION_TYPE = 'application/vnd.liquefy.declaration+cbor'
const NO_AAD = new Uint8Array(0)
const PAYLOAD = {
  maxBytes: MAX_ENVELOPE_BYTES,
  maxDepth: MAX_NESTING,
  tags: [TAG_DECIMAL_FRACTION],
}

type Claims = { iss: Issuer; subject: Subject; iat: number }
type Header = Claims & { alg: Curve; kid: Hex; seq: bigint; prev: Hex; isDeclaration: boolean }
type Read<T> = { ok: true; value: T } | EnvelopeRefusal

/**
 * Decodes an envelope strictly: CBOR, COSE_Sign1 with exactly the headers of docs/protocol/envelope.md, SenML pack
 * or declaration. Never throws. The signature is not verified: see `verifyEnvelope`.
 */
export function decodeEnvelope(bytes: Uint8Array): DecodedEnvelope {
  const opened = openEnvelope(bytes)
  return opened.ok ? readEnvelope(opened.sealed) : opened
}

/**
 * The first half of `decodeEnvelope`: everything but the content, which takes many times the room. For whoever holds many envelopes while their
 * signatures are verified. Never throws.
 */
export function openEnvelope(bytes: Uint8Array): OpenedEnvelope {
  const decoded = decodeSign1(bytes)
  if (!decoded.ok) return decoded
  const { tagged, protectedBytes, protectedHeader, unprotectedHeader, payload, signature } =
    decoded.sign1
  const header = readHeader(protectedHeader)
  if (!header.ok) return header
  if (!tagged) return malformed('an envelope carries tag 18')
  if (unprotectedHeader.size > 0) return malformed('the unprotected header must be empty')
  if (payload === null) return malformed('the payload must be attached')
  if (signature.length !== 64) return malformed('a signature has 64 bytes, r and s')
  const signedBytes = sigStructure(protectedBytes, NO_AAD, payload)
  const { alg, kid, iss, subject, iat, seq, prev, isDeclaration } = header.value
  const { machineId, stream } = subject
  const digest = toHex(sha256(signedBytes))
  const named = { alg, kid, iss, machineId, stream, iat, seq, prev }
  return { ok: true, sealed: { ...named, digest, signature, signedBytes, payload, isDeclaration } }
}

/** The second half of `decodeEnvelope`. Never throws. */
export function readEnvelope({ payload, isDeclaration, ...rest }: SealedEnvelope): DecodedEnvelope {
  const content = readContent(payload, isDeclaration)
  return content.ok ? { ok: true, envelope: { ...rest, content: content.value } } : content
}

/**
 * True if `key` is the one that the envelope names and its signature verifies under it. `s` may be low or high. Never throws.
 */
export function verifyEnvelope(envelope: Envelope, key: PublicKey): boolean {
  return (
    envelope.alg === key.curve &&
    envelope.kid === keyId(key) &&
    verify(key, envelope.signedBytes, envelope.signature)
  )
}

/**
 * Signs and encodes an envelope, and gives its digest.
 *
 * @throws LiquefyError `ENVELOPE_MALFORMED` or `TOO_LARGE` if the result would be refused: nothing is signed that cannot be read.
 */
export function encodeEnvelope(input: EnvelopeInput): { bytes: Uint8Array; digest: Hex } {
  const { protectedBytes, payload } = encodeParts(input)
  const signedBytes = sigStructure(protectedBytes, NO_AAD, payload)
  const bytes = encodeSign1(protectedBytes, payload, sign(input.signer, signedBytes))
  const decoded = decodeEnvelope(bytes)
  if (!decoded.ok) throw new LiquefyError(decoded.code, `Correct the envelope: ${decoded.message}.`)
  return { bytes, digest: decoded.envelope.digest }
}

function encodeParts(input: EnvelopeInput): { protectedBytes: Uint8Array; payload: Uint8Array } {
  const { content } = input
  try {
    const payload =
      content.kind === 'declaration'
        ? buildDeclaration(content.declaration)
        : buildPack(input.stream, content.readings)
    return { protectedBytes: encode(buildHeader(input)), payload: encode(payload) }
  } catch (cause) {
    throw new LiquefyError(
      'ENVELOPE_MALFORMED',
      'Give integers of at most 64 bits, and hex strings as 0x and pairs of digits.',
      { cause },
    )
  }
}

function buildHeader(input: EnvelopeInput): CborMap {
  const header: CborMap = new Map<CborValue, CborValue>([
    [HEADER.alg, CURVE_ALG[input.signer.curve]],
    [HEADER.kid, fromHex(keyId(input.signer.publicKey))],
    [
      HEADER.cwtClaims,
      new Map<CborValue, CborValue>([
        [CWT_CLAIM.iss, formatIss(input.iss)],
        [CWT_CLAIM.sub, formatSub(input)],
        [CWT_CLAIM.iat, input.iat],
      ]),
    ],
    [HEADER.seq, input.seq],
    [HEADER.prev, fromHex(input.prev)],
  ])
  if (input.content.kind === 'declaration') header.set(HEADER.contentType, DECLARATION_TYPE)
  return header
}

function readHeader(header: CborMap): Read<Header> {
  const algField = header.get(HEADER.alg)
  if (typeof algField !== 'number') return malformed('header alg must be an integer')
  const alg = ALG_CURVE.get(algField)
  if (!alg) {
    return { ok: false, code: 'ALG_MISMATCH', message: `alg ${algField} is not ES256 or ES256K` }
  }
  const isDeclaration = header.has(HEADER.contentType)
  if (isDeclaration && header.get(HEADER.contentType) !== DECLARATION_TYPE) {
    return malformed(`content type can only be ${DECLARATION_TYPE}`)
  }
  if (header.size !== (isDeclaration ? 6 : 5)) {
    return malformed('the protected header must hold alg, kid, CWT claims, seq and prev alone')
  }
  const kid = readBytes32(header.get(HEADER.kid))
  if (!kid) return malformed('kid must be 32 bytes')
  const seq = readSeq(header.get(HEADER.seq))
  if (seq === undefined) return malformed('seq must be an integer from 1')
  const prev = readBytes32(header.get(HEADER.prev))
  if (!prev) return malformed('prev must be 32 bytes')
  if (seq === 1n && prev !== ZERO_DIGEST) return malformed('prev must be zeros at seq 1')
  const claims = readClaims(header.get(HEADER.cwtClaims))
  if (!claims.ok) return claims
  return { ok: true, value: { alg, kid, seq, prev, isDeclaration, ...claims.value } }
}

function readClaims(field: CborValue | undefined): Read<Claims> {
  if (!(field instanceof Map) || field.size !== 3) {
    return malformed('CWT claims must be iss, sub and iat')
  }
  const issText = field.get(CWT_CLAIM.iss)
  const iss = typeof issText === 'string' ? parseIss(issText) : undefined
  if (!iss) return malformed('iss must be eip155:<chainId>/erc721:<registry>/<machineId>')
  const subText = field.get(CWT_CLAIM.sub)
  const subject = typeof subText === 'string' ? parseSub(subText) : undefined
  if (!subject) return malformed('sub must be <machineId>/<stream>')
  const iat = field.get(CWT_CLAIM.iat)
  if (typeof iat !== 'number' || iat < 0) return malformed('iat must be integer seconds since 1970')
  return { ok: true, value: { iss, subject, iat } }
}

function readContent(payload: Uint8Array, isDeclaration: boolean): Read<EnvelopeContent> {
  const decoded = decodeStrict(payload, PAYLOAD)
  if (!decoded.ok) return decoded
  if (isDeclaration) {
    const read = readDeclaration(decoded.value)
    return read.ok
      ? { ok: true, value: { kind: 'declaration', declaration: read.declaration } }
      : malformed(read.message)
  }
  const pack = resolvePack(decoded.value)
  return pack.ok
    ? { ok: true, value: { kind: 'readings', readings: pack.readings } }
    : malformed(pack.message)
}

function readBytes32(field: CborValue | undefined): Hex | undefined {
  return field instanceof Uint8Array && field.length === 32 ? toHex(field) : undefined
}

function malformed(message: string): EnvelopeRefusal {
  return { ok: false, code: 'ENVELOPE_MALFORMED', message }
}
