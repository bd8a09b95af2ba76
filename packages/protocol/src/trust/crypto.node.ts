import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import { boundedCache } from './bounded-cache.ts'
import type { PrivateKey, PublicKey } from './key.ts'

// Importing a JWK costs more than a verification, so recent keys stay imported.
const publicKeys = boundedCache<KeyObject>(10_000)
const privateKeys = new WeakMap<PrivateKey, KeyObject>()

const SCALAR_BYTES = 32
const DER_SEQUENCE = 0x30
const DER_INTEGER = 0x02

/** SHA-256, 32 bytes. */
export function sha256(message: Uint8Array): Uint8Array {
  return plain(hash('sha256', message, 'buffer'))
}

/** ECDSA over SHA-256(message): 64 bytes `r || s`, `s` low or high. The nonce is random. */
export function signMessage(key: PrivateKey, message: Uint8Array): Uint8Array {
  return plain(sign('sha256', message, { key: importPrivate(key), dsaEncoding: 'ieee-p1363' }))
}

/** Verifies 64 bytes `r || s`, `s` low or high. May throw if the key is no point of its curve. */
export function verifyMessage(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 2 * SCALAR_BYTES) return false
  // As `r || s`, node turns it into DER itself, and asks the key for its curve each time: a fifth of the whole.
  return verify('sha256', message, importPublic(key), derOf(signature))
}

/** `r || s` as the DER of an `Ecdsa-Sig-Value` (RFC 3279, section 2.2.3). */
function derOf(signature: Uint8Array): Uint8Array {
  const r = beginningOf(signature, 0)
  const s = beginningOf(signature, SCALAR_BYTES)
  const rLength = SCALAR_BYTES - r + signBytes(signature, r)
  const sLength = 2 * SCALAR_BYTES - s + signBytes(signature, s)
  const der = new Uint8Array(6 + rLength + sLength)
  der[0] = DER_SEQUENCE
  der[1] = 4 + rLength + sLength
  der[2] = DER_INTEGER
  der[3] = rLength
  der.set(signature.subarray(r, SCALAR_BYTES), 4 + signBytes(signature, r))
  der[4 + rLength] = DER_INTEGER
  der[5 + rLength] = sLength
  der.set(signature.subarray(s), 6 + rLength + signBytes(signature, s))
  return der
}

/** Where a scalar's digits begin behind zeros; its last byte stays, whatever it is. */
function beginningOf(signature: Uint8Array, from: number): number {
  let at = from
  while (at < from + SCALAR_BYTES - 1 && signature[at] === 0) at += 1
  return at
}

/** DER's integers have a sign: a zero before a first digit that would be one. */
function signBytes(signature: Uint8Array, at: number): number {
  return (signature[at] ?? 0) >> 7
}

function importPublic(key: PublicKey): KeyObject {
  return publicKeys(`${key.curve}${key.x}${key.y}`, () =>
    createPublicKey({ key: publicJwk(key), format: 'jwk' }),
  )
}

function importPrivate(key: PrivateKey): KeyObject {
  const known = privateKeys.get(key)
  if (known) return known
  const d = Buffer.from(key.d).toString('base64url')
  const imported = createPrivateKey({ key: { ...publicJwk(key.publicKey), d }, format: 'jwk' })
  privateKeys.set(key, imported)
  return imported
}

/** A Buffer's `slice` shares memory where that of a Uint8Array copies: no Buffer leaves this file. */
function plain(buffer: Buffer): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength)
}

function publicJwk(key: PublicKey): { kty: string; crv: string; x: string; y: string } {
  return {
    kty: 'EC',
    crv: key.curve,
    x: Buffer.from(key.x.slice(2), 'hex').toString('base64url'),
    y: Buffer.from(key.y.slice(2), 'hex').toString('base64url'),
  }
}
