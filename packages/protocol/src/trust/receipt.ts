import type { Address, Hex } from 'viem'
import { boundedCache } from './bounded-cache.ts'
import { concatBytes, fromHex, toHex } from './bytes.ts'
import { type CborMap, type CborValue, decodeStrict, encode } from './cbor.ts'
import { CURVE_ALG, CWT_CLAIM, decodeSign1, encodeSign1, sigStructure } from './cose.ts'
import type { PublicKey } from './key.ts'
import { leafData, leafHash, rootOfConsistency, rootOfInclusion } from './log.ts'
import { accountOf, recoverPublicKey, sha256 } from './signature.ts'

/** A log: the account that signs it, and the `EvidenceAnchor` where that account anchors it. */
export type LogIdentity = { chainId: number; log: Address; anchor: Address }

/** The log's signature over its root at a size: the part of a receipt that all leaves of that size share. */
export type SignedRoot = {
  size: bigint
  root: Hex
  protectedBytes: Uint8Array
  /** 64 bytes `r || s`, low `s`. */
  signature: Uint8Array
}

/** What one receipt proves; `root`: only what the log's root is at a size. */
export type ReceiptProof =
  | {
      kind: 'inclusion'
      size: bigint
      index: bigint
      path: Hex[]
      /** ms since 1970. */
      loggedAt: number
      code: string
    }
  | { kind: 'consistency'; size1: bigint; size2: bigint; path: Hex[] }
  | { kind: 'root' }

/** A well-formed receipt (docs/protocol/receipt.md). Its signature is not verified yet. */
export type Receipt = {
  identity: LogIdentity
  /** COSE Key Thumbprint of the log's key. */
  kid: Hex
  /** Leaves of the log whose root is signed. */
  size: bigint
  /** When it was signed, in seconds since 1970. */
  iat: number
  proof: ReceiptProof
  /** Undefined: detached, to be computed from the proof. */
  root: Hex | undefined
  protectedBytes: Uint8Array
  signature: Uint8Array
}

/** Why a receipt proves nothing. */
export type ReceiptRefusal = {
  ok: false
  code:
    | 'RECEIPT_MALFORMED'
    | 'RECEIPT_OF_ANOTHER_LOG'
    | 'RECEIPT_PROOF_INVALID'
    | 'RECEIPT_SIGNATURE_INVALID'
  message: string
}

/** The outcome of decoding a receipt. */
export type DecodedReceipt = { ok: true; receipt: Receipt } | ReceiptRefusal

/** The outcome of verifying one: the root that the log signed. */
export type VerifiedReceipt = { ok: true; signed: SignedRoot; key: PublicKey } | ReceiptRefusal

/** Size of the largest receipt, in bytes. */
export const MAX_RECEIPT_BYTES = 4_096

/** COSE header parameters and values of RFC 9942, and our own. */
const HEADER = { alg: 1, kid: 4, cwtClaims: 15, vds: 395, vdp: 396, size: -70_101 } as const
const LEAF = { loggedAt: -70_102, code: -70_103 } as const
const PROOF = { inclusion: -1, consistency: -2 } as const
const ES256K = CURVE_ALG.secp256k1
const RFC9162_SHA256 = 1
const KEY_PARAMETER = { kty: 1, kid: 2, alg: 3, crv: -1, x: -2, y: -3 } as const
const EC2 = 2
const SECP256K1 = 8
const MAX_SIZE = 2n ** 63n - 1n
const MAX_PATH = 64
const MAX_CODE = 64
const NO_AAD = new Uint8Array(0)
const LIMITS = { maxBytes: MAX_RECEIPT_BYTES, maxDepth: 4, tags: [] }
// All leaves of one size share a signature, and recovering a key costs a hundred times what the proof does.
const knownKeys = boundedCache<PublicKey | undefined>(1_000)
const ACCOUNT = /^eip155:([1-9][0-9]{0,15}):(0x[0-9a-f]{40})$/

/** The COSE Key Thumbprint (RFC 9679, SHA-256) of a secp256k1 key: the `kid` of receipts. */
export function coseThumbprint(key: PublicKey): Hex {
  return toHex(sha256(encode(new Map(pointOf(key)))))
}

/** The COSE_Key of a log's key (RFC 9052, section 7), as a map to be encoded. */
export function coseKey(key: PublicKey): CborMap {
  return new Map<CborValue, CborValue>([
    ...pointOf(key),
    [KEY_PARAMETER.kid, fromHex(coseThumbprint(key))],
    [KEY_PARAMETER.alg, ES256K],
  ])
}

function pointOf({ x, y }: PublicKey): [CborValue, CborValue][] {
  return [
    [KEY_PARAMETER.kty, EC2],
    [KEY_PARAMETER.crv, SECP256K1],
    [KEY_PARAMETER.x, fromHex(x)],
    [KEY_PARAMETER.y, fromHex(y)],
  ]
}

/** The protected header of the log's signature over its root at `size`. `iat` in seconds since 1970. */
export function encodeRootHeader(
  identity: LogIdentity,
  { key, size, iat }: { key: PublicKey; size: bigint; iat: number },
): Uint8Array {
  return encode(
    new Map<CborValue, CborValue>([
      [HEADER.alg, ES256K],
      [HEADER.kid, fromHex(coseThumbprint(key))],
      [
        HEADER.cwtClaims,
        new Map<CborValue, CborValue>([
          [CWT_CLAIM.iss, accountText(identity.chainId, identity.log)],
          [CWT_CLAIM.sub, accountText(identity.chainId, identity.anchor)],
          [CWT_CLAIM.iat, iat],
        ]),
      ],
      [HEADER.vds, RFC9162_SHA256],
      [HEADER.size, size],
    ]),
  )
}

/** SHA-256 of what a root's signature is over: sign these 32 bytes with ECDSA on secp256k1. */
export function rootSigningHash(protectedBytes: Uint8Array, root: Hex): Hex {
  return toHex(sha256(sigStructure(protectedBytes, NO_AAD, fromHex(root))))
}

/** A root's signature alone: a receipt without a proof, with the root as its payload. */
export function encodeSignedRoot({ protectedBytes, root, signature }: SignedRoot): Uint8Array {
  return encodeSign1(protectedBytes, fromHex(root), signature)
}

/** The receipt of one leaf (RFC 9942, section 5.2): the payload, the root, is detached. `loggedAt` in ms since 1970. */
export function encodeInclusionReceipt(
  { size, protectedBytes, signature }: SignedRoot,
  leaf: { index: bigint; path: readonly Hex[]; loggedAt: number; code: string },
): Uint8Array {
  const proof = encode([size, leaf.index, leaf.path.map(fromHex)])
  const unprotected = new Map<CborValue, CborValue>([
    [HEADER.vdp, new Map<CborValue, CborValue>([[PROOF.inclusion, [proof]]])],
    [LEAF.loggedAt, leaf.loggedAt],
    [LEAF.code, leaf.code],
  ])
  return encodeSign1(protectedBytes, null, signature, encode(unprotected))
}

/** The receipt that the log of `size1` leaves is a prefix of the one whose root is signed (RFC 9942, section 5.3). */
export function encodeConsistencyReceipt(
  { size, protectedBytes, signature }: SignedRoot,
  { size1, path }: { size1: bigint; path: readonly Hex[] },
): Uint8Array {
  const proof = encode([size1, size, path.map(fromHex)])
  const unprotected = new Map<CborValue, CborValue>([
    [HEADER.vdp, new Map<CborValue, CborValue>([[PROOF.consistency, [proof]]])],
  ])
  return encodeSign1(protectedBytes, null, signature, encode(unprotected))
}

/** Decodes a receipt strictly, whatever it proves. Never throws. The signature is not verified. */
export function decodeReceipt(bytes: Uint8Array): DecodedReceipt {
  const decoded = decodeSign1(bytes, MAX_RECEIPT_BYTES)
  if (!decoded.ok) return malformed(decoded.message)
  const { sign1 } = decoded
  if (!sign1.tagged) return malformed('a receipt carries tag 18')
  if (sign1.signature.length !== 64) return malformed('a signature has 64 bytes, r and s')
  const header = readHeader(sign1.protectedHeader)
  if (!header.ok) return header
  const root = sign1.payload === null ? undefined : hashOf(sign1.payload)
  if (sign1.payload !== null && root === undefined) return malformed('the root has 32 bytes')
  const proof = readProof(sign1.unprotectedHeader)
  if (typeof proof === 'string') return malformed(proof)
  if (proof.kind === 'root' && root === undefined) {
    return malformed('without a proof the root must be attached')
  }
  const { protectedBytes, signature } = sign1
  return { ok: true, receipt: { ...header.value, proof, root, protectedBytes, signature } }
}

/**
 * Verifies a receipt of inclusion for the envelope with this digest: the proof leads from its leaf to the root that `log` signed, at the size that it
 * signed. Never throws.
 */
export function verifyInclusionReceipt(
  receipt: Receipt,
  { digest, log }: { digest: Hex; log: LogIdentity },
): VerifiedReceipt {
  const { proof, size } = receipt
  if (proof.kind !== 'inclusion') return malformed('the receipt proves no inclusion')
  // RFC 9942 leaves the size unsigned, and one path fits several sizes.
  if (proof.size !== size) return badProof(`it is of size ${proof.size}, and ${size} was signed`)
  const hash = leafHash(leafData(digest, proof.loggedAt, proof.code))
  const root = rootOfInclusion({ leafHash: hash, index: proof.index, size, proof: proof.path })
  if (root === undefined) return badProof('its path does not fit index and size')
  return verifyRoot(receipt, root, log)
}

/** Verifies that what `log` signed extends the log of `size1` leaves whose root is `root1`. Never throws. */
export function verifyConsistencyReceipt(
  receipt: Receipt,
  { root1, log }: { root1: Hex; log: LogIdentity },
): VerifiedReceipt {
  const { proof, size } = receipt
  if (proof.kind !== 'consistency') return malformed('the receipt proves no consistency')
  if (proof.size2 !== size) return badProof(`it is of size ${proof.size2}, and ${size} was signed`)
  const { size1, path } = proof
  const root = rootOfConsistency({ size1, root1, size2: size, proof: path })
  if (root === undefined) return badProof('it does not lead from that root')
  return verifyRoot(receipt, root, log)
}

/** Verifies that `log` signed the root that stands in the receipt. Never throws. */
export function verifySignedRoot(receipt: Receipt, log: LogIdentity): VerifiedReceipt {
  if (receipt.root === undefined) return malformed('the root is not attached')
  return verifyRoot(receipt, receipt.root, log)
}

function verifyRoot(receipt: Receipt, root: Hex, identity: LogIdentity): VerifiedReceipt {
  const { chainId, log, anchor } = receipt.identity
  const isOurs =
    chainId === identity.chainId &&
    log === identity.log.toLowerCase() &&
    anchor === identity.anchor.toLowerCase()
  if (!isOurs) {
    const message = `it is of the log ${log}, anchored at ${anchor} on chain ${chainId}`
    return { ok: false, code: 'RECEIPT_OF_ANOTHER_LOG', message }
  }
  if (receipt.root !== undefined && receipt.root !== root) {
    return badProof('it leads to another root than the one attached')
  }
  const { protectedBytes, signature, size, kid } = receipt
  const key = signerOf(rootSigningHash(protectedBytes, root), signature, log)
  if (!key || coseThumbprint(key) !== kid) {
    return {
      ok: false,
      code: 'RECEIPT_SIGNATURE_INVALID',
      message: 'the log did not sign this root at this size',
    }
  }
  return { ok: true, signed: { size, root, protectedBytes, signature }, key }
}

/** The key of `log`, if it signed this. COSE has no place for the parity that Ethereum's signatures end in: it is one of the two. */
function signerOf(hash: Hex, signature: Uint8Array, log: Address): PublicKey | undefined {
  const account = log.toLowerCase()
  return knownKeys(`${account}${hash}${toHex(signature)}`, () =>
    [27, 28]
      .map((v) => recoverPublicKey(hash, toHex(concatBytes(signature, Uint8Array.of(v)))))
      .find((key) => key !== undefined && accountOf(key) === account),
  )
}

type Header = Pick<Receipt, 'identity' | 'kid' | 'size' | 'iat'>

function readHeader(header: CborMap): { ok: true; value: Header } | ReceiptRefusal {
  if (header.get(HEADER.alg) !== ES256K) return malformed('alg must be -47 (ES256K)')
  if (header.get(HEADER.vds) !== RFC9162_SHA256) return malformed('vds must be 1 (RFC9162_SHA256)')
  const kid = hashOf(header.get(HEADER.kid))
  if (kid === undefined) return malformed('kid must be 32 bytes')
  const size = unsigned(header.get(HEADER.size))
  if (!size) return malformed('the size that is signed must be an integer from 1')
  const claims = header.get(HEADER.cwtClaims)
  if (!(claims instanceof Map)) return malformed('CWT claims must be there')
  const iss = readAccount(claims.get(CWT_CLAIM.iss))
  const sub = readAccount(claims.get(CWT_CLAIM.sub))
  const iat = claims.get(CWT_CLAIM.iat)
  if (!iss || !sub || iss.chainId !== sub.chainId) {
    return malformed('iss and sub must be eip155:<chainId>:<address>, of one chain')
  }
  if (typeof iat !== 'number' || iat < 0) return malformed('iat must be integer seconds since 1970')
  const identity = { chainId: iss.chainId, log: iss.address, anchor: sub.address }
  return { ok: true, value: { identity, kid, size, iat } }
}

/** The proof, or why it is none. */
function readProof(unprotected: CborMap): ReceiptProof | string {
  const proofs = unprotected.get(HEADER.vdp)
  if (proofs === undefined) return { kind: 'root' }
  if (!(proofs instanceof Map) || proofs.size !== 1) return 'vdp must be a map of one kind of proof'
  const [[kind, list] = []] = proofs
  if (!Array.isArray(list) || list.length !== 1 || !(list[0] instanceof Uint8Array)) {
    return 'a receipt has one proof, in a byte string'
  }
  const decoded = decodeStrict(list[0], LIMITS)
  if (!decoded.ok) return decoded.message
  const parts = Array.isArray(decoded.value) ? decoded.value : []
  const [first, second] = parts.map(unsigned)
  const path = readPath(parts[2])
  if (parts.length !== 3 || first === undefined || second === undefined || !path) {
    return 'a proof is two integers and a path of hashes'
  }
  if (kind === PROOF.consistency) return { kind: 'consistency', size1: first, size2: second, path }
  if (kind !== PROOF.inclusion) return `proofs of kind ${String(kind)} are not known`
  const loggedAt = unprotected.get(LEAF.loggedAt)
  const code = unprotected.get(LEAF.code)
  if (typeof loggedAt !== 'number' || loggedAt < 0 || typeof code !== 'string') {
    return 'loggedAt and admission code of the leaf must stand beside its proof'
  }
  if (!/^[A-Z_]+$/.test(code) || code.length > MAX_CODE) return 'the admission code is none'
  return { kind: 'inclusion', size: first, index: second, path, loggedAt, code }
}

function readPath(field: CborValue | undefined): Hex[] | undefined {
  if (!Array.isArray(field) || field.length > MAX_PATH) return undefined
  const path = field.map(hashOf)
  return path.every((hash) => hash !== undefined) ? path : undefined
}

function hashOf(field: CborValue | undefined): Hex | undefined {
  return field instanceof Uint8Array && field.length === 32 ? toHex(field) : undefined
}

function unsigned(field: CborValue | undefined): bigint | undefined {
  if (typeof field !== 'number' && typeof field !== 'bigint') return undefined
  const value = BigInt(field)
  return value < 0n || value > MAX_SIZE ? undefined : value
}

function readAccount(field: CborValue | undefined): { chainId: number; address: Hex } | undefined {
  const match = typeof field === 'string' ? ACCOUNT.exec(field) : null
  const chainId = Number(match?.[1])
  if (!match || !Number.isSafeInteger(chainId)) return undefined
  return { chainId, address: match[2] as Hex }
}

/** CAIP-10. */
function accountText(chainId: number, address: Address): string {
  return `eip155:${chainId}:${address.toLowerCase()}`
}

function badProof(message: string): ReceiptRefusal {
  return { ok: false, code: 'RECEIPT_PROOF_INVALID', message }
}

function malformed(message: string): ReceiptRefusal {
  return { ok: false, code: 'RECEIPT_MALFORMED', message }
}
