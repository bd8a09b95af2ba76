import { clearingHouseAbi } from '@liquefy/abi'
import type { Deployment, Hex } from '@liquefy/client'
import { ZERO_DIGEST } from '@liquefy/protocol'
import type { BaseLogger } from 'pino'
import { encodeFunctionData } from 'viem'
import type { Clock } from '../clock.ts'
import { type AgreementMoney, agreementsIn, readMoney } from '../store/agreements.ts'
import { readAttestations } from '../store/attestations.ts'
import type { Database } from '../store/database.ts'
import {
  type AcceptedValue,
  type AssignedValue,
  assignIntent,
  forgetLowerValues,
  type IntentFate,
  type Outcome,
  readAssigned,
  readIntentFate,
  readUnsettled,
  saveMeterValue,
  saveOutcome,
  type UnsettledValue,
} from '../store/meter-values.ts'
import { hasOpenIntent } from '../store/outbox.ts'
import { readTimeOwed, type TimeOwed } from '../store/time-owed.ts'
import { relayAdjustments } from './adjustment.ts'
import { attestedCall, settleBatches, settleCall } from './settle-call.ts'

/** When an accepted value is worth a transaction. */
export interface SettlePolicy {
  /** At least this much is not on the ledger yet, smallest units. */
  minMinor: bigint
  /** Or the oldest value that is not on the ledger was received this long ago. */
  maxAgeMs: number
}

/** Where transactions go: stored before they are sent, and asking twice is asking once. */
export interface SettlementOutbox {
  submit(intent: { intentId: string; kind: string; to?: Hex; data: Hex }): Promise<unknown>
}

/** Relays accepted meter values to the ledger. */
export interface Settlement {
  /** The ledger has changed: outcomes are taken down, arrears collected where there is escrow again. */
  ledgerChanged(agreementIds: readonly Hex[]): Promise<void>
  /** Relays all accepted values, whatever the policy says; answers the intents that carry values now. */
  settleNow(): Promise<string[]>
  close(): Promise<void>
}

const CHECK_MS = 500
/** Values owed by time that one look at the clock makes at most. */
const TIME_VALUES = 200
/** Periods in one call that collects arrears. */
const COLLECTED_PERIODS = 50
const RETRYABLE = new Set(['AS_OF_IN_FUTURE', 'RATE_BOUND', 'SIGNER_NOT_ACTIVE', 'REVERTED'])
const FIRST_RETRY_MS = 2_000
const MAX_RETRY_MS = 600_000
const MAX_ATTEMPTS = 20
/** What was signed before a change of keys may have been signed anew while a transaction carried it: it is tried once more. */
const SIGNED_ANEW_ATTEMPTS = 1
/** Settle at once when what is unsettled uses up this part of the escrow left: one half. */
const ESCROW_DIVISOR = 2n

/** Starts relaying; `close` stops it. */
export function createSettlement(options: {
  database: Database
  clock: Clock
  outbox: SettlementOutbox
  deployment: Pick<Deployment, 'clearingHouse'>
  policy: SettlePolicy
  /** Relays only what is owed in this token: in another, worth nothing, a stranger could use up the gas. Undefined: in any. */
  asset?: Hex | undefined
  logger: BaseLogger
}): Settlement {
  const { database, clock, outbox, deployment, policy, asset, logger } = options
  const db = database.pool
  /** Agreements of which one collection is under way: one at a time. */
  const collectLater = new Set<Hex>()
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One at a time: two relays at once would put one value into two intents. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => undefined)
    return mine
  }

  const submit = async (intentId: string, values: readonly AcceptedValue[]) => {
    const attestationId = values[0]?.attestationId
    const attestation =
      attestationId && (await readAttestations(db, [attestationId])).get(attestationId)
    await outbox.submit({
      intentId,
      kind: 'settle',
      to: deployment.clearingHouse,
      data: attestation ? attestedCall(attestation) : settleCall(values),
    })
  }

  /** Makes values of what is owed by time and worth a transaction: `relayNow` sends them like signed ones. */
  const takeTime = async (isDue: (owed: TimeOwed) => boolean) => {
    for (const owed of await readTimeOwed(db, asset, TIME_VALUES)) {
      if (!isDue(owed)) continue
      const { agreementId, period, asOf, owedMinor, sinceSeconds } = owed
      await database.transaction(async (client) => {
        const value: AcceptedValue = {
          agreementId,
          period,
          asOf,
          owedMinor,
          registers: [],
          heads: [],
          evidenceHead: ZERO_DIGEST,
          signature: '0x',
          // Owed since then, so that its age counts from there.
          receivedMs: Number(sinceSeconds) * 1000,
        }
        await forgetLowerValues(client, value)
        await saveMeterValue(client, value)
      })
    }
  }

  const relayNow = async (isDue: (value: UnsettledValue, money?: AgreementMoney) => boolean) => {
    const unsettled = await readUnsettled(db, clock.nowMs(), asset)
    if (unsettled.length === 0) return
    const money = await readMoney(
      db,
      0,
      unsettled.map(({ agreementId }) => agreementId),
    )
    const due = unsettled.filter((value) => isDue(value, money.get(value.agreementId)))
    for (const { intentId, values } of settleBatches(due, unsettled)) {
      // Marked first: a value that two intents carry would cost gas twice. A crash in between is mended by `mend`.
      await database.transaction((client) => assignIntent(client, values, intentId))
      await submit(intentId, values)
    }
  }

  const takeDownOutcomes = async () => {
    for (const [intentId, values] of await readAssigned(db)) {
      const fate = await readIntentFate(db, intentId)
      if (!fate) {
        await submit(intentId, values)
        continue
      }
      for (const value of values) {
        const outcome = outcomeOf(value, fate, clock.nowMs())
        if (!outcome) continue
        if (outcome.problem !== undefined) {
          const { agreementId, period } = value
          const { problem } = outcome
          logger.warn({ agreementId, period, problem }, 'the ledger skipped a meter value')
        }
        await saveOutcome(db, value, outcome)
      }
    }
  }

  const collect = async (agreementIds: readonly Hex[]) => {
    if (agreementIds.length === 0) return
    const relayed = asset ? await agreementsIn(db, asset, agreementIds) : agreementIds
    for (const [id, money] of await readMoney(db, 0, relayed)) {
      const periods = collectable(money, policy.minMinor)
      if (periods.length === 0) continue
      if (await hasOpenIntent(db, `collect:${id}:`)) {
        collectLater.add(id)
        continue
      }
      await outbox.submit({
        // What was paid until now makes each collection an intent of its own, and the same one when asked twice.
        intentId: `collect:${id}:${money.paidMinor}:${money.fundedMinor}`,
        kind: 'collect',
        to: deployment.clearingHouse,
        data: encodeFunctionData({
          abi: clearingHouseAbi,
          functionName: 'collect',
          args: [id, periods],
        }),
      })
    }
  }

  const timeByPolicy = ({ owedMinor, onLedgerMinor, sinceSeconds, hasEnded }: TimeOwed) =>
    hasEnded ||
    owedMinor - onLedgerMinor >= policy.minMinor ||
    clock.nowMs() - Number(sinceSeconds) * 1000 >= policy.maxAgeMs

  const byPolicy = (
    { owedMinor, onLedgerMinor, oldestMs, signature, attestationId }: UnsettledValue,
    money?: AgreementMoney,
  ) => {
    // Owed by time: made only when it was due.
    if (signature === '0x' && attestationId === undefined) return true
    const missing = owedMinor - onLedgerMinor
    const escrow = money?.escrowMinor ?? 0n
    const escrowRunsOut = escrow > 0n && missing >= escrow / ESCROW_DIVISOR
    return (
      missing >= policy.minMinor || escrowRunsOut || clock.nowMs() - oldestMs >= policy.maxAgeMs
    )
  }

  const guarded = (work: () => Promise<void>) =>
    inTurn(work).catch((error) => {
      if (!closed) logger.error({ err: error }, 'settlement failed; trying again')
    })
  const collectRest = async () => {
    const waiting = [...collectLater]
    collectLater.clear()
    await collect(waiting)
  }
  const lookAndRelay = async () => {
    // The outbox learns what became of an intent after the events of its block are told: on a quiet ledger nothing else would ask.
    await takeDownOutcomes()
    await takeTime(timeByPolicy)
    await relayNow(byPolicy)
    await relayAdjustments({ db, outbox, deployment, asset, nowMs: clock.nowMs(), logger })
    await collectRest()
  }
  const timer = setInterval(() => {
    if (!closed) void guarded(lookAndRelay)
  }, CHECK_MS)
  timer.unref()
  void guarded(takeDownOutcomes)

  return {
    ledgerChanged: (agreementIds) =>
      inTurn(async () => {
        await takeDownOutcomes()
        await collect(agreementIds)
      }),
    settleNow: () =>
      inTurn(async () => {
        await takeDownOutcomes()
        await takeTime(() => true)
        await relayNow(() => true)
        await relayAdjustments({ db, outbox, deployment, asset, nowMs: clock.nowMs(), logger })
        return [...(await readAssigned(db)).keys()]
      }),
    async close() {
      closed = true
      clearInterval(timer)
      await turn
    },
  }
}

/** What became of a value; undefined while that is not known. */
function outcomeOf(
  { agreementId, period, attempts }: AssignedValue,
  { status, items }: IntentFate,
  nowMs: number,
): Outcome | undefined {
  if (status === 'queued' || status === 'sent') return undefined
  const item = items.find((one) => one.agreementId === agreementId && one.period === period)
  const problem = status === 'reverted' ? 'REVERTED' : item?.skipped
  // Included, but its events are not followed yet. Final without any: its agreement has gone in a reorganisation.
  if (problem === undefined && !item && status === 'included') return undefined
  if (problem === undefined) return { problem, retryMs: undefined }
  const retryable =
    problem === 'SIGNATURE_INVALID'
      ? attempts < SIGNED_ANEW_ATTEMPTS
      : RETRYABLE.has(problem) && attempts < MAX_ATTEMPTS
  const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** attempts, MAX_RETRY_MS)
  return { problem, retryMs: retryable ? nowMs + pauseMs : undefined }
}

/**
 * Periods in arrears that escrow can pay now, the oldest first: worth a transaction if they give the least amount of the policy, or
 * all that is missing. A stranger who funds one unit at a time so pays for every collection.
 */
function collectable({ periods, escrowMinor }: AgreementMoney, minMinor: bigint): number[] {
  const missing = [...periods]
    .map(([period, { provenMinor, paidMinor }]) => ({ period, minor: provenMinor - paidMinor }))
    .filter(({ minor }) => minor > 0n)
    .sort((a, b) => a.period - b.period)
    .slice(0, COLLECTED_PERIODS)
  const sum = missing.reduce((total, { minor }) => total + minor, 0n)
  const payable = sum < escrowMinor ? sum : escrowMinor
  if (payable === 0n || (payable < sum && payable < minMinor)) return []
  return missing.map(({ period }) => period)
}
