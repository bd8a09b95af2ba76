import { setTimeout as sleep } from 'node:timers/promises'
import { LiquefyError } from '@liquefy/protocol'
import {
  type Hex,
  keccak256,
  type PublicClient,
  parseTransaction,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Clock } from '../clock.ts'
import type { OutboxObserver } from '../measures.ts'
import type { Database } from '../store/database.ts'
import {
  highestNonce,
  type Intent,
  insertIntent,
  type OutboxEntry,
  readIntent,
  readPending,
  readQueued,
  readRevertedAbove,
  requeue,
  saveBumped,
  saveOutcome,
  saveProblem,
  saveSigned,
} from '../store/outbox.ts'
import { bumpFees, type Fees, feesNow } from './fees.ts'
import type { Follower } from './follower.ts'
import type { Logger } from './logger.ts'
import { revertReason } from './revert-reason.ts'

/** What became of an intent. `reverted` without `txHash`: the ledger would refuse it, so nothing was sent. */
interface Outcome {
  status: 'included' | 'final' | 'reverted'
  txHash: Hex | undefined
  block: number | undefined
  error: string | undefined
}

/**
 * Sends what the node wants on the ledger, once: one intent, one nonce (INV-9). A transaction is stored, signed,
 * before it is sent, and sent again as it is until it is in a block; what is not known is pending, never failed.
 */
export interface Outbox {
  /** Resolves when the intent is stored. The same `intentId` again changes nothing. */
  submit(intent: Intent): Promise<void>
  /** Resolves when the intent's block is applied to the node's tables, or the ledger refused it. */
  whenIncluded(intentId: string): Promise<Outcome>
  stop(): Promise<void>
}

class OutboxError extends LiquefyError {
  constructor(code: 'INTENT_UNKNOWN' | 'OUTBOX_STOPPED', message: string) {
    super(code, message)
    this.name = 'OutboxError'
  }
}

/** A nonce counts as lost to a stranger's transaction only after so many looks in a row, and when what the first look saw is final. */
const LOST_LOOKS = 5
const MAX_RETRY_MS = 30_000
const LAST_ANSWERS_MS = 2_000

interface Attempt {
  count: number
  notBefore: number
}

export function startOutbox(options: {
  client: PublicClient
  account: PrivateKeyAccount
  chainId: number
  database: Database
  follower: Follower
  clock: Clock
  logger: Logger
  /** How often to look, and to send again what is not in a block. */
  retryMs: number
  /** When to raise the fee of what is stuck; undefined: never. */
  bumpAfterMs: number | undefined
  observer?: OutboxObserver | undefined
}): Outbox {
  const { client, account, chainId, database, follower, clock, logger, retryMs } = options
  const db = database.pool
  const waiters = new Map<string, PromiseWithResolvers<Outcome>>()
  const attempts = new Map<string, Attempt>()
  /** When a raw transaction was last sent, and which are on their way now. */
  const sentAt = new Map<Hex, number>()
  const sending = new Map<Hex, Promise<void>>()
  const missing = new Map<string, { looks: number; since: number }>()
  let stopping = false
  let again = false
  let wake = Promise.withResolvers<void>()

  // ── what became of it ───────────────────────────────────────────────────────────────────────────────────────

  async function receiptOf(entry: OutboxEntry): Promise<TransactionReceipt | undefined> {
    for (const hash of [entry.txHash, ...entry.earlier]) {
      if (!hash) continue
      try {
        return await client.getTransactionReceipt({ hash })
      } catch (error) {
        if (!(error instanceof TransactionReceiptNotFoundError)) throw error
      }
    }
    return undefined
  }

  async function look(entry: OutboxEntry, usedCount: number): Promise<void> {
    const receipt = await receiptOf(entry)
    if (!receipt) return lookForLoss(entry, usedCount)
    missing.delete(entry.intentId)
    const block = Number(receipt.blockNumber)
    const applied = follower.block()
    // Whoever waits for the outcome shall find its events in the tables.
    if (block > applied.included) return follower.kick()
    const included = block <= applied.final ? 'final' : 'included'
    const status = receipt.status === 'success' ? included : 'reverted'
    const same = status === entry.status && block === entry.block
    if (same && receipt.transactionHash === entry.txHash) return
    const error = status === 'reverted' ? await explain(entry, receipt.blockNumber) : undefined
    const txHash = receipt.transactionHash
    if (entry.status === 'sent') {
      const { gasUsed, effectiveGasPrice } = receipt
      options.observer?.spent(entry.kind, gasUsed, gasUsed * effectiveGasPrice)
    }
    await settle(entry.intentId, { status, txHash, block, error })
  }

  async function settle(intentId: string, outcome: Outcome): Promise<void> {
    await saveOutcome(db, intentId, outcome, clock.nowMs())
    const { status, error } = outcome
    if (status === 'reverted') logger.warn({ intentId, error }, 'The ledger refused an intent')
    attempts.delete(intentId)
    waiters.get(intentId)?.resolve(outcome)
    waiters.delete(intentId)
  }

  /** No receipt: still on its way, thrown out by a reorganisation, or its nonce used by somebody with our key. */
  async function lookForLoss(entry: OutboxEntry, usedCount: number): Promise<void> {
    if (entry.status !== 'sent') {
      await saveOutcome(db, entry.intentId, { status: 'sent' }, clock.nowMs())
      return
    }
    if (entry.nonce === undefined || entry.nonce >= usedCount) {
      missing.delete(entry.intentId)
      return
    }
    const { included, final } = follower.block()
    const { looks, since } = missing.get(entry.intentId) ?? { looks: 0, since: included }
    missing.set(entry.intentId, { looks: looks + 1, since })
    if (looks + 1 < LOST_LOOKS || since > final) return
    missing.delete(entry.intentId)
    logger.warn({ intentId: entry.intentId, nonce: entry.nonce }, 'A nonce was used from elsewhere')
    await requeue(db, entry.intentId, clock.nowMs())
  }

  async function explain(entry: OutboxEntry, blockNumber: bigint): Promise<string> {
    try {
      const call = { account: account.address, data: entry.data, blockNumber }
      await client.call(entry.to ? { ...call, to: entry.to } : call)
      return 'Reverted'
    } catch (error) {
      return revertReason(error) ?? 'Reverted'
    }
  }

  async function lookAtPending(): Promise<OutboxEntry[]> {
    const { final } = follower.block()
    const pending = [...(await readPending(db)), ...(await readRevertedAbove(db, final))]
    if (pending.length === 0) return []
    // Asked before the receipts: a nonce used by then has its receipt by now. Of the newest block: endpoints forget the state of older ones.
    const usedCount = await client.getTransactionCount({ address: account.address })
    for (const entry of pending) await look(entry, usedCount)
    return readPending(db)
  }

  // ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────

  function broadcast(raw: Hex, intentId: string): void {
    if (sending.has(raw)) return
    sentAt.set(raw, performance.now())
    const sent = client
      .sendRawTransaction({ serializedTransaction: raw })
      .then(() => undefined)
      .catch((error: Error) => {
        // Whether it took effect is told by its receipt alone.
        logger.debug({ intentId, err: error }, 'A broadcast was not confirmed')
      })
      .finally(() => {
        sending.delete(raw)
        wakeUp()
      })
    sending.set(raw, sent)
  }

  function sign(entry: OutboxEntry, fees: Fees, nonce: number, gas: bigint): Promise<Hex> {
    const call = entry.to ? { to: entry.to, data: entry.data } : { data: entry.data }
    return account.signTransaction({ ...call, ...fees, chainId, nonce, gas })
  }

  async function nextNonce(): Promise<number> {
    const known = await client.getTransactionCount({
      address: account.address,
      blockTag: 'pending',
    })
    const highest = await highestNonce(db)
    return highest === undefined ? known : Math.max(known, highest + 1)
  }

  /** Gives a queued intent its nonce, stores it signed, and sends it. */
  async function send(entry: OutboxEntry, othersPending: boolean): Promise<boolean> {
    const call = { account: account.address, data: entry.data, blockTag: 'pending' } as const
    let gas: bigint
    let fees: Fees
    let nonce: number
    try {
      gas = await client.estimateGas(entry.to ? { ...call, to: entry.to } : call)
      fees = await feesNow(client)
      nonce = await nextNonce()
    } catch (error) {
      await postpone(entry, error, othersPending)
      return false
    }
    // What a call needs may grow until its block is made.
    const raw = await sign(entry, fees, nonce, (gas * 5n) / 4n + 20_000n)
    await saveSigned(db, entry.intentId, { nonce, raw, txHash: keccak256(raw) }, clock.nowMs())
    attempts.delete(entry.intentId)
    broadcast(raw, entry.intentId)
    return true
  }

  async function postpone(entry: OutboxEntry, error: unknown, othersPending: boolean) {
    const reason = revertReason(error)
    const count = (attempts.get(entry.intentId)?.count ?? 0) + 1
    // What stands before it may be what it needs.
    if (reason && !(othersPending && count < 10)) {
      await settle(entry.intentId, {
        status: 'reverted',
        txHash: undefined,
        block: undefined,
        error: reason,
      })
      return
    }
    const wait = Math.min(MAX_RETRY_MS, retryMs * 2 ** Math.min(count - 1, 8))
    attempts.set(entry.intentId, { count, notBefore: performance.now() + wait })
    const message = reason ?? (error as Error).message.split('\n')[0] ?? 'Unknown'
    logger.warn({ intentId: entry.intentId, problem: message }, 'An intent waits')
    await saveProblem(db, entry.intentId, message, clock.nowMs())
  }

  async function sendQueued(othersPending: boolean): Promise<void> {
    let before = othersPending
    for (const entry of await readQueued(db)) {
      if (stopping) return
      if ((attempts.get(entry.intentId)?.notBefore ?? 0) > performance.now()) continue
      before = (await send(entry, before)) || before
    }
  }

  async function sendAgain(pending: readonly OutboxEntry[]): Promise<void> {
    for (const { status, raw, intentId } of pending) {
      if (status !== 'sent' || !raw) continue
      const sent = sentAt.get(raw) ?? Number.NEGATIVE_INFINITY
      if (performance.now() - sent >= retryMs) broadcast(raw, intentId)
    }
    const [first] = pending.filter(({ status }) => status === 'sent')
    if (first) await bumpIfStuck(first)
  }

  /** Only the lowest nonce: the ones above it wait for it. */
  async function bumpIfStuck(entry: OutboxEntry): Promise<void> {
    const { bumpAfterMs } = options
    if (bumpAfterMs === undefined || !entry.raw || entry.nonce === undefined) return
    if (clock.nowMs() - entry.updatedMs < bumpAfterMs) return
    const old = parseTransaction(entry.raw)
    const oldFees: Fees =
      old.type === 'eip1559'
        ? {
            type: 'eip1559',
            maxFeePerGas: old.maxFeePerGas ?? 0n,
            maxPriorityFeePerGas: old.maxPriorityFeePerGas ?? 0n,
          }
        : { type: 'legacy', gasPrice: old.gasPrice ?? 0n }
    const fees = bumpFees(oldFees, await feesNow(client))
    const raw = await sign(entry, fees, entry.nonce, old.gas ?? 0n)
    await saveBumped(db, entry.intentId, { raw, txHash: keccak256(raw) }, clock.nowMs())
    logger.warn({ intentId: entry.intentId, nonce: entry.nonce }, 'Raised the fee of a transaction')
    broadcast(raw, entry.intentId)
  }

  // ── the loop ────────────────────────────────────────────────────────────────────────────────────────────────

  async function run(): Promise<void> {
    while (!stopping) {
      again = false
      try {
        const pending = await lookAtPending()
        await sendAgain(pending)
        await sendQueued(pending.some(({ status }) => status === 'sent'))
        forgetSent(pending)
      } catch (error) {
        logger.warn({ err: error }, 'The outbox could not do its work; trying again')
      }
      await pause()
    }
  }

  function forgetSent(pending: readonly OutboxEntry[]): void {
    const raws = new Set(pending.map(({ raw }) => raw))
    for (const raw of sentAt.keys()) {
      if (!raws.has(raw) && !sending.has(raw)) sentAt.delete(raw)
    }
  }

  async function pause(): Promise<void> {
    if (stopping || again) return
    const timer = setTimeout(() => wake.resolve(), retryMs)
    await wake.promise
    clearTimeout(timer)
    wake = Promise.withResolvers<void>()
  }

  function wakeUp(): void {
    again = true
    wake.resolve()
  }

  const unlisten = follower.onApplied(wakeUp)
  const running = run()

  return {
    async submit(intent) {
      if (stopping) throw new OutboxError('OUTBOX_STOPPED', 'The node is shutting down.')
      if (await insertIntent(db, intent, clock.nowMs())) wakeUp()
    },
    async whenIncluded(intentId) {
      if (stopping) throw new OutboxError('OUTBOX_STOPPED', 'The node is shutting down.')
      const waiter = waiters.get(intentId) ?? Promise.withResolvers<Outcome>()
      waiters.set(intentId, waiter)
      // Whoever asks may go away before the outbox does.
      waiter.promise.catch(() => {})
      const entry = await readIntent(db, intentId)
      if (!entry) {
        waiters.delete(intentId)
        throw new OutboxError('INTENT_UNKNOWN', `Nothing with the id ${intentId} was submitted.`)
      }
      const { status, txHash, block, error } = entry
      if (status === 'queued' || status === 'sent') return waiter.promise
      waiters.delete(intentId)
      const outcome = { status, txHash, block, error }
      waiter.resolve(outcome)
      return outcome
    },
    async stop() {
      stopping = true
      unlisten()
      wakeUp()
      await running
      // An endpoint that does not answer must not hold up the end: the transaction is stored.
      await Promise.race([Promise.allSettled(sending.values()), sleep(LAST_ANSWERS_MS)])
      for (const { reject } of waiters.values()) {
        reject(new OutboxError('OUTBOX_STOPPED', 'The node is shutting down.'))
      }
      waiters.clear()
    },
  }
}
