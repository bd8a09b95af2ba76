import type { CoveredStream, EnvelopePayment, Hex, SettlementEvidence } from '@liquefy/client'
import { elapsedSeconds, explainAmount, SIGNER_KIND, smaller, tariffUnits } from '@liquefy/protocol'
import { readAdjustments } from '../store/adjustments.ts'
import { readFolds } from '../store/metering.ts'
import { readMachineNames } from '../store/overview.ts'
import {
  type Coverage,
  type CoveredHead,
  type LedgerPlace,
  readAnchorCovering,
  readBlockHash,
  readCoverage,
  readKeyAt,
  readPaymentsOf,
  readRange,
  readSettlement,
  readValueBefore,
  type Settlement,
} from '../store/settlements.ts'
import type { MeteredAgreement } from '../transact/agreements.ts'
import { knownAgreement, metersSignedBy, periodTimes, settlementView } from './agreement-view.ts'
import type { ApiContext } from './context.ts'
import { unknown } from './problem.ts'

/** An envelope moves so many periods of agreements at most that are told of. */
const PAYMENTS_SHOWN = 50

/** Reads `<block>-<log index>`, which the schema has checked. */
export function placeOf(text: string): LedgerPlace {
  const [block = '', logIndex = ''] = text.split('-')
  return { block: Number(block), logIndex: Number(logIndex) }
}

/**
 * One settlement with what it rests on: the value that was signed, the envelopes that it covers, and the anchor that covers these.
 *
 * @throws ProblemError 404 `AGREEMENT_UNKNOWN`, `SETTLEMENT_UNKNOWN`.
 */
export async function settlementEvidence(
  context: ApiContext,
  agreementId: Hex,
  place: LedgerPlace,
): Promise<SettlementEvidence> {
  const db = context.database.pool
  const agreement = knownAgreement(context, agreementId)
  const settlement = await readSettlement(db, agreementId, place)
  const blockHash = settlement && (await readBlockHash(db, settlement.block))
  if (!agreement.terms || !settlement || !blockHash) {
    throw unknown(
      'SETTLEMENT_UNKNOWN',
      `A settlement of this agreement at block ${place.block}, log ${place.logIndex}`,
    )
  }
  const { final } = context.block()
  const { startMs, endMs } = periodTimes(agreement.terms, settlement.period)
  const ranges = await rangesOf(context, agreement, settlement)
  return {
    ...settlementView(settlement, final),
    agreementId,
    periodStartMs: startMs,
    periodEndMs: endMs,
    blockHash,
    value: settlement.kind === 'settled' ? await signedValue(context, agreement, settlement) : null,
    covers: ranges?.map(({ covered }) => covered) ?? null,
    anchor: await anchorOf(context, ranges?.map(({ newest }) => newest) ?? [], final),
  }
}

async function signedValue(
  context: ApiContext,
  agreement: MeteredAgreement,
  settlement: Settlement,
): Promise<SettlementEvidence['value']> {
  const before = await readValueBefore(context.database.pool, settlement)
  const { registers, detail } = settlement
  const cap = agreement.terms?.capMinor ?? 0n
  return {
    registersBefore: before?.registers ?? registers.map(() => '0'),
    owedMinor: String(smaller(BigInt(String(detail.owed)), cap)),
    owedBeforeMinor: String(smaller(before?.owedMinor ?? 0n, cap)),
    amountInWords: amountInWords(context, agreement, settlement),
    signedBy: metersSignedBy(context, agreement),
    key: await keyOf(context, agreement, settlement),
    evidenceHead: String(detail.evidenceHead) as Hex,
  }
}

function amountInWords(
  { deployment }: ApiContext,
  { terms, tariff, rules }: MeteredAgreement,
  { period, asOf, registers }: Settlement,
): string | null {
  if (!terms || !tariff) return null
  const charged = {
    registers: registers.map(BigInt),
    elapsedSeconds: elapsedSeconds(terms, { period, asOf }),
    capMinor: terms.capMinor,
  }
  return explainAmount(tariff, charged, {
    units: tariffUnits(terms, rules),
    asset: deployment.asset,
  })
}

async function keyOf(
  { agreements, database }: ApiContext,
  { terms }: MeteredAgreement,
  settlement: Settlement,
): Promise<{ machineId: string; epoch: string; keyId: Hex } | null> {
  if (terms?.signerKind !== SIGNER_KIND.machine) return null
  const named = BigInt(terms.signer)
  const machineId = agreements.controllerOf(named) ?? named
  const key = await readKeyAt(database.pool, machineId, settlement)
  return key ? { machineId: String(machineId), epoch: String(key.epoch), keyId: key.keyId } : null
}

/** What is covered of one stream, and the largest log index of it. */
interface Range {
  covered: CoveredStream
  newest: bigint | undefined
}

/** Undefined where the node does not know what is covered. */
async function rangesOf(
  context: ApiContext,
  agreement: MeteredAgreement,
  settlement: Settlement,
): Promise<Range[] | undefined> {
  const { heads, before } = await coverageOf(context, settlement)
  if (!heads) return agreement.terms?.meters.length === 0 ? [] : undefined
  const folds = await readFolds(context.database.pool, agreement.agreementId)
  return Promise.all(
    heads.map(async (head) => {
      const startSeq = folds.find(({ stream }) => stream === head.stream)?.startSeq
      const begin = startSeq === undefined ? undefined : startSeq - 1n
      const last = before?.find(({ stream }) => stream === head.stream)
      // A stream that the settlement before did not cover is covered from its beginning.
      const afterSeq = before && (last ? BigInt(last.seq) : begin)
      return rangeOf(context, agreement.machineId, head, afterSeq)
    }),
  )
}

async function coverageOf({ database }: ApiContext, settlement: Settlement): Promise<Coverage> {
  if (settlement.kind === 'settled') return readCoverage(database.pool, settlement)
  if (settlement.kind !== 'adjusted') return { heads: [], before: undefined }
  const { agreementId, period, detail } = settlement
  const [signed] = await readAdjustments(database.pool, agreementId, period)
  // What came late lies anywhere before the head: no range tells it.
  const isThis = signed?.evidenceHead === detail.evidenceHead
  return { heads: isThis ? signed?.heads : undefined, before: undefined }
}

async function rangeOf(
  { database }: ApiContext,
  machineId: bigint,
  { stream, seq }: CoveredHead,
  afterSeq: bigint | undefined,
): Promise<Range> {
  const toSeq = BigInt(seq)
  const from = afterSeq ?? toSeq - 1n
  const range = await readRange(database.pool, { machineId, stream, afterSeq: from, toSeq })
  const covered = {
    stream,
    seq,
    firstSeq: afterSeq === undefined ? null : String(afterSeq + 1n),
    envelopes: range.envelopes,
    readings: range.readings,
    first: range.first === undefined ? null : String(range.first),
    last: range.last === undefined ? null : String(range.last),
  }
  return { covered, newest: range.newest }
}

async function anchorOf(
  { database, deployment }: ApiContext,
  newest: readonly (bigint | undefined)[],
  finalBlock: number,
): Promise<SettlementEvidence['anchor']> {
  const indexes = newest.filter((index) => index !== undefined)
  const [first, ...others] = indexes
  if (first === undefined) return null
  const last = others.reduce((most, one) => (one > most ? one : most), first)
  const anchor = await readAnchorCovering(database.pool, deployment.log, last)
  if (!anchor) return null
  return { ...anchor, size: String(anchor.size), final: anchor.block <= finalBlock }
}

/** What one envelope was worth: each period that it moved, with the settlement that first covered it there. */
export async function envelopePayments(
  context: ApiContext,
  logIndex: bigint,
): Promise<EnvelopePayment[]> {
  const db = context.database.pool
  const [payments, names] = await Promise.all([
    readPaymentsOf(db, logIndex, PAYMENTS_SHOWN),
    readMachineNames(db),
  ])
  const { final } = context.block()
  return payments.flatMap(({ agreementId, period, settlement }) => {
    const agreement = context.agreements.get(agreementId)
    if (!agreement) return []
    return {
      agreementId,
      machineName: names.get(agreement.machineId) ?? String(agreement.machineId),
      period,
      settlement: settlement ? settlementView(settlement, final) : null,
    }
  })
}
