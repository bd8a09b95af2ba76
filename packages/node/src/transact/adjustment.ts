import { clearingHouseAbi } from '@liquefy/abi'
import type { Deployment, Hex } from '@liquefy/client'
import {
  adjustmentAmount,
  adjustmentDigest,
  finalFromMs,
  parseSignedAdjustment,
  type SignedAdjustment,
} from '@liquefy/protocol'
import type { BaseLogger } from 'pino'
import { encodeFunctionData } from 'viem'
import {
  countRefused,
  readUnrelayed,
  type StoredAdjustment,
  saveAdjustment,
} from '../store/adjustments.ts'
import type { Queryable } from '../store/database.ts'
import { readIntent } from '../store/outbox.ts'
import { findAgreement, type ValueContext } from './meter-value.ts'
import { recompute } from './own-value.ts'
import type { SettlementOutbox } from './settlement.ts'
import { checkSignature } from './signature-check.ts'

/** What the node says of an adjustment: a payload of the `meter/answer` topic. */
export interface AdjustmentAnswer {
  agreementId?: Hex
  period?: number
  /** As it was signed. */
  amount?: string
  code:
    | 'ACCEPTED'
    | 'METER_MISMATCH'
    | 'PERIOD_NOT_FINAL'
    | 'ADJUSTMENT_EXISTS'
    | 'ADJUSTMENT_INVALID'
    | 'FIELD_FORBIDDEN'
    | 'AGREEMENT_UNKNOWN'
    | 'METER_SIGNATURE_INVALID'
  message?: string
  /** Of a mismatch: what the node's own fold gives at the heads named. */
  ownAmount?: string
}

/** Refused so often, an adjustment is left to whoever wants it. */
const MAX_ATTEMPTS = 20
const FIRST_RETRY_MS = 2_000
const MAX_RETRY_MS = 600_000
/** Digits of a signature in the name of an intent, so that what is signed anew has one of its own. */
const NAME_DIGITS = 16

/**
 * Judges what a signer says late evidence adds to a final period: equal to the node's own fold at the heads named, it is kept, to be relayed
 * once. `senderId`: the machine that published it.
 */
export async function judgeAdjustment(
  context: ValueContext,
  senderId: bigint,
  json: unknown,
): Promise<AdjustmentAnswer> {
  const parsed = parseSignedAdjustment(json)
  if (!parsed.ok) return { code: parsed.code, message: parsed.message }
  const { adjustment } = parsed
  const about = aboutOf(adjustment)
  const { agreementId, period, heads, evidenceHead } = adjustment
  const covering = { agreementId, period, heads, evidenceHead, asOf: 0n, registers: [] }
  const known = findAgreement(context, covering)
  if (!('terms' in known)) return { ...about, code: 'AGREEMENT_UNKNOWN', message: known.message }
  const { agreement, terms } = known
  const invalid = (message: string) =>
    ({ ...about, code: 'METER_SIGNATURE_INVALID', message }) as const
  if (!context.agreements.signersOf(agreement).includes(senderId)) {
    return invalid(`Machine ${senderId} does not sign for this agreement.`)
  }
  const digest = adjustmentDigest({ ...context.ledger, adjustment })
  const signature = await checkSignature(context, terms, digest, adjustment.signature)
  if (!signature.ok) return invalid(signature.message)
  if (context.clock.nowMs() < finalFromMs(terms, period)) {
    const message = 'The period is not final: evidence still counts for its registers.'
    return { ...about, code: 'PERIOD_NOT_FINAL', message }
  }
  await context.untilFolded(agreementId, heads)
  const mine = await recompute(context.database, agreement, terms, covering)
  const own = agreement.tariff ? adjustmentAmount({ terms, tariff: agreement.tariff, ...mine }) : 0n
  if (!mine.ok || mine.evidenceHead !== evidenceHead || own !== adjustment.amount) {
    const message = mine.ok ? 'It is not what the fold at these heads gives.' : mine.message
    return { ...about, code: 'METER_MISMATCH', message, ownAmount: String(own) }
  }
  const kept = { ...adjustment, signature: signature.signature }
  if (await saveAdjustment(context.database.pool, kept, context.clock.nowMs())) {
    return { ...about, code: 'ACCEPTED' }
  }
  const message = 'This period has another adjustment, and may have one only.'
  return { ...about, code: 'ADJUSTMENT_EXISTS', message }
}

/**
 * Relays adjustments that are not on the ledger yet, each in a transaction of its own.
 *
 * @param asset only of agreements in this token; undefined: in any.
 */
export async function relayAdjustments(options: {
  db: Queryable
  outbox: SettlementOutbox
  deployment: Pick<Deployment, 'clearingHouse'>
  asset: Hex | undefined
  nowMs: number
  logger: BaseLogger
}): Promise<void> {
  const { db, outbox, deployment, asset, nowMs, logger } = options
  for (const adjustment of await readUnrelayed(db, { asset, nowMs, maxAttempts: MAX_ATTEMPTS })) {
    const { agreementId, period, attempts } = adjustment
    const intentId = intentIdOf(adjustment)
    const sent = await readIntent(db, intentId)
    if (sent?.status === 'reverted') {
      logger.warn({ agreementId, period, error: sent.error }, 'the ledger refused an adjustment')
      const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** attempts, MAX_RETRY_MS)
      await countRefused(db, adjustment, nowMs + pauseMs)
    } else if (!sent) {
      const data = adjustCall(adjustment)
      await outbox.submit({ intentId, kind: 'adjust', to: deployment.clearingHouse, data })
    }
  }
}

function intentIdOf({ agreementId, period, signature, attempts }: StoredAdjustment): string {
  return `adjust:${agreementId}:${period}:${signature.slice(-NAME_DIGITS)}:${attempts}`
}

function adjustCall({ agreementId, period, amount, evidenceHead, signature }: StoredAdjustment) {
  const adjustment = { agreementId, period, amount, evidenceHead }
  return encodeFunctionData({
    abi: clearingHouseAbi,
    functionName: 'adjust',
    args: [adjustment, signature],
  })
}

function aboutOf({ agreementId, period, amount }: SignedAdjustment) {
  return { agreementId, period, amount: String(amount) }
}
