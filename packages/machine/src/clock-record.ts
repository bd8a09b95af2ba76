import type { Chain } from './segment.ts'
import type { ClockChange } from './steady-clock.ts'

/** What each stream is still to be told of the clock, before its next reading. */
export interface ClockRecord {
  add(change: ClockChange): void
  /** What this stream is to be told now, as one change; undefined if nothing. It counts as told. */
  untold(chain: Chain, nowMs: number): ClockChange | undefined
  /** It could not be told after all. */
  failed(chain: Chain, change: ClockChange): void
}

/** A clock that flaps is told of once in this time. */
const PAUSE_MS = 60_000

interface Told {
  pending: ClockChange | undefined
  lastMs: number
}

export function createClockRecord(): ClockRecord {
  const chains = new Map<Chain, Told>()
  /** The newest, for streams that begin while it lasts. */
  let newest: ClockChange | undefined

  return {
    add(change) {
      newest = change
      for (const told of chains.values()) {
        told.pending = told.pending ? merged(told.pending, change) : change
      }
    },
    untold(chain, nowMs) {
      const told = chains.get(chain) ?? {
        pending: newest?.source === 'steady' ? newest : undefined,
        lastMs: Number.NEGATIVE_INFINITY,
      }
      chains.set(chain, told)
      const { pending } = told
      if (!pending || nowMs < told.lastMs + PAUSE_MS) return undefined
      told.pending = undefined
      told.lastMs = nowMs
      return pending
    },
    failed(chain, change) {
      const told = chains.get(chain)
      if (!told) return
      told.pending = told.pending ? merged(change, told.pending) : change
      told.lastMs = Number.NEGATIVE_INFINITY
    },
  }
}

/** Several changes in one: from the first to the last, with the largest offset. */
function merged(one: ClockChange, next: ClockChange): ClockChange {
  const larger = Math.abs(next.offsetMs) >= Math.abs(one.offsetMs) ? next : one
  return {
    ...next,
    fromMs: Math.min(one.fromMs, next.fromMs),
    offsetMs: larger.offsetMs,
    uncertaintyMs: Math.max(one.uncertaintyMs, next.uncertaintyMs),
  }
}
