/**
 * What the HTTP API of a node answers. Amounts and quantities are decimal strings in smallest units; hashes,
 * addresses and digests are 0x strings; times end in `Ms` (since 1970) unless they are signed ones (`asOf`, seconds).
 */

import type { MachineCredential } from './credential.ts'

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
  /** What the machines' accounts and DIDs need; null on a ledger whose contracts an earlier version deployed: its machines have none. */
  accounts: { erc6551Registry: Hex; machineAccount: Hex; didRegistry: Hex } | null
  /** What machines are shared and traded by; null on a ledger whose contracts an earlier version deployed. `market` is Seaport. */
  cooperation: CooperationContracts | null
  /** Account that signs checkpoints and sends anchors. */
  log: Hex
  asset: { address: Hex; symbol: string; decimals: number }
  mqttUrl: string
  /** Named accounts of the embedded chain, empty on an outside one. */
  people: { name: string; address: Hex }[]
  /** Whether the node signs for these people when asked: `Client.walletRequest`. */
  actAsPeople: boolean
}

/** Contracts of machines that many own; the first three are codes that every vault is a clone of. */
export interface CooperationContracts {
  machineVault: Hex
  machineGovernor: Hex
  vaultTimelock: Hex
  vaultFactory: Hex
  /** Lists of who may hold shares, one a vault. */
  allowLists: Hex
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

/** Degrees of WGS 84 times 10^7, north and east positive. */
export interface Place {
  latitudeE7: number
  longitudeE7: number
}

/** Where a machine is: by its newest reading in `lat` and `lon`, which goes before what its owner says. */
export interface MachinePlace extends Place {
  from: 'owner' | 'readings'
}

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
  /** Kind of the rule that meters it (`drawdown`, `counter`, …); null if none does, or it is not known. */
  mainRule: string | null
  envelopes: number
  refused: number
  owedMinor: string
  settledMinor: string
  /** Of what is settled: since the `sinceMs` that was asked for; all of it where none was. */
  settledSinceMinor: string
  /** When something that it sent was last refused. */
  lastRefusalMs: number | null
  /** An active machine is silent for long when its last reading is older than this. */
  silentAfterMs: number
  place: MachinePlace | null
}

export interface Machine extends MachineSummary {
  /** Its own account on the ledger, whether it was created yet or not; null on a ledger without accounts. */
  account: Hex | null
  /** `did:ethr:<chain>:<account>`. */
  did: string | null
  key: { keyId: Hex; curve: 'P-256' | 'secp256k1'; epoch: string; x: Hex; y: Hex } | null
  streams: {
    stream: string
    envelopes: number
    lastSeq: string
    /** Times of its first and last reading. */
    firstMs: number
    lastMs: number
    unit: string | null
    /** UCUM code of `unit`; null where UCUM has no such unit. */
    ucum: string | null
    /** Whether an agreement prices it. */
    metered: boolean
    /** The newest certificate in force now; null if none is. */
    calibration: StreamCalibration | null
  }[]
  agreements: Hex[]
  /** While it is suspended: since when, by whom, and why, where its owner said. */
  suspension: { atMs: number; by: Hex; reason: string | null } | null
  /** What its maker says of its hardware; null if no maker that the operator trusts has said anything. */
  credential: MachineCredential | null
}

/** A calibration certificate that a stream has declared and whose signature verifies. */
export interface StreamCalibration {
  digest: Hex
  /** What the laboratory calls itself, and the id of the key that signed. */
  calibrationLaboratory: string
  laboratory: Hex
  /** UCUM code. */
  unit: string
  validFromMs: number
  /** As the laboratory lets it hold, or until the sensor was replaced. */
  validUntilMs: number
  /** Expanded uncertainty (k = 2), parts per million of the reading. */
  expandedUncertaintyPpm: number
  uniqueIdentifier: string
  item: string
  documentDigest: Hex | null
}

/** A machine's account as the ledger has it now; amounts are of the deployment's asset. */
export interface MachineAccount {
  machineId: string
  account: Hex
  did: string
  /** False: its address stands, and can be paid to; nobody has created it yet. */
  created: boolean
  balanceMinor: string
  /** What its owner lets the machine's key spend; null: nothing. */
  policy: {
    perPaymentMinor: string
    perDayMinor: string
    expiryMs: number
    counterparties: Hex[]
  } | null
  spentTodayMinor: string
  paused: boolean
}

/** One point of a chart. `timeMs` is a multiple of the series' `bucketMs`, and all readings from then until the next one are in it. */
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

/** A part of a machine that gave way to another, as the machine declared it (docs/protocol/clock-and-parts.md). */
export interface PartReplacement {
  stream: string
  /** The moment of replacement. */
  atMs: number
  /** What the parts are called: a DID or a serial number. Null where nobody said. */
  oldPart: string | null
  newPart: string | null
  /** Last reading of the old part and first of the new one, decimal; null where nobody said. */
  last: string | null
  first: string | null
  /** Where the declaration stands, in its stream and in the log. */
  seq: string
  logIndex: string
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
  /** What it costs so far: owed with what late evidence added, or what the ledger has proven, whichever is more; never less than what is included. */
  costMinor: string
  /** Signed by the meter, accepted, not yet on the ledger. */
  signedMinor: string
  /** The most that a transaction on its way to the ledger carries; 0: none does. */
  sentMinor: string
  includedMinor: string
  finalMinor: string
  arrearsMinor: string
  /** What late evidence added after the period was final. */
  adjustedMinor: string
  /** What the payee gave back of it; stands beside what was paid. */
  refundedMinor: string
  heads: { stream: string; seq: string }[]
  /** What the calibration of the meters leaves open of `owedMinor`; null where no meter must be calibrated. */
  band: Band | null
}

/** An amount between two ends, by the uncertainty of the meters (k = 2) in parts per million: the largest of them. */
export interface Band {
  lowerMinor: string
  upperMinor: string
  uncertaintyPpm: number
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
  /** Sums over all periods. */
  costMinor: string
  adjustedMinor: string
  refundedMinor: string
  arrearsMinor: string
  periodCount: number
  /** The newest hundred, the oldest of them first; those before them by `Client.periods`. */
  periods: PeriodView[]
  /** The agreement that this one is linked to (its salt), and those that are linked to it. */
  linkedTo: Hex | null
  linkedFrom: Hex[]
  /** The newest two hundred, newest first; those before them by `Client.settlements`. */
  settlements: SettlementView[]
}

export interface SettlementView {
  /** Where its event stands on the ledger, `<block>-<log index>`: its name in addresses, and where a list goes on. */
  place: string
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
}

/** A settlement with what it rests on. */
export interface SettlementEvidence extends SettlementView {
  agreementId: Hex
  periodStartMs: number
  periodEndMs: number
  blockHash: Hex
  /** Of the kind `settled`: the value that was signed. */
  value: {
    /** The highest that the ledger had of the period before, zeros if it is the first. */
    registersBefore: string[]
    /** By the tariff and within the cap, and what the ledger had before. `paidMinor` is the difference, as far as escrow went. */
    owedMinor: string
    owedBeforeMinor: string
    /** How `owedMinor` comes about: `12.5 kg × 0.42 tEUR = 5.25 tEUR`; null for a tariff that the node does not know. */
    amountInWords: string | null
    /** Who signed it, in words. */
    signedBy: string
    /** The key that the ledger verified the signature with, where a machine signed. */
    key: { machineId: string; epoch: string; keyId: Hex } | null
    /** Hash over the digests of the last envelopes that the value covers. */
    evidenceHead: Hex
  } | null
  /** How far it covers each stream; null where the node did not keep what somebody else relayed. */
  covers: CoveredStream[] | null
  /** The first anchor of the log that covers all of it; null before there is one. */
  anchor: { size: string; txHash: Hex; block: number; atMs: number; final: boolean } | null
}

/** What a settlement covers of a stream since the settlement before it. */
export interface CoveredStream {
  stream: string
  /** The last `seq` that it covers. */
  seq: string
  /** The first one since the settlement before; null if the node does not know how far that one went. */
  firstSeq: string | null
  /** Logged envelopes from the first to the last, and readings in them. */
  envelopes: number
  readings: number
  /** Log index of the first and of the last; null where there are none. */
  first: string | null
  last: string | null
}

/** A period of an agreement whose register an envelope moved, and the settlement that first covered it there. */
export interface EnvelopePayment {
  agreementId: Hex
  machineName: string
  period: number
  /** Null: not yet. */
  settlement: SettlementView | null
}

/** What was reached by a time, cumulative. */
export interface MoneyPoint {
  timeMs: number
  minor: string
}

/**
 * Money of an agreement over time, each line from `fromMs` on and only where it rises: what was owed by the readings of that time, what
 * was paid in a block of that time, and of it what is in blocks that cannot be undone any more.
 */
export interface MoneyHistory {
  fromMs: number
  toMs: number
  owed: MoneyPoint[]
  included: MoneyPoint[]
  final: MoneyPoint[]
}

/** How long escrow lasts at the pace of late. */
export interface EscrowOutlook {
  escrowMinor: string
  /** Owed and not yet paid. */
  unpaidMinor: string
  /** What came to be owed in the last `paceSeconds`, a day or what there is. */
  paceMinor: string
  paceSeconds: number
  /** See `EscrowLife` of the protocol package. */
  kind: 'ended' | 'spent' | 'covered' | 'idle' | 'to-end' | 'lasts'
  /** Rounded down; null unless `kind` is `lasts`. */
  lastsSeconds: string | null
  /** `lasts about 12 days at the pace of the last 24 hours`. */
  inWords: string
}

export interface LogHead {
  size: string
  root: Hex
  timestamp: number
  signature: Hex
  anchored: { size: string; root: Hex; txHash: Hex } | null
}

/** The log's key: its account on the ledger, and the point for whoever verifies receipts. */
export interface LogKey {
  address: Hex
  x: Hex
  y: Hex
  /** COSE Key Thumbprint (RFC 9679): the `kid` of receipts. */
  kid: Hex
}

/** A statement of the log's root that its key has signed: a checkpoint (EIP-712), or the root of receipts (COSE, base64). */
export type SplitViewStatement =
  | { form: 'checkpoint'; size: string; root: Hex; timestamp: number; signature: Hex }
  | { form: 'cose'; signed: string }

/**
 * Two logs under one name (docs/protocol/receipt.md). `two-roots`: the log's key has signed another root for a size than this log has. `ahead`: it has
 * signed a size that this log has not reached.
 */
export interface SplitView {
  kind: 'two-roots' | 'ahead'
  size: string
  root: Hex
  /** What was handed in. */
  statement: SplitViewStatement
  /** What this log has, and that signed (COSE, base64); null if no process with the key answered. */
  own: { size: string; root: Hex; signed: string | null }
  atMs: number
}

/** What the node says of a statement of its log that it was handed. */
export type StatementJudged =
  | { verdict: 'CONSISTENT'; size: string; root: Hex }
  | { verdict: 'SPLIT_VIEW'; splitView: SplitView }

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

/** A warning to one party of an open agreement, for as long as it holds. */
export type Notice = EscrowNotice | CalibrationNotice

interface NoticeTo {
  agreementId: Hex
  party: Hex
  role: 'payer' | 'payee'
}

/** Of a stream that must be calibrated. A new certificate ends both. */
export interface CalibrationNotice extends NoticeTo {
  /** `calibration-ends`: within 14 days. `uncalibrated`: none that was agreed is in force, and what is read counts nothing. */
  kind: 'calibration-ends' | 'uncalibrated'
  stream: string
  /** Until when certificates are in force; null of `uncalibrated`. */
  untilMs: number | null
}

/** Amounts in smallest units. */
export interface EscrowNotice extends NoticeTo {
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
  /**
   * `accepted`: the ledger has the agreement. `replaced`: by a newer offer of either. `expired`: `openByMs` has passed. `ended`: the machine
   * belongs to neither party any more, so that the ledger would refuse to open it.
   */
  state: 'waiting' | 'accepted' | 'declined' | 'withdrawn' | 'replaced' | 'ended' | 'expired'
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

/** A warning to whoever runs the node, as long as it stands: the same names and conditions as in operation/prometheus-rules.yml. */
export interface Alert {
  name: string
  severity: 'critical' | 'warning' | 'info'
  /** Since when its condition holds. */
  sinceMs: number
  /** What happened, and what to do: `code` stands in backquotes. */
  words: string
  toDo: string
  /** As Prometheus has it. */
  condition: string
}

/** Envelopes logged in each step of the last quarter of an hour, oldest first; null: not known. The last step ended at `endMs`. */
export interface Throughput {
  stepMs: number
  endMs: number
  logged: (number | null)[]
}

/** Half of all are quicker than `p50Ms`, 99 of 100 quicker than `p99Ms`. */
export interface Lag {
  p50Ms: number
  p99Ms: number
}

/** What an operator watches. Null: not known to the process that answers, or not now. Gas costs in smallest units of the ledger's coin. */
export interface Operation {
  atMs: number
  /** `role` api: one of several processes, which knows of the others what the database tells. */
  process: {
    role: 'all' | 'api'
    version: string
    nodeVersion: string
    startedMs: number
    memoryBytes: number
    loopLagMs: number | null
    connectedMachines: number | null
    /** Of several processes: how many do now what only one at a time may do, by role. */
    workers: Record<string, number> | null
  }
  throughput: Throughput
  /** Mean of the newest 1,000. */
  readingsPerEnvelope: number | null
  /** Frames since the start, and what has arrived and is not committed. */
  frames: Record<
    'received' | 'logged' | 'duplicate' | 'refused' | 'held' | 'heldBytes',
    number
  > | null
  /** From arrival to commit in the last 5 minutes; from the commit of the newest reading until it was owed, and until it was paid, in the last 15. */
  lag: { committed: Lag | null; owed: Lag | null; paid: Lag | null }
  log: {
    /** Null: this process does not append to it, and is not told. */
    runs: boolean | null
    /** Why nothing is logged any more. */
    halted: string | null
    size: string
    anchored: { size: string; txHash: Hex; block: number; atMs: number } | null
    checkpointMs: number | null
    /** Logged envelopes that metering has not read yet. */
    foldLag: number
    /** Contradictions to this log that its own key has signed: `/v1/log/split-view`. */
    splitViews: number
  } | null
  settlement: {
    /** Accepted meter values that wait for a transaction. */
    waiting: number
    waitingSinceMs: number | null
    /** Values that the ledger skipped until the node gave up. */
    givenUp: number
    /** Transactions by state: queued, sent, included, final, reverted. */
    transactions: Record<string, number>
    /** The oldest that are not in a block. */
    oldest: {
      kind: string
      status: 'queued' | 'sent'
      sinceMs: number
      problem: string | null
    }[]
  } | null
  gas: {
    balanceWei: string | null
    /** Of this process, since its start. */
    spent: { kind: string; transactions: number; gas: string; feeWei: string }[] | null
    /** The newest transactions that settled, newest first, with the bills that each settled. */
    settling: { txHash: Hex; atMs: number; bills: number; gas: string; feeWei: string }[]
  }
  ledger: {
    chainId: number
    embedded: boolean
    applied: number
    final: number
    behindBlocks: number
    behindMs: number
    newestBlockMs: number | null
  }
  /** Frames and connections turned away since then, by code, most often first. */
  refusals: {
    sinceMs: number
    codes: { code: string; count: number; lastMs: number | null }[]
  } | null
  database: {
    up: boolean
    bytes: number | null
    connections: number
    busy: number
    waiting: number
  }
  disk: { freeBytes: number; sizeBytes: number } | null
  /** Whether the view of money equals the ledger (INV-5). */
  moneyOk: boolean | null
  certificateExpiresMs: number | null
  /** What stands now, critical first. */
  alerts: Alert[]
  /** Names of alerts that this process cannot judge, since another one knows what they are about. */
  notWatched: string[]
}
