import type { Hex } from 'viem'
import type { Fault } from './fault.ts'
import type { LedgerProof } from './ledger.ts'

/** What an audit found. Amounts, registers and positions are decimal strings in smallest units. */
export interface AuditReport {
  agreement: Hex | null
  /** Envelopes that the bundle holds and that were checked. */
  envelopes: number
  readings: number
  priced: number
  unpriced: Record<string, number>
  /** Behind a gap in `seq` that is neither closed, declared nor given up. */
  waiting: number
  periods: PeriodReport[]
  /**
   * What all that evidence is: with agreement, period, `asOf` and registers of a period it makes the meter value that an attestor may sign.
   * Null without meters.
   */
  evidence: { evidenceHead: Hex; heads: { stream: string; seq: string }[] } | null
  /** What all evidence in the bundle is worth under the tariff, settled or not. */
  owedMinor: string
  /** Paid on the ledger. */
  settledMinor: string
  /** Settled on the ledger minus what the evidence supports at the settled heads. */
  differenceMinor: string
  firstFault: Fault | null
  /** Envelopes in the log, but beyond the last anchor on the ledger. */
  unanchored: number
  /** Whose keys signed the readings: `machine 7`, or `edge 3 (controller)`. */
  signedBy: string[]
  /** Who signs the meter values that are paid, by the terms: `machine 7`, `the edge (machine 3)`, `the payer (0x…)`; null if unknown. */
  metersSignedBy: string | null
  /** Paid after this bundle was written, on evidence that it does not hold; no part of `settledMinor`. */
  settledAfterMinor: string
  /** The addresses that the bundle names and that this verdict rests on: compare them with those you trust. */
  restsOn: {
    chainId: number
    registry: Hex
    clearingHouse: Hex
    evidenceAnchor: Hex
    log: Hex
  } | null
  /** What of the ledger was proven against a trusted block; null if the RPC was believed. */
  ledgerProof: LedgerProof | null
}

export interface PeriodReport {
  period: number
  /** Until when it was recomputed, seconds: its end, or the moment at which the bundle was written. */
  asOf: string
  /** Recomputed from all evidence. */
  registers: string[]
  owedMinor: string
  paidMinor: string
  settledRegisters: string[] | null
  /** Of what was paid: what late evidence added after the period was final. */
  adjustedMinor: string
  /** What the payee gave back of it. */
  refundedMinor: string
  /** What the calibration of the meters leaves open of `owedMinor`, by their uncertainty in parts per million; null where none must be calibrated. */
  band: { lowerMinor: string; upperMinor: string; uncertaintyPpm: number } | null
}
