import { evidenceHead } from '@liquefy/protocol'
import type { Hex } from 'viem'
import type { StreamHead } from './line.ts'
import type { MeterHistory } from './meter-history.ts'

/** How far each stream was folded, in the order of the terms. */
export type FoldPoint = readonly bigint[]

/** Beyond this many combinations of several streams' heads, only those that somebody names are looked at. */
const MAX_COMBINATIONS = 200_000

/** Finds the fold point that an evidence head on the ledger stands for. */
export interface FoldPoints {
  /** Undefined if no point of the fold has this head. */
  find(head: Hex): FoldPoint | undefined
}

/**
 * Points of the fold by their evidence head: first those that claims and meter values name, and if that is not enough every
 * combination of the streams' heads.
 */
export function foldPoints(
  histories: readonly MeterHistory[],
  hints: readonly (readonly StreamHead[])[],
): FoldPoints {
  const byHead = new Map<Hex, FoldPoint>()
  const note = (point: FoldPoint) => {
    const head = headAt(histories, point)
    if (head !== undefined && !byHead.has(head)) byHead.set(head, point)
  }
  for (const hint of hints) note(pointOf(histories, hint))
  let complete = false
  return {
    find(head) {
      if (!byHead.has(head) && !complete) {
        complete = true
        for (const point of allPoints(histories)) note(point)
      }
      return byHead.get(head)
    },
  }
}

/** The point that named heads mean; a stream that is not named has not begun. */
export function pointOf(
  histories: readonly MeterHistory[],
  heads: readonly StreamHead[],
): FoldPoint {
  return histories.map((history) => heads.find((head) => head.stream === history.stream)?.seq ?? 0n)
}

/** The evidence head at a point; undefined if a stream has no envelope covered there. */
export function headAt(histories: readonly MeterHistory[], point: FoldPoint): Hex | undefined {
  const digests: Hex[] = []
  for (const [index, history] of histories.entries()) {
    const digest = history.digestAt(point[index] ?? 0n)
    if (digest === undefined) return undefined
    digests.push(digest)
  }
  return evidenceHead(digests)
}

/** Registers of a period at a point, in the order of the terms. */
export function registersAt(
  histories: readonly MeterHistory[],
  point: FoldPoint,
  period: number,
): bigint[] {
  return histories.map((history, index) => history.registerAt(period, point[index] ?? 0n))
}

/** The same with what came for the period when it was final. */
export function lateRegistersAt(
  histories: readonly MeterHistory[],
  point: FoldPoint,
  period: number,
): bigint[] {
  return histories.map((history, index) => history.lateRegisterAt(period, point[index] ?? 0n))
}

/** The point that covers all evidence. */
export function lastPoint(histories: readonly MeterHistory[]): FoldPoint {
  return histories.map((history) => history.last ?? 0n)
}

function* allPoints(histories: readonly MeterHistory[]): Generator<FoldPoint> {
  const choices = histories.map((history) => [0n, ...history.seqs])
  const combinations = choices.reduce((product, choice) => product * choice.length, 1)
  if (combinations > MAX_COMBINATIONS) return
  yield* combine(choices, [])
}

function* combine(choices: bigint[][], chosen: bigint[]): Generator<FoldPoint> {
  const [first, ...rest] = choices
  if (!first) {
    yield chosen
    return
  }
  for (const seq of first) yield* combine(rest, [...chosen, seq])
}
