import { type Hex, slice } from 'viem'
import type { PublicKey } from '../trust/key.ts'
import {
  normaliseTypedSignature,
  recoverAccount,
  verifyRawDigest,
  verifyTypedDigest,
} from '../trust/signature.ts'
import {
  accountOfSigner,
  encodeQuorumSignature,
  parseQuorumSignature,
  quorumSigner,
  SIGNER_KIND,
} from './signer.ts'

/** A machine's key as the ledger has it. */
export type LedgerKey = {
  key: PublicKey
  /** Under OpenZeppelin's raw P-256 verifier, which does not hash the digest once more. */
  signsRawDigest: boolean
}

/** What the ledger says that a signature's check depends on. */
export type SignerContext = {
  /** Keys of the machine that signs, or of its controller; any of them will do. Empty for other kinds of signer. */
  keys: readonly LedgerKey[]
  /** The verifiers that a quorum's P-256 signers may name. */
  verifiers: { p256Sha256Verifier: Hex; p256RawVerifier: Hex }
}

/**
 * The signature over an EIP-712 digest in the form that the clearing house takes it (low `s`), if it is by the signer that the terms
 * name; else undefined. High `s` of P-256 keys is accepted here, since devices emit it. Agrees with the contract, ERC-1271 left out.
 * Never throws. Nobody's agreements have no signature: undefined.
 */
export function signedBy(
  terms: { signerKind: number; signer: Hex },
  digest: Hex,
  signature: Hex,
  context: SignerContext,
): Hex | undefined {
  switch (terms.signerKind) {
    case SIGNER_KIND.machine:
      return signedByAny(context.keys, digest, signature)
    case SIGNER_KIND.account:
      return signedByAccount(accountOfSigner(terms.signer), digest, signature)
    case SIGNER_KIND.quorum:
      return signedByQuorum(terms.signer, digest, signature, context.verifiers)
    default:
      return undefined
  }
}

function signedByAny(keys: readonly LedgerKey[], digest: Hex, signature: Hex): Hex | undefined {
  const by = keys.find((one) => verifies(one, digest, signature))
  return by && normaliseTypedSignature(by.key.curve, signature)
}

function verifies({ key, signsRawDigest }: LedgerKey, digest: Hex, signature: Hex): boolean {
  return signsRawDigest
    ? verifyRawDigest(key, digest, signature)
    : verifyTypedDigest(key, digest, signature)
}

function signedByAccount(account: Hex | undefined, digest: Hex, signature: Hex): Hex | undefined {
  return account !== undefined && recoverAccount(digest, signature) === account
    ? signature
    : undefined
}

/** Each signature given must be good, and there must be enough of them. */
function signedByQuorum(
  signer: Hex,
  digest: Hex,
  signature: Hex,
  verifiers: SignerContext['verifiers'],
): Hex | undefined {
  const read = parseQuorumSignature(signature)
  if (!read || quorumSigner(read) !== signer.toLowerCase()) return undefined
  if (!read.signers.every((member) => keyOf(member, verifiers) !== undefined)) return undefined
  const signed: [Hex, Hex][] = []
  for (const [index, member] of read.signers.entries()) {
    const given = read.signatures[index] ?? '0x'
    if (given === '0x') continue
    const good = signedByMember(keyOf(member, verifiers), digest, given)
    if (good === undefined) return undefined
    signed.push([member, good])
  }
  return signed.length >= read.threshold ? encodeQuorumSignature(read, signed) : undefined
}

function signedByMember(
  member: Hex | LedgerKey | undefined,
  digest: Hex,
  signature: Hex,
): Hex | undefined {
  if (member === undefined) return undefined
  return typeof member === 'string'
    ? signedByAccount(member, digest, signature)
    : signedByAny([member], digest, signature)
}

/** A member's account, or its key under one of the verifiers; undefined for any other verifier. */
function keyOf(member: Hex, verifiers: SignerContext['verifiers']): Hex | LedgerKey | undefined {
  if (member.length === 42) return member
  const verifier = slice(member, 0, 20)
  const signsRawDigest = verifier === verifiers.p256RawVerifier.toLowerCase()
  if (!signsRawDigest && verifier !== verifiers.p256Sha256Verifier.toLowerCase()) return undefined
  const key = { curve: 'P-256', x: slice(member, 20, 52), y: slice(member, 52, 84) } as const
  return { key, signsRawDigest }
}
