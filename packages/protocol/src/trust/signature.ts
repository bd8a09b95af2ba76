import { p256 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'
import type { Hex } from 'viem'
import { keccak256 } from 'viem/utils'
import { sha256, signMessage, verifyMessage } from '#crypto'
import { LiquefyError } from '../error.ts'
import { concatBytes, fromHex, toHex } from './bytes.ts'
import type { Curve, PublicKey, SigningKey, TokenKey } from './key.ts'

const RAW_DIGEST = { prehash: false, lowS: true } as const
const DIGEST = /^0x[0-9a-fA-F]{64}$/
const SIGNATURE_64 = /^0x[0-9a-fA-F]{128}$/
const SIGNATURE_65 = /^0x[0-9a-fA-F]{130}$/

/** SHA-256 of `message`, 32 bytes (native where there is a native one). */
export { sha256 }

/** ECDSA over SHA-256(message): 64 bytes `r || s`; `s` may be low or high. */
export function sign(key: SigningKey, message: Uint8Array): Uint8Array {
  return 'd' in key ? signMessage(key, message) : key.signDigest(sha256(message))
}

/**
 * True if `signature` (64 bytes `r || s`, `s` low or high) is the key's ECDSA signature of SHA-256(message). Never
 * throws: a key off its curve or a signature of another length verifies nothing.
 */
export function verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false
  try {
    return verifyMessage(key, message, signature)
  } catch {
    return false
  }
}

/** ECDSA over `digest32` itself: 64 bytes `r || s`, low `s`; deterministic (RFC 6979) unless the key is in a token. */
export function signDigest(key: SigningKey, digest32: Uint8Array): Uint8Array {
  if (!('d' in key)) return lowS(key.curve, key.signDigest(digest32))
  return suite(key.curve).sign(digest32, key.d, RAW_DIGEST)
}

/** The same signature with `s` in the lower half of the order, as contracts demand. Throws unless 64 bytes with r and s in range. */
export function lowS(curve: Curve, signature: Uint8Array): Uint8Array {
  const { Signature, Point } = suite(curve)
  const parsed = Signature.fromBytes(signature)
  if (!parsed.hasHighS()) return signature
  return new Signature(parsed.r, Point.Fn.ORDER - parsed.s).toBytes()
}

/**
 * Signs an EIP-712 digest as `MachineRegistry` verifies it. P-256: ECDSA over SHA-256 of the 32 bytes, 64 bytes
 * `r || s`, low `s`. secp256k1: ECDSA over the digest, 65 bytes `r || s || v`, low `s`, `v` 27 or 28.
 */
export function signTypedDigest(key: SigningKey, digest: Hex): Hex {
  if (key.curve === 'P-256') return toHex(lowS('P-256', sign(key, fromHex(digest))))
  if (!('d' in key)) return withRecovery(key, digest)
  const signature = secp256k1.sign(fromHex(digest), key.d, { ...RAW_DIGEST, format: 'recovered' })
  return toHex(concatBytes(signature.subarray(1), Uint8Array.of(27 + (signature[0] ?? 0))))
}

/**
 * True if `signature` is the key's over the EIP-712 digest, in the form of `signTypedDigest`. High `s` is accepted on
 * P-256, where devices emit it and the relayer normalises it with `lowS`; refused on secp256k1. Never throws.
 */
export function verifyTypedDigest(key: PublicKey, digest: Hex, signature: Hex): boolean {
  if (key.curve === 'secp256k1') {
    const point = recoverPoint(digest, signature)
    return point !== undefined && toHex(point.subarray(1)) === `${key.x}${key.y.slice(2)}`
  }
  if (!DIGEST.test(digest) || !SIGNATURE_64.test(signature)) return false
  return verify(key, fromHex(digest), fromHex(signature))
}

/**
 * True if `signature` is the P-256 key's over the 32 bytes of the digest themselves, as OpenZeppelin's `ERC7913P256Verifier` checks it.
 * High `s` is accepted, as in `verifyTypedDigest`. Never throws; false for keys of another curve.
 */
export function verifyRawDigest(key: PublicKey, digest: Hex, signature: Hex): boolean {
  if (key.curve !== 'P-256' || !DIGEST.test(digest) || !SIGNATURE_64.test(signature)) return false
  try {
    const point = concatBytes(Uint8Array.of(4), fromHex(key.x), fromHex(key.y))
    return p256.verify(fromHex(signature), fromHex(digest), point, { prehash: false, lowS: false })
  } catch {
    return false
  }
}

/** A good signature over an EIP-712 digest in the form that contracts take: P-256 devices emit high `s`, which those refuse. */
export function normaliseTypedSignature(curve: Curve, signature: Hex): Hex {
  return curve === 'P-256' ? toHex(lowS(curve, fromHex(signature))) : signature
}

/**
 * The account (lower case) whose secp256k1 signature `r || s || v` (65 bytes, low `s`, `v` 27 or 28) over `digest`
 * this is; undefined if it is no such signature. Agrees with OpenZeppelin's `ECDSA.tryRecover`.
 */
export function recoverAccount(digest: Hex, signature: Hex): Hex | undefined {
  const point = recoverPoint(digest, signature)
  return point && `0x${keccak256(point.subarray(1)).slice(-40)}`
}

/** The key whose signature `r || s || v` over `digest` this is, as `recoverAccount` takes it; undefined if it is no such signature. */
export function recoverPublicKey(digest: Hex, signature: Hex): PublicKey | undefined {
  const point = recoverPoint(digest, signature)
  return (
    point && {
      curve: 'secp256k1',
      x: toHex(point.subarray(1, 33)),
      y: toHex(point.subarray(33)),
    }
  )
}

/** The account of a secp256k1 key, lower case. */
export function accountOf(key: PublicKey): Hex {
  return `0x${keccak256(concatBytes(fromHex(key.x), fromHex(key.y))).slice(-40)}`
}

/** A token does not say which of the two points is its key's. @throws LiquefyError `KEY_DIFFERS`. */
function withRecovery(key: TokenKey, digest: Hex): Hex {
  const signature = signDigest(key, fromHex(digest))
  const found = [27, 28]
    .map((v) => toHex(concatBytes(signature, Uint8Array.of(v))))
    .find((candidate) => verifyTypedDigest(key.publicKey, digest, candidate))
  if (found) return found
  throw new LiquefyError(
    'KEY_DIFFERS',
    'The token signs with another key than the one that it was asked for: look at its label in key.json.',
  )
}

function recoverPoint(digest: Hex, signature: Hex): Uint8Array | undefined {
  if (!DIGEST.test(digest) || !SIGNATURE_65.test(signature)) return undefined
  const bytes = fromHex(signature)
  const recovery = (bytes[64] ?? 0) - 27
  if (recovery !== 0 && recovery !== 1) return undefined
  try {
    const parsed = secp256k1.Signature.fromBytes(bytes.subarray(0, 64)).addRecoveryBit(recovery)
    return parsed.hasHighS() ? undefined : parsed.recoverPublicKey(fromHex(digest)).toBytes(false)
  } catch {
    return undefined
  }
}

function suite(curve: Curve): typeof p256 {
  return curve === 'P-256' ? p256 : secp256k1
}
