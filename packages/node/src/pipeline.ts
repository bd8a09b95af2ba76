import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Hex, RefusalCode } from '@liquefy/protocol'
import pg from 'pg'
import type { BaseLogger } from 'pino'
import type { Clock } from './clock.ts'
import type { Denial, FrameOutcome, Inbox } from './connect/inbox.ts'
import { topicOf } from './connect/topics.ts'
import type { NodeEvents } from './events.ts'
import type { PipelineObserver } from './measures.ts'
import type { Connection } from './store/copy.ts'
import type { Database } from './store/database.ts'
import { insertEnvelopes, type LogEntry, type LoggedRow } from './store/envelopes.ts'
import { type Refusal, recordRefusals } from './store/refusals.ts'
import { addToRollups, type MinuteRollup, type Rollup, upsertRollups } from './store/rollups.ts'
import { insertSensorDeclarations, type SensorRow } from './store/sensors.ts'
import { createChainMemory } from './trust/chain-memory.ts'
import { type Evidence, LogHaltedError, type OpenHead } from './trust/evidence.ts'
import { type EnvelopeHead, type Examination, type Examined, isAuthentic } from './trust/examine.ts'
import { createExaminer } from './trust/examiner.ts'
import {
  type Identity,
  isActive,
  type MachineIdentity,
  suspensionReason,
} from './trust/identity.ts'
import type { Quotas } from './trust/quotas.ts'

/** What metering does for the pipeline. */
interface PipelineMetering {
  /** Something was logged in these streams. */
  kick(streams: { machineId: bigint; stream: string }[]): void
  /** Judges a signed meter value; the answer is published as JSON. */
  acceptMeterValue(senderId: bigint, payload: Uint8Array): Promise<unknown>
}

interface PipelineLimits {
  /** Frames and bytes held at most before transports are asked to stop reading; twice as much is refused `OVERLOADED`. */
  heldFrames: number
  heldBytes: number
  /** Frames and bytes of one commit. */
  batchFrames: number
  batchBytes: number
}

export interface PipelineOptions {
  database: Database
  clock: Clock
  identity: Identity
  evidence: Evidence
  metering: PipelineMetering
  events: NodeEvents
  /** Sends receipts and answers: the broker's `publish`. */
  publish: (topic: string, payload: string) => Promise<void>
  limits?: Partial<PipelineLimits>
  quotas?: Pick<Quotas, 'admit' | 'logged'>
  observer?: PipelineObserver
  /** Threads that verify signatures. */
  workers: number
  logger: BaseLogger
}

/** Frames since the start: `received = logged + duplicate + refused + held`. */
interface PipelineCounts {
  received: number
  logged: number
  duplicate: number
  refused: number
  held: number
  heldBytes: number
}

/** The journey of a frame: decode, identify, verify, admit, commit in groups; then acknowledge, receipt, metering. */
export interface Pipeline extends Inbox {
  counts(): PipelineCounts
  /** Resolves when nothing is held and every denial is counted. */
  idle(): Promise<void>
  /** Takes nothing new, finishes what is held. Frames that cannot be committed stay unacknowledged. */
  close(): Promise<void>
}

interface Frame {
  senderId: bigint
  payload: Uint8Array
  /** By `performance.now()`. */
  arrivedMs: number
  answer: (outcome: FrameOutcome) => void
}

/** A frame after decoding and verification. */
type Judged = { frame: Frame; machineId: bigint } & (
  | { kind: 'refused'; refusal: FrameRefusal }
  | ({ kind: 'authentic'; epoch: bigint } & Content)
  /** Its key counts no more, but it may be a repetition of what was logged while it did. */
  | ({ kind: 'late'; refusal: FrameRefusal } & Content)
)

/** What examination found in a frame. */
interface Content {
  head: EnvelopeHead
  fields: Uint8Array
  rollups: readonly MinuteRollup[]
}

interface FrameRefusal {
  code: RefusalCode
  message: string
  digest?: Hex
}

/** What one transaction has decided. */
interface Outcome {
  logged: { frame: Frame; entry: LogEntry }[]
  duplicates: { frame: Frame; machineId: bigint; entry: LogEntry }[]
  refused: { frame: Frame; machineId: bigint; refusal: FrameRefusal }[]
  head: OpenHead | undefined
}

const DEFAULT_LIMITS: PipelineLimits = {
  heldFrames: 2_560,
  heldBytes: 64 * 1_024 * 1_024,
  batchFrames: 512,
  batchBytes: 8 * 1_024 * 1_024,
}
/** Batches that are judged while one is being committed. */
const BATCHES_AHEAD = 2
const MAX_DENIALS = 2_000
const DENIAL_FLUSH_MS = 200
const FIRST_RETRY_MS = 50
const LAST_RETRY_MS = 5_000
const METER_TRIES = 6

/** Creates the pipeline. It is the inbox that transports are given. */
export function createPipeline(options: PipelineOptions): Pipeline {
  const { database, clock, identity, evidence, metering, events, observer, logger } = options
  const limits = { ...DEFAULT_LIMITS, ...options.limits }
  const queue: Frame[] = []
  let heldFrames = 0
  let heldBytes = 0
  let room: PromiseWithResolvers<void> | undefined
  const examiner = createExaminer(options)
  const chainMemory = createChainMemory()
  let running: Promise<void> | undefined
  let closing = false
  const totals = { received: 0, logged: 0, duplicate: 0, refused: 0 }
  let denials = new Map<string, Refusal>()
  let denialTimer: NodeJS.Timeout | undefined
  let flushing: Promise<void> | undefined

  // ── intake ────────────────────────────────────────────────────────────────────────────────────────────────

  function envelope(senderId: bigint, payload: Uint8Array): Promise<FrameOutcome> {
    // Never resolved: without an acknowledgement the sender keeps it and sends it again.
    if (closing) return new Promise(() => undefined)
    totals.received += 1
    if (heldFrames >= 2 * limits.heldFrames || heldBytes >= 2 * limits.heldBytes) {
      return turnAway(senderId, { code: 'OVERLOADED', message: 'inbox full; send again later' })
    }
    const usedUp = options.quotas?.admit(senderId, payload.length)
    if (usedUp !== undefined) {
      return turnAway(senderId, { code: 'QUOTA_EXCEEDED', message: usedUp })
    }
    heldFrames += 1
    heldBytes += payload.length
    return new Promise((answer) => {
      queue.push({ senderId, payload, arrivedMs: performance.now(), answer })
      start()
    })
  }

  /** Refuses a frame unread. */
  function turnAway(senderId: bigint, refusal: FrameRefusal): Promise<FrameOutcome> {
    totals.refused += 1
    addDenial({ machineId: senderId, ...refusal, atMs: clock.nowMs() })
    tellRefused(senderId, refusal)
    return Promise.resolve({ kind: 'refused', ...refusal })
  }

  function whenRoom(): Promise<void> | undefined {
    if (heldFrames < limits.heldFrames && heldBytes < limits.heldBytes) return undefined
    room ??= Promise.withResolvers<void>()
    return room.promise
  }

  function release(frames: readonly Frame[]): void {
    for (const frame of frames) {
      heldFrames -= 1
      heldBytes -= frame.payload.length
    }
    if (room !== undefined && heldFrames < limits.heldFrames && heldBytes < limits.heldBytes) {
      room.resolve()
      room = undefined
    }
  }

  function start(): void {
    if (running !== undefined) return
    running = run()
      .catch((error) => logger.fatal({ err: error }, 'the pipeline stopped'))
      .finally(() => {
        running = undefined
        if (queue.length > 0 && !closing && evidence.halted() === undefined) start()
      })
  }

  /** Judges the next batches while one is being committed; commits in the order of arrival. */
  async function run(): Promise<void> {
    // A burst arrives within one turn: it becomes one commit.
    await nextTurn()
    const ahead: { frames: Frame[]; judged: Promise<Judged[] | undefined> }[] = []
    for (;;) {
      while (ahead.length <= BATCHES_AHEAD && queue.length > 0) {
        const frames = takeBatch()
        ahead.push({ frames, judged: judgeWithRetry(frames) })
      }
      const next = ahead.shift()
      if (next === undefined) return
      const judged = await next.judged
      if (judged !== undefined) await commitAndTell(judged)
      else release(next.frames)
    }
  }

  async function judgeWithRetry(frames: readonly Frame[]): Promise<Judged[] | undefined> {
    const begun = performance.now()
    const judged = await withRetry('could not read identities', () => judge(frames))
    observer?.judged((performance.now() - begun) / 1_000)
    return judged
  }

  function takeBatch(): Frame[] {
    let bytes = 0
    let count = 0
    for (const frame of queue) {
      if (count > 0 && (count >= limits.batchFrames || bytes >= limits.batchBytes)) break
      bytes += frame.payload.length
      count += 1
    }
    return queue.splice(0, count)
  }

  // ── is it authentic? ──────────────────────────────────────────────────────────────────────────────────────

  async function judge(frames: readonly Frame[]): Promise<Judged[]> {
    const senders = await identity.load(new Set(frames.map(({ senderId }) => senderId)))
    const examinations = await examiner.examine(
      frames.map(({ payload }) => payload),
      [...senders.values()].flatMap(({ keys }) => keys.flatMap(({ key }) => key ?? [])),
    )
    const named = new Set(senders.keys())
    for (const { examined } of examinations) {
      for (const one of examined) {
        if (one.ok) named.add(one.head.iss.machineId).add(one.head.machineId)
      }
    }
    const machines = await identity.load(named)
    const judged: Judged[] = []
    for (const examination of examinations) {
      for (const one of examination.examined) {
        const frame = frames[judged.length]
        if (frame !== undefined) judged.push(judgeOne(frame, one, examination, machines))
      }
    }
    return judged
  }

  function judgeOne(
    frame: Frame,
    examined: Examined,
    { bytes }: Examination,
    machines: ReadonlyMap<bigint, MachineIdentity>,
  ): Judged {
    // Only known machines have counters: an outside broker's topics could name any number.
    const isKnown = machines.has(frame.senderId)
    const machineId = isKnown ? frame.senderId : 0n
    const refuse = (refusal: FrameRefusal): Judged => {
      const message = isKnown ? refusal.message : `as ${frame.senderId}: ${refusal.message}`
      return { frame, kind: 'refused', machineId, refusal: { ...refusal, message } }
    }
    if (!examined.ok) return refuse({ code: examined.code, message: examined.message })
    const { head, span, rollups } = examined
    const { digest } = head
    if (head.iss.machineId !== frame.senderId) {
      const message = `signed by machine ${head.iss.machineId}, sent by ${frame.senderId}`
      return refuse({ code: 'TOPIC_MISMATCH', message, digest })
    }
    const content: Content = { head, rollups, fields: bytes.subarray(span.start, span.end) }
    const identified = identity.identify(head, machines)
    if (!identified.ok) {
      const refusal = { code: identified.code, message: identified.message, digest }
      return identified.code === 'KEY_REVOKED'
        ? { frame, kind: 'late', machineId, refusal, ...content }
        : refuse(refusal)
    }
    // Undefined: the ledger told of the key while the frame was being examined.
    const authentic = examined.authentic ?? isAuthentic(frame.payload, identified.key)
    if (!authentic) {
      return refuse({ code: 'SIGNATURE_INVALID', message: 'signature does not verify', digest })
    }
    return { frame, kind: 'authentic', machineId, epoch: identified.epoch, ...content }
  }

  // ── may it be priced, and where does it stand? ────────────────────────────────────────────────────────────

  function commitAndTell(judged: readonly Judged[]): Promise<void> {
    return commitTogether(judged).catch((error) => {
      logger.fatal({ err: error }, 'a batch stays unacknowledged')
    })
  }

  async function commitTogether(judged: readonly Judged[]): Promise<void> {
    const outcome = await withRetry('could not commit', () => commit(judged))
    if (outcome !== undefined) return tell(outcome)
    // Only now and then does one frame spoil a batch; alone, it is known.
    if (closing || evidence.halted() !== undefined) return
    for (const one of judged) await commitAlone(one)
  }

  async function commitAlone(one: Judged): Promise<void> {
    const outcome = await withRetry('could not commit', () => commit([one]))
    if (outcome !== undefined) return tell(outcome)
    if (closing || evidence.halted() !== undefined) return
    const refusal: FrameRefusal = { code: 'ENVELOPE_MALFORMED', message: 'it cannot be stored' }
    const { frame, machineId } = one
    logger.error({ machineId: String(machineId) }, 'a frame cannot be stored')
    const refused = await withRetry('could not count', () =>
      commit([{ frame, kind: 'refused', machineId, refusal }]),
    )
    if (refused !== undefined) tell(refused)
  }

  /** Decides and stores a batch in one transaction. */
  async function commit(judged: readonly Judged[]): Promise<Outcome> {
    const flushed = denials
    denials = new Map()
    const begun = performance.now()
    try {
      const outcome = await database.transaction((transaction) =>
        decide(transaction, judged, [...flushed.values()]),
      )
      if (outcome.head !== undefined) {
        evidence.committed(outcome.head)
        chainMemory.committed(outcome.head.frontier.size)
      }
      observeCommit(judged, begun)
      return outcome
    } catch (error) {
      for (const denial of flushed.values()) addDenial(denial)
      throw error
    }
  }

  function observeCommit(judged: readonly Judged[], begun: number): void {
    const [first] = judged
    if (observer === undefined || first === undefined) return
    const now = performance.now()
    const lagMs = now - first.frame.arrivedMs
    observer.committed(judged.length, (now - begun) / 1_000, lagMs / 1_000)
  }

  async function decide(
    transaction: Connection,
    judged: readonly Judged[],
    denied: readonly Refusal[],
  ): Promise<Outcome> {
    const outcome: Outcome = { logged: [], duplicates: [], refused: [], head: undefined }
    const candidates = judged.flatMap((one) => (one.kind === 'refused' ? [] : [one]))
    for (const one of judged) if (one.kind === 'refused') outcome.refused.push(one)
    if (candidates.length > 0) await logCandidates(transaction, candidates, outcome)
    const atMs = clock.nowMs()
    await recordRefusals(
      transaction,
      [
        ...denied,
        ...outcome.refused.map(({ frame, machineId, refusal }) => ({
          machineId,
          code: refusal.code,
          message: refusal.message,
          atMs,
          sample: frame.payload,
        })),
      ],
      outcome.duplicates.map(({ machineId }) => ({ machineId, count: 1 })),
    )
    return outcome
  }

  async function logCandidates(
    transaction: Connection,
    candidates: readonly Exclude<Judged, { kind: 'refused' }>[],
    outcome: Outcome,
  ): Promise<void> {
    const logHead = await evidence.lockHead(transaction)
    const { size } = logHead.frontier
    const chain = await chainMemory.open(
      transaction,
      size,
      candidates.map(({ head, kind }) => ({ head, mayBeOld: kind === 'late' })),
    )
    const machines = await identity.load(
      new Set(candidates.flatMap(({ head }) => [head.machineId, head.iss.machineId])),
    )
    const loggedAt = Math.max(clock.nowMs(), logHead.lastLoggedAt)
    const rows: LoggedRow[] = []
    const rollups = new Map<string, Rollup>()
    const sensors: SensorRow[] = []
    for (const one of candidates) {
      const { frame, machineId, head, fields } = one
      const duplicate = chain.duplicateOf(head.digest)
      if (duplicate !== undefined) {
        outcome.duplicates.push({ frame, machineId, entry: withReason(duplicate, machines) })
        continue
      }
      if (one.kind === 'late') {
        outcome.refused.push(one)
        continue
      }
      const code = chain.admit(head, loggedAt, isActive(head.machineId, machines))
      const logIndex = size + BigInt(rows.length)
      rows.push({ logIndex, epoch: one.epoch, loggedAt, code, fields })
      const { digest, stream, seq } = head
      const entry = { logIndex, digest, machineId: head.machineId, stream, seq, loggedAt, code }
      chain.logged(head, entry)
      outcome.logged.push({ frame, entry: withReason(entry, machines) })
      if (code !== 'OK') continue
      addToRollups(rollups, head, one.rollups)
      if (head.sensor) sensors.push({ ...entry, declaration: head.sensor })
    }
    if (rows.length === 0) return
    await insertEnvelopes(transaction, rows)
    await upsertRollups(transaction, [...rollups.values()])
    await insertSensorDeclarations(transaction, sensors)
    outcome.head = await evidence.append(
      transaction,
      logHead,
      outcome.logged.map(({ entry }) => entry),
    )
  }

  // ── after the commit ──────────────────────────────────────────────────────────────────────────────────────

  function tell(outcome: Outcome): void {
    const { logged, duplicates, refused } = outcome
    totals.logged += logged.length
    totals.duplicate += duplicates.length
    totals.refused += refused.length
    for (const { frame, entry } of logged) {
      options.quotas?.logged(frame.senderId, frame.payload.length)
      frame.answer({ kind: 'logged', entry })
    }
    for (const { frame, entry } of duplicates) frame.answer({ kind: 'duplicate', entry })
    for (const { frame, refusal } of refused) frame.answer({ kind: 'refused', ...refusal })
    release([...logged, ...duplicates, ...refused].map(({ frame }) => frame))
    for (const { topic, payload } of receiptsOf([...outcome.logged, ...outcome.duplicates])) {
      send(topic, payload)
    }
    const atMs = clock.nowMs()
    for (const { frame, machineId, refusal } of outcome.refused) {
      if (machineId !== 0n) tellRefused(frame.senderId, refusal)
      events.emit({ type: 'refused', machineId: String(machineId), code: refusal.code, atMs })
    }
    const streams = lastOfStreams(outcome.logged)
    for (const { machineId, stream, seq, loggedAt } of streams) {
      events.emit({
        type: 'logged',
        machineId: String(machineId),
        stream,
        seq: String(seq),
        atMs: loggedAt,
      })
    }
    if (streams.length > 0) {
      metering.kick(streams.map(({ machineId, stream }) => ({ machineId, stream })))
    }
  }

  function tellRefused(senderId: bigint, refusal: FrameRefusal): void {
    send(topicOf(senderId, 'refused'), JSON.stringify(refusal))
  }

  function send(topic: string, payload: string): void {
    options.publish(topic, payload).catch((error) => {
      // Nothing is lost: who has no receipt sends again, and is answered then.
      logger.warn({ err: error, topic }, 'could not publish')
    })
  }

  // ── what never became a frame ─────────────────────────────────────────────────────────────────────────────

  function deny(denial: Denial): void {
    const atMs = clock.nowMs()
    addDenial({ ...denial, atMs })
    events.emit({
      type: 'refused',
      machineId: String(denial.machineId),
      code: denial.code,
      atMs,
    })
  }

  function addDenial(denial: Refusal): void {
    const { machineId, code, message } = denial
    // Machines are few and codes fewer, but strangers name what they like: each name is a record of its own as long as there is
    // room, and beyond that the count goes to nobody.
    const own = machineId === 0n ? `0 ${code} ${message}` : `${machineId} ${code}`
    const isRoom = denials.has(own) || denials.size < MAX_DENIALS
    const key = isRoom ? own : `0 ${code}`
    const times = (denials.get(key)?.times ?? 0) + (denial.times ?? 1)
    denials.set(key, { ...denial, machineId: isRoom ? machineId : 0n, times })
    if (closing) return
    denialTimer ??= setTimeout(() => {
      denialTimer = undefined
      flushing = flushDenials()
    }, DENIAL_FLUSH_MS)
  }

  async function flushDenials(): Promise<void> {
    if (denials.size === 0) return
    try {
      await commit([])
    } catch (error) {
      logger.warn({ err: error }, 'could not count denials yet')
    }
  }

  // ── meter values ──────────────────────────────────────────────────────────────────────────────────────────

  async function meterValue(senderId: bigint, payload: Uint8Array): Promise<void> {
    let wait = FIRST_RETRY_MS
    for (let attempt = 1; attempt <= METER_TRIES && !closing; attempt += 1) {
      try {
        const answer = await metering.acceptMeterValue(senderId, payload)
        send(topicOf(senderId, 'meter/answer'), JSON.stringify(answer))
        return
      } catch (error) {
        logger.error({ err: error, attempt }, 'could not judge a meter value')
        await pause(wait)
        wait *= 2
      }
    }
    // One that can never be judged must not hold up those behind it; its machine signs a later one anyway.
  }

  // ── retry ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Repeats while the database is away. Undefined: it never will succeed, or the node is stopping. */
  async function withRetry<T>(words: string, work: () => Promise<T>): Promise<T | undefined> {
    let wait = FIRST_RETRY_MS
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (error instanceof LogHaltedError || isFaultOfData(error)) {
          logger.error({ err: error }, words)
          return undefined
        }
        logger.warn({ err: error, waitMs: wait }, `${words}; trying again`)
        if (closing) return undefined
        await pause(wait)
        wait = Math.min(wait * 2, LAST_RETRY_MS)
      }
    }
  }

  return {
    envelope,
    meterValue,
    deny,
    whenRoom,
    counts: () => ({ ...totals, held: heldFrames, heldBytes }),
    async idle() {
      while (running !== undefined) await running
      await flushing
      await flushDenials()
    },
    async close() {
      closing = true
      clearTimeout(denialTimer)
      while (running !== undefined) await running
      await flushing
      await flushDenials()
      await examiner.close()
    },
  }
}

/** One receipt for each sender and stream (docs/protocol/transport.md). */
function receiptsOf(
  told: readonly { frame: Frame; entry: LogEntry }[],
): { topic: string; payload: string }[] {
  const groups = new Map<string, { senderId: bigint; entries: LogEntry[] }>()
  for (const { frame, entry } of told) {
    const key = `${frame.senderId} ${entry.machineId} ${entry.stream}`
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { senderId: frame.senderId, entries: [entry] })
    else group.entries.push(entry)
  }
  return [...groups.values()].map(({ senderId, entries }) => ({
    topic: topicOf(senderId, 'receipt'),
    payload: JSON.stringify({
      machineId: String(entries[0]?.machineId),
      stream: entries[0]?.stream,
      entries: entries.map(({ seq, digest, loggedAt, code, logIndex, reason }) => ({
        seq: String(seq),
        digest,
        loggedAt,
        code,
        logIndex: String(logIndex),
        ...(reason === undefined ? {} : { reason }),
      })),
    }),
  }))
}

/** A device whose readings nobody pays is told why, if its owner said. */
function withReason(entry: LogEntry, machines: ReadonlyMap<bigint, MachineIdentity>): LogEntry {
  if (entry.code !== 'MACHINE_SUSPENDED') return entry
  return { ...entry, reason: suspensionReason(entry.machineId, machines) }
}

function lastOfStreams(logged: readonly { entry: LogEntry }[]): LogEntry[] {
  const last = new Map<string, LogEntry>()
  for (const { entry } of logged) last.set(`${entry.machineId}/${entry.stream}`, entry)
  return [...last.values()]
}

/** The database refuses the values themselves (SQLSTATE 22, 23), or our own code does: trying again changes nothing. */
function isFaultOfData(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^2[23]/.test(error.code ?? '')
  return error instanceof TypeError || error instanceof RangeError
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
