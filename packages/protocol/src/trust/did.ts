import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { base58 } from '@scure/base'
import { concatBytes, fromHex, toHex } from './bytes.ts'
import type { Curve, ParsedKey, PublicKey } from './key.ts'

/** Multicodec of a compressed public key, as an unsigned varint: p256-pub 0x1200, secp256k1-pub 0xe7. */
const MULTICODEC = {
  'P-256': Uint8Array.of(0x80, 0x24),
  secp256k1: Uint8Array.of(0xe7, 0x01),
} as const satisfies Record<Curve, Uint8Array>
/** `z` is base58btc in multibase. */
const PREFIX = 'did:key:z'
const COMPRESSED_BYTES = 33
const MAX_LETTERS = 80

/** The `did:key` of a public key (W3C CCG did:key): multibase base58btc of multicodec and compressed point. */
export function didKey({ curve, x, y }: PublicKey): string {
  const isOdd = (fromHex(y).at(-1) ?? 0) & 1
  const point = concatBytes(Uint8Array.of(isOdd ? 3 : 2), fromHex(x))
  return `${PREFIX}${base58.encode(concatBytes(MULTICODEC[curve], point))}`
}

/** Reads a `did:key` of a P-256 or secp256k1 key. Never throws: `KEY_INVALID` for whatever is none. */
export function parseDidKey(did: string): ParsedKey {
  if (!did.startsWith(PREFIX) || did.length > MAX_LETTERS) {
    return invalid('a did:key begins with did:key:z')
  }
  try {
    const bytes = base58.decode(did.slice(PREFIX.length))
    for (const curve of ['P-256', 'secp256k1'] as const) {
      const codec = MULTICODEC[curve]
      if (bytes.length !== codec.length + COMPRESSED_BYTES) continue
      if (!codec.every((byte, index) => bytes[index] === byte)) continue
      const { Point } = curve === 'P-256' ? p256 : secp256k1
      const point = Point.fromBytes(bytes.subarray(codec.length)).toBytes(false)
      const key = { curve, x: toHex(point.subarray(1, 33)), y: toHex(point.subarray(33)) }
      return { ok: true, key }
    }
  } catch {
    return invalid('it is no base58btc of a point on its curve')
  }
  return invalid('it is no compressed P-256 or secp256k1 key')
}

function invalid(message: string): ParsedKey {
  return { ok: false, code: 'KEY_INVALID', message }
}
