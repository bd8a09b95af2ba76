import {
  bandEnds,
  type Envelope,
  explainSigner,
  foldTermsOf,
  larger,
  SIGNER_KIND,
  type SignerContext,
  smaller,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { Hex } from 'viem'
import { readBundle } from './bundle.ts'
import { checkCheckpoint } from './checkpoint-check.ts'
import { checkClaimedMoney, checkMetered, checkRegisters } from './claim-check.ts'
import { type EnvelopeContext, signerWords } from './envelope-check.ts'
import { type EnvelopeQueue, envelopeQueue } from './envelope-queue.ts'
import { type FaultBook, faultBook } from './fault.ts'
import { type FoldPoint, foldPoints, headAt, lastPoint, registersAt } from './fold-point.ts'
import { inclusionChecker } from './inclusion-check.ts'
import type { LedgerMachine, LedgerReader } from './ledger.ts'
import type { ClaimLine, EnvelopeLine, HeaderLine } from './line.ts'
import { checkLoggedTimes } from './logged-time-check.ts'
import { type GrowingHistory, growingHistory, type MeterHistory } from './meter-history.ts'
import { checkMeterSignatures, signerContext } from './meter-signature-check.ts'
import { latestAsOf, type Price, priceOf } from './price.ts'
import { LedgerProofError } from './proof/ledger-proof-error.ts'
import type { AuditReport, PeriodReport } from './report.ts'
import { checkSettlements, type PeriodMoney } from './settlement-check.ts'
import {
  checkComplete,
  firstSeqOf,
  type NamedHead,
  type StreamEvidence,
  streamEvidence,
  takeEnvelope,
  takeStart,
} from './stream-evidence.ts'
import { type CheckedTerms, checkTerms, type ExpectedDeployment } from './terms-check.ts'
import { type VerifyMany, verifyHere } from './verify-many.ts'

export interface AuditOptions {
  /** Lines of a bundle (docs/protocol/bundle.md), as they come. */
  lines: AsyncIterable<string> | Iterable<string>
  ledger: LedgerReader
  /** The agreement that is to be audited, and addresses that are trusted already; the bundle must be of these. */
  expected?: ExpectedDeployment & { agreementId?: Hex }
  /** Called now and then with the number of envelopes checked so far. */
  onProgress?: (progress: { envelopes: number }) => void
  /** Verifies the envelopes' signatures; on this thread, if left out. Whoever does it, the report is the same. */
  verifyMany?: VerifyMany
}

/** Longest that a page's thread is kept busy. */
const BUSY_MS = 40

interface Checked extends CheckedTerms {
  header: HeaderLine
  context: EnvelopeContext
  streams: StreamEvidence[]
  /** Of each stream, once it is known where its meter begins. */
  folds: (GrowingHistory | undefined)[]
  /** Where each envelope stands in the log. */
  places: Pick<EnvelopeLine, 'stream' | 'seq' | 'logIndex' | 'loggedAt'>[]
  meterSigner: SignerContext
  /** Who signs meter values, in words. */
  meterSignerWords: string
  price: Price
  writtenMs: number
  /** When the bundle was written, or the agreement closed before. */
  endMs: number
  anchoredSize: bigint
  /** By id of each revoked key: how many leaves of the log count under it. */
  cuts: ReadonlyMap<Hex, bigint>
}

interface Tally {
  envelopes: number
  readings: number
  unanchored: number
  signedBy: Set<string>
}

const emptyTally = (): Tally => ({ envelopes: 0, readings: 0, unanchored: 0, signedBy: new Set() })

/**
 * Recomputes a bill from signed readings and compares it with the ledger, believing nothing that the bundle claims. Never throws on what
 * a bundle holds, nor on a ledger that does not prove what it says: it becomes the first fault. Throws if the ledger cannot be read.
 */
export async function auditBundle(options: AuditOptions): Promise<AuditReport> {
  const faults = faultBook()
  const report = await recompute(options, faults).catch((error: unknown) => {
    if (!(error instanceof LedgerProofError)) throw error
    faults.add(error.fault)
    return reportOf(undefined, emptyTally(), faults, undefined)
  })
  return { ...report, ledgerProof: options.ledger.proof?.() ?? null }
}

type Recomputed = Omit<AuditReport, 'ledgerProof'>

async function recompute(options: AuditOptions, faults: FaultBook): Promise<Recomputed> {
  const tally = emptyTally()
  let header: HeaderLine | undefined
  let checked: Checked | undefined
  let queue: EnvelopeQueue | undefined
  let busySince = performance.now()
  const breathe = () => (performance.now() - busySince > BUSY_MS ? pause() : undefined)
  const pause = async () => {
    options.onProgress?.({ envelopes: tally.envelopes })
    await new Promise<void>((resolve) => setTimeout(resolve, 0))
    busySince = performance.now()
  }

  const rest = await readBundle(
    options.lines,
    {
      async onHead(first, checkpoint, anchor) {
        header = first
        const expected = options.expected ?? {}
        const terms = await checkTerms(first, expected, options.ledger, faults)
        if (!terms) return
        const head = await checkCheckpoint(
          first,
          checkpoint,
          anchor,
          expected,
          options.ledger,
          faults,
        )
        const prepared = await prepare(first, terms, head, options.ledger, faults)
        checked = prepared
        if (!prepared) return
        const take = (line: EnvelopeLine, envelope: Envelope | undefined) => {
          if (takeLine(prepared, tally, line, envelope, faults)) tally.envelopes += 1
          return breathe()
        }
        queue = envelopeQueue(prepared.context, options.verifyMany ?? verifyHere, take, faults)
      },
      onEnvelope(line, lineNumber) {
        if (!queue) tally.envelopes += 1
        return queue?.add(line, lineNumber) ?? breathe()
      },
    },
    faults,
  )
  await queue?.end()
  if (!header || !checked) return reportOf(header, tally, faults, undefined)

  checkLoggedTimes(checked.context.head, checked.places, faults)
  const signed = [...rest.meterValues, ...rest.adjustments]
  const stated = [...rest.claims, ...signed.map(({ line }) => line)]
  const histories = historiesOf(checked)
  for (const [index, evidence] of checked.streams.entries()) {
    checkComplete(
      evidence,
      namedHeads(evidence.stream, stated),
      histories[index]?.waitingFrom,
      faults,
    )
  }
  checkMeterSignatures(header, checked.terms, checked.meterSigner, signed, faults)
  const setting = { ...checked, histories, faults }
  checkMetered(setting, checked.streams)
  checkRegisters(
    setting,
    rest.claims,
    rest.meterValues.map(({ line }) => line),
  )
  const points = foldPoints(
    histories,
    stated.map(({ heads }) => heads),
  )
  const payments = await options.ledger.payments(header.clearingHouse, header.agreementId)
  const money = await checkSettlements({ ...setting, points }, payments)
  await checkClaimedMoney(setting, rest.claims, money, checked.price)
  return reportOf(header, tally, faults, {
    histories,
    periods: await sumUp(checked, histories, money, rest.claims),
    money,
    metersSignedBy: checked.meterSignerWords,
  })
}

async function prepare(
  header: HeaderLine,
  terms: CheckedTerms,
  head: EnvelopeContext['head'],
  ledger: LedgerReader,
  faults: FaultBook,
): Promise<Checked | undefined> {
  const { machineId, meters, signerKind, signer } = terms.terms
  const signers = await withController(ledger, header, machineId)
  if (signers.length === 0 && meters.length > 0) {
    faults.add({ code: 'TERMS_MISMATCH', message: `the registry knows no machine ${machineId}` })
    return undefined
  }
  const meterSigners =
    signerKind === SIGNER_KIND.machine ? await withController(ledger, header, BigInt(signer)) : []
  const opening = await ledger.opening(header.clearingHouse, header.agreementId)
  const closedMs = (opening?.closedSeconds ?? Number.POSITIVE_INFINITY) * 1000
  const streams = meters.map((meter) => streamEvidence(meter.stream, meter.startHead))
  return {
    ...terms,
    header,
    context: {
      header,
      machineId,
      signers,
      head,
      isIncluded: inclusionChecker(head.size, head.root),
      streams: new Set(streams.map(({ stream }) => stream)),
    },
    streams,
    folds: [],
    places: [],
    meterSigner: await signerContext(ledger, header.registry, meterSigners),
    meterSignerWords: explainSigner(terms.terms, meterSigners[1]?.machineId),
    price: await priceOf(terms.terms, ledger),
    writtenMs: head.timestamp,
    endMs: Math.min(head.timestamp, closedMs),
    anchoredSize: head.anchoredSize,
    cuts: await cutsOf(signers, header, ledger),
  }
}

/** The cut of each revoked key: the largest size that the log anchored in a block before that of the revocation. */
async function cutsOf(
  signers: readonly LedgerMachine[],
  { evidenceAnchor, log }: HeaderLine,
  ledger: LedgerReader,
): Promise<Map<Hex, bigint>> {
  const revoked = signers.flatMap(({ keys }) => keys.filter(({ end }) => end === 'revoked'))
  if (revoked.length === 0) return new Map()
  const anchors = await ledger.anchors(evidenceAnchor, log)
  return new Map(
    revoked.map(({ keyId, endSeconds = 0 }) => [
      keyId,
      anchors
        .filter(({ blockSeconds }) => blockSeconds < endSeconds)
        .reduce((most, { size }) => (size > most ? size : most), 0n),
    ]),
  )
}

async function withController(
  ledger: LedgerReader,
  { registry }: HeaderLine,
  machineId: bigint,
): Promise<LedgerMachine[]> {
  const machine = await ledger.machine(registry, machineId)
  if (!machine) return []
  const controller =
    machine.controller === 0n ? undefined : await ledger.machine(registry, machine.controller)
  return controller ? [machine, controller] : [machine]
}

/** Whether the envelope is of the agreement: not so the one behind which it begins. */
function takeLine(
  checked: Checked,
  tally: Tally,
  line: EnvelopeLine,
  envelope: Envelope | undefined,
  faults: FaultBook,
): boolean {
  const { context } = checked
  if (!envelope) return true
  const { stream, seq, logIndex, loggedAt } = line
  checked.places.push({ stream, seq, logIndex, loggedAt })
  const meters = checked.streams.filter((evidence) => evidence.stream === stream)
  const [starts, streams] = [
    meters.filter(({ startHead }) => startHead === envelope.digest),
    meters.filter(({ startHead }) => startHead !== envelope.digest),
  ]
  for (const evidence of starts) takeStart(evidence, envelope, line)
  if (streams.length === 0) return false
  if (logIndex >= checked.anchoredSize) tally.unanchored += 1
  if (envelope.content.kind === 'readings') tally.readings += envelope.content.readings.length
  tally.signedBy.add(signerWords(context.machineId, envelope))
  for (const evidence of streams)
    takeEnvelope(evidence, envelope, line, context.signers, checked.cuts.get(envelope.kid), faults)
  foldOn(checked)
  return true
}

/** Hands on what was gathered to the folds of which it is known where they begin. */
function foldOn(checked: Checked): void {
  for (const [index, evidence] of checked.streams.entries()) {
    const { startHead, startSeq } = evidence
    if (startHead !== ZERO_DIGEST && startSeq === undefined) continue
    foldLogged(checked, index, evidence, (startSeq ?? 0n) + 1n)
  }
}

function foldLogged(
  checked: Checked,
  index: number,
  evidence: StreamEvidence,
  startSeq: bigint,
): GrowingHistory {
  const rule = checked.rules[index]
  if (!rule) throw new RangeError(`Meter ${index} has no rule.`)
  const fold =
    checked.folds[index] ??
    growingHistory(foldTermsOf(checked.terms, index, rule, startSeq), evidence.startHead)
  checked.folds[index] = fold
  for (const logged of evidence.logged.splice(0)) fold.take(logged)
  return fold
}

function historiesOf(checked: Checked): MeterHistory[] {
  return checked.streams.map((evidence, index) =>
    foldLogged(checked, index, evidence, firstSeqOf(evidence) ?? 1n).end(checked.writtenMs),
  )
}

const STATED_BY: Readonly<Record<string, string>> = {
  claim: 'the claim',
  meterValue: 'a signed meter value',
  adjustment: 'the adjustment',
}

function namedHeads(
  stream: string,
  stated: readonly { type: string; period: number; heads: ClaimLine['heads'] }[],
): NamedHead[] {
  return stated.flatMap(({ type, period, heads }) =>
    heads
      .filter((head) => head.stream === stream)
      .map(({ seq }) => ({
        seq,
        by: `${STATED_BY[type] ?? type} of period ${period}`,
      })),
  )
}

async function sumUp(
  checked: Checked,
  histories: MeterHistory[],
  money: ReadonlyMap<number, PeriodMoney>,
  claims: readonly ClaimLine[],
): Promise<PeriodReport[]> {
  const point: FoldPoint = lastPoint(histories)
  const isMetered = checked.terms.meters.length > 0
  // Without meters, claims were compared with what was signed, or rest on time.
  const signed = new Map(isMetered ? [] : claims.map((claim) => [claim.period, claim]))
  const periods = new Set([
    ...money.keys(),
    ...signed.keys(),
    ...histories.flatMap((history) => history.periods()),
  ])
  const reports: PeriodReport[] = []
  for (const period of [...periods].sort((a, b) => a - b)) {
    const registers = isMetered
      ? registersAt(histories, point, period)
      : (signed.get(period)?.registers ?? money.get(period)?.settledRegisters ?? [])
    const asOf = latestAsOf(checked.terms, period, checked.endMs)
    const owed = await checked.price(registers, period, asOf)
    reports.push({
      period,
      asOf: String(asOf),
      registers: registers.map(String),
      owedMinor: String(owed),
      paidMinor: String(money.get(period)?.paidMinor ?? 0n),
      settledRegisters: money.get(period)?.settledRegisters?.map(String) ?? null,
      adjustedMinor: String(money.get(period)?.adjustedMinor ?? 0n),
      refundedMinor: String(money.get(period)?.refundedMinor ?? 0n),
      band: await bandOf(histories, period, owed, (counted) =>
        checked.price(counted, period, asOf),
      ),
    })
  }
  return reports
}

/** The tariff at both ends of the registers; a price that is not ours is asked of its contract. */
async function bandOf(
  histories: readonly MeterHistory[],
  period: number,
  owedMinor: bigint,
  price: (registers: readonly bigint[]) => Promise<bigint>,
): Promise<PeriodReport['band']> {
  const bands = histories.map((history) => history.bandOf(period))
  const ends = bandEnds(bands)
  if (!ends) return null
  const [lower, upper] = [await price(ends.lower), await price(ends.upper)]
  return {
    lowerMinor: String(smaller(owedMinor, lower)),
    upperMinor: String(larger(owedMinor, upper)),
    uncertaintyPpm: ends.uncertaintyPpm,
  }
}

function reportOf(
  header: HeaderLine | undefined,
  tally: Tally,
  faults: FaultBook,
  result:
    | {
        histories: MeterHistory[]
        periods: PeriodReport[]
        money: ReadonlyMap<number, PeriodMoney>
        metersSignedBy: string
      }
    | undefined,
): Recomputed {
  const histories = result?.histories ?? []
  const money = [...(result?.money.values() ?? [])]
  const sum = (amounts: bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)
  const unpriced: Record<string, number> = {}
  for (const history of histories) {
    for (const [code, count] of Object.entries(history.unpriced)) {
      unpriced[code] = (unpriced[code] ?? 0) + count
    }
  }
  return {
    agreement: header?.agreementId ?? null,
    envelopes: tally.envelopes,
    readings: tally.readings,
    priced: histories.reduce((total, history) => total + history.priced, 0),
    unpriced,
    waiting: histories.reduce((total, history) => total + history.waiting, 0),
    periods: result?.periods ?? [],
    evidence: evidenceOf(histories),
    owedMinor: String(sum((result?.periods ?? []).map(({ owedMinor }) => BigInt(owedMinor)))),
    settledMinor: String(sum(money.map(({ paidMinor }) => paidMinor))),
    differenceMinor: String(sum(money.map(differenceOf))),
    firstFault: faults.first(),
    unanchored: tally.unanchored,
    signedBy: [...tally.signedBy].sort(),
    metersSignedBy: result?.metersSignedBy ?? null,
    settledAfterMinor: String(sum(money.map(({ paidAfterMinor }) => paidAfterMinor))),
    restsOn: header
      ? {
          chainId: header.chainId,
          registry: header.registry,
          clearingHouse: header.clearingHouse,
          evidenceAnchor: header.evidenceAnchor,
          log: header.log,
        }
      : null,
  }
}

function evidenceOf(histories: readonly MeterHistory[]): AuditReport['evidence'] {
  const head = headAt(histories, lastPoint(histories))
  if (histories.length === 0 || head === undefined) return null
  const heads = new Map(histories.map(({ stream, last }) => [stream, last]))
  return {
    evidenceHead: head,
    heads: [...heads].flatMap(([stream, last]) =>
      last === undefined ? [] : [{ stream, seq: String(last) }],
    ),
  }
}

/** What escrow could not pay is no difference: it was proven, and stands on the ledger as arrears. */
function differenceOf(money: PeriodMoney): bigint {
  const { paidMinor } = money
  const proven = money.provenMinor + money.adjustedMinor
  return (paidMinor > proven ? paidMinor : proven) - money.supportedMinor - money.lateMinor
}
