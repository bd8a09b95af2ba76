import {
  entitlementAt,
  type Hex,
  type KnownCalendar,
  readCalendar,
  recoverAccount,
  START_REFUSALS,
  type StartRefusal,
  startUseDigest,
  userAt,
} from '@liquefy/protocol'
import type { Measured } from './machine.ts'
import { createStartChallenges } from './start-challenges.ts'
import { loadUsage, saveUsage, type UsageRecord } from './usage-file.ts'
import { noShows, timeOfUser, timeOutside } from './usage-time.ts'

/** What a user hands to the machine to start it. `deadline` in seconds. */
export interface StartRequest {
  rightId: bigint
  challenge: Hex
  deadline: bigint
  signature: Hex
}

/** Whether the machine starts; if so until when its user holds it. */
export type StartAnswer =
  | { ok: true; user: Hex; untilMs: number }
  | { ok: false; code: StartRefusal; message: string }

export interface UsageGuardOptions {
  /** The machine's, in which `usage.json` lives. */
  folder: string
  machineId: bigint
  /** The ledger whose rights count. */
  chainId: number
  usageRights: Hex
  /** Where readings go: `openMachine`, or `machine.for(id)`. */
  streams: Pick<Measured, 'sample'>
  /** The machine's time: `machine.nowMs`. */
  nowMs(): number
  /** Asks for what the ledger says of its rights: `nodeRights`. */
  askNode(): Promise<unknown>
  /** A reading at least this often while it runs. Default 60 s. */
  readEveryMs?: number
  /** Asks its node this often. Default 60 s. */
  askEveryMs?: number
  /** Told when a refresh fails: the machine goes by what it knew. */
  onUnheard?(error: unknown): void
}

/** Lets a machine be started only by whoever holds the hour, by what it knows, with or without a network (docs/protocol/rights.md). */
export interface UsageGuard {
  /** Asks its node now. False if it could not be heard, or talked nonsense. */
  refresh(): Promise<boolean>
  /** What the next start must be signed for: good once, for ten minutes. */
  challenge(): Hex
  /** Starts the machine, or says why not. */
  start(request: StartRequest): StartAnswer
  /** The machine stands: its program says so, at a point where it is safe. Never called by the guard. */
  stop(): Promise<void>
  /** Who runs it, since when, and whether beyond his time. */
  running(): { rightId: bigint; user: Hex; sinceMs: number; isOverrun: boolean } | undefined
  /** When its node was heard last; undefined if never. */
  heardMs(): number | undefined
  /** What the timer does: measures, judges slots that have ended, asks its node. Resolves when readings are on disk. */
  tick(): Promise<void>
  close(): Promise<void>
}

const SECOND_MS = 1_000
const DEFAULT_EVERY_MS = 60_000
const RUNS_KEPT_MS = 9 * 24 * 3_600_000
const MAX_RUNS = 1_000
const FAR_MS = 366 * 24 * 3_600_000

/** Opens the guard of a machine. It has no timer: call `tick` every second or so. @throws LiquefyError `USAGE_CORRUPT`. */
export function openUsageGuard(options: UsageGuardOptions): UsageGuard {
  const { folder, machineId, streams, nowMs } = options
  const record = loadUsage(folder) ?? emptyRecord()
  let known = readCalendar(record.calendar, machineId)
  const challenges = createStartChallenges()
  let readMs = Number.NEGATIVE_INFINITY
  let askedMs = Number.NEGATIVE_INFINITY
  let asking: Promise<boolean> | undefined
  let judgedMs = nowMs()
  /** When this process first knew a right. */
  const knownSince = new Map<bigint, number>()
  learn()
  // A run that a power cut ended is counted until it was seen last: nobody pays for what nobody saw.
  endRun(record)
  saveUsage(folder, record)

  function learn(): void {
    const rights = new Set(known?.rights.map(({ rightId }) => rightId))
    for (const rightId of knownSince.keys()) if (!rights.has(rightId)) knownSince.delete(rightId)
    for (const rightId of rights) if (!knownSince.has(rightId)) knownSince.set(rightId, nowMs())
  }

  async function ask(): Promise<boolean> {
    askedMs = nowMs()
    try {
      const json = await options.askNode()
      const read = readCalendar(json, machineId)
      if (!read) throw new TypeError('The node’s answer is no calendar of this machine.')
      // What came before counts by what was known then.
      count(record, known, nowMs())
      known = read
      learn()
      record.calendar = json
      record.heardMs = nowMs()
      saveUsage(folder, record)
      return true
    } catch (error) {
      options.onUnheard?.(error)
      return false
    }
  }

  function refresh(): Promise<boolean> {
    asking ??= ask().finally(() => {
      asking = undefined
    })
    return asking
  }

  const refusal = (code: StartRefusal): StartAnswer => {
    return { ok: false, code, message: START_REFUSALS[code] }
  }

  function start(request: StartRequest): StartAnswer {
    const now = nowMs()
    if (!known?.zone) return refusal('RIGHTS_UNKNOWN')
    if (!known.isActive) return refusal('MACHINE_SUSPENDED')
    if (record.running) return refusal('MACHINE_RUNNING')
    const { rightId, challenge, deadline, signature } = request
    if (!challenges.isOpen(challenge, now)) return refusal('CHALLENGE_USED')
    if (deadline < BigInt(Math.floor(now / SECOND_MS))) return refusal('START_EXPIRED')
    const right = known.rights.find((one) => one.rightId === rightId)
    if (!right) return refusal('RIGHT_UNKNOWN')
    const user = userAt(right, now)
    const digest = startUseDigest(options, { machineId, rightId, challenge, deadline })
    if (recoverAccount(digest, signature) !== user) return refusal('USER_UNKNOWN')
    // Only now: a stranger must not use up what somebody else is signing.
    challenges.use(challenge, now)
    const entitlement = entitlementAt(right, known.zone, now)
    if (!entitlement.entitled) return refusal(entitlement.code)
    record.running = { rightId: String(rightId), user, sinceMs: now, countedMs: now }
    saveUsage(folder, record)
    readMs = Number.NEGATIVE_INFINITY
    const span = { fromMs: now, toMs: now + FAR_MS }
    const [held] = timeOfUser(known.rights, known.zone, user, span)
    return { ok: true, user, untilMs: held?.toMs ?? now }
  }

  /** What the totals are, for the log: cumulative whole seconds, and by which right. */
  async function publish(timeMs: number, rightId: string): Promise<void> {
    const right = { name: 'right', value: BigInt(rightId), timeMs }
    const seconds = (ms: number) => BigInt(Math.floor(ms / SECOND_MS))
    readMs = timeMs
    await Promise.all([
      streams.sample('use', [{ unit: 's', value: seconds(record.useMs), timeMs }, right]),
      streams.sample('overrun', [{ unit: 's', value: seconds(record.overrunMs), timeMs }, right]),
    ])
  }

  async function stop(): Promise<void> {
    const { running } = record
    if (!running) return
    const now = nowMs()
    count(record, known, now)
    endRun(record)
    saveUsage(folder, record)
    await publish(now, running.rightId)
  }

  async function judge(now: number): Promise<void> {
    const span = { fromMs: judgedMs, toMs: now }
    if (now <= judgedMs) return
    judgedMs = now
    // Whoever was not let in has not stayed away.
    if (!known?.zone || !known.isActive) return
    const runs = record.running ? [...record.runs, runOf(record.running, now)] : record.runs
    const missed = noShows(known.rights, known.zone, span, runs).filter(
      ({ rightId, slot }) => (knownSince.get(rightId) ?? now) <= slot.fromMs,
    )
    if (missed.length === 0) return
    const first = record.noShows + 1
    record.noShows += missed.length
    saveUsage(folder, record)
    for (const [index, { rightId, slot }] of missed.entries()) {
      const timeMs = slot.toMs
      await streams.sample('no-show', [
        { unit: 'count', value: BigInt(first + index), timeMs },
        { name: 'right', value: rightId, timeMs },
      ])
    }
  }

  return {
    refresh,
    challenge: () => challenges.make(nowMs()),
    start,
    stop,
    running() {
      const { running } = record
      if (!running) return undefined
      const { rightId, user, sinceMs } = running
      const now = nowMs()
      const second = { fromMs: now, toMs: now + 1 }
      const held = known?.zone ? timeOfUser(known.rights, known.zone, user, second) : []
      return { rightId: BigInt(rightId), user, sinceMs, isOverrun: held.length === 0 }
    },
    heardMs: () => (record.calendar === null ? undefined : record.heardMs),
    async tick() {
      const now = nowMs()
      if (now - askedMs >= (options.askEveryMs ?? DEFAULT_EVERY_MS)) void refresh()
      const { running } = record
      if (running && now - readMs >= (options.readEveryMs ?? DEFAULT_EVERY_MS)) {
        count(record, known, now)
        saveUsage(folder, record)
        await publish(now, running.rightId)
      }
      await judge(now)
    },
    async close() {
      await asking
      count(record, known, nowMs())
      saveUsage(folder, record)
    },
  }
}

function emptyRecord(): UsageRecord {
  return {
    calendar: null,
    heardMs: 0,
    running: null,
    useMs: 0,
    overrunMs: 0,
    noShows: 0,
    runs: [],
  }
}

const runOf = ({ user, sinceMs }: { user: Hex; sinceMs: number }, toMs: number) => {
  return { user, fromMs: sinceMs, toMs }
}

/** Brings the totals up to now. */
function count(record: UsageRecord, known: KnownCalendar | undefined, nowMs: number): void {
  const { running } = record
  if (!running || nowMs <= running.countedMs) return
  const span = { fromMs: running.countedMs, toMs: nowMs }
  const held = known?.zone ? timeOfUser(known.rights, known.zone, running.user, span) : []
  record.useMs += nowMs - running.countedMs
  record.overrunMs += timeOutside(span, held)
  running.countedMs = nowMs
}

function endRun(record: UsageRecord): void {
  const { running } = record
  if (!running) return
  const run = runOf(running, running.countedMs)
  record.runs = [...record.runs, run]
    .filter(({ toMs }) => toMs > run.toMs - RUNS_KEPT_MS)
    .slice(-MAX_RUNS)
  record.running = null
}
