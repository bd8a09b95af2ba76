/** The part of time that a chart shows: half-open, ms since 1970. */
export interface TimeWindow {
  fromMs: number
  toMs: number
}

/** How far a chart may go: no further back than the first reading, no later than now. */
export interface Reach {
  firstMs: number
  /** Of the latest reading. */
  lastMs: number
  nowMs: number
}

const SHORTEST_MS = 1_000
const MOMENT_MS = 1_000

export const spanOf = ({ fromMs, toMs }: TimeWindow): number => toMs - fromMs

/** The last `spanMs`, up to now. */
export const lastOf = (spanMs: number, { nowMs }: Pick<Reach, 'nowMs'>): TimeWindow => ({
  fromMs: nowMs - Math.max(spanMs, SHORTEST_MS),
  toMs: nowMs,
})

/** All that there is: up to now, or to the latest reading if silence would be a tenth of the picture. */
export const wholeOf = ({ firstMs, lastMs, nowMs }: Reach): TimeWindow => {
  const isSilent = nowMs - lastMs > (nowMs - firstMs) / 10
  const toMs = isSilent ? Math.min(lastMs + (lastMs - firstMs) / 100, nowMs) : nowMs
  return lastOf(toMs - firstMs, { nowMs: Math.ceil(toMs) })
}

/**
 * Nearer by `factor` (below 1: further away), around a place of the window from 0 (its beginning) to 1 (its end), which stays where it is.
 * Never shorter than a second, never longer than all that there is.
 */
export const zoomed = (
  window: TimeWindow,
  factor: number,
  place: number,
  reach: Reach,
): TimeWindow => {
  const longestMs = Math.max(reach.nowMs - reach.firstMs, spanOf(window))
  const spanMs = Math.min(Math.max(spanOf(window) / factor, SHORTEST_MS), longestMs)
  const fromMs = window.fromMs + place * (spanOf(window) - spanMs)
  return within({ fromMs, toMs: fromMs + spanMs }, reach)
}

/** Later by a part of its span (below 0: earlier), as far as there is something. */
export const panned = (window: TimeWindow, part: number, reach: Reach): TimeWindow => {
  const byMs = part * spanOf(window)
  return within({ fromMs: window.fromMs + byMs, toMs: window.toMs + byMs }, reach)
}

/** Whether the window ended now a moment ago: such a window goes with the time. */
export const touchesNow = (window: TimeWindow, { nowMs }: Pick<Reach, 'nowMs'>): boolean =>
  window.toMs >= nowMs - MOMENT_MS

/** The window, whole milliseconds, moved to where there is something; one that is longer than that ends now. */
const within = ({ fromMs, toMs }: TimeWindow, { firstMs, nowMs }: Reach): TimeWindow => {
  const late = Math.max(0, toMs - nowMs)
  const early = Math.max(0, Math.min(firstMs - (fromMs - late), nowMs - (toMs - late)))
  return { fromMs: Math.round(fromMs - late + early), toMs: Math.round(toMs - late + early) }
}
