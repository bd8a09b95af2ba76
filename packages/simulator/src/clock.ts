/** A clock that stands still until it is moved. */
export interface VirtualClock {
  nowMs(): number
  advance(ms: number): void
}

/** @param startMs milliseconds since 1970. */
export function createVirtualClock(startMs: number): VirtualClock {
  let nowMs = startMs
  return {
    nowMs: () => nowMs,
    advance(ms) {
      if (ms < 0) throw new RangeError('Time runs forwards.')
      nowMs += ms
    },
  }
}
