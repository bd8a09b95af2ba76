/** Time as the node sees it: milliseconds since 1970. A replay of old data injects a settable one. */
export interface Clock {
  nowMs(): number
}

/** The computer's own clock. */
export const systemClock: Clock = { nowMs: () => Date.now() }
