import { type FoldTerms, foldStream, type LoggedEnvelope } from '@liquefy/protocol'
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
  /** What the fold said of an envelope; undefined if it has not come to it. */
  stepOf(digest: Hex): { code: string; registers: Readonly<Record<number, bigint>> } | undefined
  /** When the first envelope that moved the period was logged; Infinity if none did. */
  movedSinceMs(period: number): number
}

/** Folds a stream as machine and node do, with the clock at the time of the checkpoint. */
export function meterHistory(
  terms: FoldTerms,
  startHead: Hex,
  logged: readonly LoggedEnvelope[],
  nowMs: number,
): MeterHistory {
  const fold = foldStream(terms, logged, nowMs)
  const digests = new Map<bigint, Hex>([[0n, startHead]])
  if (terms.startSeq > 1n) digests.set(terms.startSeq - 1n, startHead)
  const steps = new Map(fold.steps.map((step) => [step.digest, step]))
  const changes = new Map<number, { seq: bigint; register: bigint }[]>()
  const lateChanges = new Map<number, { seq: bigint; register: bigint }[]>()
  const loggedAt = new Map(logged.map((envelope) => [envelope.digest, envelope.loggedAt]))
  const since = new Map<number, number>()
  const unpriced: Record<string, number> = {}
  let priced = 0
  for (const step of fold.steps) {
    if (step.code === 'OK') priced += 1
    else unpriced[step.code] = (unpriced[step.code] ?? 0) + 1
    if (step.code !== 'EQUIVOCATION' && step.code !== 'LATE_FOR_GAP') {
      digests.set(step.seq, step.digest)
    }
    for (const [period, register] of Object.entries(step.lateRegisters)) {
      const list = lateChanges.get(Number(period)) ?? []
      list.push({ seq: step.seq, register })
      lateChanges.set(Number(period), list)
    }
    for (const [period, register] of Object.entries(step.registers)) {
      const at = loggedAt.get(step.digest) ?? Number.POSITIVE_INFINITY
      since.set(Number(period), Math.min(at, since.get(Number(period)) ?? at))
      const list = changes.get(Number(period)) ?? []
      list.push({ seq: step.seq, register })
      changes.set(Number(period), list)
    }
  }
  const registerAt = (period: number, seq: bigint) =>
    newestUpTo(changes.get(period) ?? [], seq) ?? 0n
  const seqs = [...digests.keys()].filter((seq) => seq >= terms.startSeq)
  const lastSeq = fold.head?.seq
  return {
    stream: terms.stream,
    last: lastSeq,
    waitingFrom: fold.waiting.length > 0 ? (lastSeq ?? terms.startSeq - 1n) + 1n : undefined,
    waiting: fold.waiting.length,
    priced,
    unpriced,
    seqs,
    digestAt: (seq) => digests.get(seq),
    cutFrom: fold.steps.find(({ code }) => code === 'BEYOND_CUT')?.seq,
    registerAt,
    lateRegisterAt: (period, seq) =>
      newestUpTo(lateChanges.get(period) ?? [], seq) ?? registerAt(period, seq),
    periods: () => [...changes.keys()],
    stepOf: (digest) => steps.get(digest),
    movedSinceMs: (period) => since.get(period) ?? Number.POSITIVE_INFINITY,
  }
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
