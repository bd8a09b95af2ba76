import type { Hex, NodeEvent } from '@liquefy/client'
import {
  type CoveringValue,
  elapsedSeconds,
  meterValueDigest,
  owedCapped,
  parseSignedMeterValue,
  type SignedMeterValue,
  type StreamHead,
  type Terms,
  withinRateBound,
} from '@liquefy/protocol'
import type { Clock } from '../clock.ts'
import type { NodeEvents } from '../events.ts'
import type { Database } from '../store/database.ts'
import { type AcceptedValue, saveMeterValue } from '../store/meter-values.ts'
import { readBeyondCut, readUnpriced } from '../store/metering.ts'
import { type AdjustmentAnswer, judgeAdjustment } from './adjustment.ts'
import type { Agreements, MeteredAgreement } from './agreements.ts'
import { mismatchOf, recompute } from './own-value.ts'
import { checkSignature, type SigningLedger } from './signature-check.ts'
import { judgeVoucher, saveVoucher } from './voucher.ts'

/** Why a value is not taken, in words. */
export interface ValueRefusal {
  agreementId?: Hex
  period?: number
  asOf?: number
  code:
    | 'AGREEMENT_UNKNOWN'
    | 'METER_SIGNATURE_INVALID'
    | 'METER_VALUE_INVALID'
    | 'FIELD_FORBIDDEN'
    | 'RATE_BOUND'
    | 'SUPERSEDED'
    | 'VALUES_TOO_MANY'
  message: string
}

/** The node's own registers differ. */
export interface ValueMismatch {
  agreementId: Hex
  period: number
  asOf: number
  code: 'METER_MISMATCH'
  message: string
  registers: string[]
  evidenceHead: Hex
  heads: { stream: string; seq: string }[]
  unpriced: { stream: string; seq: string; code: string }[]
  /** Spans of `seq` that a revocation has cut off, both ends included. */
  beyondCut: { stream: string; first: string; last: string }[]
}

/** What the node says of a meter value: the payload of the `meter/answer` topic. */
export type MeterAnswer =
  | { agreementId: Hex; period: number; asOf: number; code: 'ACCEPTED' }
  | ValueMismatch
  | ValueRefusal

/** What judging a value needs. */
export interface ValueContext {
  database: Database
  agreements: Agreements
  clock: Clock
  events: NodeEvents
  ledger: SigningLedger
  /** Resolves once the agreement was folded up to these heads, or after a short while. */
  untilFolded(agreementId: Hex, heads: readonly StreamHead[]): Promise<void>
}

/** An open agreement that this node can meter. */
export interface JudgedAgreement {
  agreement: MeteredAgreement
  terms: Terms
}

/** Larger payloads are no meter value. */
const MAX_PAYLOAD_BYTES = 16_384
const UNPRICED_SHOWN = 50
const CUTS_SHOWN = 100

/**
 * Judges what the machine `senderId` published. Equal to the node's own fold *at the heads that it names*: stored, to be settled.
 * Otherwise the answer has the node's own registers, so that the machine can fold again.
 */
export async function judgeMeterValue(
  context: ValueContext,
  senderId: bigint,
  payload: Uint8Array,
): Promise<MeterAnswer | AdjustmentAnswer> {
  const json = readPayload(payload)
  if (!json.ok) return { code: 'METER_VALUE_INVALID', message: json.message }
  if (isAdjustment(json.value)) return judgeAdjustment(context, senderId, json.value)
  const parsed = parseSignedMeterValue(json.value)
  if (!parsed.ok) return { code: parsed.code, message: parsed.message }
  const { value } = parsed
  const answer = await judge(context, value, senderId)
  tell(context, value, answer)
  return answer
}

/** The topic carries meter values, which have registers, and adjustments, which have an amount. */
function isAdjustment(json: unknown): boolean {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, 'amount')
}

/** Judges a signed value that came by another way than a machine's own topic: its signature alone says who it is from. */
export async function judgeSubmittedValue(
  context: ValueContext,
  json: unknown,
): Promise<MeterAnswer> {
  const parsed = parseSignedMeterValue(json)
  if (!parsed.ok) return { code: parsed.code, message: parsed.message }
  const { value } = parsed
  const answer = await judge(context, value, undefined)
  // Anybody may send anything here: only what the agreement's signer signed is news.
  const isNews = answer.code !== 'AGREEMENT_UNKNOWN' && answer.code !== 'METER_SIGNATURE_INVALID'
  if (isNews) tell(context, value, answer)
  return answer
}

function tell({ events, clock }: ValueContext, value: CoveringValue, answer: MeterAnswer): void {
  const { agreementId, period } = value
  events.emit({ type: 'meter-value', agreementId, period, code: answer.code, atMs: clock.nowMs() })
}

function readPayload(
  payload: Uint8Array,
): { ok: true; value: unknown } | { ok: false; message: string } {
  const invalid = (message: string) => ({ ok: false, message }) as const
  if (payload.length > MAX_PAYLOAD_BYTES) {
    return invalid(`A meter value has at most ${MAX_PAYLOAD_BYTES} bytes.`)
  }
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(payload)
    return { ok: true, value: JSON.parse(text) as unknown }
  } catch {
    return invalid('A meter value is JSON in UTF-8.')
  }
}

async function judge(
  context: ValueContext,
  value: SignedMeterValue,
  senderId: bigint | undefined,
): Promise<MeterAnswer> {
  const known = findAgreement(context, value)
  if (!('terms' in known)) return known
  const { agreement, terms } = known
  const about = aboutOf(value)
  const invalid = (message: string) =>
    ({ ...about, code: 'METER_SIGNATURE_INVALID', message }) as const
  if (senderId !== undefined && !context.agreements.signersOf(agreement).includes(senderId)) {
    return invalid(`Machine ${senderId} does not sign for this agreement.`)
  }
  const digest = meterValueDigest({ ...context.ledger, value })
  const signature = await checkSignature(context, terms, digest, value.signature)
  if (!signature.ok) return invalid(signature.message)
  const refusal = await judgeContent(context, known, value)
  if (refusal) return refusal
  const kept = { ...value, signature: signature.signature }
  const late = await storeValue(context, known, kept)
  return late ? { ...about, ...late } : { ...about, code: 'ACCEPTED' }
}

/** The agreement that a value is of, or why it is not taken. */
export function findAgreement(
  { agreements }: ValueContext,
  value: CoveringValue,
): JudgedAgreement | ValueRefusal {
  const agreement = agreements.get(value.agreementId)
  const refuse = (message: string): ValueRefusal => ({
    ...aboutOf(value),
    code: 'AGREEMENT_UNKNOWN',
    message,
  })
  if (!agreement?.open || !agreement.terms) {
    return refuse('No such agreement is open on this ledger.')
  }
  if (value.period >= agreement.terms.periods) return refuse('The agreement has no such period.')
  if (agreement.problem !== undefined) return refuse(agreement.problem)
  return { agreement, terms: agreement.terms }
}

/** Why what a value says cannot be relayed, whoever signed it; undefined if it can. */
export async function judgeContent(
  context: ValueContext,
  known: JudgedAgreement,
  value: CoveringValue,
): Promise<ValueMismatch | ValueRefusal | undefined> {
  const { terms } = known
  const refusal =
    terms.meters.length === 0
      ? await judgeVoucher(context, known, value)
      : await compareWithFold(context, known, value)
  if (refusal) return { ...aboutOf(value), ...refusal }
  if (withinRateBound(terms, value)) return undefined
  return {
    ...aboutOf(value),
    code: 'RATE_BOUND',
    message:
      'A register is above burst + perHour x elapsed; sign it again later, with a larger asOf.',
  }
}

async function compareWithFold(
  context: ValueContext,
  { agreement, terms }: JudgedAgreement,
  value: CoveringValue,
): Promise<ValueMismatch | undefined> {
  const { database, clock } = context
  await context.untilFolded(value.agreementId, value.heads)
  const mine = await recompute(database, agreement, terms, value)
  const fault = mine.ok ? mismatchOf(value, mine, terms, clock) : mine.message
  if (fault === undefined) return undefined
  return {
    ...aboutOf(value),
    code: 'METER_MISMATCH',
    message: fault,
    registers: mine.registers.map(String),
    evidenceHead: mine.evidenceHead,
    heads: mine.heads,
    unpriced: await readUnpriced(database.pool, value.agreementId, UNPRICED_SHOWN),
    beyondCut: await readBeyondCut(database.pool, value.agreementId, CUTS_SHOWN),
  }
}

async function storeValue(
  { database, clock, events }: ValueContext,
  { agreement, terms }: JudgedAgreement,
  value: SignedMeterValue,
): Promise<Pick<ValueRefusal, 'code' | 'message'> | undefined> {
  const { tariff } = agreement
  if (!tariff) return undefined
  const accepted = {
    ...value,
    registers: [...value.registers],
    heads: value.heads.map(({ stream, seq }) => ({ stream, seq: seq.toString() })),
    owedMinor: owedCapped(tariff, value.registers, elapsedSeconds(terms, value), terms.capMinor),
    receivedMs: clock.nowMs(),
  }
  if (terms.meters.length > 0) {
    await saveMeterValue(database.pool, accepted)
    return undefined
  }
  const refusal = await saveVoucher(database, accepted)
  if (!refusal) events.emit(owedEvent(accepted))
  return refusal
}

function owedEvent(value: AcceptedValue): NodeEvent {
  const { agreementId, period, owedMinor, registers, receivedMs } = value
  return {
    type: 'owed',
    agreementId,
    period,
    owedMinor: String(owedMinor),
    registers: registers.map(String),
    atMs: receivedMs,
  }
}

function aboutOf({ agreementId, period, asOf }: CoveringValue) {
  return { agreementId, period, asOf: Number(asOf) }
}
