import {
  type Adjustment,
  adjustmentAmount,
  advance,
  agreementId,
  decodeEnvelope,
  evidenceHead,
  type FoldState,
  type FoldTerms,
  foldFromJson,
  foldHead,
  foldTermsOf,
  foldToJson,
  type Hex,
  type LoggedEnvelope,
  latePeriods,
  lateRegisterAt,
  type MeterRule,
  type MeterValue,
  parseRule,
  parseTerms,
  periodOf,
  registerAt,
  ruleHash,
  SIGNER_KIND,
  type StreamHead,
  startFold,
  type Tariff,
  type Terms,
  withinRateBound,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { CutSpan } from './node-message.ts'
import type { Chain, ChainHead } from './segment.ts'
import type { SpoolEntry } from './spool.ts'

/** An agreement whose terms this machine has checked against their id. */
export interface KnownAgreement {
  agreementId: Hex
  terms: Terms
  rules: readonly MeterRule[]
  /** JSON as it came, kept on disk. */
  json: { agreementId: Hex; terms: unknown; rules: unknown }
}

export type ReadAgreement =
  | { ok: true; agreement: KnownAgreement }
  | {
      ok: false
      code: 'TERMS_INVALID' | 'RULE_UNKNOWN' | 'NOT_MINE' | 'NOT_MEASURED'
      message: string
    }

/**
 * Believes of `{agreementId, terms, rules}` only what can be checked: that the terms have that id on this clearing house,
 * that each rule has the hash in the terms, and that this machine is who signs: for itself, or as the edge of a machine that it measures.
 * `NOT_MEASURED` where it would sign, but does not measure that machine (yet).
 */
export function readAgreement(
  json: unknown,
  mine: { chainId: number; clearingHouse: Hex; signerId: bigint; measured: ReadonlySet<bigint> },
): ReadAgreement {
  const given = (json ?? {}) as { agreementId?: Hex; terms?: unknown; rules?: unknown }
  const parsed = parseTerms(given.terms)
  if (!parsed.ok) return { ok: false, code: 'TERMS_INVALID', message: parsed.message }
  const { terms } = parsed
  const id = agreementId({ ...mine, terms })
  if (id !== given.agreementId) {
    return { ok: false, code: 'TERMS_INVALID', message: `These terms are agreement ${id}.` }
  }
  const signer = BigInt(terms.signer)
  const isSigner = signer === mine.signerId || signer === terms.machineId
  if (terms.signerKind !== SIGNER_KIND.machine || !isSigner) {
    return { ok: false, code: 'NOT_MINE', message: `Agreement ${id} is signed by somebody else.` }
  }
  // Without meters the ledger asks for no owner: a stranger could open any number of them and take every place here.
  if (terms.meters.length === 0) {
    return { ok: false, code: 'NOT_MINE', message: `Agreement ${id} meters nothing.` }
  }
  if (!mine.measured.has(terms.machineId)) {
    const message = `Agreement ${id} meters machine ${terms.machineId}, which this one does not measure: call for(${terms.machineId}n) if it does.`
    return { ok: false, code: 'NOT_MEASURED', message }
  }
  const offered = (Array.isArray(given.rules) ? given.rules : [])
    .map((rule) => parseRule(rule))
    .filter((rule) => rule.ok)
    .map(({ rule }) => rule)
  const byHash = new Map(offered.map((rule) => [ruleHash(rule), rule]))
  const rules: MeterRule[] = []
  for (const meter of terms.meters) {
    const rule = byHash.get(meter.ruleHash.toLowerCase() as Hex)
    if (!rule) {
      return { ok: false, code: 'RULE_UNKNOWN', message: `No rule with hash ${meter.ruleHash}.` }
    }
    rules.push(rule)
  }
  const stored = { agreementId: id, terms: given.terms, rules }
  return { ok: true, agreement: { agreementId: id, terms, rules, json: stored } }
}

/** How far one meter of an agreement has been folded. */
export interface MeterFold {
  chain: Chain
  terms: FoldTerms
  startHead: Hex
  /** Over all that is no longer kept; where a refold begins. */
  base: FoldState
  state: FoldState
}

/** The first `seq` metered, one after `startHead`; undefined if that lies before all that is kept. */
export function firstSeq(
  startHead: Hex,
  kept: readonly SpoolEntry[],
  head: ChainHead,
  read: (entry: SpoolEntry) => Uint8Array,
): bigint | undefined {
  const digest = startHead.toLowerCase()
  const [first] = kept
  if (digest === ZERO_DIGEST) return (first?.seq ?? head.seq + 1n) === 1n ? 1n : undefined
  if (digest === head.digest) return head.seq + 1n
  const entry = kept.find((entry) => entry.digest === digest)
  if (entry) return entry.seq + 1n
  const decoded = first && decodeEnvelope(read(first))
  return decoded?.ok && decoded.envelope.prev === digest ? first?.seq : undefined
}

/** The fold of one meter before its first envelope, or from a stored base. */
export function beginFold(
  { terms, rules }: KnownAgreement,
  meterIndex: number,
  from: { startSeq: bigint; base?: string },
): MeterFold {
  const meter = terms.meters[meterIndex]
  const rule = rules[meterIndex]
  if (!meter || !rule) throw new RangeError(`The terms have no meter ${meterIndex}.`)
  const foldTerms = foldTermsOf(terms, meterIndex, rule, from.startSeq)
  const base = from.base ? foldFromJson(from.base) : startFold(foldTerms)
  const chain = `${terms.machineId}/${meter.stream}`
  return { chain, terms: foldTerms, startHead: meter.startHead, base, state: base }
}

export const foldBaseToJson = (fold: MeterFold) => foldToJson(fold.base)

/**
 * Folds what has receipts, from `state` on. Stops before the first envelope without one: the node may have logged it,
 * and only its receipt tells when.
 */
export function foldReceipted(
  terms: FoldTerms,
  state: FoldState,
  kept: readonly SpoolEntry[],
  read: (entry: SpoolEntry) => Uint8Array,
): FoldState {
  const nextSeq = BigInt(state.nextSeq)
  const first = kept[0]
  if (!first || first.seq > nextSeq) return state
  const ahead = kept.slice(Number(nextSeq - first.seq))
  const hole = ahead.findIndex(({ receipt }) => !receipt)
  const line = hole < 0 ? ahead : ahead.slice(0, hole)
  const behind = hole < 0 ? [] : ahead.slice(hole).filter(({ receipt }) => receipt)
  if (line.length === 0) return state
  // Whether one of the line came too late depends on the hole too; its receipt will tell.
  const earliestBehindMs = Math.min(...behind.map(({ receipt }) => receipt?.loggedAt ?? Infinity))
  const latestMs = Math.max(...line.map(({ receipt }) => receipt?.loggedAt ?? 0))
  if (latestMs > earliestBehindMs + terms.gapTimeoutSeconds * 1000) return state
  const logged = line.map((entry) => toLogged(entry, read(entry)))
  return advance(terms, state, logged, Number.NEGATIVE_INFINITY).state
}

/**
 * Takes as cut off what the node says a revocation has, of envelopes that an earlier key than `ownKeyId` has signed: of the own ones no
 * revocation can have cut any.
 */
export function takeCuts(
  { chain, terms }: MeterFold,
  spans: readonly CutSpan[],
  kept: readonly SpoolEntry[],
  ownKeyId: Hex,
  read: (entry: SpoolEntry) => Uint8Array,
): void {
  for (const { first, last } of spans.filter(({ stream }) => stream === terms.stream)) {
    for (const entry of kept) {
      if (entry.chain !== chain || entry.seq < first || entry.seq > last) continue
      if (entry.receipt?.code !== 'OK') continue
      const decoded = decodeEnvelope(read(entry))
      if (decoded.ok && decoded.envelope.kid !== ownKeyId) {
        entry.receipt = { ...entry.receipt, code: 'BEYOND_CUT' }
      }
    }
  }
}

function toLogged(entry: SpoolEntry, bytes: Uint8Array): LoggedEnvelope {
  const decoded = decodeEnvelope(bytes)
  if (!decoded.ok) throw new Error(`Spooled envelope ${entry.digest}: ${decoded.message}`)
  const { content, iat } = decoded.envelope
  const { seq, digest, receipt } = entry
  const code = (receipt?.code ?? 'OK') as LoggedEnvelope['code']
  return { seq, digest, loggedAt: receipt?.loggedAt ?? 0, code, content, iat }
}

/** The meter value of one period by the folds as they stand, and how far they read. */
export function meterValueOf(
  { agreementId, terms }: KnownAgreement,
  folds: readonly MeterFold[],
  period: number,
): { value: MeterValue; heads: StreamHead[] } {
  const heads = folds.map((fold) => ({ fold, head: foldHead(fold.state) }))
  return {
    value: {
      agreementId,
      period,
      asOf: asOfSeconds(folds, terms, period),
      registers: folds.map(({ state }) => registerAt(state, period)),
      evidenceHead: evidenceHead(heads.map(({ fold, head }) => head?.digest ?? fold.startHead)),
    },
    heads: heads
      .filter(({ head }) => head)
      .map(({ fold, head }) => ({ stream: fold.terms.stream, seq: head?.seq ?? 0n })),
  }
}

/** What late evidence adds to a final period by the folds as they stand, and how far they read; undefined if nothing. */
export function adjustmentOf(
  agreement: KnownAgreement,
  folds: readonly MeterFold[],
  tariff: Tariff,
  period: number,
): { adjustment: Adjustment; heads: StreamHead[] } | undefined {
  const { agreementId, terms } = agreement
  const { value, heads } = meterValueOf(agreement, folds, period)
  const amount = adjustmentAmount({
    terms,
    tariff,
    registers: value.registers,
    lateRegisters: folds.map((fold) => lateRegisterAt(fold.state, fold.terms.rule, period)),
  })
  if (amount === 0n) return undefined
  const { evidenceHead } = value
  return { adjustment: { agreementId, period, amount, evidenceHead }, heads }
}

/** Final periods for which something came late. */
export function lateMeteredPeriods(folds: readonly MeterFold[]): number[] {
  return [...new Set(folds.flatMap(({ state }) => latePeriods(state)))].sort((a, b) => a - b)
}

/**
 * Periods that may owe something: those with a register above zero, and for fees and minimum charges the one of the last
 * reading and the one before it, whose end that reading shows.
 */
export function meteredPeriods(folds: readonly MeterFold[]): number[] {
  const periods = folds.flatMap(({ terms, state }) => {
    const last = state.lastReadingMs === null ? undefined : periodOf(terms, state.lastReadingMs)
    const read = last === undefined ? [] : [last - 1, last]
    return [...Object.keys(state.periods).map(Number), ...read]
  })
  return [...new Set(periods)].filter((period) => period >= 0).sort((a, b) => a - b)
}

/** Whether the contract would take it: a larger `asOf` makes a fast start pass later. */
export const mayBeSettled = (agreement: KnownAgreement, value: MeterValue) =>
  withinRateBound(agreement.terms, value)

/** The time of the last reading, whole seconds, kept within the period. */
function asOfSeconds(folds: readonly MeterFold[], terms: Terms, period: number): bigint {
  const lastMs = Math.max(0, ...folds.map(({ state }) => state.lastReadingMs ?? 0))
  const startSeconds = terms.start + BigInt(period) * BigInt(terms.periodSeconds)
  const endSeconds = startSeconds + BigInt(terms.periodSeconds)
  const seconds = BigInt(Math.floor(lastMs / 1000))
  if (seconds < startSeconds) return startSeconds
  return seconds < endSeconds ? seconds : endSeconds
}
