import type { Hex } from '@liquefy/client'
import {
  elapsedSeconds,
  evidenceHead,
  foldHead,
  lowS,
  type MeterRule,
  meterValueDigest,
  owedCapped,
  parseSignedMeterValue,
  recoverAccount,
  type SignedMeterValue,
  type StreamHead,
  type Terms,
  verifyTypedDigest,
  withinRateBound,
} from '@liquefy/protocol'
import { bytesToHex, hexToBytes } from 'viem'
import type { Clock } from '../clock.ts'
import type { NodeEvents } from '../events.ts'
import { currentKey } from '../store/agreements.ts'
import type { Database } from '../store/database.ts'
import { saveMeterValue } from '../store/meter-values.ts'
import { coveredAtSeq, readFolds, readUnpriced, registerAtSeq } from '../store/metering.ts'
import type { Agreements, MeteredAgreement } from './agreements.ts'
import { foldTermsOfAll } from './agreements.ts'
import { asOfSeconds, headsOf } from './fold-agreement.ts'

/** What the node says of a meter value: the payload of the `meter/answer` topic. */
export type MeterAnswer =
  | { agreementId: Hex; period: number; asOf: number; code: 'ACCEPTED' }
  | {
      agreementId: Hex
      period: number
      asOf: number
      code: 'METER_MISMATCH'
      message: string
      registers: string[]
      evidenceHead: Hex
      heads: { stream: string; seq: string }[]
      unpriced: { stream: string; seq: string; code: string }[]
    }
  | {
      agreementId?: Hex
      period?: number
      asOf?: number
      code:
        | 'AGREEMENT_UNKNOWN'
        | 'METER_SIGNATURE_INVALID'
        | 'METER_VALUE_INVALID'
        | 'FIELD_FORBIDDEN'
        | 'RATE_BOUND'
      message: string
    }

interface Context {
  database: Database
  agreements: Agreements
  clock: Clock
  events: NodeEvents
  ledger: { chainId: number; clearingHouse: Hex }
  /** Resolves once the agreement was folded up to these heads, or after a short while. */
  untilFolded(agreementId: Hex, heads: readonly StreamHead[]): Promise<void>
}

/** Larger payloads are no meter value. */
const MAX_PAYLOAD_BYTES = 16_384
/** A machine's clock may be this far ahead of ours. */
const CLOCK_SKEW_SECONDS = 5n
const UNPRICED_SHOWN = 50

/**
 * Recomputes what a machine signed from the node's own fold *at the heads that it names*. Equal: stored, to be settled.
 * Otherwise the answer has the node's own registers, so that the machine can fold again.
 */
export async function judgeMeterValue(
  context: Context,
  senderId: bigint,
  payload: Uint8Array,
): Promise<MeterAnswer> {
  const parsed = parsePayload(payload)
  if (!parsed.ok) return { code: parsed.code, message: parsed.message }
  const { value } = parsed
  const answer = await judge(context, senderId, value)
  context.events.emit({
    type: 'meter-value',
    agreementId: value.agreementId,
    period: value.period,
    code: answer.code,
    atMs: context.clock.nowMs(),
  })
  return answer
}

function parsePayload(payload: Uint8Array): ReturnType<typeof parseSignedMeterValue> {
  const invalid = (message: string) =>
    ({ ok: false, code: 'METER_VALUE_INVALID', message }) as const
  if (payload.length > MAX_PAYLOAD_BYTES) {
    return invalid(`A meter value has at most ${MAX_PAYLOAD_BYTES} bytes.`)
  }
  let json: unknown
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    return invalid('A meter value is JSON in UTF-8.')
  }
  return parseSignedMeterValue(json)
}

async function judge(
  context: Context,
  senderId: bigint,
  value: SignedMeterValue,
): Promise<MeterAnswer> {
  const { agreements, clock, database } = context
  const { agreementId, period } = value
  const about = { agreementId, period, asOf: Number(value.asOf) }
  const agreement = agreements.get(agreementId)
  const terms = agreement?.terms
  if (!agreement?.open || !terms || period >= terms.periods) {
    const message = agreement?.open
      ? 'The agreement has no such period.'
      : 'No such agreement is open on this ledger.'
    return { ...about, code: 'AGREEMENT_UNKNOWN', message }
  }
  if (agreement.problem !== undefined) {
    return { ...about, code: 'AGREEMENT_UNKNOWN', message: agreement.problem }
  }
  const signature = await verifiedSignature(context, agreement, terms, senderId, value)
  if (!signature.ok)
    return { ...about, code: 'METER_SIGNATURE_INVALID', message: signature.message }

  await context.untilFolded(agreementId, value.heads)
  const mine = await recompute(context, agreement, terms, value)
  const fault = mine.ok ? mismatchOf(value, mine, terms, clock) : mine.message
  if (!mine.ok || fault !== undefined) {
    return {
      ...about,
      code: 'METER_MISMATCH',
      message: fault ?? 'The heads are not covered.',
      registers: mine.registers.map(String),
      evidenceHead: mine.evidenceHead,
      heads: mine.heads,
      unpriced: await readUnpriced(database.pool, agreementId, UNPRICED_SHOWN),
    }
  }
  if (!withinRateBound(terms, value)) {
    const message =
      'A register is above burst + perHour x elapsed; sign it again later, with a larger asOf.'
    return { ...about, code: 'RATE_BOUND', message }
  }
  await store(context, agreement, terms, value, signature.signature)
  return { ...about, code: 'ACCEPTED' }
}

async function store(
  { database, clock }: Context,
  { tariff }: MeteredAgreement,
  terms: Terms,
  value: SignedMeterValue,
  signature: Hex,
): Promise<void> {
  if (!tariff) return
  const elapsed = elapsedSeconds(terms, value)
  await saveMeterValue(database.pool, {
    ...value,
    registers: [...value.registers],
    heads: value.heads.map(({ stream, seq }) => ({ stream, seq: seq.toString() })),
    signature,
    owedMinor: owedCapped(tariff, value.registers, elapsed, terms.capMinor),
    receivedMs: clock.nowMs(),
  })
}

/** Checks who signed, and gives the signature in the form that the contract wants. */
async function verifiedSignature(
  { agreements, database, ledger }: Context,
  agreement: MeteredAgreement,
  terms: Terms,
  senderId: bigint,
  value: SignedMeterValue,
): Promise<{ ok: true; signature: Hex } | { ok: false; message: string }> {
  if (!agreements.signersOf(agreement).includes(senderId)) {
    return { ok: false, message: `Machine ${senderId} does not sign for this agreement.` }
  }
  const digest = meterValueDigest({ ...ledger, value })
  if (terms.signerKind === 2) {
    const ok = recoverAccount(digest, value.signature) === `0x${terms.signer.slice(26)}`
    return ok
      ? { ok, signature: value.signature }
      : { ok, message: 'It is not signed by the account that the terms name.' }
  }
  const signer = BigInt(terms.signer)
  const key = await currentKey(database.pool, agreements.controllerOf(signer) ?? signer)
  if (!key) return { ok: false, message: `Machine ${signer} has no key at present.` }
  if (!verifyTypedDigest(key, digest, value.signature)) {
    return { ok: false, message: `It is not signed by the current key of machine ${signer}.` }
  }
  return { ok: true, signature: normalised(key.curve, value.signature) }
}

/** P-256 devices emit high `s`; contracts refuse it. */
function normalised(curve: 'P-256' | 'secp256k1', signature: Hex): Hex {
  return curve === 'P-256' ? bytesToHex(lowS(curve, hexToBytes(signature))) : signature
}

/** The node's own fold at some heads. */
interface OwnValue {
  registers: bigint[]
  evidenceHead: Hex
  heads: { stream: string; seq: string }[]
  /** Second of the last reading covered in the period. */
  lastSeconds: bigint
}

/** Recomputes at the heads that the value names; at the node's own newest heads if those are not covered. */
async function recompute(
  { database }: Context,
  agreement: MeteredAgreement,
  terms: Terms,
  value: SignedMeterValue,
): Promise<({ ok: true } | { ok: false; message: string }) & OwnValue> {
  const folds = await readFolds(database.pool, agreement.agreementId)
  const named = new Map(value.heads.map(({ stream, seq }) => [stream, seq]))
  const stranger = [...named.keys()].find(
    (stream) => !terms.meters.some((meter) => meter.stream === stream),
  )
  const at = await valueAt(database, agreement, terms, folds, value.period, (stream) =>
    named.get(stream),
  )
  if (at && stranger === undefined && value.heads.length === named.size) {
    return { ok: true, ...at }
  }
  const own = new Map(
    folds.flatMap(({ stream, state }) => {
      const head = foldHead(state)
      return head ? [[stream, head.seq] as const] : []
    }),
  )
  const newest = await valueAt(database, agreement, terms, folds, value.period, (stream) =>
    own.get(stream),
  )
  return {
    ok: false,
    message: 'The heads name envelopes that the node has not covered.',
    registers: newest?.registers ?? terms.meters.map(() => 0n),
    evidenceHead:
      newest?.evidenceHead ?? evidenceHead(terms.meters.map((meter) => meter.startHead)),
    heads: headsOf(folds),
    lastSeconds: newest?.lastSeconds ?? 0n,
  }
}

/** The agreement's value of a period at given heads; undefined if a head is not covered by the fold. */
async function valueAt(
  database: Database,
  {
    agreementId,
    machineId,
    rules,
  }: { agreementId: Hex; machineId: bigint; rules: readonly (MeterRule | undefined)[] },
  terms: Terms,
  folds: Awaited<ReturnType<typeof readFolds>>,
  period: number,
  headOf: (stream: string) => bigint | undefined,
): Promise<OwnValue | undefined> {
  const registers: bigint[] = []
  const digests: Hex[] = []
  const lastReadings: (number | undefined)[] = []
  const heads = new Map<string, string>()
  for (const [meter, { stream, startHead }] of terms.meters.entries()) {
    const startSeq = folds[meter]?.startSeq ?? 1n
    const seq = headOf(stream) ?? startSeq - 1n
    const at = { agreementId, meter, period, machineId, stream, seq }
    if (seq < startSeq) {
      registers.push(0n)
      digests.push(startHead)
      continue
    }
    const covered = await coveredAtSeq(database.pool, at)
    if (!covered) return undefined
    registers.push(await registerAtSeq(database.pool, at))
    digests.push(covered.digest)
    lastReadings.push(covered.lastReadingMs)
    heads.set(stream, seq.toString())
  }
  const [grid] = foldTermsOfAll(
    terms,
    rules,
    terms.meters.map(() => 1n),
  )
  return {
    registers,
    evidenceHead: evidenceHead(digests),
    heads: Array.from(heads, ([stream, seq]) => ({ stream, seq })),
    lastSeconds: grid ? asOfSeconds(grid, period, lastReadings) : 0n,
  }
}

/** Why a signed value differs from the node's own; undefined if it does not. */
function mismatchOf(
  value: SignedMeterValue,
  mine: OwnValue,
  terms: Terms,
  clock: Clock,
): string | undefined {
  if (mine.registers.some((register, index) => register !== value.registers[index]))
    return 'The registers differ from the fold at these heads.'
  if (value.registers.length !== mine.registers.length)
    return `The agreement has ${mine.registers.length} registers.`
  if (mine.evidenceHead !== value.evidenceHead)
    return 'The evidence head is not that of the heads named.'
  const elapsed = elapsedSeconds(terms, value)
  if (elapsed < 0n || elapsed > BigInt(terms.periodSeconds)) return 'asOf lies outside the period.'
  if (value.asOf < mine.lastSeconds)
    return `asOf is before the last reading covered, which is at ${mine.lastSeconds}.`
  const latest = BigInt(Math.floor(clock.nowMs() / 1000)) + CLOCK_SKEW_SECONDS
  if (value.asOf > latest) return 'asOf lies in the future.'
  return undefined
}
