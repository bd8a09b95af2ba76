import type { Hex } from '@liquefy/client'
import { foldHead, type StreamHead } from '@liquefy/protocol'
import type { BaseLogger } from 'pino'
import type { Clock } from '../clock.ts'
import type { NodeEvents } from '../events.ts'
import { cutsText, readCuts } from '../store/cuts.ts'
import type { Database, Queryable } from '../store/database.ts'
import { LeaseLostError } from '../store/leases.ts'
import { EnvelopeArchivedError, forgetMetering, readFolds } from '../store/metering.ts'
import type { AdjustmentAnswer } from './adjustment.ts'
import type { Agreements, MeteredAgreement } from './agreements.ts'
import { type AttestationAnswer, judgeAttestation } from './attestation.ts'
import { foldAgreements } from './fold-agreement.ts'
import {
  judgeMeterValue,
  judgeSubmittedValue,
  type MeterAnswer,
  type ValueContext,
} from './meter-value.ts'
import type { SigningLedger } from './signature-check.ts'

/** Folds what is logged into registers and amounts owed, and judges signed meter values by the same folds. */
export interface Metering {
  /** Something was logged in these streams. Returns at once; folding goes on behind. */
  kick(streams: readonly { machineId: bigint; stream: string }[]): void
  /** Folds these agreements: they opened, or their rule became known. */
  kickAgreements(agreementIds: readonly Hex[]): void
  /** Folds what these machines sign: their keys have changed, and a revocation cuts off what no earlier anchor covers. */
  kickSigners(machineIds: readonly bigint[]): void
  /** Forgets what was metered for agreements that a reorganisation took away. */
  forgetVanished(): Promise<void>
  /** Judges a signed meter value or adjustment from the machine whose key opened the connection. */
  acceptMeterValue(senderId: bigint, payload: Uint8Array): Promise<MeterAnswer | AdjustmentAnswer>
  /** Judges a signed meter value, as JSON, from anybody: whoever the terms name has to have signed it. */
  submitMeterValue(json: unknown): Promise<MeterAnswer>
  /** Judges one signature over many meter values, as JSON. */
  submitAttestation(json: unknown): Promise<AttestationAnswer>
  /** Resolves once all that was kicked is folded. What waits for a gap is not waited for. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** Transactions at the same time, and agreements that each folds at most. */
const CONCURRENCY = 2
const BATCH = 200
/** Behind a batch of so many the next one waits: what is logged meanwhile is folded with as many queries as one envelope would be. */
const PAUSE_MS = 20
const MANY = 5
/** A commit may become visible this long after the time that its envelopes carry. */
const COMMIT_LAG_MS = 2_000
const WAKE_CHECK_MS = 500
const RETRY_MS = 1_000
/** Archived envelopes come back by the operator's hand. */
const ARCHIVED_RETRY_MS = 10_000
/** A meter value may overtake the folding of its last envelopes by this much. */
const PATIENCE_MS = 3_000
/** And by as much as it takes until another process has taken over the folding of one that died. */
const SHARED_PATIENCE_MS = 12_000
const LOOK_MS = 100

/** The part of the agreements that this process folds, where several share them. */
export interface FoldShare {
  owns(machineId: bigint): boolean
  /** @throws LeaseLostError in the transaction of a fold of these machines' agreements, if another process has taken one over. */
  fence(client: Queryable, machineIds: readonly bigint[]): Promise<void>
}

/** Starts metering: all open agreements are folded up to date first. */
export function createMetering(options: {
  database: Database
  agreements: Agreements
  clock: Clock
  events: NodeEvents
  ledger: SigningLedger
  /** Account that anchors this node's log. */
  log: Hex
  /** Undefined: this process folds all. */
  share?: FoldShare | undefined
  logger: BaseLogger
}): Metering {
  const { database, agreements, clock, events, share, logger } = options
  const dirty = new Set<Hex>()
  /** Agreements that are being folded now. */
  const running = new Set<Hex>()
  const jobs = new Set<Promise<void>>()
  /** Agreements whose batch failed: alone, each holds up no other. */
  const suspects = new Set<Hex>()
  const wakes = new Map<Hex, number>()
  const watchers = new Set<() => void>()
  const retries = new Set<NodeJS.Timeout>()
  let pumpTimer: NodeJS.Timeout | undefined
  let pausedUntilMs = 0
  let closed = false

  /** Folds one portion of each in one transaction. */
  const fold = async (batch: readonly MeteredAgreement[]): Promise<void> => {
    const nowMs = clock.nowMs()
    const portions = await database.transaction(async (client) => {
      await share?.fence(
        client,
        batch.map(({ machineId }) => machineId),
      )
      const cuts = await readCuts(client, options.log, batch.flatMap(signersOf))
      const orders = batch.map((agreement) => {
        const signers = signersOf(agreement)
        const ofAgreement = cuts.filter(({ signerId }) => signers.includes(signerId))
        return { agreement, cuts: cutsText(ofAgreement) }
      })
      return foldAgreements(client, orders, nowMs - COMMIT_LAG_MS, nowMs)
    })
    for (const [agreementId, { more, wakeMs, moved }] of portions) {
      suspects.delete(agreementId)
      if (more) dirty.add(agreementId)
      if (wakeMs === undefined) wakes.delete(agreementId)
      else wakes.set(agreementId, wakeMs)
      for (const { period, owedMinor, registers } of moved) {
        events.emit({
          type: 'owed',
          agreementId,
          period,
          owedMinor: owedMinor.toString(),
          registers: registers.map(String),
          atMs: nowMs,
        })
      }
    }
  }

  /** Whose keys sign the readings of an agreement: the machine, and its controller. */
  const signersOf = ({ machineId }: MeteredAgreement): bigint[] => {
    const controller = agreements.controllerOf(machineId)
    return controller === undefined ? [machineId] : [machineId, controller]
  }

  const isOurs = ({ machineId }: MeteredAgreement) => !share || share.owns(machineId)

  const retryLater = (agreementIds: readonly Hex[], pauseMs: number) => {
    for (const agreementId of agreementIds) suspects.add(agreementId)
    const timer = setTimeout(() => {
      retries.delete(timer)
      kickAgreements(agreementIds)
    }, pauseMs)
    retries.add(timer)
  }

  /** Takes what waits and is not being folded: a suspect alone, others together. */
  const takeBatch = (): MeteredAgreement[] => {
    const batch: MeteredAgreement[] = []
    for (const agreementId of dirty) {
      const isSuspect = suspects.has(agreementId)
      if (running.has(agreementId) || (isSuspect && batch.length > 0)) continue
      dirty.delete(agreementId)
      const known = agreements.get(agreementId)
      const agreement = known && isOurs(known) ? known : undefined
      if (agreement) batch.push(agreement)
      if (batch.length === BATCH || (isSuspect && agreement)) break
    }
    return batch
  }

  const pump = () => {
    while (!closed && jobs.size < CONCURRENCY && dirty.size > 0) {
      const waitMs = pausedUntilMs - performance.now()
      if (waitMs > 0) {
        pumpTimer ??= setTimeout(() => {
          pumpTimer = undefined
          pump()
        }, waitMs)
        break
      }
      const batch = takeBatch()
      if (batch.length === 0) break
      if (batch.length >= MANY) pausedUntilMs = performance.now() + PAUSE_MS
      const ids = batch.map(({ agreementId }) => agreementId)
      for (const agreementId of ids) running.add(agreementId)
      const job = fold(batch)
        .catch((error) => {
          if (error instanceof LeaseLostError) logger.warn({ err: error }, 'folded elsewhere')
          else logger.error({ err: error, agreementIds: ids }, 'metering failed; trying again')
          // Of a lost batch some may still be ours.
          const isArchived = ids.length === 1 && error instanceof EnvelopeArchivedError
          retryLater(ids, isArchived ? ARCHIVED_RETRY_MS : RETRY_MS)
        })
        .finally(() => {
          for (const agreementId of ids) running.delete(agreementId)
          jobs.delete(job)
          for (const watcher of watchers) watcher()
          pump()
        })
      jobs.add(job)
    }
  }

  const kickAgreements = (agreementIds: readonly Hex[]) => {
    if (closed) return
    for (const agreementId of agreementIds) dirty.add(agreementId)
    pump()
  }

  const wake = () => {
    const due = [...wakes].filter(([, wakeMs]) => wakeMs + COMMIT_LAG_MS < clock.nowMs())
    for (const [agreementId] of due) wakes.delete(agreementId)
    kickAgreements(due.map(([agreementId]) => agreementId))
  }
  const wakeTimer = setInterval(wake, WAKE_CHECK_MS)
  wakeTimer.unref()

  /** Resolves when `reached` says so after some fold, or when patience ends. */
  const until = (reached: () => Promise<boolean>, patienceMs: number): Promise<void> =>
    new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer)
        clearInterval(looks)
        watchers.delete(check)
        resolve()
      }
      const check = () => {
        reached().then((done) => done && finish(), finish)
      }
      const timer = setTimeout(finish, patienceMs)
      // What another process folds is seen in the database alone.
      const looks = share && setInterval(check, LOOK_MS)
      watchers.add(check)
      check()
    })

  const valueContext: ValueContext = {
    ...options,
    async untilFolded(agreementId, heads) {
      kickAgreements([agreementId])
      await until(
        async () => {
          const folds = await readFolds(database.pool, agreementId)
          return folds.length > 0 && heads.every((head) => folds.every(coversIn(head)))
        },
        share ? SHARED_PATIENCE_MS : PATIENCE_MS,
      )
    },
  }

  return {
    kick(streams) {
      kickAgreements(
        streams.flatMap(({ machineId, stream }) =>
          agreements.metering(machineId, stream).map(({ agreementId }) => agreementId),
        ),
      )
    },
    kickAgreements,
    kickSigners(machineIds) {
      const changed = new Set(machineIds)
      const touched = agreements
        .all()
        .filter((agreement) => signersOf(agreement).some((signer) => changed.has(signer)))
      kickAgreements(touched.map(({ agreementId }) => agreementId))
    },
    forgetVanished: () => database.transaction(forgetMetering),
    acceptMeterValue: (senderId, payload) => judgeMeterValue(valueContext, senderId, payload),
    submitMeterValue: (json) => judgeSubmittedValue(valueContext, json),
    submitAttestation: (json) => judgeAttestation(valueContext, json),
    async idle() {
      while (!closed && (jobs.size > 0 || dirty.size > 0)) {
        await Promise.all(jobs)
        // What is left dirty has its turn after a pause.
        await new Promise((resolve) => setTimeout(resolve, 1))
      }
    },
    async close() {
      closed = true
      clearInterval(wakeTimer)
      clearTimeout(pumpTimer)
      for (const timer of retries) clearTimeout(timer)
      await Promise.all(jobs)
    },
  }
}

/** Whether a fold has covered a head, if it is of its stream at all. */
const coversIn =
  (head: StreamHead) =>
  ({ stream, startSeq, state }: Awaited<ReturnType<typeof readFolds>>[number]): boolean =>
    stream !== head.stream || (foldHead(state)?.seq ?? startSeq - 1n) >= head.seq
