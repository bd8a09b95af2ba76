/** A clock that stands still until it is set: one time for node, machines and blocks. */
export interface SettableClock {
  nowMs(): number
  /** Moves on; never back. */
  advanceTo(timeMs: number): void
}

export function settableClock(startMs: number): SettableClock {
  let nowMs = startMs
  return {
    nowMs: () => nowMs,
    advanceTo(timeMs) {
      nowMs = Math.max(nowMs, timeMs)
    },
  }
}
