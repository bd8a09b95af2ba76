import type { ReadingBucket, ReadingSeries } from '@liquefy/client'
import { decodeEnvelope, type Reading } from '@liquefy/protocol'
import type { Queryable } from './database.ts'
import { LONG_MS } from './envelopes.ts'
import { inOrder, numberOf, readSeries, type SeriesQuery, wholeBuckets } from './rollups.ts'

/** Envelopes and readings decoded at most for one chart; beyond, minutes have to do. */
const MAX_ENVELOPES = 1_000
const MAX_READINGS = 20_000
const MINUTE_MS = 60_000

/**
 * The series of a stream between two times (half-open, ms), in at most `points` buckets, whole ones as those of `readSeries`. Where these are
 * shorter than a minute it reads the envelopes themselves, if they are few and none is archived or erased, else the minute rollups.
 */
export async function readFineSeries(
  database: Queryable,
  query: SeriesQuery,
): Promise<ReadingSeries[]> {
  const bucketMs = Math.ceil((query.toMs - query.fromMs) / query.points)
  if (bucketMs >= MINUTE_MS) return readSeries(database, query)
  const whole = wholeBuckets(query, bucketMs)
  const { rows } = await database.query<{ raw: Uint8Array }>(
    `WITH found AS (
       SELECT log_index, readings, raw IS NULL AS is_out FROM envelopes
        WHERE machine_id = $1 AND stream = $2 AND code = 'OK' AND first_ms < $4
          AND last_ms >= $3 AND last_ms < $4::bigint + ${LONG_MS}
       UNION ALL
       SELECT log_index, readings, raw IS NULL AS is_out FROM envelopes
        WHERE machine_id = $1 AND stream = $2 AND code = 'OK' AND first_ms < $4
          AND last_ms >= $4::bigint + ${LONG_MS} AND last_ms - first_ms > ${LONG_MS}
       LIMIT $5)
     SELECT raw FROM envelopes
      WHERE log_index IN (SELECT log_index FROM found)
        AND (SELECT count(*) < $5 AND sum(readings) <= $6 AND NOT bool_or(is_out) FROM found)
      ORDER BY last_ms`,
    [whole.machineId, whole.stream, whole.fromMs, whole.toMs, MAX_ENVELOPES + 1, MAX_READINGS],
  )
  if (rows.length === 0) return readSeries(database, query)
  const readings = rows.flatMap(({ raw }) => {
    const decoded = decodeEnvelope(raw)
    if (!decoded.ok || decoded.envelope.content.kind !== 'readings') return []
    return decoded.envelope.content.readings
  })
  return seriesOf(readings, whole, bucketMs)
}

function seriesOf(
  readings: readonly Reading[],
  query: SeriesQuery,
  bucketMs: number,
): ReadingSeries[] {
  const series = new Map<string, ReadingSeries>()
  const byTime = readings
    .filter(({ timeMs }) => timeMs >= query.fromMs && timeMs < query.toMs)
    .sort((a, b) => a.timeMs - b.timeMs)
  for (const reading of byTime) {
    const value = numberOf(reading)
    if (value === undefined) continue
    const { name, unit = null } = reading
    const key = `${name} ${unit}`
    const one = series.get(key) ?? { stream: query.stream, name, unit, bucketMs, buckets: [] }
    series.set(key, one)
    addTo(one.buckets, Math.floor(reading.timeMs / bucketMs) * bucketMs, value)
  }
  return inOrder([...series.values()])
}

function addTo(buckets: ReadingBucket[], timeMs: number, value: number): void {
  const bucket = buckets.at(-1)
  if (bucket?.timeMs !== timeMs) {
    buckets.push({ timeMs, count: 1, min: value, max: value, mean: value, last: value })
    return
  }
  bucket.count += 1
  bucket.min = Math.min(bucket.min, value)
  bucket.max = Math.max(bucket.max, value)
  bucket.mean += (value - bucket.mean) / bucket.count
  bucket.last = value
}
