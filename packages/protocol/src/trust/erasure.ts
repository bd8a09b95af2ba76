import type { Address, Hex } from 'viem'
import { hashTypedData } from 'viem/utils'
import { append, emptyFrontier, frontierRoot, leafData, leafHash } from './log.ts'
import { recoverAccount } from './signature.ts'

/** What was erased of one stream: the span of `seq` that it lies in, envelopes, and their bytes. */
export type ErasedStream = {
  stream: string
  firstSeq: bigint
  lastSeq: bigint
  envelopes: bigint
  bytes: bigint
}

/** What a log says that it has erased of a machine, and what it keeps (docs/protocol/life.md). `erasedAt` in ms since 1970. */
export type Erasure = {
  chainId: number
  /** The `EvidenceAnchor` contract. */
  anchor: Address
  machineId: bigint
  /** The machine's owner, who asked for it. */
  owner: Address
  erasedAt: number
  /** By name, in the order of code units. */
  streams: readonly ErasedStream[]
  /** Root (RFC 9162) of the leaves of the erased envelopes alone, in the order of the log. */
  keptRoot: Hex
  /** The log that they all stand in. */
  logSize: bigint
  logRoot: Hex
}

const ERASURE_TYPES = {
  Erasure: [
    { name: 'machineId', type: 'uint256' },
    { name: 'owner', type: 'address' },
    { name: 'erasedAt', type: 'uint64' },
    { name: 'streams', type: 'ErasedStream[]' },
    { name: 'keptRoot', type: 'bytes32' },
    { name: 'logSize', type: 'uint64' },
    { name: 'logRoot', type: 'bytes32' },
  ],
  ErasedStream: [
    { name: 'stream', type: 'string' },
    { name: 'firstSeq', type: 'uint64' },
    { name: 'lastSeq', type: 'uint64' },
    { name: 'envelopes', type: 'uint64' },
    { name: 'bytes', type: 'uint64' },
  ],
} as const

/** The EIP-712 typed data of an erasure, ready for viem's `signTypedData`: in the domain of checkpoints, by the log's account. */
export function erasureTypedData(erasure: Erasure) {
  const { chainId, anchor, erasedAt, ...message } = erasure
  return {
    domain: { name: 'Liquefy EvidenceLog', version: '1', chainId, verifyingContract: anchor },
    types: ERASURE_TYPES,
    primaryType: 'Erasure',
    message: { ...message, erasedAt: BigInt(erasedAt) },
  } as const
}

/** True if `signature` (65 bytes, low `s`) over the erasure is by the account `log`. Never throws on a bad signature. */
export function verifyErasure(erasure: Erasure, signature: Hex, log: Address): boolean {
  return recoverAccount(hashTypedData(erasureTypedData(erasure)), signature) === log.toLowerCase()
}

/** The root of the leaves of erased envelopes, given in the order of the log: what `keptRoot` must be. */
export function keptRoot(leaves: Iterable<{ digest: Hex; loggedAt: number; code: string }>): Hex {
  let kept = emptyFrontier
  for (const { digest, loggedAt, code } of leaves) {
    kept = append(kept, leafHash(leafData(digest, loggedAt, code))).frontier
  }
  return frontierRoot(kept)
}
