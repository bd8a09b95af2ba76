import { createPrivateKey, createPublicKey, hash, type KeyObject, sign, verify } from 'node:crypto'
import { boundedCache } from './bounded-cache.ts'
import type { PrivateKey, PublicKey } from './key.ts'

// Importing a JWK costs more than a verification, so recent keys stay imported.
const publicKeys = boundedCache<KeyObject>(10_000)
const privateKeys = new WeakMap<PrivateKey, KeyObject>()

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
  return verify('sha256', message, { key: importPublic(key), dsaEncoding: 'ieee-p1363' }, signature)
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
