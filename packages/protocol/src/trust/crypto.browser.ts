import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { concatBytes, fromHex } from './bytes.ts'
import type { Curve, PrivateKey, PublicKey } from './key.ts'

const UNCOMPRESSED = Uint8Array.of(4)
const ANY_S = { prehash: true, lowS: false } as const

/** SHA-256, 32 bytes. */
export function sha256(message: Uint8Array): Uint8Array {
  return nobleSha256(message)
}

/** ECDSA over SHA-256(message): 64 bytes `r || s`, deterministic (RFC 6979). */
export function signMessage(key: PrivateKey, message: Uint8Array): Uint8Array {
  return suite(key.curve).sign(message, key.d, ANY_S)
}

/** Verifies 64 bytes `r || s`, `s` low or high. May throw on a signature of another length. */
export function verifyMessage(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const point = concatBytes(UNCOMPRESSED, fromHex(key.x), fromHex(key.y))
  return suite(key.curve).verify(signature, message, point, ANY_S)
}

function suite(curve: Curve): typeof p256 {
  return curve === 'P-256' ? p256 : secp256k1
}
