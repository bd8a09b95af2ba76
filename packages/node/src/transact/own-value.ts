import type { Hex } from '@liquefy/client'
import {
  type CoveringValue,
  elapsedSeconds,
  evidenceHead,
  foldHead,
  type MeterRule,
  type MeterValue,
  type Terms,
} from '@liquefy/protocol'
import type { Clock } from '../clock.ts'
import type { Database } from '../store/database.ts'
import { coveredAtSeq, lateRegisterAtSeq, readFolds, registerAtSeq } from '../store/metering.ts'
import { foldTermsOfAll, type MeteredAgreement } from './agreements.ts'
import { asOfSeconds, headsOf } from './fold-agreement.ts'

/** A signer's clock may be this far ahead of ours. */
const CLOCK_SKEW_SECONDS = 5n

/** The node's own fold at some heads. */
export interface OwnValue {
  registers: bigint[]
  /** As they would be if all evidence had come in time. */
  lateRegisters: bigint[]
  evidenceHead: Hex
  heads: { stream: string; seq: string }[]
  /** Second of the last reading covered in the period. */
  lastSeconds: bigint
}

/** Recomputes at the heads that the value names; at the node's own newest heads if those are not covered. */
export async function recompute(
  database: Database,
  agreement: MeteredAgreement,
  terms: Terms,
  value: CoveringValue,
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
    lateRegisters: newest?.lateRegisters ?? terms.meters.map(() => 0n),
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
  const lateRegisters: bigint[] = []
  const digests: Hex[] = []
  const lastReadings: (number | undefined)[] = []
  const heads = new Map<string, string>()
  for (const [meter, { stream, startHead }] of terms.meters.entries()) {
    const startSeq = folds[meter]?.startSeq ?? 1n
    const seq = headOf(stream) ?? startSeq - 1n
    const at = { agreementId, meter, period, machineId, stream, seq }
    if (seq < startSeq) {
      registers.push(0n)
      lateRegisters.push(0n)
      digests.push(startHead)
      continue
    }
    const covered = await coveredAtSeq(database.pool, at)
    if (!covered) return undefined
    const register = await registerAtSeq(database.pool, at)
    registers.push(register)
    lateRegisters.push((await lateRegisterAtSeq(database.pool, at)) ?? register)
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
    lateRegisters,
    evidenceHead: evidenceHead(digests),
    heads: Array.from(heads, ([stream, seq]) => ({ stream, seq })),
    lastSeconds: grid ? asOfSeconds(grid, period, lastReadings) : 0n,
  }
}

/** Why a signed value differs from the node's own; undefined if it does not. */
export function mismatchOf(
  value: CoveringValue,
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
  if (value.asOf < mine.lastSeconds)
    return `asOf is before the last reading covered, which is at ${mine.lastSeconds}.`
  return timeFault(value, terms, clock)
}

/** Why a value cannot be settled now by its `asOf` alone; undefined if it can. */
export function timeFault(value: MeterValue, terms: Terms, clock: Clock): string | undefined {
  const elapsed = elapsedSeconds(terms, value)
  if (elapsed < 0n || elapsed > BigInt(terms.periodSeconds)) return 'asOf lies outside the period.'
  const latest = BigInt(Math.floor(clock.nowMs() / 1000)) + CLOCK_SKEW_SECONDS
  return value.asOf > latest ? 'asOf lies in the future.' : undefined
}
