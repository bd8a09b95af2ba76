import { machineRegistryAbi } from '@liquefy/abi'
import {
  CURVE_NUMBER,
  headsHash,
  keyId,
  LiquefyError,
  type RotationHead,
  rekeyDigest,
  rotateDigest,
  type SigningKey,
  signTypedDigest,
} from '@liquefy/protocol'
import { zeroAddress } from 'viem'
import type { MachineAction } from './ledger.ts'
import { send, TransactionRevertedError } from './transaction.ts'
import type { Hex } from './types.ts'

/** An action on one machine. */
type OneMachine = MachineAction & { machineId: bigint }

const PROOF_SECONDS = 3_600n

/** The registry on this ledger was deployed by a version that knew no reasons. */
export class ReasonUnknownError extends LiquefyError {
  constructor(cause: unknown) {
    super(
      'REASON_UNKNOWN',
      'The registry of this ledger is of an earlier version and keeps no reasons. Suspend the machine without one.',
      { cause },
    )
  }
}

/**
 * Active -> suspended: nothing that it signs is priced or paid until it is resumed. For its owner.
 *
 * @param action.reason for everybody to read, on the ledger for ever: 1 to 256 bytes of UTF-8.
 * @throws ReasonUnknownError before anything is sent.
 */
export async function suspendMachine(action: OneMachine & { reason?: string | undefined }) {
  const { machineId, reason } = action
  if (reason === undefined) return call(action, 'suspend', [machineId])
  try {
    return await call(action, 'suspendWithReason', [machineId, reason])
  } catch (error) {
    const isReverted = error instanceof TransactionRevertedError
    // Our own contract names what it refuses; one that lacks the function says nothing.
    if (isReverted && error.errorName === undefined) throw new ReasonUnknownError(error)
    throw error
  }
}

/** Suspended -> active. For its owner. */
export function resumeMachine(action: OneMachine) {
  return call(action, 'resume', [action.machineId])
}

/** Any state -> decommissioned, for ever: nothing that it signs verifies on the ledger any more. For its owner; settle first. */
export function decommissionMachine(action: OneMachine) {
  return call(action, 'decommission', [action.machineId])
}

/** Takes a stolen key away: it signs nothing any more, and only what was anchored in an earlier block counts. For its owner. */
export function revokeMachineKey(action: OneMachine) {
  return call(action, 'revoke', [action.machineId])
}

/** Moves the machine to another owner. Its agreements go on. For its owner. */
export function transferMachine(action: OneMachine & { to: Hex }) {
  const { wallet, machineId, to } = action
  return call(action, 'transferFrom', [wallet.account.address, to, machineId])
}

/**
 * Replaces a machine's key by a planned rotation that both keys sign. For anyone who has both.
 *
 * @param action.heads the last envelope of each stream that still counts under the old key.
 */
export async function rotateMachineKey(
  action: OneMachine & { oldKey: SigningKey; newKey: SigningKey; heads: readonly RotationHead[] },
) {
  const { deployment, machineId, oldKey, newKey, heads } = action
  const { verifier, nonce, deadline } = await proofContext(action, newKey)
  const digest = rotateDigest({
    ...deployment,
    machineId,
    newKeyId: keyId(newKey.publicKey),
    newVerifier: verifier,
    headsHash: headsHash(heads),
    nonce,
    deadline,
  })
  const proofs = [signTypedDigest(oldKey, digest), signTypedDigest(newKey, digest)]
  return call(action, 'rotate', [machineId, onLedger(newKey, verifier), heads, deadline, ...proofs])
}

/** Gives a machine whose key was revoked a new one, with its proof of possession. For its owner. */
export async function rekeyMachine(action: OneMachine & { newKey: SigningKey }) {
  const { deployment, machineId, newKey } = action
  const { verifier, nonce, deadline } = await proofContext(action, newKey)
  const digest = rekeyDigest({
    ...deployment,
    machineId,
    newKeyId: keyId(newKey.publicKey),
    newVerifier: verifier,
    nonce,
    deadline,
  })
  const proof = signTypedDigest(newKey, digest)
  return call(action, 'rekey', [machineId, onLedger(newKey, verifier), deadline, proof])
}

/** What the proof of a new key is bound to: its verifier, the machine's key epoch, and a time. */
async function proofContext(
  { deployment, publicClient, machineId }: OneMachine,
  { curve }: SigningKey,
): Promise<{ verifier: Hex; nonce: bigint; deadline: bigint }> {
  const contract = { address: deployment.registry, abi: machineRegistryAbi } as const
  const [p256Verifier, nonce, { timestamp }] = await Promise.all([
    publicClient.readContract({ ...contract, functionName: 'p256Sha256Verifier' }),
    publicClient.readContract({ ...contract, functionName: 'keyEpochOf', args: [machineId] }),
    publicClient.getBlock(),
  ])
  const verifier = curve === 'P-256' ? p256Verifier : zeroAddress
  return { verifier, nonce, deadline: timestamp + PROOF_SECONDS }
}

function onLedger({ curve, publicKey: { x, y } }: SigningKey, verifier: Hex) {
  return { curve: CURVE_NUMBER[curve], verifier, x, y }
}

function call(action: MachineAction, functionName: string, args: readonly unknown[]) {
  const { registry: address } = action.deployment
  return send(action, { address, abi: machineRegistryAbi, functionName, args })
}
