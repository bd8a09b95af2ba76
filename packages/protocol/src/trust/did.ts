import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { base58 } from '@scure/base'
import { concatBytes, fromHex, toHex } from './bytes.ts'
import { type Curve, type ParsedKey, type PublicKey, parsePublicKey } from './key.ts'

/** Multicodec of a compressed point, as an unsigned varint: `p256-pub` 0x1200, `secp256k1-pub` 0xe7. */
const CODEC = { 'P-256': [0x80, 0x24], secp256k1: [0xe7, 0x01] } as const satisfies Record<
  Curve,
  readonly number[]
>
const PREFIX = 'did:key:z'
/** A compressed point of 33 bytes and its codec have 48 digits in base 58. */
const MAX_LENGTH = PREFIX.length + 48

/** The key as a DID (W3C did:key): multibase base58btc of multicodec and compressed point. */
export function didKey(key: PublicKey): string {
  const sign = Number(BigInt(key.y) & 1n) + 2
  const bytes = concatBytes(Uint8Array.from(CODEC[key.curve]), Uint8Array.of(sign), fromHex(key.x))
  return PREFIX + base58.encode(bytes)
}

/** Reads a did:key of a P-256 or secp256k1 key; without a fragment. Never throws. */
export function parseDidKey(did: string): ParsedKey {
  if (!did.startsWith(PREFIX) || did.length > MAX_LENGTH) return invalid('no did:key of such a key')
  try {
    const bytes = base58.decode(did.slice(PREFIX.length))
    const curve = (['P-256', 'secp256k1'] as const).find((one) =>
      CODEC[one].every((byte, index) => bytes[index] === byte),
    )
    if (!curve) return invalid('the codec is neither p256-pub nor secp256k1-pub')
    const { Point } = curve === 'P-256' ? p256 : secp256k1
    if (bytes.length !== 35) return invalid('the point is not compressed')
    const point = Point.fromBytes(bytes.subarray(2)).toBytes(false)
    return parsePublicKey({
      curve,
      x: toHex(point.subarray(1, 33)),
      y: toHex(point.subarray(33)),
    })
  } catch {
    return invalid('the point is not on its curve')
  }
}

function invalid(message: string): ParsedKey {
  return { ok: false, code: 'KEY_INVALID', message }
}
