import { Tagged } from 'cborg'
import { concatBytes } from './bytes.ts'
import { type CborMap, type CborValue, decodeStrict } from './cbor.ts'
import type { Curve } from './key.ts'

/** A `COSE_Sign1` (RFC 9052), taken apart but not judged. */
export type Sign1 = {
  tagged: boolean
  protectedBytes: Uint8Array
  protectedHeader: CborMap
  unprotectedHeader: CborMap
  payload: Uint8Array | null
  signature: Uint8Array
}

/** The outcome of taking a `COSE_Sign1` apart. */
export type DecodedSign1 =
  | { ok: true; sign1: Sign1 }
  | { ok: false; code: 'TOO_LARGE' | 'ENVELOPE_MALFORMED'; message: string }

/** Size of the largest envelope, in bytes. */
export const MAX_ENVELOPE_BYTES = 65_536

/** Deepest nesting within the envelope, within its protected header and within its payload. */
export const MAX_NESTING = 8

const TAG_SIGN1 = 18
const HEADER = { maxBytes: MAX_ENVELOPE_BYTES, maxDepth: MAX_NESTING, tags: [] }
const NONE = new Uint8Array(0)
const EMPTY_MAP = Uint8Array.of(0xa0)
const NIL = Uint8Array.of(0xf6)
// An array of four, and the text "Signature1".
const SIGNATURE1 = Uint8Array.of(0x84, 0x6a, ...new TextEncoder().encode('Signature1'))

/**
 * Takes a `COSE_Sign1` apart, tagged 18 or bare: any headers, any algorithm, payload attached or detached (null). The
 * CBOR must be strict (see `decodeStrict`). What an envelope may be is narrower: see `decodeEnvelope`.
 *
 * @param maxBytes of the whole; an envelope's unless told.
 */
export function decodeSign1(bytes: Uint8Array, maxBytes = MAX_ENVELOPE_BYTES): DecodedSign1 {
  const outer = decodeStrict(bytes, { maxBytes, maxDepth: MAX_NESTING, tags: [TAG_SIGN1] })
  if (!outer.ok) return outer
  const tagged = outer.value instanceof Tagged
  const parts: CborValue = outer.value instanceof Tagged ? outer.value.value : outer.value
  if (!Array.isArray(parts) || parts.length !== 4) return malformed('no COSE_Sign1 array of four')
  const [protectedBytes, unprotectedHeader, payload, signature] = parts
  if (!(protectedBytes instanceof Uint8Array))
    return malformed('protected header is no byte string')
  if (!(unprotectedHeader instanceof Map)) return malformed('unprotected header is no map')
  if (!(payload instanceof Uint8Array) && payload !== null) {
    return malformed('payload is neither a byte string nor nil')
  }
  if (!(signature instanceof Uint8Array)) return malformed('signature is no byte string')
  const header = decodeProtected(protectedBytes)
  if (!header.ok) return header
  if (!(header.value instanceof Map)) return malformed('protected header holds no map')
  return {
    ok: true,
    sign1: {
      tagged,
      protectedBytes,
      protectedHeader: header.value,
      unprotectedHeader,
      payload,
      signature,
    },
  }
}

/** The bytes that a `COSE_Sign1` signs: the encoded `Sig_structure` (RFC 9052, section 4.4). */
export function sigStructure(
  protectedBytes: Uint8Array,
  externalAad: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  // RFC 9052: a protected header that is an empty map is signed as an empty byte string.
  const isEmpty = protectedBytes.length === 1 && protectedBytes[0] === 0xa0
  const signed = isEmpty ? NONE : protectedBytes
  return concatBytes(
    SIGNATURE1,
    byteStringHead(signed.length),
    signed,
    byteStringHead(externalAad.length),
    externalAad,
    byteStringHead(payload.length),
    payload,
  )
}

/** The tagged `COSE_Sign1` of parts that are encoded already; `null` is a detached payload, the unprotected header empty unless told. */
export function encodeSign1(
  protectedBytes: Uint8Array,
  payload: Uint8Array | null,
  signature: Uint8Array,
  unprotectedBytes: Uint8Array = EMPTY_MAP,
): Uint8Array {
  return concatBytes(
    Uint8Array.of(0xc0 | TAG_SIGN1, 0x84),
    byteStringHead(protectedBytes.length),
    protectedBytes,
    unprotectedBytes,
    ...(payload === null ? [NIL] : [byteStringHead(payload.length), payload]),
    byteStringHead(signature.length),
    signature,
  )
}

function decodeProtected(bytes: Uint8Array): ReturnType<typeof decodeStrict> {
  return bytes.length === 0 ? { ok: true, value: new Map() } : decodeStrict(bytes, HEADER)
}

function byteStringHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x40 | length)
  if (length < 256) return Uint8Array.of(0x58, length)
  if (length < 65_536) return Uint8Array.of(0x59, length >> 8, length & 255)
  return Uint8Array.of(0x5a, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255)
}

function malformed(message: string): { ok: false; code: 'ENVELOPE_MALFORMED'; message: string } {
  return { ok: false, code: 'ENVELOPE_MALFORMED', message }
}

/** Claims of a CWT by their labels (RFC 8392; `cnf`: RFC 8747). */
export const CWT_CLAIM = { iss: 1, sub: 2, iat: 6, cnf: 8 } as const

/** COSE algorithm of a curve's signatures: ES256 and ES256K (RFC 9053, RFC 8812). */
export const CURVE_ALG = { 'P-256': -7, secp256k1: -47 } as const satisfies Record<Curve, number>
