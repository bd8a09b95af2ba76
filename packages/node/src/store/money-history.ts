import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf } from './hex.ts'

/** One meter of one period of an agreement. */
export interface MeterPeriod {
  agreementId: Hex
  meter: number
  period: number
}

/** A register after the envelope `seq`, and the time of the last reading covered then. */
export interface RegisterSample {
  seq: bigint
  timeMs: number
  register: bigint
}

/**
 * Registers of a period in order of time: at most `points` of them, evenly spaced by `seq`, the first and the last that moved it among them.
 * As many look-ups as points, however many envelopes there are.
 */
export async function sampleRegisters(
  db: Queryable,
  { agreementId, meter, period }: MeterPeriod,
  points: number,
  within?: { firstSeq: bigint; lastSeq: bigint },
): Promise<RegisterSample[]> {
  const { rows } = await db.query(
    `SELECT DISTINCT ON (m.seq) m.seq, m.last_ms, m.register
     FROM (
       SELECT coalesce($5::bigint, min(seq)) AS first, coalesce($6::bigint, max(seq)) AS last FROM metered
       WHERE agreement_id = $1 AND meter = $2 AND period = $3
     ) ends, generate_series(0, $4::bigint - 1) i CROSS JOIN LATERAL (
       SELECT seq, last_ms, register FROM metered
       WHERE agreement_id = $1 AND meter = $2 AND period = $3 AND covered AND last_ms IS NOT NULL
         AND seq <= ends.first + (ends.last - ends.first) * i / greatest($4::bigint - 1, 1)
       ORDER BY seq DESC LIMIT 1
     ) m ORDER BY m.seq`,
    [
      bytesOf(agreementId),
      meter,
      period,
      points,
      within?.firstSeq ?? null,
      within?.lastSeq ?? null,
    ],
  )
  return rows.map((row) => ({
    seq: row.seq,
    timeMs: Number(row.last_ms),
    register: row.register,
  }))
}

/** Samples of one step of a search; it ends after as many steps as the logarithm to this base. */
const SEARCH_POINTS = 64
/** 64^11 is more than there are numbers. */
const SEARCH_STEPS = 11

/** Register of a period by the readings up to a time; 0 before the first. */
export async function registerAtTime(
  db: Queryable,
  of: MeterPeriod,
  timeMs: number,
): Promise<bigint> {
  let before: RegisterSample | undefined
  let after: RegisterSample | undefined
  for (let step = 0; step < SEARCH_STEPS; step += 1) {
    const within = before && after ? { firstSeq: before.seq, lastSeq: after.seq } : undefined
    const samples = await sampleRegisters(db, of, SEARCH_POINTS, within)
    const last = samples.findLast((sample) => sample.timeMs <= timeMs)
    const next = samples.find((sample) => sample.timeMs > timeMs)
    if (!last) return 0n
    if (!next) return last.register
    if (last.seq === before?.seq && next.seq === after?.seq) break
    before = last
    after = next
  }
  return before?.register ?? 0n
}

/** What signed values had proven to be owed of a period by a second, smallest units. */
export interface ProvenStep {
  asOf: bigint
  owedMinor: bigint
}

/** What the ledger has proven of a period, in order of time: at most `points` steps, the last one among them, by readings up to `untilSeconds`. */
export async function readProvenSteps(
  db: Queryable,
  { agreementId, period }: Pick<MeterPeriod, 'agreementId' | 'period'>,
  points: number,
  untilSeconds?: bigint,
): Promise<ProvenStep[]> {
  const { rows } = await db.query(
    `SELECT as_of, owed FROM (
       SELECT as_of, (detail->>'owed')::numeric AS owed, row_number() OVER newest AS nth, count(*) OVER () AS count
       FROM agreement_events
       WHERE agreement_id = $1 AND kind = 'settled' AND period = $2 AND ($4::bigint IS NULL OR as_of <= $4)
       WINDOW newest AS (ORDER BY (detail->>'owed')::numeric DESC, as_of)
     ) steps WHERE (nth - 1) % ceil(count::numeric / $3) = 0 ORDER BY owed, as_of`,
    [bytesOf(agreementId), period, points, untilSeconds ?? null],
  )
  return rows.map((row) => ({ asOf: row.as_of, owedMinor: row.owed }))
}

/** What an agreement was paid in a span of time, and what late evidence added to what it is owed, smallest units. */
export interface PaidStep {
  /** When the last of it was. */
  atMs: number
  paidMinor: bigint
  /** Of it: in blocks that stay. */
  finalMinor: bigint
  adjustedMinor: bigint
}

/** Payments of an agreement in order of time: one sum of all up to `fromMs`, then at most `points` sums of equal spans up to `toMs`. */
export async function readPaidSteps(
  db: Queryable,
  agreementId: Hex,
  {
    fromMs,
    toMs,
    points,
    finalBlock,
  }: { fromMs: number; toMs: number; points: number; finalBlock: number },
): Promise<PaidStep[]> {
  const { rows } = await db.query(
    `SELECT greatest(max(at_ms), $2::bigint) AS at_ms, sum(amount) AS paid, coalesce(sum(amount) FILTER (WHERE block <= $5), 0) AS final,
       coalesce(sum((detail->>'adjustment')::numeric), 0) AS adjusted
     FROM agreement_events
     WHERE agreement_id = $1 AND kind IN ('settled', 'collected', 'adjusted') AND at_ms <= $3
       AND (amount > 0 OR kind = 'adjusted')
     GROUP BY CASE WHEN at_ms <= $2 THEN -1 ELSE (at_ms - $2) * $4::bigint / ($3::bigint - $2 + 1) END ORDER BY 1`,
    [bytesOf(agreementId), fromMs, toMs, points, finalBlock],
  )
  return rows.map((row) => ({
    atMs: Number(row.at_ms),
    paidMinor: row.paid,
    finalMinor: row.final,
    adjustedMinor: row.adjusted,
  }))
}

/** When the newest payment of an agreement was, ms since 1970; undefined before the first. */
export async function readNewestPaymentMs(
  db: Queryable,
  agreementId: Hex,
): Promise<number | undefined> {
  const { rows } = await db.query(
    `SELECT max(at_ms) AS at_ms FROM agreement_events
     WHERE agreement_id = $1 AND kind IN ('settled', 'collected', 'adjusted')`,
    [bytesOf(agreementId)],
  )
  const newest = rows[0]?.at_ms
  return newest === null ? undefined : Number(newest)
}
