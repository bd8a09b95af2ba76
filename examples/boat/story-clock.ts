import { createVirtualClock, type VirtualClock } from '@liquefy/simulator'

/** The story's time: stands still but for what it is moved, until it is let go. */
export interface StoryClock extends VirtualClock {
  /** Moves on to a moment that may be past already: the ledger's time never falls. */
  until(ms: number): void
  /** From now on it runs as the computer's. */
  run(): void
}

/** @param startMs milliseconds since 1970. */
export function createStoryClock(startMs: number): StoryClock {
  const virtual = createVirtualClock(startMs)
  let letGoMs: number | undefined
  const nowMs = () => virtual.nowMs() + (letGoMs === undefined ? 0 : performance.now() - letGoMs)
  return {
    nowMs: () => Math.floor(nowMs()),
    advance: (ms) => virtual.advance(ms),
    until: (ms) => virtual.advance(Math.max(0, ms - nowMs())),
    run() {
      letGoMs = performance.now()
    },
  }
}
