import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import type { Hex } from 'viem'
import { keccak256 } from 'viem/utils'
import { LiquefyError } from '../error.ts'
import { boundedCache } from './bounded-cache.ts'
import { concatBytes, fromHex, toHex } from './bytes.ts'

/** The curves a machine may have its key on. */
export type Curve = 'P-256' | 'secp256k1'

/** A point of `curve`: affine coordinates, 32 bytes each, big-endian, lower-case hex. */
export type PublicKey = { readonly curve: Curve; readonly x: Hex; readonly y: Hex }

/** A private scalar `d` (32 bytes) with the point that belongs to it. */
export type PrivateKey = {
  readonly curve: Curve
  readonly d: Uint8Array
  readonly publicKey: PublicKey
}

/**
 * A private key that never leaves a token (PKCS#11, a secure element). `signDigest` is all that is asked of it: ECDSA over 32 bytes as they are,
 * answered as 64 bytes `r || s`, `s` low or high.
 */
export type TokenKey = {
  readonly curve: Curve
  readonly publicKey: PublicKey
  readonly signDigest: (digest32: Uint8Array) => Uint8Array
}

/** What signs: a key in memory, or one in a token. */
export type SigningKey = PrivateKey | TokenKey

/** Number of a curve in `MachineRegistry` and in key ids. */
export const CURVE_NUMBER = { 'P-256': 1, secp256k1: 2 } as const satisfies Record<Curve, number>

/** The outcome of reading a key from outside. */
export type ParsedKey =
  | { ok: true; key: PublicKey }
  | { ok: false; code: 'KEY_INVALID'; message: string }

const COORDINATE = /^0x[0-9a-fA-F]{64}$/

const knownIds = boundedCache<Hex>(10_000)

/** `keccak256(abi.encode(uint8 curve, bytes32 x, bytes32 y))`: the same for every verifier of the key. */
export function keyId(key: PublicKey): Hex {
  return knownIds(`${key.curve}${key.x}${key.y}`, () => {
    const curve = new Uint8Array(32)
    curve[31] = CURVE_NUMBER[key.curve]
    return keccak256(concatBytes(curve, fromHex(key.x), fromHex(key.y)))
  })
}

/**
 * Reads `{ curve, x, y }` (hex coordinates) and refuses what is no point of the curve: off the curve, infinity,
 * coordinates beyond the field, another curve.
 */
export function parsePublicKey(input: unknown): ParsedKey {
  if (typeof input !== 'object' || input === null) return invalid('a key is {curve, x, y}')
  const { curve, x, y } = input as Record<string, unknown>
  if (curve !== 'P-256' && curve !== 'secp256k1') {
    return invalid("curve must be 'P-256' or 'secp256k1'")
  }
  if (
    typeof x !== 'string' ||
    typeof y !== 'string' ||
    !COORDINATE.test(x) ||
    !COORDINATE.test(y)
  ) {
    return invalid('x and y must be 32 bytes each, as 0x and 64 hex digits')
  }
  const { Point } = curve === 'P-256' ? p256 : secp256k1
  try {
    Point.fromAffine({ x: BigInt(x), y: BigInt(y) }).assertValidity()
  } catch {
    return invalid(`the point is not on ${curve}`)
  }
  return {
    ok: true,
    key: { curve, x: x.toLowerCase() as Hex, y: y.toLowerCase() as Hex },
  }
}

/**
 * The key pair of a private scalar of 32 bytes. Entropy comes from the caller: this package has none.
 *
 * @throws LiquefyError `KEY_INVALID` if `d` is zero, beyond the order, or not 32 bytes.
 */
export function privateKeyFromBytes(curve: Curve, d: Uint8Array): PrivateKey {
  const suite = curve === 'P-256' ? p256 : secp256k1
  if (!suite.utils.isValidSecretKey(d)) {
    throw new LiquefyError('KEY_INVALID', `Give 32 random bytes that are a valid ${curve} scalar.`)
  }
  const scalar = Uint8Array.from(d)
  return {
    curve,
    d: scalar,
    publicKey: publicKeyFromSec1(curve, suite.getPublicKey(scalar, false)),
  }
}

function publicKeyFromSec1(curve: Curve, point: Uint8Array): PublicKey {
  return { curve, x: toHex(point.subarray(1, 33)), y: toHex(point.subarray(33, 65)) }
}

function invalid(message: string): ParsedKey {
  return { ok: false, code: 'KEY_INVALID', message }
}
