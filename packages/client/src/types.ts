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
    /** Why nothing is logged any more; null: it runs. */
    halted: string | null
    size: string
    anchored: { size: string; txHash: Hex; block: number; atMs: number } | null
    checkpointMs: number | null
    /** Logged envelopes that metering has not read yet. */
    foldLag: number
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
}
