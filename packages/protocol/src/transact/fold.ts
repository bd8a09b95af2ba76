import type { Hex } from 'viem'
import type { Declaration, Reading } from '../trust/envelope.ts'
import { replaceSensor, takeCertificate } from './calibration.ts'
import { foldReading, moveRegister, type StepCode } from './fold-reading.ts'
import { foldReplacement } from './fold-replacement.ts'
import { type FoldDraft, type FoldState, foldHead, freeze, thaw } from './fold-state.ts'
import type { FoldTerms } from './fold-terms.ts'
import { gapDeclarations, gapMap, passGap, placesOf, wasSkipped } from './gaps.ts'
import type { LoggedEnvelope } from './logged-envelope.ts'
import { periodEndMs } from './period.ts'
import { countsForStream } from './quantity.ts'
import { registerOf } from './register.ts'
import { samplesOf } from './samples.ts'
import { addSpan } from './spans.ts'

/** What the fold said of one envelope. */
export type FoldStep = {
  seq: bigint
  digest: Hex
  /** `OK` (priced), the admission code if that is not `OK`, else the code of its first bad reading. */
  code: StepCode
  /** Whether the head now covers it; not so for late ones and second ones of a `seq`. */
  covered: boolean
  /** Registers after this step, of those periods that it changed. */
  registers: Record<number, bigint>
  /** Registers with late input after this step, of those final periods in which it changed one or the other. */
  lateRegisters: Record<number, bigint>
  /** Time of the last good reading so far, ms since 1970; undefined before the first, and of late and second envelopes. */
  lastReadingMs: number | undefined
}

/** What came before an envelope: whether it came too late for its gap, and whether an undeclared gap was given up before it. */
export type StepContext = { lateForGap: boolean; skippedGap: boolean }

/** What `advance` did. `waiting` (all with a `seq` the fold has not passed) must be given to the next call again; `wakeAtMs` is when time alone would release some of it. */
export type Advance = {
  state: FoldState
  /** In order of `seq`. */
  steps: FoldStep[]
  waiting: LoggedEnvelope[]
  wakeAtMs: number | undefined
}

/** Most excuses that may lie ahead of the last good reading; more change nothing. */
const MOST_EXCUSES = 256

/** The state before the first envelope. */
export function startFold(terms: FoldTerms): FoldState {
  return {
    version: 1,
    nextSeq: terms.startSeq.toString(),
    skipped: [],
    head: null,
    baseline: null,
    lastReadingMs: null,
    gapPending: false,
    declaredGapsMs: [],
    replacementsMs: [],
    periods: {},
  }
}

/**
 * Folds one envelope whose turn it is. Gaps and order are the caller's business: `advance` decides both, and is what
 * node, machine and audit use.
 */
export function stepFold(
  terms: FoldTerms,
  state: FoldState,
  next: LoggedEnvelope,
  context: StepContext,
): { state: FoldState } & Pick<FoldStep, 'code' | 'registers' | 'lateRegisters' | 'lastReadingMs'> {
  const draft = thaw(state)
  if (context.skippedGap) draft.gapPending = true
  const { code, registers, lateRegisters, lastReadingMs } = context.lateForGap
    ? unpriced(next, 'LATE_FOR_GAP')
    : foldEnvelope(terms, draft, next)
  return { state: freeze(draft), code, registers, lateRegisters, lastReadingMs }
}

/**
 * Takes newly logged envelopes of one stream, together with those still `waiting` from the last call, and folds what
 * can be folded, in `seq` order. The same logged envelopes give the same end in any order and in any portions, as long as
 * each portion is complete: `nowMs` is a moment up to which (itself included) every logged envelope of the stream has
 * been given. Envelopes given twice are ignored.
 *
 * @param logged new and waiting envelopes, in any order; what lies before `terms.startSeq` is ignored.
 * @param endSeq the fold takes nothing from this `seq` on, and reads no content there but that of declarations: so a caller who cannot
 *   hold all that waits gives the rest without its readings.
 */
export function advance(
  terms: FoldTerms,
  state: FoldState,
  logged: readonly LoggedEnvelope[],
  nowMs: number,
  endSeq?: bigint,
): Advance {
  const draft = thaw(state)
  const { inOrder, behind, equivocations } = sortOut(terms, draft, logged)
  const declarations = gapMap(gapDeclarations(inOrder))
  const places = placesOf(inOrder, declarations, terms.gapTimeoutSeconds * 1000)
  const knownUntilMs = knownUntil(logged, nowMs)
  const steps: FoldStep[] = []
  let wakeAtMs: number | undefined
  for (const { envelope, deadlineMs } of places.filter(({ late }) => !late)) {
    if (endSeq !== undefined && envelope.seq >= endSeq) break
    wakeAtMs = passGap(draft, envelope.seq, declarations, deadlineMs, knownUntilMs)
    if (wakeAtMs !== undefined) break
    steps.push(foldEnvelope(terms, draft, envelope))
  }
  const passedLate = places.filter(({ late, envelope }) => late && envelope.seq < draft.nextSeq)
  for (const { envelope } of passedLate) steps.push(unpriced(envelope, 'LATE_FOR_GAP'))
  for (const envelope of behind) steps.push(unpriced(envelope, 'LATE_FOR_GAP'))
  for (const envelope of equivocations) {
    if (envelope.seq < draft.nextSeq) steps.push(unpriced(envelope, 'EQUIVOCATION'))
  }
  return {
    state: freeze(draft),
    steps: steps.sort(bySeq),
    waiting: [...inOrder, ...equivocations].filter(({ seq }) => seq >= draft.nextSeq).sort(bySeq),
    wakeAtMs,
  }
}

/**
 * Folds all logged envelopes of a stream at once, in any order. `nowMs` as in `advance`; pass `Infinity` to give up
 * every gap.
 */
export function foldStream(
  terms: FoldTerms,
  envelopes: readonly LoggedEnvelope[],
  nowMs: number,
): Advance & { head: { seq: bigint; digest: Hex } | undefined } {
  const result = advance(terms, startFold(terms), envelopes, nowMs)
  return { ...result, head: foldHead(result.state) }
}

/** Apart: what stands in line, what comes for a gap already given up, and second envelopes of one `seq`. */
function sortOut(terms: FoldTerms, draft: FoldDraft, logged: readonly LoggedEnvelope[]) {
  const present = new Map<bigint, LoggedEnvelope>()
  const behind = new Map<Hex, LoggedEnvelope>()
  const equivocations = new Map<Hex, LoggedEnvelope>()
  for (const envelope of logged) {
    const { seq, digest } = envelope
    if (seq < terms.startSeq) continue
    if (envelope.code === 'EQUIVOCATION') equivocations.set(digest, envelope)
    else if (seq >= draft.nextSeq) present.set(seq, firstLogged(envelope, present.get(seq)))
    else if (wasSkipped(draft, seq)) behind.set(digest, envelope)
  }
  return {
    inOrder: [...present.values()].sort((a, b) => (a.seq < b.seq ? -1 : 1)),
    behind: [...behind.values()],
    equivocations: [...equivocations.values()],
  }
}

function firstLogged(one: LoggedEnvelope, other: LoggedEnvelope | undefined): LoggedEnvelope {
  if (other === undefined || one.loggedAt < other.loggedAt) return one
  return one.loggedAt === other.loggedAt && one.digest < other.digest ? one : other
}

/** Envelopes are logged in order of time, so that everything before the newest one must have been given too. */
function knownUntil(logged: readonly LoggedEnvelope[], nowMs: number): number {
  return logged.reduce((known, { loggedAt }) => Math.max(known, loggedAt - 1), nowMs)
}

function foldEnvelope(terms: FoldTerms, draft: FoldDraft, envelope: LoggedEnvelope): FoldStep {
  draft.nextSeq = envelope.seq + 1n
  draft.head = { seq: envelope.seq, digest: envelope.digest }
  const step = (code: StepCode, moved: Moved) => stepOf(terms, draft, envelope, code, moved)
  if (envelope.code !== 'OK') return step(envelope.code, NOTHING_MOVED)
  if (envelope.content.kind === 'declaration') {
    const verdict = declare(terms, draft, envelope.content.declaration, envelope.loggedAt)
    const moved = movedBy(verdict)
    for (const period of moved.billed) moveRegister(terms, draft, period)
    return step(verdict.code, moved)
  }
  let code: StepCode = 'OK'
  const billed = new Set<number>()
  const late = new Set<number>()
  const counting = readingsOf(terms.stream, envelope.content.readings)
  for (const sample of samplesOf(terms.rule, counting)) {
    const verdict = foldReading(terms, draft, sample, envelope.loggedAt)
    if (code === 'OK') code = verdict.code
    if (verdict.period === undefined) continue
    if (verdict.code === 'LATE_FOR_PERIOD') late.add(verdict.period)
    else billed.add(verdict.period)
  }
  for (const period of billed) moveRegister(terms, draft, period)
  return step(code, { billed: [...billed], late: [...late] })
}

/** Those readings that count. Most share one name, which is looked at once. */
function readingsOf(stream: string, readings: readonly Reading[]): readonly Reading[] {
  const name = readings[0]?.name
  if (name === undefined || readings.some((one) => one.name !== name)) {
    return readings.filter((one) => countsForStream(one.name, stream))
  }
  return countsForStream(name, stream) ? readings : []
}

/** What a declaration changes. Its code is `OK`, but that of what the rule refuses: a replacement's readings, or a certificate. */
function declare(
  terms: FoldTerms,
  draft: FoldDraft,
  declaration: Declaration,
  loggedAt: number,
): { code: StepCode; period?: number } {
  switch (declaration.kind) {
    case 'gap':
      addSpan(draft.declaredGapsMs, [declaration.fromMs, declaration.toMs])
      return { code: 'OK' }
    case 'excuse': {
      // Others have no use for it, and what lies ahead may not grow without end.
      const counts = terms.rule.rule === 'duration-beyond' && draft.excusesMs.length < MOST_EXCUSES
      if (counts) addSpan(draft.excusesMs, [declaration.fromMs, declaration.toMs])
      return { code: 'OK' }
    }
    case 'replacement': {
      // First the last reading of the old part: its own certificate vouches for that one.
      const verdict = foldReplacement(terms, draft, declaration, loggedAt)
      const { atMs, newPart } = declaration
      const isInTime = atMs < periodEndMs(terms, terms.periods - 1)
      if (terms.rule.calibration && isInTime) replaceSensor(draft, atMs, newPart)
      return verdict
    }
    case 'calibration':
      return { code: takeCertificate(terms, draft, declaration.certificate) }
    case 'clock':
      return { code: 'OK' }
  }
}

function movedBy({ code, period }: { code: StepCode; period?: number }): Moved {
  if (period === undefined) return NOTHING_MOVED
  return code === 'LATE_FOR_PERIOD'
    ? { billed: [], late: [period] }
    : { billed: [period], late: [] }
}

/** A step out of line: it changes nothing, so it says nothing of how far the fold has come. */
function unpriced({ seq, digest, code }: LoggedEnvelope, outOfLine: StepCode): FoldStep {
  return {
    seq,
    digest,
    code: code === 'OK' ? outOfLine : code,
    covered: false,
    registers: {},
    lateRegisters: {},
    lastReadingMs: undefined,
  }
}

/** Periods that an envelope changed: their registers, or their late input. */
type Moved = { billed: readonly number[]; late: readonly number[] }

const NOTHING_MOVED: Moved = { billed: [], late: [] }

function stepOf(
  { rule }: FoldTerms,
  draft: FoldDraft,
  { seq, digest }: LoggedEnvelope,
  code: StepCode,
  { billed, late }: Moved,
): FoldStep {
  const inputOf = (period: number) => draft.periods.get(period)?.input ?? 0n
  // What was waiting behind late evidence may have come in time: it moves both.
  const touched = [...late, ...billed.filter((period) => draft.late.has(period))]
  return {
    seq,
    digest,
    code,
    covered: true,
    registers: Object.fromEntries(
      billed.map((period) => [period, draft.periods.get(period)?.register ?? 0n]),
    ),
    lateRegisters: Object.fromEntries(
      touched.map((period) => [
        period,
        registerOf(rule, inputOf(period) + (draft.late.get(period) ?? 0n)),
      ]),
    ),
    lastReadingMs: draft.lastReadingMs,
  }
}

type Placed = Pick<FoldStep, 'seq' | 'code' | 'digest'>

/** By `seq`; of one `seq`, second envelopes last. */
function bySeq(a: Placed, b: Placed): number {
  if (a.seq !== b.seq) return a.seq < b.seq ? -1 : 1
  const secondLast = Number(a.code === 'EQUIVOCATION') - Number(b.code === 'EQUIVOCATION')
  return secondLast || (a.digest < b.digest ? -1 : 1)
}
