import { decodeAbiParameters, encodeAbiParameters, type Hex, keccak256, padHex, toHex } from 'viem'
import { LiquefyError } from '../error.ts'

/** Who signs the meter values of an agreement: `signerKind` of its terms. */
export const SIGNER_KIND = { machine: 1, account: 2, quorum: 3, nobody: 4 } as const

/** `signer` of terms that nobody signs: money is owed by time alone. */
export const NOBODY_SIGNER: Hex = `0x${'00'.repeat(32)}`

/** A quorum has at most so many signers. */
export const MAX_QUORUM_SIGNERS = 16

/**
 * k of n: `threshold` of `signers` must sign. A signer is ERC-7913 bytes: 20 bytes of an account, or 84 bytes of an allowed
 * P-256 verifier's address, x and y.
 */
export type Quorum = { threshold: number; signers: readonly Hex[] }

/** One signature a signer in the order of `signers`, `0x` for who did not sign. */
export type QuorumSignature = Quorum & { signatures: readonly Hex[] }

const QUORUM_PARAMETERS = [{ type: 'uint8' }, { type: 'bytes[]' }] as const
const SIGNATURE_PARAMETERS = [...QUORUM_PARAMETERS, { type: 'bytes[]' }] as const
const SIGNER_BYTES = [20, 84]
/** ABI encoding of 16 signers of 84 bytes with 16 signatures of 65 bytes. */
export const MAX_QUORUM_SIGNATURE_BYTES = 5280

/** `signer` of terms whose meter values a machine signs (an edge is a machine too). */
export function machineSigner(machineId: bigint): Hex {
  return toHex(machineId, { size: 32 })
}

/** `signer` of terms whose meter values an account signs, such as the buyer's. */
export function accountSigner(address: Hex): Hex {
  return padHex(address.toLowerCase() as Hex, { size: 32 })
}

/** The account of an `accountSigner`, lower case; undefined if it is none. */
export function accountOfSigner(signer: Hex): Hex | undefined {
  return /^0x0{24}[0-9a-f]{40}$/i.test(signer) && BigInt(signer) !== 0n
    ? (`0x${signer.slice(-40).toLowerCase()}` as Hex)
    : undefined
}

/**
 * `signer` of terms that k of n sign: `keccak256(abi.encode(uint8 threshold, bytes[] signers))`. Signers may be given in any
 * order.
 *
 * @throws LiquefyError `QUORUM_INVALID` unless 1 <= threshold <= signers <= 16, no signer is twice, and each has 20 or 84 bytes.
 */
export function quorumSigner(quorum: Quorum): Hex {
  const { threshold, signers } = soundQuorum(quorum)
  return keccak256(encodeAbiParameters(QUORUM_PARAMETERS, [threshold, signers]))
}

/**
 * The signature of a quorum as the clearing house takes it: `abi.encode(uint8 threshold, bytes[] signers, bytes[] signatures)`,
 * signers in ascending order of `keccak256(signer)`. `signatures` are `[signer, signature]` of those who signed.
 *
 * @throws LiquefyError `QUORUM_INVALID` if the quorum is none, or a signature is by nobody of it.
 */
export function encodeQuorumSignature(
  quorum: Quorum,
  signatures: readonly (readonly [signer: Hex, signature: Hex])[],
): Hex {
  const { threshold, signers } = soundQuorum(quorum)
  const given = new Map(signatures.map(([signer, signature]) => [lower(signer), signature]))
  for (const signer of given.keys()) {
    if (!signers.includes(signer)) throw invalid(`${signer} is not one of the signers agreed.`)
  }
  return encodeAbiParameters(SIGNATURE_PARAMETERS, [
    threshold,
    signers,
    signers.map((signer) => given.get(signer) ?? '0x'),
  ])
}

/** Reads a quorum's signature; undefined unless it is exactly what `encodeQuorumSignature` writes. Verifies no signature. */
export function parseQuorumSignature(encoded: Hex): QuorumSignature | undefined {
  if (encoded.length > 2 + 2 * MAX_QUORUM_SIGNATURE_BYTES) return undefined
  try {
    const [threshold, signers, signatures] = decodeAbiParameters(SIGNATURE_PARAMETERS, encoded)
    if (signatures.length !== signers.length) return undefined
    const read = { threshold, signers, signatures }
    const pairs = signers.map((signer, index) => [signer, signatures[index] ?? '0x'] as const)
    return encodeQuorumSignature(read, pairs) === lower(encoded) ? read : undefined
  } catch {
    return undefined
  }
}

/**
 * Who signs the meter values of an agreement, in words for a page.
 *
 * @param controller of the machine that the terms name, where it has one: that edge's key signs.
 */
export function explainSigner(
  terms: {
    payer: Hex
    payee: Hex
    machineId: bigint
    meters: readonly unknown[]
    signerKind: number
    signer: Hex
  },
  controller?: bigint,
): string {
  const { payer, payee, machineId, meters, signerKind, signer } = terms
  if (signerKind === SIGNER_KIND.nobody) return 'nobody: time alone counts'
  if (signerKind === SIGNER_KIND.quorum) return 'enough of several signers'
  if (signerKind === SIGNER_KIND.machine) {
    const signs = controller ?? BigInt(signer)
    return meters.length > 0 && signs !== machineId
      ? `the edge (machine ${signs})`
      : `machine ${signs}`
  }
  const account = accountOfSigner(signer)
  if (account === lower(payer)) return `the payer (${account})`
  return account === lower(payee) ? `the payee (${account})` : `account ${account ?? signer}`
}

/** The same quorum with its signers in the order that the clearing house demands. */
function soundQuorum({ threshold, signers }: Quorum): { threshold: number; signers: Hex[] } {
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > signers.length) {
    throw invalid('Let the threshold be from 1 to the number of signers.')
  }
  if (signers.length > MAX_QUORUM_SIGNERS) {
    throw invalid(`Name at most ${MAX_QUORUM_SIGNERS} signers.`)
  }
  if (new Set(signers.map(lower)).size !== signers.length) throw invalid('Name each signer once.')
  for (const signer of signers) {
    if (!/^0x(?:[0-9a-f]{2})*$/i.test(signer) || !SIGNER_BYTES.includes((signer.length - 2) / 2)) {
      throw invalid(`${signer} is neither an account (20 bytes) nor verifier, x and y (84 bytes).`)
    }
  }
  return { threshold, signers: signers.map(lower).sort(byHash) }
}

function byHash(one: Hex, other: Hex): number {
  return keccak256(one) < keccak256(other) ? -1 : 1
}

function lower(hex: Hex): Hex {
  return hex.toLowerCase() as Hex
}

function invalid(message: string): LiquefyError {
  return new LiquefyError('QUORUM_INVALID', message)
}
