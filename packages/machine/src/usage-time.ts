import { type HeldRight, type Hex, heldSpans, type Span, userAt } from '@liquefy/protocol'
import type { UsageRun } from './usage-file.ts'

/** A slot may touch the next, and a week has seven days: what ends now began within so long, or goes on. */
const LOOK_AROUND_MS = 8 * 24 * 3_600_000

/** How much of a time lies outside of some spans, in ms. */
export function timeOutside({ fromMs, toMs }: Span, spans: readonly Span[]): number {
  const inside = spans.reduce((sum, span) => {
    return sum + Math.max(0, Math.min(span.toMs, toMs) - Math.max(span.fromMs, fromMs))
  }, 0)
  return toMs - fromMs - inside
}

/** The time that somebody may use a machine, by all his rights. */
export function timeOfUser(
  rights: readonly HeldRight[],
  zone: string,
  user: Hex,
  span: Span,
): Span[] {
  const own = rights.filter((right) => userAt(right, span.fromMs) === user)
  return heldSpans(own, zone, span)
}

/** Slots that have ended within a time and to which nobody came who might. */
export function noShows(
  rights: readonly HeldRight[],
  zone: string,
  { fromMs, toMs }: Span,
  runs: readonly UsageRun[],
): { rightId: bigint; slot: Span }[] {
  const around = { fromMs: fromMs - LOOK_AROUND_MS, toMs: toMs + LOOK_AROUND_MS }
  return rights.flatMap((right) =>
    heldSpans([right], zone, around)
      .filter((slot) => slot.toMs > fromMs && slot.toMs <= toMs)
      .filter((slot) => {
        const user = userAt(right, slot.fromMs)
        const came = (run: UsageRun) => run.fromMs < slot.toMs && run.toMs >= slot.fromMs
        return !runs.some((run) => run.user === user && came(run))
      })
      .map((slot) => ({ rightId: right.rightId, slot })),
  )
}
