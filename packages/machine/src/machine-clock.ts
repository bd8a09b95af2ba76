import { decodeEnvelope, type Hex, latestReadingMs } from '@liquefy/protocol'
import type { Clock } from './clock.ts'
import { loadAnchor, saveAnchor } from './clock-file.ts'
import type { LogReceipt } from './segment.ts'
import type { Spool } from './spool.ts'
import { type ClockChange, createSteadyClock, JUMP_MS } from './steady-clock.ts'

/** The clock of a machine: steady over restarts, and compared with the node's by its receipts. */
export interface MachineClock extends Clock {
  /** An envelope goes to the node at once. */
  sent(digest: Hex): void
  /** A receipt came: it was logged since it was sent, which says what time it is at the node. */
  receipted(digest: Hex, receipt: LogReceipt): void
  follow(reason: string): void
}

/** Sent and not yet receipted; of more nobody needs the time. */
const MOST_SENT = 256

/** A clock without a monotonic one beside it, a simulation's, is believed as it is. */
export function openMachineClock(options: {
  folder: string
  wall: Clock
  spool: Spool
  onChange: (change: ClockChange) => void
}): MachineClock {
  const { folder, wall, spool, onChange } = options
  const { monotonic } = wall
  if (!monotonic) {
    return { nowMs: () => wall.nowMs(), sent() {}, receipted() {}, follow() {} }
  }
  const { bootId } = monotonic
  const steady = createSteadyClock({
    wall,
    monotonic,
    from: {
      anchor: loadAnchor(folder, { bootId, elapsedMs: monotonic.elapsedMs() }),
      lastMs: lastTimeMs(spool),
    },
    onAnchor: (anchor) => saveAnchor(folder, bootId, anchor),
    onChange,
  })
  const sentMs = new Map<Hex, number>()

  return {
    nowMs: () => steady.nowMs(),
    sent(digest) {
      sentMs.set(digest, monotonic.elapsedMs())
      const [oldest] = sentMs.keys()
      if (oldest && sentMs.size > MOST_SENT) sentMs.delete(oldest)
    },
    receipted(digest, { loggedAt }) {
      const atMs = sentMs.get(digest)
      if (atMs === undefined) return
      sentMs.delete(digest)
      const underWayMs = Math.ceil(monotonic.elapsedMs() - atMs)
      // What took longer may have been logged long ago, and says little of now.
      if (underWayMs <= JUMP_MS) steady.witness({ fromMs: loggedAt, toMs: loggedAt + underWayMs })
    },
    follow: (reason) => steady.follow(reason),
  }
}

/** What the clock said when the newest envelope was signed that may count; 0 if none is kept. */
function lastTimeMs(spool: Spool): number {
  let lastMs = 0
  for (const chain of spool.chains()) {
    const entry = spool.kept(chain).findLast(({ receipt }) => receipt?.code !== 'CLOCK_SKEW')
    const decoded = entry && decodeEnvelope(spool.read(entry))
    if (!decoded?.ok) continue
    const { iat, content } = decoded.envelope
    const signedMs = iat * 1000
    const readMs = latestReadingMs(content) ?? signedMs
    // `iat` is the machine's clock, to the second; a reading's time may be its program's.
    lastMs = Math.max(lastMs, Math.min(Math.max(readMs, signedMs), signedMs + 999))
  }
  return lastMs
}
