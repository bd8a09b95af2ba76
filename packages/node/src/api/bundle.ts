import type { Hex } from '@liquefy/client'
import { meterValueHash, termsToJson } from '@liquefy/protocol'
import { readAdjustments } from '../store/adjustments.ts'
import { noMoney, readMoney } from '../store/agreements.ts'
import { readArchiveFiles } from '../store/archives.ts'
import { readAttestations } from '../store/attestations.ts'
import type { Queryable } from '../store/database.ts'
import { readStream, type StoredEnvelope } from '../store/envelopes.ts'
import { readNewestAnchor } from '../store/log.ts'
import { type AcceptedValue, readMeterValues } from '../store/meter-values.ts'
import { readFolds, readMetered, readOwed } from '../store/metering.ts'
import type { ApiContext } from './context.ts'
import { unknown } from './problem.ts'

const PORTION = 200

/**
 * The evidence bundle of an agreement, line by line (docs/protocol/bundle.md). Everything stands under one checkpoint,
 * taken when it begins: what is logged later is not in it.
 *
 * @throws ProblemError 404 `AGREEMENT_UNKNOWN` at once, not in the stream.
 */
export async function openBundle(
  context: ApiContext,
  agreementId: Hex,
): Promise<AsyncGenerator<string>> {
  const agreement = context.agreements.get(agreementId)
  if (!agreement?.terms) throw unknown('AGREEMENT_UNKNOWN', `Agreement ${agreementId}`)
  let lines = 0
  const line = (value: Record<string, unknown>): string => {
    lines += 1
    return `${JSON.stringify(value)}\n`
  }
  const parts = partsOf(context, agreementId)
  return (async function* () {
    for await (const part of parts) yield line(part)
    yield line({ type: 'end', lines: lines + 1 })
  })()
}

async function* partsOf(
  context: ApiContext,
  agreementId: Hex,
): AsyncGenerator<Record<string, unknown>> {
  const { deployment, database, evidence } = context
  const agreement = context.agreements.get(agreementId)
  if (!agreement?.terms) return
  const { terms, machineId } = agreement
  // Claims first, then the checkpoint: so that log and time of it cover all that they rest on.
  const claims = await claimsOf(context, agreementId)
  const checkpoint = await evidence.headNow()
  const size = BigInt(checkpoint.size)
  yield {
    type: 'header',
    version: 1,
    chainId: deployment.chainId,
    registry: deployment.registry,
    clearingHouse: deployment.clearingHouse,
    evidenceAnchor: deployment.evidenceAnchor,
    log: deployment.log,
    agreementId,
    terms: termsToJson(terms),
    rules: agreement.rules.filter((rule) => rule !== undefined),
  }
  yield { type: 'checkpoint', ...checkpoint }
  const anchor = await readNewestAnchor(database.pool, deployment.log)
  if (anchor) {
    const proof = await evidence.consistencyProof(anchor.size, size)
    yield { type: 'anchor', size: String(anchor.size), root: anchor.root, consistency: proof }
  }
  const folds = await readFolds(database.pool, agreementId)
  const streams = [...new Set(terms.meters.map(({ stream }) => stream))]
  for (const stream of streams) {
    const meters = terms.meters.filter((meter) => meter.stream === stream)
    const startHeads = new Set(meters.map(({ startHead }) => startHead))
    const starts = folds.filter((fold) => fold.stream === stream).map(({ startSeq }) => startSeq)
    const startSeq = starts.reduce((least, seq) => (seq < least ? seq : least), starts[0] ?? 1n)
    yield* envelopesOf(context, { agreementId, machineId, stream, startHeads, startSeq, size })
  }
  yield* claims
}

async function* envelopesOf(
  { database, evidence }: ApiContext,
  of: {
    agreementId: Hex
    machineId: bigint
    stream: string
    /** Envelopes behind which the agreement begins: they are shown too. */
    startHeads: ReadonlySet<Hex>
    startSeq: bigint
    size: bigint
  },
): AsyncGenerator<Record<string, unknown>> {
  const { agreementId, machineId, stream, startHeads, startSeq, size } = of
  let afterIndex = -1n
  for (;;) {
    const rows = await readStream(database.pool, { machineId, stream, afterIndex, limit: PORTION })
    const digests = rows.map(({ digest }) => digest)
    const metered = await readMetered(database.pool, agreementId, digests)
    const out = rows.filter(({ raw }) => !raw).map(({ logIndex }) => logIndex)
    const files = await readArchiveFiles(database.pool, out)
    for (const row of rows) {
      if (row.logIndex >= size) return
      afterIndex = row.logIndex
      if (row.seq < startSeq && !startHeads.has(row.digest)) continue
      const { type, ...bytes } = whereBytesAre(row, files.get(row.logIndex))
      yield {
        type,
        stream,
        seq: String(row.seq),
        logIndex: String(row.logIndex),
        loggedAt: row.loggedAt,
        code: row.code,
        ...bytes,
        proof: await evidence.inclusionProof(row.logIndex, size),
        // Of erased ones only each period's last register is kept: what a line said would be a part of it.
        metered: type === 'erased' ? [] : (metered.get(row.digest) ?? []),
      }
    }
    if (rows.length < PORTION) return
  }
}

/** An envelope's line: with its bytes, the file that has them, or, of one that was erased, the digest that stays. */
function whereBytesAre({ raw, digest, isErased }: StoredEnvelope, file: string | undefined) {
  if (raw) return { type: 'envelope', raw: raw.toString('base64') }
  return isErased ? { type: 'erased', digest } : { type: 'archived', file }
}

/** What the node's database says of the money, and the signed values that it holds. */
async function claimsOf(
  { database }: ApiContext,
  agreementId: Hex,
): Promise<Record<string, unknown>[]> {
  const [owed, money, values, adjustments] = await Promise.all([
    readOwed(database.pool, agreementId),
    readMoney(database.pool, 0, [agreementId]),
    readMeterValues(database.pool, agreementId),
    readAdjustments(database.pool, agreementId),
  ])
  const { periods } = money.get(agreementId) ?? noMoney()
  const signed = await signaturesOf(database.pool, values)
  return [
    ...owed.map(({ period, asOf, registers, owedMinor, heads }) => ({
      type: 'claim',
      period,
      asOf: Number(asOf),
      registers: registers.map(String),
      owedMinor: String(owedMinor),
      settledMinor: String(periods.get(period)?.paidMinor ?? 0n),
      heads,
    })),
    ...signed.map(({ value, signature, batch }) => ({
      type: 'meterValue',
      agreementId,
      period: value.period,
      asOf: Number(value.asOf),
      registers: value.registers.map(String),
      evidenceHead: value.evidenceHead,
      heads: value.heads,
      signature,
      ...(batch ? { batch } : {}),
    })),
    ...adjustments.map(({ period, amount, evidenceHead, heads, signature }) => ({
      type: 'adjustment',
      agreementId,
      period,
      amount: String(amount),
      evidenceHead,
      heads,
      signature,
    })),
  ]
}

/** The signature of each value, an attestation's with the hashes of all that it covers; none of what is owed by time. */
async function signaturesOf(
  db: Queryable,
  values: readonly AcceptedValue[],
): Promise<{ value: AcceptedValue; signature: Hex; batch?: Hex[] }[]> {
  const ids = new Set(values.flatMap(({ attestationId }) => attestationId ?? []))
  const attestations = await readAttestations(db, [...ids])
  return values.flatMap((value) => {
    const attestation = value.attestationId && attestations.get(value.attestationId)
    if (attestation) {
      const { signature, values } = attestation
      return [{ value, signature, batch: values.map(meterValueHash) }]
    }
    return value.signature === '0x' ? [] : [{ value, signature: value.signature }]
  })
}
