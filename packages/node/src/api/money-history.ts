import type { Hex, MoneyHistory, MoneyPoint } from '@liquefy/client'
import {
  elapsedSeconds,
  owedCapped,
  periodStart,
  SIGNER_KIND,
  smaller,
  type Tariff,
  type Terms,
} from '@liquefy/protocol'
import { type OwedAmount, readOwedAmounts } from '../store/metering.ts'
import {
  type PaidStep,
  readNewestPaymentMs,
  readPaidSteps,
  readProvenSteps,
  sampleRegisters,
} from '../store/money-history.ts'
import type { MeteredAgreement } from '../transact/agreements.ts'
import { knownAgreement, periodTimes } from './agreement-view.ts'
import type { ApiContext } from './context.ts'

/** An agreement whose money can be priced again at any time of its life. */
export interface PricedAgreement {
  agreementId: Hex
  terms: Terms
  tariff: Tariff
}

/** What was owed by a time, smallest units. */
export interface OwedPoint {
  timeMs: number
  minor: bigint
}

/** Meters of all periods shown that are looked at reading by reading; beyond that each period is one point. */
const SAMPLED_METERS = 64

/**
 * What an agreement owed and was paid over time: cumulative, from `fromMs` on (its start, unless told) until now. Owed is the tariff's
 * price of the registers after sampled envelopes, at the time of their readings; nothing is interpolated.
 *
 * @throws ProblemError 404 `AGREEMENT_UNKNOWN`.
 */
export async function moneyHistory(
  context: ApiContext,
  agreementId: Hex,
  query: { fromMs?: number; points: number },
): Promise<MoneyHistory> {
  const db = context.database.pool
  const agreement = knownAgreement(context, agreementId)
  const startMs = Number(agreement.terms?.start ?? 0n) * 1000
  const fromMs = Math.max(startMs, query.fromMs ?? startMs)
  // The ledger's clock may be ahead of the node's.
  const paidMs = (await readNewestPaymentMs(db, agreementId)) ?? 0
  const toMs = Math.max(context.clock.nowMs(), paidMs, fromMs)
  const finalBlock = context.block().final
  const [steps, owed] = await Promise.all([
    readPaidSteps(db, agreementId, { fromMs, toMs, points: query.points, finalBlock }),
    owedOverTime(context, agreement, fromMs, query.points),
  ])
  return {
    fromMs,
    toMs,
    owed: line(thinned(withAdjustments(owed, steps), query.points), fromMs),
    included: line(
      cumulative(steps, ({ paidMinor }) => paidMinor),
      fromMs,
    ),
    final: line(
      cumulative(steps, ({ finalMinor }) => finalMinor),
      fromMs,
    ),
  }
}

async function owedOverTime(
  context: ApiContext,
  { agreementId, terms, tariff }: MeteredAgreement,
  fromMs: number,
  points: number,
): Promise<OwedPoint[]> {
  if (!terms || !tariff) return []
  const rows = await readOwedAmounts(context.database.pool, agreementId)
  const shown = rows.filter(({ period }) => periodTimes(terms, period).endMs > fromMs)
  const isSampled = shown.length * Math.max(1, terms.meters.length) <= SAMPLED_METERS
  const each = isSampled ? Math.max(2, Math.floor(points / Math.max(1, shown.length))) : 0
  const line: OwedPoint[] = []
  let before = 0n
  for (const row of rows) {
    if (isSampled && periodTimes(terms, row.period).endMs > fromMs) {
      const within = await owedWithin(context, { agreementId, terms, tariff }, row, each)
      for (const { timeMs, minor } of within) line.push({ timeMs, minor: before + minor })
    }
    before += row.owedMinor
    line.push({ timeMs: Number(row.asOf) * 1000, minor: before })
  }
  return line
}

/** What one period owed at some of the times at which it was measured, in order of time. */
async function owedWithin(
  { database }: ApiContext,
  { agreementId, terms, tariff }: PricedAgreement,
  { period, asOf, owedMinor }: OwedAmount,
  points: number,
): Promise<OwedPoint[]> {
  const start = periodStart(terms, period)
  const priced = (registers: readonly bigint[], at: bigint): bigint => {
    const elapsed = elapsedSeconds(terms, { period, asOf: at })
    const minor = owedCapped(tariff, registers, elapsed, terms.capMinor)
    return smaller(minor, owedMinor)
  }
  if (terms.signerKind === SIGNER_KIND.nobody) {
    return Array.from({ length: points }, (_, index) => {
      const at = start + ((asOf - start) * BigInt(index)) / BigInt(points)
      return { timeMs: Number(at) * 1000, minor: priced([], at) }
    })
  }
  if (terms.meters.length === 0) {
    // No meter tells what is owed but what was signed.
    const proven = await readProvenSteps(database.pool, { agreementId, period }, points)
    return proven.map((step) => ({
      timeMs: Number(step.asOf) * 1000,
      minor: smaller(step.owedMinor, owedMinor),
    }))
  }
  const samples = []
  for (const meter of terms.meters.keys()) {
    const of = { agreementId, meter, period }
    for (const { timeMs, register } of await sampleRegisters(database.pool, of, points)) {
      samples.push({ meter, register, at: BigInt(Math.floor(timeMs / 1000)) })
    }
  }
  samples.sort((one, other) => Number(one.at - other.at))
  const registers = terms.meters.map(() => 0n)
  return samples.map(({ meter, register, at: readAt }) => {
    const at = readAt < start ? start : readAt < asOf ? readAt : asOf
    registers[meter] = register
    return { timeMs: Number(at) * 1000, minor: priced(registers, at) }
  })
}

/** What late evidence added counts from the block that says so. */
function withAdjustments(owed: readonly OwedPoint[], steps: readonly PaidStep[]): OwedPoint[] {
  const added = cumulative(
    steps.filter(({ adjustedMinor }) => adjustedMinor > 0n),
    ({ adjustedMinor }) => adjustedMinor,
  )
  return added.length === 0 ? [...owed] : together(owed, added)
}

/** Two lines in order of time as one: at each time of either, the sum of what both had reached by then. One pass over both. */
export function together(one: readonly OwedPoint[], other: readonly OwedPoint[]): OwedPoint[] {
  const sums: OwedPoint[] = []
  for (let [i, j] = [0, 0]; i < one.length || j < other.length; ) {
    const timeMs = Math.min(one[i]?.timeMs ?? Infinity, other[j]?.timeMs ?? Infinity)
    const from = i + j
    while (i < one.length && (one[i]?.timeMs ?? 0) <= timeMs) i += 1
    while (j < other.length && (other[j]?.timeMs ?? 0) <= timeMs) j += 1
    const minor = (one[i - 1]?.minor ?? 0n) + (other[j - 1]?.minor ?? 0n)
    // As many points as both have, so that which of them are drawn does not depend on how many times are the same.
    for (let point = from; point < i + j; point += 1) sums.push({ timeMs, minor })
  }
  return sums
}

function cumulative(steps: readonly PaidStep[], pick: (step: PaidStep) => bigint): OwedPoint[] {
  let sum = 0n
  return steps.map((step) => {
    sum += pick(step)
    return { timeMs: step.atMs, minor: sum }
  })
}

/** At most so many points, the last one among them. */
function thinned(line: readonly OwedPoint[], points: number): OwedPoint[] {
  const every = Math.ceil(line.length / points)
  return line.filter((_, index) => (line.length - 1 - index) % every === 0)
}

/** What was reached by `fromMs` as one point there, then only what rises. */
function line(points: readonly OwedPoint[], fromMs: number): MoneyPoint[] {
  let minor = points.findLast(({ timeMs }) => timeMs <= fromMs)?.minor ?? 0n
  const drawn = [{ timeMs: fromMs, minor }]
  for (const point of points) {
    if (point.timeMs <= fromMs || point.minor <= minor) continue
    minor = point.minor
    drawn.push(point)
  }
  return drawn.map((point) => ({ timeMs: point.timeMs, minor: String(point.minor) }))
}
