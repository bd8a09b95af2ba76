import { readFileSync } from 'node:fs'

/** Where a machine takes its time from: the system, or a simulation. */
export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number
  /** Time that nobody sets, beside it. Without one the clock is believed as it is. */
  monotonic?: Monotonic
}

/** A clock that only runs on, from some moment in the past. */
export interface Monotonic {
  elapsedMs(): number
  /** Names the run of the computer, through which `elapsedMs` counts on; undefined where that is not known. */
  bootId: string | undefined
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id'
const NS_PER_MS = 1_000_000n

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonic: {
    elapsedMs: () => Number(process.hrtime.bigint() / NS_PER_MS),
    bootId: readBootId(),
  },
}

/** For waiting: no jump of the wall clock makes it longer or shorter. */
export const waitingClock: Clock = { nowMs: () => performance.now() }

function readBootId(): string | undefined {
  try {
    return readFileSync(BOOT_ID, 'utf8').trim() || undefined
  } catch {
    // Only Linux has one.
    return undefined
  }
}
