/**
 * What the HTTP API of a node answers of vaults: machines that many own (docs/protocol/vault.md, governance.md). Shares are whole, decimal
 * strings; amounts are of the vault's asset in smallest units; accounts in lower case; times end in `Ms`.
 */

import type { CallEffect } from '@liquefy/protocol'
import type { Hex } from './types.ts'

export type { CallEffect, CallKind } from '@liquefy/protocol'

/**
 * `selling`: shares are sold and do not move. `live`: owners decide by vote. `failed`: the sale missed its goal, money and machines go back.
 * `bought-out`: one owner has it all, the others are paid for their shares.
 */
export type VaultPhase = 'selling' | 'live' | 'failed' | 'bought-out'

/** A machine that a vault began with, or got later. */
export interface VaultMachine {
  machineId: string
  machineName: string
  /** Whether the vault still owns it. */
  held: boolean
}

/** The primary sale. Its last share closes it; else anybody may after `deadlineMs`. */
export interface VaultSale {
  priceMinor: string
  /** In shares, as `goal` and `sold` are. */
  cap: string
  goal: string
  sold: string
  deadlineMs: number
  /** `open`: shares may be bought. `over`: the deadline has passed and nobody has closed it. */
  state: 'open' | 'over' | 'succeeded' | 'failed'
}

export interface VaultSummary {
  vault: Hex
  name: string
  symbol: string
  phase: VaultPhase
  founder: Hex
  /** Who runs the machine day by day. */
  operator: Hex
  machines: VaultMachine[]
  /** Shares in existence, and accounts that hold any. */
  supply: string
  ownerCount: number
  /** Null: there was none. */
  sale: VaultSale | null
  /** All that went through the waterfall so far, and of it what was the owners'. */
  incomeMinor: string
  ownersMinor: string
  createdMs: number
}

/** So many of 10,000 parts of what is left after reserve and lender. */
export interface WaterfallFee {
  to: Hex
  bps: number
}

/** In what order income is used: reserve up to its target, then the lender until nothing is outstanding, then fees, then owners. */
export interface VaultWaterfall {
  reserveTargetMinor: string
  /** Null: there is none. */
  lender: Hex | null
  outstandingMinor: string
  fees: WaterfallFee[]
}

/** How owners decide, as it is now. Seconds, and shares. */
export interface VaultGovernance {
  votingDelaySeconds: number
  votingPeriodSeconds: number
  proposalThreshold: string
  /** Percent of all shares that must take part. */
  quorumPercent: number
  timelockSeconds: number
}

/** Who holds `minBps` of 10,000 parts of the shares (at least half) may offer for the rest; more than `refusalBps` of the others refuse it. */
export interface BuyoutRules {
  minBps: number
  refusalBps: number
  delaySeconds: number
}

/** `stands` until refused or completed; `ripe`: nobody can refuse any more, and anybody may complete it. */
export interface BuyoutOffer {
  /** Its number, from 1. */
  offer: string
  offerer: Hex
  priceMinor: string
  depositMinor: string
  refuseByMs: number
  refused: string
  /** More refused shares than this end it. */
  refusalLimit: string
  state: 'stands' | 'ripe' | 'refused' | 'completed'
  offeredMs: number
}

/** What somebody may have paid out that he did not earn by shares: a lender, a fee, proceeds of the sale. */
export interface VaultCredit {
  account: Hex
  minor: string
}

export interface Vault extends VaultSummary {
  asset: Hex
  governor: Hex
  timelock: Hex
  /** Who may act with what the vault holds now: the timelock, or whoever is left alone with it. */
  controller: Hex
  /** Who may hold shares: everybody, a list that the operator keeps, or whom another contract lets. */
  compliance: { kind: 'open' | 'allow-list' | 'contract'; contract: Hex | null }
  waterfall: VaultWaterfall
  reserveMinor: string
  credits: VaultCredit[]
  /** What owners together may claim. */
  claimableMinor: string
  /** On the vault, and nobody's yet: `distribute` or `collect` sends it through the waterfall. As the ledger has it now. */
  undistributedMinor: string
  /** What its agreements have earned and the clearing house still holds: what `collect` brings, with the agreements to name. */
  collectable: { minor: string; agreementIds: Hex[] }
  governance: VaultGovernance
  /** Null: nobody may offer for the rest. */
  buyoutRules: BuyoutRules | null
  /** The newest one; null if there was none. */
  buyout: BuyoutOffer | null
  /** Those that are open or wait to be queued or executed. */
  openProposals: number
  txHash: Hex
}

export interface VaultPage {
  vaults: VaultSummary[]
  /** Where the next page begins; null: this is the last one. */
  nextOffset: number | null
}

export interface VaultOwner {
  account: Hex
  shares: string
  /** Of all shares, parts per million. */
  sharePpm: number
  claimedMinor: string
  claimableMinor: string
  /** Who votes with his shares; zero address: nobody. */
  delegate: Hex
}

/** Largest first; who holds nothing any more is not in it. */
export interface VaultOwnerPage {
  owners: VaultOwner[]
  nextOffset: number | null
}

/** One income, and what became of it: the four parts add up to `minor`. */
export interface VaultIncome {
  /** Where its event stands on the ledger, `<block>-<log index>`. */
  place: string
  atMs: number
  minor: string
  reserveMinor: string
  lenderMinor: string
  feesMinor: string
  ownersMinor: string
  /** Of all incomes up to this one. */
  cumulatedMinor: string
  cumulatedOwnersMinor: string
  /** Shares in existence at the end of its block; `soleOwner`: the vault was one's, who got it as a credit. */
  supply: string
  soleOwner: Hex | null
  txHash: Hex
  final: boolean
}

/** Newest first. */
export interface VaultIncomePage {
  incomes: VaultIncome[]
  /** For `before` of the next page; null: this is the last one. */
  before: string | null
}

/** Income of one calendar month in UTC, `2026-12`, oldest first; months without any are left out. */
export interface VaultMonth {
  month: string
  minor: string
  reserveMinor: string
  lenderMinor: string
  feesMinor: string
  ownersMinor: string
}

/**
 * As the governor would say at the node's time. `pending`: votes count later. `succeeded`: anybody may queue it. `queued`: waits in the timelock
 * until `executableMs`. `ready`: anybody may execute it. `expired`: it was not queued or executed in time, and never will be.
 */
export type VaultProposalState =
  | 'pending'
  | 'active'
  | 'canceled'
  | 'defeated'
  | 'succeeded'
  | 'queued'
  | 'ready'
  | 'executed'
  | 'expired'

export interface VaultProposalSummary {
  proposalId: string
  vault: Hex
  vaultName: string
  proposer: Hex
  /** First line of the description, without marks, at most 200 characters. */
  title: string
  state: VaultProposalState
  /** What it does, each call in a sentence. */
  effects: CallEffect[]
  createdMs: number
  /** Shares count as of the moment `votesFromMs`; votes may be cast after it, until `votesUntilMs`. */
  votesFromMs: number
  votesUntilMs: number
  /** When it may be executed; null until it is queued. */
  executableMs: number | null
  for: string
  against: string
  abstain: string
  /** For and abstaining votes that it takes; as of now while it is pending. */
  quorum: string
}

export interface VaultProposal extends VaultProposalSummary {
  description: string
  descriptionHash: Hex
  /** As the governor was given them; `effects` has one entry for each. */
  calls: { target: Hex; value: string; data: Hex }[]
  votes: VaultVote[]
  /** Votes beyond the newest two hundred are counted and not listed. */
  voteCount: number
  /** Null until it happened. */
  queuedMs: number | null
  executedMs: number | null
  canceledMs: number | null
  /** Identifies it in the timelock. */
  operationId: Hex
  txHash: Hex
}

export interface VaultVote {
  voter: Hex
  support: 'for' | 'against' | 'abstain'
  weight: string
  reason: string
  atMs: number
  txHash: Hex
}

/** Newest first. */
export interface VaultProposalPage {
  proposals: VaultProposalSummary[]
  nextOffset: number | null
}

/** Vaults of which an account holds shares, a credit, something to claim or a vote. */
export interface Portfolio {
  account: Hex
  holdings: Holding[]
  /** Those in which he has a vote and has not cast it. */
  waitingVotes: (VaultProposalSummary & { weight: string })[]
}

export interface Holding {
  vault: Hex
  name: string
  symbol: string
  phase: VaultPhase
  machines: VaultMachine[]
  shares: string
  sharePpm: number
  /** Bought in the sale and, if it failed, not refunded yet. */
  bought: string
  claimableMinor: string
  claimedMinor: string
  /** Earned by shares so far, claimed or not. */
  earnedMinor: string
  creditMinor: string
  /** Who votes with his shares; zero address: nobody. Votes that he has, his own and those delegated to him. */
  delegate: Hex
  votes: string
  /** What a share is worth to the one who completed a buy-out; null unless that happened and he still has shares. */
  redeemableMinor: string | null
  /** Shares with which he has refused the offer that stands. */
  refused: string
}

/** Everything that a vault owes and paid an account, the oldest line first; the sum of all `minor` is `balanceMinor`. */
export interface OwnerStatement {
  vault: Hex
  name: string
  symbol: string
  account: Hex
  asset: { address: Hex; symbol: string; decimals: number }
  /** Shares at the end. */
  shares: string
  earnedMinor: string
  claimedMinor: string
  /** What he may claim; equals `claimableOf` of the ledger once the block of the newest income is over. */
  balanceMinor: string
  creditMinor: string
  lines: StatementLine[]
  /** Where the next page begins; null: this is the last one. Sums are of the whole, whatever page. */
  nextOffset: number | null
}

/**
 * `income`: his part of the incomes of a block, by `shares` of `supply` at its end, in whole units such that nothing is lost over time. `claim`:
 * paid to `other`, negative. `credit-paid`: what he was paid beside his shares, which stands apart from the balance.
 */
export interface StatementLine {
  place: string
  atMs: number
  kind:
    | 'income'
    | 'claim'
    | 'bought'
    | 'refunded'
    | 'received'
    | 'sent'
    | 'redeemed'
    | 'credit-paid'
  /** Change of what he may claim; 0 of lines about shares and credits. */
  minor: string
  balanceMinor: string
  /** What he paid or was paid for shares, or was paid of a credit; null of others. */
  paidMinor: string | null
  /** His shares then. */
  shares: string
  /** All shares then; 0 of lines that are no income. */
  supply: string
  /** Owners' part of the income; null of other lines. */
  ownersMinor: string | null
  /** Whom shares or money went to or came from. */
  other: Hex | null
  txHash: Hex
}

/** Accounts on a vault's allow-list. */
export interface AllowedPage {
  accounts: Hex[]
  nextOffset: number | null
}
