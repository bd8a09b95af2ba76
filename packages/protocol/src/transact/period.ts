/** When billing periods begin and end: half-open, `periodSeconds` long each, counted from `startMs`. */
export type PeriodGrid = { startMs: number; periodSeconds: number; periods: number }

/** The period that a moment lies in, or undefined before the first and after the last. */
export function periodOf(grid: PeriodGrid, timeMs: number): number | undefined {
  const period = Math.floor((timeMs - grid.startMs) / (grid.periodSeconds * 1000))
  return period >= 0 && period < grid.periods ? period : undefined
}

/** First moment after a period, ms since 1970. */
export function periodEndMs(grid: PeriodGrid, period: number): number {
  return grid.startMs + (period + 1) * grid.periodSeconds * 1000
}
