/**
 * What the HTTP API of a node answers. Amounts and quantities are decimal strings in smallest units; hashes,
 * addresses and digests are 0x strings; times end in `Ms` (since 1970) unless they are signed ones (`asOf`, seconds).
 */

export type Hex = `0x${string}`

export interface Deployment {
  chainId: number
  /** JSON-RPC endpoint of the ledger as a client on this machine reaches it. */
  rpcUrl: string
  embedded: boolean
  registry: Hex
  /** Verifier of P-256 keys that sign SHA-256 of a digest: what devices register with. */
  p256Sha256Verifier: Hex
  /** Verifier of P-256 keys that sign the digest itself. */
  p256RawVerifier: Hex
  clearingHouse: Hex
  evidenceAnchor: Hex
  linearTariff: Hex
  tieredTariff: Hex
  planTariff: Hex
  /** Account that signs checkpoints and sends anchors. */
  log: Hex
  asset: { address: Hex; symbol: string; decimals: number }
  mqttUrl: string
  /** Named accounts of the embedded chain, empty on an outside one. */
  people: { name: string; address: Hex }[]
  /** Whether the node signs for these people when asked: `Client.walletRequest`. */
  actAsPeople: boolean
}

export interface Status {
  machines: number
  envelopes: {
    logged: number
    duplicate: number
    refused: Record<string, number>
    priced: number
    unpriced: Record<string, number>
    waiting: number
  }
  owedMinor: string
  settledMinor: string
  chain: {
    chainId: number
    embedded: boolean
    block: number
    finalBlock: number
    logSize: string
    anchoredSize: string
    outbox: Record<string, number>
  }
}

export type MachineState = 'registered' | 'active' | 'suspended' | 'decommissioned'

export interface MachineSummary {
  machineId: string
  /** Chosen by the product definition; the id where none was given. */
  name: string
  owner: Hex
  state: MachineState
  controller: string | null
  lastReadingMs: number | null
  /** The stream that its first agreement meters, else the first that it published. */
  mainStream: string | null
  envelopes: number
  refused: number
  owedMinor: string
  settledMinor: string
}

export interface Machine extends MachineSummary {
  key: { keyId: Hex; curve: 'P-256' | 'secp256k1'; epoch: string; x: Hex; y: Hex } | null
  streams: {
    stream: string
    envelopes: number
    lastSeq: string
    lastMs: number
    unit: string | null
  }[]
  agreements: Hex[]
}

/** One point of a chart: minute rollup, or a bucket of several. */
export interface ReadingBucket {
  timeMs: number
  count: number
  min: number
  max: number
  mean: number
  last: number
}

export interface ReadingSeries {
  stream: string
  name: string
  unit: string | null
  bucketMs: number
  buckets: ReadingBucket[]
}

export interface TimelineEntry {
  atMs: number
  kind:
    | 'registered'
    | 'state'
    | 'key'
    | 'owner'
    | 'agreement'
    | 'refused'
    | 'unpriced'
    | 'declaration'
    | 'settled'
  /** Stable code where there is one: a state, a verdict. */
  code: string
  /** One sentence in plain words. */
  words: string
  agreementId?: Hex
  txHash?: Hex
}

export interface EnvelopeSummary {
  logIndex: string
  digest: Hex
  stream: string
  seq: string
  loggedAtMs: number
  firstMs: number
  lastMs: number
  readings: number
  /** Admission code, or the fold's where it was admitted. */
  code: string
}

export interface PeriodView {
  period: number
  startMs: number
  endMs: number
  asOf: string
  registers: string[]
  /** By the node's own fold, not yet signed by the meter. */
  owedMinor: string
  /** Signed by the meter, accepted, not yet on the ledger. */
  signedMinor: string
  includedMinor: string
  finalMinor: string
  arrearsMinor: string
  /** What late evidence added after the period was final. */
  adjustedMinor: string
  /** What the payee gave back of it; stands beside what was paid. */
  refundedMinor: string
  heads: { stream: string; seq: string }[]
}

export interface AgreementSummary {
  agreementId: Hex
  machineId: string
  machineName: string
  payer: Hex
  payee: Hex
  open: boolean
  owedMinor: string
  includedMinor: string
  finalMinor: string
  escrowMinor: string
  /** Who owns what it earns, and what he has not credited to his balance yet. */
  position: { owner: Hex; accruedMinor: string }
}

export interface Agreement extends AgreementSummary {
  /** What stands in the way of metering or of payment, in words; null if nothing does. */
  problem: string | null
  terms: unknown
  rules: unknown[]
  tariffInWords: string
  rulesInWords: string[]
  registerUnits: string[]
  /** Who signs the meter values, in words: `machine 7`, `the edge (machine 3)`, `the payer (0x…)`, `nobody: time alone counts`. */
  metersSignedBy: string
  periods: PeriodView[]
  /** The agreement that this one is linked to (its salt), and those that are linked to it. */
  linkedTo: Hex | null
  linkedFrom: Hex[]
  /** Newest first. */
  settlements: {
    /** A signed value, arrears, what late evidence added, or what the payee gave back. */
    kind: 'settled' | 'collected' | 'adjusted' | 'refunded'
    period: number
    asOf: string
    registers: string[]
    paidMinor: string
    txHash: Hex
    block: number
    final: boolean
    atMs: number
  }[]
}

export interface LogHead {
  size: string
  root: Hex
  timestamp: number
  signature: Hex
  anchored: { size: string; root: Hex; txHash: Hex } | null
}

/**
 * Server-sent events of `GET /v1/events`; `Last-Event-ID` resumes behind one within a minute. `missed`: what happened since is not told any more; read anew what you show.
 */
export type NodeEvent =
  | { type: 'logged'; machineId: string; stream: string; seq: string; atMs: number }
  | { type: 'refused'; machineId: string; code: string; atMs: number }
  | {
      type: 'owed'
      agreementId: Hex
      period: number
      owedMinor: string
      registers: string[]
      atMs: number
    }
  | { type: 'meter-value'; agreementId: Hex; period: number; code: string; atMs: number }
  | {
      type: 'settled'
      agreementId: Hex
      period: number
      paidMinor: string
      txHash: Hex
      atMs: number
    }
  | ({ type: 'notice'; change: 'began' | 'ended'; atMs: number } & Pick<
      Notice,
      'agreementId' | 'party' | 'role' | 'kind'
    >)
  | { type: 'missed'; atMs: number }
  | { type: 'status'; status: Status; atMs: number }

/** A warning to one party of an open agreement, for as long as it holds. Amounts in smallest units. */
export interface Notice {
  agreementId: Hex
  party: Hex
  role: 'payer' | 'payee'
  /**
   * `escrow-low`: what is left after all that is owed is less than a tenth of what was funded. `escrow-short`: more is owed than escrow can
   * pay, or a period is in arrears. A top-up ends both.
   */
  kind: 'escrow-low' | 'escrow-short'
  escrowMinor: string
  /** Owed and not yet paid. */
  unpaidMinor: string
  fundedMinor: string
}

/** A signed meter value that the node will relay. `asOf` in seconds. */
export interface AcceptedMeterValue {
  agreementId: Hex
  period: number
  asOf: number
  code: 'ACCEPTED'
}

/** One signature over many meter values that the node will relay. Items that are not `ACCEPTED` the ledger skips. */
export interface AcceptedAttestation {
  attestationId: Hex
  items: { agreementId: Hex; period: number; code: string; message?: string }[]
}

/** Somebody signed in by EIP-4361. `token` is what `createClient` takes. */
export interface Session {
  token: string
  /** Lower case. */
  address: Hex
  expiresMs: number
}

/**
 * Terms that one party has signed and proposed to the other; only these two ever see them. `proposalId` is the id of the agreement that comes
 * of it. Accounts in lower case, but for those in terms.
 */
export interface ProposalSummary {
  proposalId: Hex
  proposer: Hex
  counterparty: Hex
  payer: Hex
  payee: Hex
  machineId: string
  machineName: string
  /** `accepted`: the ledger has the agreement. `replaced`: by a newer offer of either. `expired`: the terms can no longer be opened. */
  state: 'waiting' | 'accepted' | 'declined' | 'withdrawn' | 'replaced' | 'expired'
  tariffInWords: string
  createdMs: number
  /** Until when it may be accepted. */
  openByMs: number
  /** The offer that this one answers. */
  replaces: Hex | null
  answeredMs: number | null
}

export interface Proposal extends ProposalSummary {
  terms: unknown
  /** In the order of the meters. */
  rules: unknown[]
  /** The proposer's, over the terms (EIP-712): what the other party opens with. Null once the offer no longer stands. */
  signature: Hex | null
  /** What the payer is asked to put into escrow at first; no part of the terms. */
  fundMinor: string
  message: string
  /** What was said when it was declined or withdrawn. */
  answerWords: string | null
}

/** All offers of a negotiation, the oldest first: each but the first replaces the one before. */
export interface Dialogue {
  offers: Proposal[]
}

/** What `Client.propose` takes: terms and rules as JSON, and the wallet's signature of the terms. */
export interface ProposalRequest {
  terms: unknown
  rules: unknown[]
  signature: Hex
  fundMinor: string
  /** One's own words, at most 500 characters; may be empty. */
  message: string
  /** The offer that this one answers; that one is over then. */
  replaces?: Hex
}

/** Every answer that is not 2xx. */
export interface ApiProblem {
  code: string
  message: string
}

/** A frame that was not logged, newest first in lists. */
export interface Refusal {
  code: string
  message: string
  atMs: number
}

/** One logged envelope with what proves that it stands in the log. */
export interface EnvelopeProof extends EnvelopeSummary {
  machineId: string
  /** What stands in its leaf of the log; `code` is the fold's where this is `OK`. */
  admission: string
  /** The envelope as received, base64. */
  raw: string
  /** Inclusion proof (RFC 9162) towards `checkpoint`. */
  proof: Hex[]
  checkpoint: { size: string; root: Hex; timestamp: number; signature: Hex }
}
