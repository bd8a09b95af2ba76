import { CLOCK_SKEW_MS, type ClockDeclaration } from '@liquefy/protocol'
import type { Clock, Monotonic } from './clock.ts'

/** What became of the wall clock: the content of a declaration. */
export type ClockChange = Omit<ClockDeclaration, 'kind'>

/** A moment at which the wall clock was trusted: what it said, and what the monotonic clock did. */
export interface Anchor {
  wallMs: number
  elapsedMs: number
}

/** Time that does not jump: the last trusted wall time, and what has elapsed since. */
export interface SteadyClock extends Clock {
  /** Time as readings have it. Never less than before. */
  nowMs(): number
  /**
   * The node's time, which lay between these two just now. It confirms what the wall clock says, and sets nothing by itself: of wall clock, steady
   * time and node, two must agree.
   */
  witness(node: { fromMs: number; toMs: number }): void
  /** An operator says that the wall clock is right, also where that is further back. */
  follow(reason: string): void
}

/** How far wall clock and steady time may be apart. */
export const JUMP_MS = 2_000
/** A quartz is not worse than that. */
const DRIFT_PER_MILLION = 100
/** Smaller differences are not worth a write. */
const ANCHOR_MS = JUMP_MS / 4

/**
 * Puts a steady clock before a wall clock. A wall clock that is more than 2 s off the monotonic one has jumped: it is not followed until it agrees
 * again, or the node or an operator confirms it.
 *
 * @param from.anchor of an earlier process in the same run of the computer, if there was one.
 * @param from.lastMs time of the last reading that may count; 0 before the first.
 * @param onAnchor the wall clock is trusted anew: keep this for the next process.
 * @param onChange it jumped, or is followed again.
 */
export function createSteadyClock(options: {
  wall: Clock
  monotonic: Monotonic
  from: { anchor: Anchor | undefined; lastMs: number }
  onAnchor: (anchor: Anchor) => void
  onChange: (change: ClockChange) => void
}): SteadyClock {
  const { wall, monotonic, from } = options
  let { lastMs } = from
  let anchor: Anchor = from.anchor ?? firstAnchor()
  let confirmedMs = anchor.elapsedMs
  let jump: { fromMs: number; offsetMs: number } | undefined

  function firstAnchor(): Anchor {
    // A wall clock behind the last reading is wrong for certain.
    const first = { wallMs: Math.max(wall.nowMs(), lastMs), elapsedMs: monotonic.elapsedMs() }
    options.onAnchor(first)
    return first
  }

  function look(): { wallMs: number; steadyMs: number; elapsedMs: number } {
    const elapsedMs = monotonic.elapsedMs()
    const steadyMs = Math.floor(anchor.wallMs + elapsedMs - anchor.elapsedMs)
    return { wallMs: wall.nowMs(), steadyMs, elapsedMs }
  }

  function give(timeMs: number): number {
    lastMs = Math.max(lastMs, timeMs)
    return lastMs
  }

  function change(told: Pick<ClockChange, 'reason' | 'source' | 'offsetMs'>, fromMs: number): void {
    const toMs = Math.max(lastMs, fromMs)
    const sinceMs = monotonic.elapsedMs() - confirmedMs
    const uncertaintyMs = JUMP_MS + Math.ceil((sinceMs * DRIFT_PER_MILLION) / 1_000_000)
    options.onChange({ fromMs, toMs, uncertaintyMs, ...told })
  }

  function jumped(offsetMs: number, steadyMs: number): void {
    const fromMs = jump?.fromMs ?? lastMs
    jump = { fromMs: fromMs || steadyMs, offsetMs }
    give(steadyMs)
    const reason = 'the wall clock jumped and is not followed'
    change({ reason, source: 'steady', offsetMs }, jump.fromMs)
  }

  /** From here on the wall clock is believed. */
  function trust(at: { wallMs: number; elapsedMs: number }, reason: string): void {
    const before = jump
    jump = undefined
    if (before) {
      give(at.wallMs)
      change({ reason, source: 'wall', offsetMs: before.offsetMs }, Math.min(before.fromMs, lastMs))
    }
  }

  function anchorAt({ wallMs, elapsedMs }: { wallMs: number; elapsedMs: number }): void {
    anchor = { wallMs, elapsedMs }
    options.onAnchor(anchor)
  }

  return {
    nowMs() {
      const now = look()
      const offsetMs = now.wallMs - now.steadyMs
      if (Math.abs(offsetMs) <= JUMP_MS) {
        if (jump) trust(now, 'the wall clock agrees again with the time that has elapsed')
        return give(now.wallMs)
      }
      if (!jump || Math.abs(offsetMs - jump.offsetMs) > JUMP_MS) jumped(offsetMs, now.steadyMs)
      return give(now.steadyMs)
    },
    witness(node) {
      const now = look()
      const agrees = (timeMs: number) =>
        timeMs >= node.fromMs - JUMP_MS && timeMs <= node.toMs + JUMP_MS
      if (agrees(now.wallMs)) {
        // What lies further ahead was not admitted, so that nothing stands in the way of earlier times.
        lastMs = Math.min(lastMs, node.toMs + CLOCK_SKEW_MS)
        trust(now, 'the wall clock agrees with the node')
        confirmedMs = now.elapsedMs
        if (Math.abs(now.wallMs - now.steadyMs) > ANCHOR_MS) anchorAt(now)
      } else if (agrees(now.steadyMs)) {
        confirmedMs = now.elapsedMs
      }
    },
    follow(reason) {
      const now = look()
      lastMs = now.wallMs
      trust(now, reason)
      confirmedMs = now.elapsedMs
      anchorAt(now)
    },
  }
}
