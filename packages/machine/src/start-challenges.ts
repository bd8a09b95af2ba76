import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Hex } from '@liquefy/protocol'

/** What users sign to start a machine: good once, for ten minutes, in this process. */
export interface StartChallenges {
  /** 32 bytes that nobody foresees. */
  make(nowMs: number): Hex
  isOpen(challenge: Hex, nowMs: number): boolean
  use(challenge: Hex, nowMs: number): void
}

const CHALLENGE_MS = 600_000
/** Only who may use the machine uses one up; with so many nobody starts it for ten minutes. */
const MAX_USED = 10_000
const HEAD_BYTES = 12
const MAC_BYTES = 20

/** Keeps only what was used: whoever asks for many takes nobody's away. A challenge is its time, a number, and a code of both. */
export function createStartChallenges(): StartChallenges {
  const secret = randomBytes(32)
  const usedUntil = new Map<Hex, number>()
  let made = 0

  const codeOf = (head: Uint8Array) =>
    createHmac('sha256', secret).update(head).digest().subarray(0, MAC_BYTES)

  return {
    make(nowMs) {
      const head = Buffer.alloc(HEAD_BYTES)
      head.writeBigUInt64BE(BigInt(Math.floor(nowMs)))
      head.writeUInt32BE(made, 8)
      made = (made + 1) % 2 ** 32
      return `0x${Buffer.concat([head, codeOf(head)]).toString('hex')}`
    },
    isOpen(challenge, nowMs) {
      for (const [one, untilMs] of usedUntil) if (untilMs < nowMs) usedUntil.delete(one)
      if (!/^0x[0-9a-f]{64}$/.test(challenge) || usedUntil.has(challenge)) return false
      const bytes = Buffer.from(challenge.slice(2), 'hex')
      const head = bytes.subarray(0, HEAD_BYTES)
      if (!timingSafeEqual(bytes.subarray(HEAD_BYTES), codeOf(head))) return false
      const madeMs = Number(head.readBigUInt64BE())
      return madeMs <= nowMs && nowMs <= madeMs + CHALLENGE_MS && usedUntil.size < MAX_USED
    },
    use(challenge, nowMs) {
      usedUntil.set(challenge, nowMs + CHALLENGE_MS)
    },
  }
}
