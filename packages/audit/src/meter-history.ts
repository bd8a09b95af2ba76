import {
  advance,
  type FoldStep,
  type FoldTerms,
  foldHead,
  type LoggedEnvelope,
  type RegisterBand,
  registerBand,
  startFold,
} from '@liquefy/protocol'
import type { Hex } from 'viem'

/** One meter's fold over all evidence, and what it said at every step on the way. */
export interface MeterHistory {
  stream: string
  /** The last `seq` covered; undefined before the first. */
  last: bigint | undefined
  /** First `seq` that it waits for, if an undeclared gap holds it. */
  waitingFrom: bigint | undefined
  waiting: number
  priced: number
  unpriced: Record<string, number>
  /** `seq` of the envelopes covered, rising. */
  seqs: bigint[]
  /** Digest of the envelope that the fold covered at `seq`; the start head for 0n; undefined if it covered none there. */
  digestAt(seq: bigint): Hex | undefined
  /** The lowest `seq` that a revocation has cut off; undefined if it has cut nothing. */
  cutFrom: bigint | undefined
  /** Register of `period` after `seq`. */
  registerAt(period: number, seq: bigint): bigint
  /** The same with what came for the period when it was final. */
  lateRegisterAt(period: number, seq: bigint): bigint
  periods(): number[]
  /** What its calibration leaves open of the register of a period over all evidence. */
  bandOf(period: number): RegisterBand
  /** What the fold said of an envelope; undefined if it has not come to it. */
  stepOf(digest: Hex): { code: string; registers: Readonly<Record<number, bigint>> } | undefined
  /** When the first envelope that moved the period was logged; Infinity if none did. */
  movedSinceMs(period: number): number
}

/** A stream's fold that grows with its evidence, so that no more readings are held than must be. */
export interface GrowingHistory {
  /** Takes the next envelope in log order. */
  take(logged: LoggedEnvelope): void
  /** The history once all was taken, with the clock at the time of the checkpoint. */
  end(nowMs: number): MeterHistory
}

/** Envelopes folded together. */
const PORTION = 16

/** Folds a stream as machine and node do. */
export function growingHistory(terms: FoldTerms, startHead: Hex): GrowingHistory {
  const book = historyBook(terms, startHead)
  let state = startFold(terms)
  /** Not folded yet: what is new, and what waits behind a gap. */
  let pending: LoggedEnvelope[] = []
  let foldAt = PORTION

  const fold = (nowMs: number) => {
    const portion = advance(terms, state, pending, nowMs)
    book.note(portion.steps, pending)
    state = portion.state
    pending = portion.waiting
    // However much waits, it is looked through a bounded number of times.
    foldAt = Math.max(PORTION, 2 * pending.length)
  }

  return {
    take(logged) {
      pending.push(logged)
      // Until the newest one everything is there.
      if (pending.length >= foldAt) fold(0)
    },
    end(nowMs) {
      fold(nowMs)
      return {
        ...book.history(foldHead(state)?.seq, pending.length),
        bandOf: (period) => registerBand(state, terms.rule, period),
      }
    },
  }
}

/** What the fold said at each step. */
function historyBook(terms: FoldTerms, startHead: Hex) {
  const digests = new Map<bigint, Hex>([[0n, startHead]])
  if (terms.startSeq > 1n) digests.set(terms.startSeq - 1n, startHead)
  const steps = new Map<Hex, FoldStep>()
  const changes = new Map<number, { seq: bigint; register: bigint }[]>()
  const lateChanges = new Map<number, { seq: bigint; register: bigint }[]>()
  const since = new Map<number, number>()
  const unpriced: Record<string, number> = {}
  let priced = 0
  let cutFrom: bigint | undefined

  const noteStep = (step: FoldStep, loggedAt: number) => {
    const { seq, digest, code } = step
    steps.set(digest, step)
    if (code === 'OK') priced += 1
    else unpriced[code] = (unpriced[code] ?? 0) + 1
    if (code === 'BEYOND_CUT' && (cutFrom === undefined || seq < cutFrom)) cutFrom = seq
    if (code !== 'EQUIVOCATION' && code !== 'LATE_FOR_GAP') digests.set(seq, digest)
    for (const [period, register] of Object.entries(step.lateRegisters)) {
      append(lateChanges, Number(period), { seq, register })
    }
    for (const [period, register] of Object.entries(step.registers)) {
      since.set(Number(period), Math.min(loggedAt, since.get(Number(period)) ?? loggedAt))
      append(changes, Number(period), { seq, register })
    }
  }
  const registerAt = (period: number, seq: bigint) =>
    newestUpTo(changes.get(period) ?? [], seq) ?? 0n

  return {
    note(said: readonly FoldStep[], logged: readonly LoggedEnvelope[]) {
      const loggedAt = new Map(logged.map((envelope) => [envelope.digest, envelope.loggedAt]))
      for (const step of said) {
        noteStep(step, loggedAt.get(step.digest) ?? Number.POSITIVE_INFINITY)
      }
    },
    history: (last: bigint | undefined, waiting: number): Omit<MeterHistory, 'bandOf'> => ({
      stream: terms.stream,
      last,
      waitingFrom: waiting > 0 ? (last ?? terms.startSeq - 1n) + 1n : undefined,
      waiting,
      priced,
      unpriced,
      // What came out of line was noted behind what it lies before.
      seqs: [...digests.keys()]
        .filter((seq) => seq >= terms.startSeq)
        .sort((a, b) => (a < b ? -1 : 1)),
      digestAt: (seq) => digests.get(seq),
      cutFrom,
      registerAt,
      lateRegisterAt: (period, seq) =>
        newestUpTo(lateChanges.get(period) ?? [], seq) ?? registerAt(period, seq),
      periods: () => [...changes.keys()],
      stepOf: (digest) => steps.get(digest),
      movedSinceMs: (period) => since.get(period) ?? Number.POSITIVE_INFINITY,
    }),
  }
}

function append<Value>(lists: Map<number, Value[]>, key: number, value: Value): void {
  const list = lists.get(key)
  if (list) list.push(value)
  else lists.set(key, [value])
}

function newestUpTo(changes: { seq: bigint; register: bigint }[], seq: bigint): bigint | undefined {
  let low = 0
  let high = changes.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((changes[middle]?.seq ?? 0n) <= seq) low = middle + 1
    else high = middle
  }
  return changes[low - 1]?.register
}
