import type { MachineCredential } from './credential.ts'
import type { Hex, PartReplacement } from './types.ts'

/** What a buyer wants to know of a machine, from the ledger and the node; lists the oldest first, the newest 200 of each. */
export interface MachineLife {
  machineId: string
  state: 'registered' | 'active' | 'suspended' | 'decommissioned'
  controller: string | null
  /** Of its account; null where the ledger has none. */
  did: string | null
  /** What its maker says of its hardware; null if no maker that the operator trusts has said anything. */
  credential: MachineCredential | null
  owners: { owner: Hex; sinceMs: number }[]
  keys: {
    keyId: Hex
    curve: 'P-256' | 'secp256k1'
    epoch: string
    sinceMs: number
    /** Null while it speaks for the machine. */
    until: { atMs: number; why: 'rotated' | 'revoked' } | null
  }[]
  /** The present key was set while somebody else owned the machine, who may have kept a copy of it. */
  keyIsOlderThanOwner: boolean
  suspensions: { fromMs: number; untilMs: number | null; by: Hex; reason: string | null }[]
  /** All that name the machine; `closedMs` null of those that are open. */
  agreements: {
    agreementId: Hex
    payer: Hex
    payee: Hex
    openedMs: number
    closedMs: number | null
    streams: string[]
    shared: boolean
  }[]
  streams: {
    stream: string
    envelopes: number
    lastSeq: string
    /** Numbers up to `lastSeq` that the log never had. */
    missing: string
    equivocations: number
    brokenChains: number
    /** Of the envelopes: whose bytes are in files outside, and whose were erased. */
    archived: number
    erased: number
    /** The open agreement that has the stream for itself: no other may meter it (`STREAM_TAKEN`). */
    takenBy: Hex | null
  }[]
  /** No number is missing, and the bytes of every envelope are here or in an archive. */
  evidenceComplete: boolean
  /** Sensors that gave way to others, as it declared. */
  replacements: PartReplacement[]
  records: MachineRecord[]
  erasures: ErasureStatement[]
}

/** A signed record of a maker: `GET /v1/machines/<id>/records/<recordId>` answers its bytes. */
export interface MachineRecord {
  /** SHA-256 of its bytes. */
  recordId: Hex
  kind: 'design' | 'build'
  /** did:key of the maker. */
  issuer: string
  subject: string
  addedBy: Hex
  addedMs: number
}

/** What the log's account has signed of an erasure (EIP-712, docs/protocol/life.md). */
export interface ErasureStatement {
  chainId: number
  evidenceAnchor: Hex
  log: Hex
  machineId: string
  owner: Hex
  erasedAtMs: number
  streams: {
    stream: string
    firstSeq: string
    lastSeq: string
    envelopes: string
    bytes: string
  }[]
  /** Root of the leaves of the erased envelopes, in the order of the log. */
  keptRoot: Hex
  logSize: string
  logRoot: Hex
  signature: Hex
}

/** What stays of an envelope whatever becomes of its bytes: its leaf in the log with the proof of it. */
export interface KeptLeaf {
  logIndex: string
  machineId: string
  stream: string
  seq: string
  digest: Hex
  prev: Hex
  loggedAtMs: number
  /** As the leaf has it. */
  admission: string
  bytes: 'here' | 'archived' | 'erased'
  proof: Hex[]
  checkpoint: { size: string; root: Hex; timestamp: number; signature: Hex }
}
