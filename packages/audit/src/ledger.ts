import type { PublicKey, Tariff } from '@liquefy/protocol'
import type { Hex } from 'viem'

/**
 * What an audit asks the ledger. Everything is read from contracts and their events, never from a node's database.
 * Seconds are those of blocks.
 */
export interface LedgerReader {
  /** Id of the chain that this machine registry is on. */
  chainId(registry: Hex): Promise<number>
  /** The registry that this clearing house resolves machines in. */
  registryOf(clearingHouse: Hex): Promise<Hex>
  /** The verifiers that this registry allows for P-256 keys. */
  verifiers(registry: Hex): Promise<{ p256Sha256Verifier: Hex; p256RawVerifier: Hex }>
  /** `undefined` if it was never opened there. `closedSeconds` once it was closed. */
  opening(
    clearingHouse: Hex,
    agreementId: Hex,
  ): Promise<{ openedSeconds: number; closedSeconds?: number } | undefined>
  /** Payments of the agreement, in the order of the ledger. */
  payments(clearingHouse: Hex, agreementId: Hex): Promise<Payment[]>
  machine(registry: Hex, machineId: bigint): Promise<LedgerMachine | undefined>
  /** Anchors that `log` has sent, in the order of the ledger. */
  anchors(evidenceAnchor: Hex, log: Hex): Promise<LedgerAnchor[]>
  tariffKind(tariff: Hex): Promise<Tariff['kind'] | 'other'>
  /** `ITariff.owed` on the ledger itself, for a tariff contract whose code is not one of ours; `undefined` if it fails. */
  callTariff(
    tariff: Hex,
    data: Hex,
    registers: bigint[],
    elapsedSeconds: bigint,
  ): Promise<bigint | undefined>
  /** What of all that was proven, and against which block; absent where the endpoint is believed. */
  proof?(): LedgerProof | null
}

/** What was proven of the ledger (docs/protocol/ledger-proof.md). */
export interface LedgerProof {
  blockHash: Hex
  /** Decimal. */
  blockNumber: string
  blockSeconds: number
  /** Headers linked from the trusted block down. */
  headers: number
  /** Blocks whose receipts were read whole. */
  receiptBlocks: number
  /** What was proven, a line each. */
  facts: string[]
}

/**
 * What happened to the money of an agreement. `transaction` is for people: nothing is computed from it, and no proof covers it.
 * `settled` carries a signed meter value and what it paid then; `collected` pays arrears of earlier ones; `adjusted` carries what late
 * evidence added to a final period, and what that paid then.
 */
export type Payment =
  | {
      kind: 'settled'
      period: number
      asOf: bigint
      registers: bigint[]
      evidenceHead: Hex
      paidMinor: bigint
      blockSeconds: number
      transaction: Hex
    }
  | {
      kind: 'collected'
      period: number
      paidMinor: bigint
      blockSeconds: number
      transaction: Hex
    }
  | {
      kind: 'adjusted'
      period: number
      amountMinor: bigint
      evidenceHead: Hex
      paidMinor: bigint
      blockSeconds: number
      transaction: Hex
    }
  /** The payee gave money of the period back: it stands beside what was paid, and changes nothing of it. */
  | {
      kind: 'refunded'
      period: number
      amountMinor: bigint
      blockSeconds: number
      transaction: Hex
    }
  /** The escrow did not reach: `missingMinor` of the period stays on record. */
  | {
      kind: 'short'
      period: number
      missingMinor: bigint
      blockSeconds: number
      transaction: Hex
    }

export interface LedgerMachine {
  machineId: bigint
  owner: Hex
  /** 0n: signs for itself. */
  controller: bigint
  keys: KeyEpoch[]
  /** Each change of state, in order; a machine that was never moved is `registered`. */
  states: { state: string; fromSeconds: number }[]
}

/** One key epoch; `endSeconds` once it was rotated away or revoked. */
export interface KeyEpoch {
  epoch: bigint
  keyId: Hex
  key: PublicKey
  /** Under OpenZeppelin's raw P-256 verifier, which does not hash the digest once more. */
  signsRawDigest: boolean
  fromSeconds: number
  endSeconds: number | undefined
  end: 'rotated' | 'revoked' | undefined
  /** Of a rotation: the last envelope of each stream under this key. */
  heads: { stream: string; seq: bigint; digest: Hex }[]
}

export interface LedgerAnchor {
  size: bigint
  root: Hex
  blockSeconds: number
  transaction: Hex
}
