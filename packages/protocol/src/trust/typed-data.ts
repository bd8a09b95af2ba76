import type { Address, Hex } from 'viem'
import { encodeAbiParameters, hashTypedData, keccak256 } from 'viem/utils'
import { recoverAccount } from './signature.ts'

/** What a checkpoint says: `timestamp` in milliseconds since 1970, `anchor` the `EvidenceAnchor` contract. */
export type Checkpoint = {
  chainId: number
  anchor: Address
  size: bigint
  root: Hex
  timestamp: number
}

/** Head of one stream at a rotation. */
export type RotationHead = { stream: string; seq: bigint; digest: Hex }

const CHECKPOINT_TYPES = {
  Checkpoint: [
    { name: 'size', type: 'uint64' },
    { name: 'root', type: 'bytes32' },
    { name: 'timestamp', type: 'uint64' },
  ],
} as const

const REGISTRY_TYPES = {
  Register: [
    { name: 'owner', type: 'address' },
    { name: 'keyId', type: 'bytes32' },
    { name: 'verifier', type: 'address' },
    { name: 'deadline', type: 'uint256' },
  ],
  RegisterControlled: [
    { name: 'owner', type: 'address' },
    { name: 'controller', type: 'uint256' },
    { name: 'salt', type: 'bytes32' },
    { name: 'deadline', type: 'uint256' },
  ],
  Rotate: [
    { name: 'machineId', type: 'uint256' },
    { name: 'newKeyId', type: 'bytes32' },
    { name: 'newVerifier', type: 'address' },
    { name: 'headsHash', type: 'bytes32' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
  Rekey: [
    { name: 'machineId', type: 'uint256' },
    { name: 'newKeyId', type: 'bytes32' },
    { name: 'newVerifier', type: 'address' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
} as const

const STREAM_HEADS = [
  {
    type: 'tuple[]',
    components: [
      { name: 'stream', type: 'string' },
      { name: 'seq', type: 'uint64' },
      { name: 'digest', type: 'bytes32' },
    ],
  },
] as const

/** The EIP-712 typed data of a checkpoint, ready for viem's `signTypedData`. */
export function checkpointTypedData(checkpoint: Checkpoint) {
  const { chainId, anchor, size, root, timestamp } = checkpoint
  return {
    domain: { name: 'Liquefy EvidenceLog', version: '1', chainId, verifyingContract: anchor },
    types: CHECKPOINT_TYPES,
    primaryType: 'Checkpoint',
    message: { size, root, timestamp: BigInt(timestamp) },
  } as const
}

/** The EIP-712 digest that the log's account signs. */
export function checkpointDigest(checkpoint: Checkpoint): Hex {
  return hashTypedData(checkpointTypedData(checkpoint))
}

/** True if `signature` (65 bytes, low `s`) over the checkpoint is by the account `log`. Never throws on a bad signature. */
export function verifyCheckpoint(checkpoint: Checkpoint, signature: Hex, log: Address): boolean {
  return recoverAccount(checkpointDigest(checkpoint), signature) === log.toLowerCase()
}

/** What a machine's key signs to be registered for `owner`: proof of possession. `deadline` in seconds. */
export function registerDigest(input: {
  chainId: number
  registry: Address
  owner: Address
  keyId: Hex
  verifier: Address
  deadline: bigint
}): Hex {
  const { owner, keyId, verifier, deadline } = input
  return hashTypedData({
    domain: registryDomain(input),
    types: REGISTRY_TYPES,
    primaryType: 'Register',
    message: { owner, keyId, verifier, deadline },
  })
}

/** What a controller's key signs to register a machine that cannot sign. `deadline` in seconds. */
export function registerControlledDigest(input: {
  chainId: number
  registry: Address
  owner: Address
  controller: bigint
  salt: Hex
  deadline: bigint
}): Hex {
  const { owner, controller, salt, deadline } = input
  return hashTypedData({
    domain: registryDomain(input),
    types: REGISTRY_TYPES,
    primaryType: 'RegisterControlled',
    message: { owner, controller, salt, deadline },
  })
}

/** What the old and the new key sign at a rotation. `nonce` is the machine's key epoch, `deadline` in seconds. */
export function rotateDigest(input: {
  chainId: number
  registry: Address
  machineId: bigint
  newKeyId: Hex
  newVerifier: Address
  headsHash: Hex
  nonce: bigint
  deadline: bigint
}): Hex {
  const { machineId, newKeyId, newVerifier, nonce, deadline } = input
  return hashTypedData({
    domain: registryDomain(input),
    types: REGISTRY_TYPES,
    primaryType: 'Rotate',
    message: {
      machineId,
      newKeyId,
      newVerifier,
      headsHash: input.headsHash,
      nonce,
      deadline,
    },
  })
}

/** What the new key signs after a revocation. `nonce` is the machine's key epoch, `deadline` in seconds. */
export function rekeyDigest(input: {
  chainId: number
  registry: Address
  machineId: bigint
  newKeyId: Hex
  newVerifier: Address
  nonce: bigint
  deadline: bigint
}): Hex {
  const { machineId, newKeyId, newVerifier, nonce, deadline } = input
  return hashTypedData({
    domain: registryDomain(input),
    types: REGISTRY_TYPES,
    primaryType: 'Rekey',
    message: { machineId, newKeyId, newVerifier, nonce, deadline },
  })
}

/** `keccak256(abi.encode(StreamHead[] heads))`, in the order given. */
export function headsHash(heads: readonly RotationHead[]): Hex {
  return keccak256(encodeAbiParameters(STREAM_HEADS, [heads]))
}

function registryDomain(input: { chainId: number; registry: Address }) {
  return {
    name: 'Liquefy MachineRegistry',
    version: '1',
    chainId: input.chainId,
    verifyingContract: input.registry,
  }
}

const TRANSFER = [
  { name: 'from', type: 'address' },
  { name: 'to', type: 'address' },
  { name: 'value', type: 'uint256' },
  { name: 'validAfter', type: 'uint256' },
  { name: 'validBefore', type: 'uint256' },
  { name: 'nonce', type: 'bytes32' },
] as const

/** EIP-712 types of a token's transfers that are signed (ERC-3009): for anybody to submit, or for the payee alone. */
export const AUTHORIZATION_TYPES = {
  TransferWithAuthorization: TRANSFER,
  ReceiveWithAuthorization: TRANSFER,
} as const
