import type { Hex } from '@liquefy/protocol'

/** What one tenant, the owner of machines, may use. What is left out has no limit. */
export interface QuotaLimits {
  /** On average; a minute's worth may come at once, so that a device catches up without being refused. */
  envelopesPerSecond?: number | undefined
  /** Bytes of envelopes in a day of UTC. */
  bytesPerDay?: number | undefined
  /** Machines connected to the embedded broker at a time. */
  machines?: number | undefined
}

/** How much tenants have used, in memory: a restart forgets it, and each process of a deployment counts for itself. */
export interface Quotas {
  /** Whether an envelope of this size may come in now: undefined, or what is used up, in words. */
  admit(senderId: bigint, bytes: number): string | undefined
  /** An envelope was logged for the first time. */
  logged(senderId: bigint, bytes: number): void
  /** Whether this machine may connect beside those of its owner that have: undefined, or why not. */
  mayConnect(machineId: bigint): string | undefined
  connected(machineId: bigint): void
  disconnected(machineId: bigint): void
}

interface Use {
  /** Envelopes that may come at once; below zero after what was charged late. */
  tokens: number
  atMs: number
  day: number
  dayBytes: number
}

const BURST_SECONDS = 60
const DAY_MS = 86_400_000
const MAX_TENANTS = 100_000

/**
 * Creates the quotas of a node.
 *
 * Who can burn whose quota? A sender who has logged in (`sendersAreKnown`: embedded broker, HTTP) is charged for all that arrives, rubbish
 * included, and only he. Over an outside broker the sender is a topic's name until the signature is checked, and whoever can write there may
 * put anything on it, even true envelopes once more. So there an owner is charged for what is logged for the first time, which nobody but
 * his machines can bring about; the check on arrival only looks. Frames on the way to the log are not counted yet: he may overdraw by what the
 * inbox holds, and is refused until that is made up for. A flood of forgeries costs no quota there; the bounded inbox has to bear it, and the
 * broker's own rules to prevent it.
 *
 * @param options.ownerOf a machine's owner if it is known without asking; others pass.
 */
export function createQuotas(options: {
  limits: QuotaLimits
  sendersAreKnown: boolean
  ownerOf: (machineId: bigint) => Hex | undefined
  nowMs: () => number
}): Quotas {
  const { limits, sendersAreKnown, ownerOf, nowMs } = options
  const perSecond = limits.envelopesPerSecond ?? Number.POSITIVE_INFINITY
  const perDay = limits.bytesPerDay ?? Number.POSITIVE_INFINITY
  const burst = Math.max(1, perSecond * BURST_SECONDS)
  const uses = new Map<Hex, Use>()
  const online = new Map<Hex, Set<bigint>>()
  /** With whom a machine is counted: it may change hands while it is connected. */
  const countedWith = new Map<bigint, Hex>()

  /** Brought up to now. */
  function useOf(owner: Hex): Use {
    const now = nowMs()
    const day = Math.floor(now / DAY_MS)
    const use = uses.get(owner) ?? { tokens: burst, atMs: now, day, dayBytes: 0 }
    if (perSecond !== Number.POSITIVE_INFINITY) {
      const seconds = Math.max(0, now - use.atMs) / 1_000
      use.tokens = Math.min(burst, use.tokens + seconds * perSecond)
    }
    use.atMs = now
    if (use.day !== day) {
      use.day = day
      use.dayBytes = 0
    }
    if (uses.size >= MAX_TENANTS && !uses.has(owner)) uses.clear()
    uses.set(owner, use)
    return use
  }

  function charge(use: Use, bytes: number): void {
    use.tokens -= 1
    use.dayBytes += bytes
  }

  return {
    admit(senderId, bytes) {
      const owner = ownerOf(senderId)
      if (owner === undefined) return undefined
      const use = useOf(owner)
      if (use.tokens < 1) {
        return `${owner} may send ${perSecond} envelopes a second; send again more slowly`
      }
      if (use.dayBytes + bytes > perDay) {
        return `${owner} may send ${perDay} bytes a day (UTC); send again tomorrow`
      }
      if (sendersAreKnown) charge(use, bytes)
      return undefined
    },
    logged(senderId, bytes) {
      const owner = sendersAreKnown ? undefined : ownerOf(senderId)
      if (owner !== undefined) charge(useOf(owner), bytes)
    },
    mayConnect(machineId) {
      const owner = ownerOf(machineId)
      const machines = owner === undefined ? undefined : online.get(owner)
      if (machines === undefined || machines.has(machineId)) return undefined
      const { machines: most = Number.POSITIVE_INFINITY } = limits
      return machines.size < most ? undefined : `${owner} may have ${most} machines connected`
    },
    connected(machineId) {
      const owner = ownerOf(machineId)
      if (owner === undefined || countedWith.has(machineId)) return
      countedWith.set(machineId, owner)
      const machines = online.get(owner)
      if (machines === undefined) online.set(owner, new Set([machineId]))
      else machines.add(machineId)
    },
    disconnected(machineId) {
      const owner = countedWith.get(machineId)
      if (owner === undefined) return
      countedWith.delete(machineId)
      const machines = online.get(owner)
      machines?.delete(machineId)
      if (machines?.size === 0) online.delete(owner)
    },
  }
}
