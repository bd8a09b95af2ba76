import { createHash } from 'node:crypto'
import { clearingHouseAbi } from '@liquefy/abi'
import type { Deployment, Hex } from '@liquefy/client'
import type { BaseLogger } from 'pino'
import { encodeFunctionData } from 'viem'
import type { Clock } from '../clock.ts'
import { type AgreementMoney, agreementsIn, readMoney } from '../store/agreements.ts'
import type { Database } from '../store/database.ts'
import {
  type AcceptedValue,
  type AssignedValue,
  assignIntent,
  type IntentFate,
  type Outcome,
  readAssigned,
  readIntentFate,
  readUnsettled,
  saveOutcome,
  type UnsettledValue,
} from '../store/meter-values.ts'

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

/** Values in one call: about 100,000 gas each. */
const BATCH = 50
const CHECK_MS = 500
const RETRYABLE = new Set(['AS_OF_IN_FUTURE', 'RATE_BOUND', 'SIGNER_NOT_ACTIVE', 'REVERTED'])
const FIRST_RETRY_MS = 2_000
const MAX_RETRY_MS = 600_000
const MAX_ATTEMPTS = 20
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
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One at a time: two relays at once would put one value into two intents. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => undefined)
    return mine
  }

  const submit = (intentId: string, values: readonly AcceptedValue[]) =>
    outbox.submit({
      intentId,
      kind: 'settle',
      to: deployment.clearingHouse,
      data: settleCall(values),
    })

  const relayNow = async (isDue: (value: UnsettledValue, money?: AgreementMoney) => boolean) => {
    const unsettled = await readUnsettled(db, clock.nowMs(), asset)
    if (unsettled.length === 0) return
    const money = await readMoney(
      db,
      0,
      unsettled.map(({ agreementId }) => agreementId),
    )
    const due = unsettled.filter((value) => isDue(value, money.get(value.agreementId)))
    for (const values of batchesOf(due)) {
      const intentId = intentIdOf(values)
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
      const periods = [...money.periods]
        .filter(([, { provenMinor, paidMinor }]) => provenMinor > paidMinor)
        .map(([period]) => period)
        .sort((a, b) => a - b)
      if (periods.length === 0 || money.escrowMinor === 0n) continue
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

  const byPolicy = (
    { owedMinor, onLedgerMinor, oldestMs }: UnsettledValue,
    money?: AgreementMoney,
  ) => {
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
  const lookAndRelay = async () => {
    // The outbox learns what became of an intent after the events of its block are told: on a quiet ledger nothing else would ask.
    await takeDownOutcomes()
    await relayNow(byPolicy)
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
        await relayNow(() => true)
        return [...(await readAssigned(db)).keys()]
      }),
    async close() {
      closed = true
      clearInterval(timer)
      await turn
    },
  }
}

/** What failed before goes alone, so that it can hold up no other. */
function batchesOf(values: readonly UnsettledValue[]): UnsettledValue[][] {
  const fresh = values.filter(({ attempts }) => attempts === 0)
  const batches = values.filter(({ attempts }) => attempts > 0).map((value) => [value])
  for (let from = 0; from < fresh.length; from += BATCH) {
    batches.push(fresh.slice(from, from + BATCH).sort(inCallOrder))
  }
  return batches
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
  const retryable = RETRYABLE.has(problem) && attempts < MAX_ATTEMPTS
  const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** attempts, MAX_RETRY_MS)
  return { problem, retryMs: retryable ? nowMs + pauseMs : undefined }
}

/** The order in which `readAssigned` gives them back, so that an intent sent again has the same call. */
function inCallOrder(a: AcceptedValue, b: AcceptedValue): number {
  if (a.agreementId !== b.agreementId) return a.agreementId < b.agreementId ? -1 : 1
  return a.period - b.period
}

function settleCall(values: readonly AcceptedValue[]): Hex {
  return encodeFunctionData({
    abi: clearingHouseAbi,
    functionName: 'settle',
    args: [
      values.map(({ agreementId, period, asOf, registers, evidenceHead }) => ({
        agreementId,
        period,
        asOf,
        registers,
        evidenceHead,
      })),
      values.map(({ signature }) => signature),
    ],
  })
}

/** Names what it carries; a value tried again is another intent. */
function intentIdOf(values: readonly UnsettledValue[]): string {
  const names = values.map(
    ({ agreementId, period, asOf, evidenceHead, attempts }) =>
      `${agreementId}:${period}:${asOf}:${evidenceHead}${attempts > 0 ? `:${attempts}` : ''}`,
  )
  if (names.length === 1) return `settle:${names[0]}`
  return `settle:${values.length}:${createHash('sha256').update(names.join(' ')).digest('hex')}`
}
