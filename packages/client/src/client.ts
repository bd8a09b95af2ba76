import {
  type AttestationJson,
  LiquefyError,
  type SignedMeterValueJson,
  splitSequence,
} from '@liquefy/protocol'
import type {
  CheckableCredential,
  MachineCredential,
  TakenStatusList,
  TrustedIssuer,
} from './credential.ts'
import { ApiError } from './errors.ts'
import type { ErasureStatement, KeptLeaf, MachineLife, MachineRecord } from './life.ts'
import type { PartyDetails } from './party.ts'
import type { ShellEnvironment, ThingDescription } from './thing.ts'
import type {
  AcceptedAttestation,
  AcceptedMeterValue,
  Agreement,
  AgreementSummary,
  ApiProblem,
  Deployment,
  Dialogue,
  EnvelopePayment,
  EnvelopeProof,
  EnvelopeSummary,
  EscrowOutlook,
  Hex,
  LogHead,
  LogKey,
  Machine,
  MachineAccount,
  MachineSummary,
  MoneyHistory,
  NodeEvent,
  Notice,
  Operation,
  PartReplacement,
  PeriodView,
  Place,
  Proposal,
  ProposalRequest,
  ProposalSummary,
  ReadingSeries,
  Refusal,
  Session,
  SettlementEvidence,
  SettlementView,
  SplitView,
  StatementJudged,
  Status,
  TimelineEntry,
} from './types.ts'
import type {
  AllowedPage,
  OwnerStatement,
  Portfolio,
  Vault,
  VaultIncomePage,
  VaultMonth,
  VaultOwnerPage,
  VaultPage,
  VaultProposal,
  VaultProposalPage,
} from './vault.ts'

/** One method a route of a node's HTTP API. Every method throws {@link ApiError} on an answer that is not 2xx. */
export interface Client {
  deployment(): Promise<Deployment>
  status(): Promise<Status>
  /** What an operator watches, and what he is warned of. */
  operation(): Promise<Operation>
  /** `sinceMs`: from when `settledSinceMinor` counts, say the reader's midnight. */
  machines(query?: { sinceMs?: number }): Promise<MachineSummary[]>
  machine(machineId: string, query?: { sinceMs?: number }): Promise<Machine>
  /** Names a machine for pages. For its owner, signed in; throws `NOT_OWNER`. */
  nameMachine(machineId: string, name: string): Promise<void>
  /** Its account as the ledger has it now; throws `ACCOUNTS_MISSING` on a ledger without accounts. */
  machineAccount(machineId: string): Promise<MachineAccount>
  /** Says where a machine stands that does not measure it. For its owner, signed in; throws `NOT_OWNER`. */
  placeMachine(machineId: string, place: Place): Promise<void>
  /** Takes that back. For its owner, signed in; throws `NOT_OWNER`. */
  forgetPlace(machineId: string): Promise<void>
  /** What a buyer wants to know of a machine. */
  life(machineId: string): Promise<MachineLife>
  /**
   * Erases what a decommissioned machine measured. For its owner, signed in; throws `NOT_OWNER`, `MACHINE_NOT_DECOMMISSIONED`, `AGREEMENTS_OPEN`,
   * `EVIDENCE_ARCHIVED`, `ARCHIVE_RUNNING`, `ERASURE_ABSENT`.
   */
  eraseMachine(machineId: string): Promise<ErasureStatement>
  /** The oldest first. */
  erasures(machineId: string): Promise<ErasureStatement[]>
  /** What stays of an envelope, erased or not. */
  keptLeaf(logIndex: string): Promise<KeptLeaf>
  /** Makers' records of a machine and its parts. */
  records(machineId: string): Promise<MachineRecord[]>
  /** Adds a COSE_Sign1. For the owner, signed in; throws `NOT_OWNER`, `ORIGIN_MALFORMED`, `ORIGIN_SIGNATURE_INVALID`, `RECORDS_TOO_MANY`. */
  addRecord(machineId: string, record: Uint8Array): Promise<MachineRecord>
  /** The bytes of one; throws `RECORD_UNKNOWN`. */
  record(machineId: string, recordId: Hex): Promise<Uint8Array>
  /** What its maker says of a machine, with all that it takes to check it without the node. Throws `CREDENTIAL_UNKNOWN`. */
  credential(machineId: string): Promise<CheckableCredential>
  /** Hands in what its maker says of a machine. Throws with the codes of docs/protocol/credential.md. */
  attest(machineId: string, credential: string): Promise<MachineCredential>
  /** Hands in a maker's list of revoked credentials; throws with the same codes. */
  submitStatusList(statusList: string): Promise<TakenStatusList>
  /** Makers whose credentials the operator trusts. */
  issuers(): Promise<TrustedIssuer[]>
  /** Whole buckets of one stream between two times, at most `points` of them if the first begins with the window; `signal` gives up. */
  readings(
    machineId: string,
    query: { stream: string; fromMs: number; toMs: number; points: number },
    signal?: AbortSignal,
  ): Promise<ReadingSeries[]>
  /** The machine as a W3C WoT Thing Description 1.1: what it measures, and how to ask. */
  thingDescription(machineId: string): Promise<ThingDescription>
  /** Of all machines, by id; 20 from `offset` on unless told. */
  things(query?: { offset?: number; limit?: number }): Promise<ThingDescription[]>
  /** The machine as an Asset Administration Shell: nameplate, and where its time series are. */
  administrationShell(machineId: string): Promise<ShellEnvironment>
  /** Newest first. */
  timeline(machineId: string): Promise<TimelineEntry[]>
  /** Replaced parts, the newest declared first; `beforeIndex` pages back. */
  parts(
    machineId: string,
    query?: { limit?: number; beforeIndex?: string },
  ): Promise<PartReplacement[]>
  /** Newest first; `beforeIndex` pages back. */
  envelopes(
    machineId: string,
    query?: { stream?: string; limit?: number; beforeIndex?: string },
  ): Promise<EnvelopeSummary[]>
  /** Newest first. Machine `0`: those whom the ledger does not know, with the id that they gave in the message. */
  refusals(machineId: string): Promise<Refusal[]>
  /** Logged readings that nobody pays, newest first; `code` says why. */
  unpriced(machineId: string): Promise<EnvelopeSummary[]>
  agreements(): Promise<AgreementSummary[]>
  agreement(agreementId: Hex): Promise<Agreement>
  /** Owed, included and final over time, from `fromMs` (its start unless told) until now, in at most `points` steps each. */
  moneyHistory(
    agreementId: Hex,
    query?: { fromMs?: number; points?: number },
  ): Promise<MoneyHistory>
  /** How long its escrow lasts. */
  escrow(agreementId: Hex): Promise<EscrowOutlook>
  /** Newest first; `before` (the number of a period) pages back. */
  periods(agreementId: Hex, query?: { before?: number; limit?: number }): Promise<PeriodView[]>
  /** Newest first; `before` (a place) pages back. */
  settlements(
    agreementId: Hex,
    query?: { before?: string; limit?: number },
  ): Promise<SettlementView[]>
  /** One settlement with what it rests on. */
  settlement(agreementId: Hex, place: string): Promise<SettlementEvidence>
  /** Warnings to the parties of agreements that are low on escrow, to all or to one party. */
  notices(query?: { party?: Hex }): Promise<Notice[]>
  /** The evidence bundle, line by line, as it arrives. */
  bundle(agreementId: Hex): AsyncIterable<string>
  /** What is owed and paid, of the whole agreement or of one period, under the name of its file; `timeZone` (IANA; UTC unless told) is for times in a PDF. Throws `DRAWING_BUSY` when too many PDFs are asked for. */
  statement(
    agreementId: Hex,
    query: { as: 'csv' | 'pdf'; period?: number; timeZone?: string },
  ): Promise<File>
  /** The e-invoice of a period (EN 16931, XML). For its parties, signed in; throws `NOT_PARTY`, `DETAILS_MISSING`, `NOTHING_TO_INVOICE`, `CURRENCY_UNKNOWN`. */
  invoice(agreementId: Hex, period: number): Promise<File>
  /** What whoever is signed in said of himself for invoices; throws `DETAILS_MISSING` before that. */
  myDetails(): Promise<PartyDetails>
  /** Says it, in place of what stood there; throws `DETAILS_INVALID` with what is wrong. */
  saveMyDetails(details: PartyDetails): Promise<void>
  envelope(logIndex: string): Promise<EnvelopeProof>
  /** What one envelope was worth: each period that it moved, with the settlement that paid for it. */
  envelopePayments(logIndex: string): Promise<EnvelopePayment[]>
  logHead(): Promise<LogHead>
  consistency(from: string, to: string): Promise<{ proof: Hex[] }>
  /** The key that signs the log, for whoever verifies receipts. */
  logKey(): Promise<LogKey>
  /** The receipt of one logged envelope (RFC 9942; docs/protocol/receipt.md). */
  receipt(logIndex: string): Promise<Uint8Array>
  /** The envelope with its receipt: a transparent statement (RFC 9943). Throws `ARCHIVED`. */
  transparentStatement(logIndex: string): Promise<Uint8Array>
  /** Statements of a stream from one `seq` to another, both included, at most 1,000 numbers. Throws `ARCHIVED`. */
  statements(
    machineId: string,
    stream: string,
    range: { from: string; to: string },
  ): Promise<Uint8Array[]>
  /** The receipt that the log of `from` leaves is a prefix of that of `to`. */
  consistencyReceipt(from: string, to: string): Promise<Uint8Array>
  /** The root of the log at a size, signed as in receipts. */
  signedRoot(size: string): Promise<Uint8Array>
  /**
   * Holds something that the node's log has signed against the log: a checkpoint, or a transparent statement, signed root or receipt with its root
   * attached as bytes. Throws with the codes of docs/protocol/receipt.md if the log did not sign it.
   */
  submitLogStatement(statement: Omit<LogHead, 'anchored'> | Uint8Array): Promise<StatementJudged>
  /** What the log's key has signed and the log does not have. */
  splitViews(): Promise<SplitView[]>
  /**
   * Gives the node a meter value that the agreement's signer signed: the buyer's voucher, k of n signatures. It relays what equals its own
   * fold; without meters what was signed, within the rate bound. Throws with the codes of docs/protocol/transport.md.
   */
  submitMeterValue(value: SignedMeterValueJson): Promise<AcceptedMeterValue>
  /** Gives the node one signature over many meter values; it relays them together. */
  submitAttestation(attestation: AttestationJson): Promise<AcceptedAttestation>
  /** Makes rules known to the node; it finds them by their hash. */
  submitRules(rules: unknown[]): Promise<{ ruleHashes: Hex[] }>
  /** A nonce for one message of EIP-4361, to be signed within ten minutes. */
  signInNonce(): Promise<{ nonce: string; expiresMs: number }>
  /** Signs in whoever signed the message. Throws `SIGN_IN_EXPIRED`, `SIGN_IN_ELSEWHERE`, `SIGN_IN_NETWORK`, `SIGNATURE_INVALID`. */
  signIn(signed: { message: string; signature: Hex }): Promise<Session>
  /** Who is signed in by the client's token. Throws `SESSION_MISSING` or `SESSION_INVALID`. */
  session(): Promise<Omit<Session, 'token'>>
  signOut(): Promise<void>
  /** Those that whoever is signed in has made or been made: those that wait first, of them his own and those of people whom he deals with first. */
  proposals(): Promise<ProposalSummary[]>
  /** The whole negotiation that a proposal belongs to. Throws `PROPOSAL_UNKNOWN` to whoever is no party of it. */
  proposal(proposalId: Hex): Promise<Dialogue>
  /** Proposes terms that whoever is signed in has signed. Throws with the codes of docs/protocol/transport.md. */
  propose(proposal: ProposalRequest): Promise<Proposal>
  /** Says no to what one was proposed. */
  declineProposal(proposalId: Hex, message: string): Promise<Proposal>
  /** Takes back what one has proposed. A signature that the other party has kept stays good on the ledger until `openByMs`. */
  withdrawProposal(proposalId: Hex, message: string): Promise<Proposal>
  /** Newest first; those of one machine, where it is told. */
  vaults(query?: { machineId?: string; offset?: number; limit?: number }): Promise<VaultPage>
  /** Throws `VAULT_UNKNOWN`. */
  vault(vault: Hex): Promise<Vault>
  vaultOwners(vault: Hex, query?: { offset?: number; limit?: number }): Promise<VaultOwnerPage>
  /** `before` pages back. */
  vaultIncome(vault: Hex, query?: { before?: string; limit?: number }): Promise<VaultIncomePage>
  vaultMonths(vault: Hex): Promise<VaultMonth[]>
  vaultProposals(
    vault: Hex,
    query?: { offset?: number; limit?: number },
  ): Promise<VaultProposalPage>
  /** Throws `VAULT_PROPOSAL_UNKNOWN`. */
  vaultProposal(vault: Hex, proposalId: string): Promise<VaultProposal>
  /** Who is on the list that the vault's operator keeps. */
  vaultAllowed(vault: Hex, query?: { offset?: number; limit?: number }): Promise<AllowedPage>
  portfolio(account: Hex): Promise<Portfolio>
  /** Of one owner, 500 lines from `offset` unless told. */
  ownerStatement(
    vault: Hex,
    account: Hex,
    query?: { offset?: number; limit?: number },
  ): Promise<OwnerStatement>
  /** The whole of it as a table. */
  ownerStatementCsv(vault: Hex, account: Hex): Promise<File>
  /** Signs or sends as one of the embedded chain's people (EIP-1193), where `Deployment.actAsPeople` says so. */
  walletRequest(address: Hex, call: { method: string; params: unknown[] }): Promise<Hex>
  /**
   * Follows the node's events until `signal` aborts; after a cut it resumes behind the last event seen, or is told `missed`.
   * `onState` tells whether the stream is connected.
   */
  events(options: {
    signal: AbortSignal
    onEvent: (event: NodeEvent) => void
    onState?: (connected: boolean) => void
  }): Promise<void>
}

const retryMs = 1_000
/** A node says something every 15 s, if only that it is there: one that is silent for longer is gone. */
const silenceMs = 40_000

/**
 * A client of the node at `url` (origin, without a path). `token` answers that of a session, for what only people who are signed in may do.
 *
 * @throws {ApiError} `NODE_UNREACHABLE` if nothing answers, else the code that the node gave.
 */
export const createClient = ({
  url,
  token = () => undefined,
}: {
  url: string
  token?: () => string | undefined
}): Client => {
  const request = async (path: string, init?: RequestInit): Promise<Response> => {
    let response: Response
    const headers = new Headers(init?.headers)
    const session = token()
    if (session !== undefined) headers.set('authorization', `Bearer ${session}`)
    try {
      response = await fetch(new URL(path, url), { ...init, headers })
    } catch (cause) {
      init?.signal?.throwIfAborted()
      throw new ApiError(0, {
        code: 'NODE_UNREACHABLE',
        message: `No node answers at ${url}. Start one with \`npx liquefy up\`, or give its address.`,
        cause,
      })
    }
    if (!response.ok) throw new ApiError(response.status, await problemOf(response))
    return response
  }
  type Query = Record<string, string | number | undefined>
  const ask = (path: string, query: Query = {}, init?: RequestInit) => {
    const search = new URLSearchParams()
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) search.set(name, String(value))
    }
    const suffix = search.size === 0 ? '' : `?${search.toString()}`
    return request(`/v1/${path}${suffix}`, init)
  }
  const get = async <T>(path: string, query: Query = {}, init?: RequestInit) =>
    (await (await ask(path, query, init)).json()) as T

  const bytesAt = async (path: string, query: Query = {}) =>
    new Uint8Array(await (await ask(path, query)).arrayBuffer())

  const send = async <T>(method: 'POST' | 'PUT', path: string, body: unknown) => {
    const response = await request(`/v1/${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return (await response.json()) as T
  }
  const post = <T>(path: string, body: unknown) => send<T>('POST', path, body)

  return {
    deployment: () => get('deployment'),
    status: () => get('status'),
    operation: () => get('operation'),
    machines: (query) => get('machines', query),
    machine: (machineId, query) => get(`machines/${machineId}`, query),
    nameMachine: async (machineId, name) => {
      await send('PUT', `machines/${machineId}/name`, { name })
    },
    machineAccount: (machineId) => get(`machines/${machineId}/account`),
    placeMachine: async (machineId, place) => {
      await send('PUT', `machines/${machineId}/place`, place)
    },
    forgetPlace: async (machineId) => {
      await request(`/v1/machines/${machineId}/place`, { method: 'DELETE' })
    },
    life: (machineId) => get(`machines/${machineId}/life`),
    eraseMachine: (machineId) => post(`machines/${machineId}/erasure`, {}),
    erasures: (machineId) => get(`machines/${machineId}/erasures`),
    keptLeaf: (logIndex) => get(`envelopes/${logIndex}/leaf`),
    records: (machineId) => get(`machines/${machineId}/records`),
    addRecord: (machineId, record) =>
      post(`machines/${machineId}/records`, { record: base64Of(record) }),
    record: async (machineId, recordId) =>
      new Uint8Array(await (await ask(`machines/${machineId}/records/${recordId}`)).arrayBuffer()),
    credential: (machineId) => get(`machines/${machineId}/credential`),
    attest: (machineId, credential) =>
      send('PUT', `machines/${machineId}/credential`, { credential }),
    submitStatusList: (statusList) => post('status-lists', { statusList }),
    issuers: () => get('issuers'),
    readings: (machineId, query, signal) =>
      get(`machines/${machineId}/readings`, query, signal && { signal }),
    thingDescription: (machineId) => get(`machines/${machineId}/thing-description`),
    things: (query) => get('things', query),
    administrationShell: (machineId) => get(`machines/${machineId}/aas`),
    timeline: (machineId) => get(`machines/${machineId}/timeline`),
    parts: (machineId, query) => get(`machines/${machineId}/parts`, query),
    envelopes: (machineId, query) => get(`machines/${machineId}/envelopes`, query),
    refusals: (machineId) => get(`machines/${machineId}/refusals`),
    unpriced: (machineId) => get(`machines/${machineId}/unpriced`),
    agreements: () => get('agreements'),
    agreement: (agreementId) => get(`agreements/${agreementId}`),
    moneyHistory: (agreementId, query) => get(`agreements/${agreementId}/money`, query),
    escrow: (agreementId) => get(`agreements/${agreementId}/escrow`),
    periods: (agreementId, query) => get(`agreements/${agreementId}/periods`, query),
    settlements: (agreementId, query) => get(`agreements/${agreementId}/settlements`, query),
    settlement: (agreementId, place) => get(`agreements/${agreementId}/settlements/${place}`),
    notices: (query) => get('notices', query),
    bundle: async function* (agreementId) {
      const response = await request(`/v1/agreements/${agreementId}/bundle`)
      yield* linesOf(response)
    },
    statement: async (agreementId, { as, ...query }) =>
      fileOf(await ask(`agreements/${agreementId}/statement.${as}`, query)),
    invoice: async (agreementId, period) =>
      fileOf(await ask(`agreements/${agreementId}/invoice.xml`, { period })),
    myDetails: () => get('parties/me'),
    saveMyDetails: async (details) => {
      await send('PUT', 'parties/me', details)
    },
    envelope: (logIndex) => get(`envelopes/${logIndex}`),
    envelopePayments: (logIndex) => get(`envelopes/${logIndex}/payments`),
    logHead: () => get('log/head'),
    consistency: (from, to) => get('log/consistency', { from, to }),
    logKey: () => get('log/key'),
    receipt: (logIndex) => bytesAt(`envelopes/${logIndex}/receipt`),
    transparentStatement: (logIndex) => bytesAt(`envelopes/${logIndex}/statement`),
    statements: async (machineId, stream, range) => {
      const bytes = await bytesAt(`machines/${machineId}/streams/${stream}/statements`, range)
      const split = splitSequence(bytes, Number.MAX_SAFE_INTEGER)
      if (split.ok) return split.items
      throw new LiquefyError(split.code, `The answer is cut off: ${split.message}. Ask again.`)
    },
    consistencyReceipt: (from, to) => bytesAt('log/consistency/receipt', { from, to }),
    signedRoot: (size) => bytesAt(`log/roots/${size}`),
    submitLogStatement: async (statement) => {
      if (!(statement instanceof Uint8Array)) return post('log/checkpoints', statement)
      const response = await request('/v1/log/checkpoints', {
        method: 'POST',
        headers: { 'content-type': 'application/cose' },
        body: Uint8Array.from(statement),
      })
      return (await response.json()) as StatementJudged
    },
    splitViews: async () => (await get<{ splitViews: SplitView[] }>('log/split-view')).splitViews,
    submitMeterValue: (value) => post(`agreements/${value.agreementId}/meter-values`, value),
    submitAttestation: (attestation) => post('attestations', attestation),
    submitRules: (rules) => post('rules', rules),
    signInNonce: () => post('sessions/nonce', {}),
    signIn: (signed) => post('sessions', signed),
    session: () => get('session'),
    signOut: async () => {
      await request('/v1/session', { method: 'DELETE' })
    },
    proposals: () => get('proposals'),
    proposal: (proposalId) => get(`proposals/${proposalId}`),
    propose: (proposal) => post('proposals', proposal),
    declineProposal: (proposalId, message) => post(`proposals/${proposalId}/decline`, { message }),
    withdrawProposal: (proposalId, message) =>
      post(`proposals/${proposalId}/withdraw`, { message }),
    vaults: (query) => get('vaults', query),
    vault: (vault) => get(`vaults/${vault}`),
    vaultOwners: (vault, query) => get(`vaults/${vault}/owners`, query),
    vaultIncome: (vault, query) => get(`vaults/${vault}/income`, query),
    vaultMonths: (vault) => get(`vaults/${vault}/income/months`),
    vaultProposals: (vault, query) => get(`vaults/${vault}/proposals`, query),
    vaultProposal: (vault, proposalId) => get(`vaults/${vault}/proposals/${proposalId}`),
    vaultAllowed: (vault, query) => get(`vaults/${vault}/allowed`, query),
    portfolio: (account) => get(`portfolio/${account}`),
    ownerStatement: (vault, account, query) => get(`vaults/${vault}/statement/${account}`, query),
    ownerStatementCsv: async (vault, account) =>
      fileOf(await ask(`vaults/${vault}/statement/${account}.csv`)),
    walletRequest: async (address, call) => {
      const { result } = await post<{ result: Hex }>(`people/${address}/wallet`, call)
      return result
    },
    events: async ({ signal, onEvent, onState }) => {
      let lastId: string | undefined
      while (!signal.aborted) {
        const silence = new AbortController()
        let timer = setTimeout(() => silence.abort(), silenceMs)
        try {
          const response = await request('/v1/events', {
            signal: AbortSignal.any([signal, silence.signal]),
            headers: lastId === undefined ? {} : { 'last-event-id': lastId },
          })
          onState?.(true)
          for await (const line of linesOf(response)) {
            clearTimeout(timer)
            timer = setTimeout(() => silence.abort(), silenceMs)
            if (line.startsWith('id:')) lastId = line.slice(3).trim()
            if (line.startsWith('data:')) onEvent(JSON.parse(line.slice(5)) as NodeEvent)
          }
        } catch (error) {
          const isCut = error instanceof ApiError || error instanceof TypeError
          if (!signal.aborted && !silence.signal.aborted && !isCut) throw error
        } finally {
          clearTimeout(timer)
        }
        onState?.(false)
        await pause(retryMs, signal)
      }
    },
  }
}

const pause = (milliseconds: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

const base64Of = (bytes: Uint8Array): string =>
  btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))

/** A download under the name that the node gave it. */
const fileOf = async (response: Response): Promise<File> => {
  const { headers } = response
  const name = /filename="([^"/\\]+)"/.exec(headers.get('content-disposition') ?? '')?.[1]
  const type = headers.get('content-type') ?? ''
  return new File([await response.blob()], name ?? 'document', { type })
}

const problemOf = async (response: Response): Promise<ApiProblem> => {
  const text = await response.text()
  try {
    const { code, message } = JSON.parse(text) as Partial<ApiProblem>
    if (typeof code === 'string' && typeof message === 'string') return { code, message }
  } catch {
    // Not ours: a proxy in between answers in its own words, which are passed on below.
  }
  return { code: `HTTP_${response.status}`, message: text.slice(0, 500) || response.statusText }
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  if (!response.body) return
  let rest = ''
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield line
  }
  if (rest !== '') yield rest
}
