import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import { base58 } from '@scure/base'
import type { Hex } from 'viem'
import { concatBytes, fromHex, toHex } from './bytes.ts'
import type { Curve, ParsedKey, PublicKey } from './key.ts'

/** Multicodec prefixes `p256-pub` (0x1200) and `secp256k1-pub` (0xe7), as unsigned varints. */
const MULTICODEC: Record<Curve, Uint8Array> = {
  'P-256': Uint8Array.of(0x80, 0x24),
  secp256k1: Uint8Array.of(0xe7, 0x01),
}
const CURVES = Object.keys(MULTICODEC) as Curve[]
/** `z`, multibase's letter of base58btc, and at most what 35 bytes take. */
const DID_KEY = /^did:key:z([1-9A-HJ-NP-Za-km-z]{1,50})$/

/** The point as SEC 1 compresses it: 33 bytes. */
export function compressedPoint({ x, y }: PublicKey): Uint8Array {
  return concatBytes(Uint8Array.of(2 + Number(BigInt(y) & 1n)), fromHex(x))
}

/** The key as a multikey: multibase base58btc of multicodec prefix and compressed point, `zDn…` or `zQ3s…`. */
export function multikey(key: PublicKey): string {
  return `z${base58.encode(concatBytes(MULTICODEC[key.curve], compressedPoint(key)))}`
}

/** The `did:key` of a key: what names a machine before it is registered. */
export function didKey(key: PublicKey): string {
  return `did:key:${multikey(key)}`
}

/** The id that resolvers give the key of a `did:key` in its document. */
export function didKeyMethod(key: PublicKey): string {
  return `${didKey(key)}#${multikey(key)}`
}

/** Reads the P-256 or secp256k1 key of a `did:key`, without a fragment. Never throws. */
export function parseDidKey(did: string): ParsedKey {
  const encoded = DID_KEY.exec(did)?.[1]
  if (encoded === undefined) return invalid('a did:key is did:key:z and base58 digits')
  const bytes = base58.decode(encoded)
  const curve = CURVES.find((one) => MULTICODEC[one].every((byte, index) => bytes[index] === byte))
  if (!curve) return invalid('its key must be on P-256 or secp256k1')
  const point = bytes.subarray(MULTICODEC[curve].length)
  if (point.length !== 33) return invalid('its key must be a compressed point of 33 bytes')
  const { Point } = curve === 'P-256' ? p256 : secp256k1
  try {
    const sec1 = Point.fromBytes(point).toBytes(false)
    return {
      ok: true,
      key: { curve, x: toHex(sec1.subarray(1, 33)), y: toHex(sec1.subarray(33)) },
    }
  } catch {
    return invalid(`its point is not on ${curve}`)
  }
}

/** `did:ethr` of a machine's account: `did:ethr:0x<chain>:0x<account>`, lower case. */
export function didEthr({ chainId, account }: { chainId: number; account: Hex }): string {
  return `did:ethr:0x${chainId.toString(16)}:${account.toLowerCase()}`
}

function invalid(message: string): ParsedKey {
  return { ok: false, code: 'KEY_INVALID', message }
}
