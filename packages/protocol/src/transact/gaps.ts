import type { FoldDraft } from './fold-state.ts'
import type { LoggedEnvelope } from './logged-envelope.ts'
import { addSpan, firstIndex } from './spans.ts'

/** A declaration that names envelopes which will never come. Only those before its own `seq` count. */
export type GapDeclaration = {
  seq: bigint
  first: bigint
  last: bigint
  loggedAt: number
  fromMs: number
  toMs: number
}

/** An envelope in its place: whether it came too late for it, and when a gap right before it is given up. */
export type Place = { envelope: LoggedEnvelope; late: boolean; deadlineMs: number }

/** Admitted gap declarations with missing envelopes, the first logged first. */
export function gapDeclarations(envelopes: readonly LoggedEnvelope[]): GapDeclaration[] {
  return envelopes
    .flatMap(({ seq, code, loggedAt, content }) => {
      if (code !== 'OK' || content.kind !== 'declaration') return []
      const { declaration } = content
      if (declaration.kind !== 'gap' || declaration.missing === undefined) return []
      const [first, named] = declaration.missing
      const last = named < seq ? named : seq - 1n
      if (last < first) return []
      return [{ seq, first, last, loggedAt, fromMs: declaration.fromMs, toMs: declaration.toMs }]
    })
    .sort((a, b) => a.loggedAt - b.loggedAt || (a.seq < b.seq ? -1 : 1))
}

/** A part of the stream to which one declaration applies, or, with undefined, none. */
type Segment = { first: bigint; declaration: GapDeclaration | undefined }

/** Which declaration applies where: segments in order, each up to the next one. */
export type GapMap = readonly Segment[]

/**
 * The first logged declaration that names a `seq` applies to it. A machine may declare as much as it likes, so that looking for it among all
 * of them, `seq` by `seq`, would cost the square of their number.
 *
 * @param declarations the first logged first.
 */
export function gapMap(declarations: readonly GapDeclaration[]): GapMap {
  const borders = declarations.flatMap(({ first, last }) => [first, last + 1n])
  const segments = [...new Set(borders)]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((first): Segment => ({ first, declaration: undefined }))
  // By segment: where to look for the next one that is still free.
  const free = Array.from({ length: segments.length + 1 }, (_, index) => index)
  const nextFree = (from: number): number => {
    let at = from
    while (free[at] !== undefined && free[at] !== at) {
      free[at] = free[free[at] ?? at] ?? at
      at = free[at] ?? at
    }
    return at
  }
  for (const declaration of declarations) {
    const { first, last } = declaration
    const begin = firstIndex(segments, (segment) => segment.first >= first)
    for (let at = nextFree(begin); at < segments.length; at = nextFree(at)) {
      const segment = segments[at]
      if (!segment || segment.first > last) break
      segment.declaration = declaration
      free[at] = at + 1
    }
  }
  return segments
}

/**
 * Says of each envelope, in order of `seq`, whether it is `LATE_FOR_GAP`: logged later than `gapTimeoutMs` after the first
 * logged one with a higher `seq`, or later than a declaration that names it missing.
 *
 * @param inOrder by `seq`, each `seq` once.
 */
export function placesOf(
  inOrder: readonly LoggedEnvelope[],
  declarations: GapMap,
  gapTimeoutMs: number,
): Place[] {
  let firstBehindMs = Number.POSITIVE_INFINITY
  return inOrder
    .toReversed()
    .map((envelope) => {
      const givenUpMs = Math.min(
        firstBehindMs + gapTimeoutMs,
        declarationOf(declarations, envelope.seq)?.loggedAt ?? Number.POSITIVE_INFINITY,
      )
      firstBehindMs = Math.min(firstBehindMs, envelope.loggedAt)
      return {
        envelope,
        late: envelope.loggedAt > givenUpMs,
        deadlineMs: firstBehindMs + gapTimeoutMs,
      }
    })
    .reverse()
}

/**
 * Moves the draft past missing envelopes up to `untilSeq`, as far as they are declared or given up by `knownUntilMs`.
 * Returns when time alone would move it further, or undefined if nothing is missing any more.
 */
export function passGap(
  draft: FoldDraft,
  untilSeq: bigint,
  declarations: GapMap,
  deadlineMs: number,
  knownUntilMs: number,
): number | undefined {
  while (draft.nextSeq < untilSeq) {
    const declaration = declarationOf(declarations, draft.nextSeq)
    const declared = declaration !== undefined && declaration.loggedAt <= deadlineMs
    const releasedAtMs = declared ? declaration.loggedAt : deadlineMs
    if (releasedAtMs > knownUntilMs) return releasedAtMs
    if (declared) {
      addSpan(draft.declaredGapsMs, [declaration.fromMs, declaration.toMs])
    } else {
      draft.gapPending = true
    }
    skipTo(draft, segmentEnd(declarations, draft.nextSeq, untilSeq))
  }
  return undefined
}

/** Whether `seq` lies before the fold because it was given up. */
export function wasSkipped(draft: FoldDraft, seq: bigint): boolean {
  const range = draft.skipped[firstIndex(draft.skipped, ({ last }) => last >= seq)]
  return range !== undefined && range.first <= seq
}

/** The first logged declaration that names `seq` missing. */
function declarationOf(declarations: GapMap, seq: bigint): GapDeclaration | undefined {
  return declarations[firstIndex(declarations, ({ first }) => first > seq) - 1]?.declaration
}

/** The first `seq` after `from` at which other declarations apply, at most `until`. */
function segmentEnd(declarations: GapMap, from: bigint, until: bigint): bigint {
  const next = declarations[firstIndex(declarations, ({ first }) => first > from)]?.first
  return next !== undefined && next < until ? next : until
}

function skipTo(draft: FoldDraft, nextSeq: bigint): void {
  const newest = draft.skipped.at(-1)
  if (newest && newest.last + 1n === draft.nextSeq) newest.last = nextSeq - 1n
  else draft.skipped.push({ first: draft.nextSeq, last: nextSeq - 1n })
  draft.nextSeq = nextSeq
}
