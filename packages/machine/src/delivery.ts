import type { Hex } from '@liquefy/protocol'
import type { Clock } from './clock.ts'
import type { Spool, SpoolEntry } from './spool.ts'

export interface DeliveryLimits {
  /** Most envelopes sent and not yet receipted. */
  window: number
  /** An envelope without receipt is sent again after this, then after twice as long, and so on. */
  resendMs: number
}

/** Brings spooled envelopes to the node, in order, until a receipt names them. */
export interface Delivery {
  online(): void
  offline(): void
  /** Sends what the window allows; called after each append, receipt and now and then. */
  pump(): void
  settled(digest: Hex): void
  /** The node refused it: tried again later and rarely, without holding up the others. */
  refused(digest: Hex): void
}

interface Attempt {
  entry: SpoolEntry
  /** When it is sent again. */
  dueMs: number
  tries: number
  parked: boolean
}

const MOST_RESEND_MS = 300_000
const PARKED_MS = 5_000
const MOST_PARKED_MS = 3_600_000

export function createDelivery(options: {
  spool: Spool
  clock: Clock
  limits: DeliveryLimits
  send(bytes: Uint8Array): void
}): Delivery {
  const { spool, clock, limits } = options
  const attempts = new Map<Hex, Attempt>()
  let inFlight = 0
  let isOnline = false

  function send(attempt: Attempt): void {
    attempt.tries += 1
    const waitMs = attempt.parked
      ? Math.min(PARKED_MS * 2 ** attempt.tries, MOST_PARKED_MS)
      : Math.min(limits.resendMs * 2 ** (attempt.tries - 1), MOST_RESEND_MS)
    attempt.dueMs = clock.nowMs() + waitMs
    options.send(spool.read(attempt.entry))
  }

  function sendAgain(): void {
    const nowMs = clock.nowMs()
    for (const attempt of attempts.values()) if (attempt.dueMs <= nowMs) send(attempt)
  }

  function sendNew(): void {
    if (inFlight >= limits.window) return
    for (const entry of spool.pending()) {
      if (attempts.has(entry.digest)) continue
      const attempt: Attempt = { entry, dueMs: 0, tries: 0, parked: false }
      attempts.set(entry.digest, attempt)
      inFlight += 1
      send(attempt)
      if (inFlight >= limits.window) return
    }
  }

  return {
    online() {
      isOnline = true
      // What was in flight when the line broke may never have arrived: everything again, oldest first.
      attempts.clear()
      inFlight = 0
      sendNew()
    },
    offline() {
      isOnline = false
    },
    pump() {
      if (!isOnline) return
      sendAgain()
      sendNew()
    },
    settled(digest) {
      const attempt = attempts.get(digest)
      if (!attempt) return
      attempts.delete(digest)
      if (!attempt.parked) inFlight -= 1
    },
    refused(digest) {
      const attempt = attempts.get(digest)
      if (!attempt || attempt.parked) return
      attempt.parked = true
      attempt.dueMs = clock.nowMs() + PARKED_MS * attempt.tries
      inFlight -= 1
    },
  }
}
