import type { ReadingSeries } from '@liquefy/client'
import type { Reading } from '@liquefy/protocol'
import type { Queryable } from './database.ts'

/** One minute of one series of an envelope. `value`s in the reading's own unit. */
export interface MinuteRollup {
  name: string
  minuteMs: number
  /** Empty if the readings have none. */
  unit: string
  count: number
  min: number
  max: number
  sum: number
  last: number
  lastMs: number
}

/** One minute of one series of a stream. */
export interface Rollup extends MinuteRollup {
  machineId: bigint
  stream: string
}

const MINUTE_MS = 60_000

/** Minute rollups of an envelope's numeric readings. For charts only: doubles. */
export function rollUp(readings: readonly Reading[]): MinuteRollup[] {
  const rollups: MinuteRollup[] = []
  let current: MinuteRollup | undefined
  for (const reading of readings) {
    const value = numberOf(reading)
    if (value === undefined) continue
    const minuteMs = Math.floor(reading.timeMs / MINUTE_MS) * MINUTE_MS
    const { name, unit = '', timeMs } = reading
    const fits = (one: MinuteRollup) =>
      one.minuteMs === minuteMs && one.name === name && one.unit === unit
    // Neighbours mostly share their minute: one look for all of them.
    if (current === undefined || !fits(current)) {
      current = rollups.find(fits)
      if (current === undefined) {
        const none = { count: 0, min: value, max: value, sum: 0, last: value, lastMs: timeMs }
        current = { name, minuteMs, unit, ...none }
        rollups.push(current)
      }
    }
    current.count += 1
    current.min = Math.min(current.min, value)
    current.max = Math.max(current.max, value)
    current.sum += value
    if (timeMs >= current.lastMs) {
      current.last = value
      current.lastMs = timeMs
    }
  }
  return rollups
}

/** Adds an envelope's rollups to those that one statement will write. */
export function addToRollups(
  rollups: Map<string, Rollup>,
  { machineId, stream }: { machineId: bigint; stream: string },
  added: readonly MinuteRollup[],
): void {
  for (const one of added) {
    const key = `${machineId} ${stream} ${one.minuteMs} ${one.name} ${one.unit}`
    const known = rollups.get(key)
    if (known === undefined) {
      rollups.set(key, { machineId, stream, ...one })
      continue
    }
    known.count += one.count
    known.min = Math.min(known.min, one.min)
    known.max = Math.max(known.max, one.max)
    known.sum += one.sum
    if (one.lastMs >= known.lastMs) {
      known.last = one.last
      known.lastMs = one.lastMs
    }
  }
}

/** A numeric reading as a double, for charts; undefined if it is none. */
export function numberOf({ value }: Reading): number | undefined {
  if (value.kind === 'decimal') {
    if (value.exponent === 0) return Number(value.mantissa)
    // Through text: 12345 and exponent -3 give 12.345, not 12.345000000000001.
    const number = Number(`${value.mantissa}e${value.exponent}`)
    return Number.isFinite(number) ? number : undefined
  }
  return value.kind === 'float' && Number.isFinite(value.value) ? value.value : undefined
}

/** Adds rollups to those stored. */
export async function upsertRollups(
  database: Queryable,
  rollups: readonly Rollup[],
): Promise<void> {
  if (rollups.length === 0) return
  await database.query(
    `INSERT INTO rollups (machine_id, stream, name, minute_ms, unit, count, min, max, sum, last)
     SELECT * FROM unnest($1::numeric[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::int[],
                          $7::float8[], $8::float8[], $9::float8[], $10::float8[])
     ON CONFLICT (machine_id, stream, name, unit, minute_ms) DO UPDATE SET
       count = rollups.count + EXCLUDED.count,
       min = least(rollups.min, EXCLUDED.min),
       max = greatest(rollups.max, EXCLUDED.max),
       sum = rollups.sum + EXCLUDED.sum,
       last = EXCLUDED.last`,
    [
      rollups.map((rollup) => rollup.machineId),
      rollups.map((rollup) => rollup.stream),
      rollups.map((rollup) => rollup.name),
      rollups.map((rollup) => rollup.minuteMs),
      rollups.map((rollup) => rollup.unit),
      rollups.map((rollup) => rollup.count),
      rollups.map((rollup) => rollup.min),
      rollups.map((rollup) => rollup.max),
      rollups.map((rollup) => rollup.sum),
      rollups.map((rollup) => rollup.last),
    ],
  )
}

/**
 * The series of a stream between two times (half-open, ms), in at most `points` buckets of whole minutes each.
 * One series a record name and unit: a position's latitude and longitude are two.
 */
export async function readSeries(
  database: Queryable,
  query: { machineId: bigint; stream: string; fromMs: number; toMs: number; points: number },
): Promise<ReadingSeries[]> {
  const span = Math.max(query.toMs - query.fromMs, MINUTE_MS)
  const bucketMs = Math.ceil(span / query.points / MINUTE_MS) * MINUTE_MS
  const answer = await database.query(
    `SELECT name, unit, (minute_ms / $5::bigint) * $5::bigint AS time_ms,
            sum(count)::bigint AS count, min(min) AS min, max(max) AS max, sum(sum) AS sum,
            (array_agg(last ORDER BY minute_ms DESC))[1] AS last
       FROM rollups
      WHERE machine_id = $1 AND stream = $2 AND minute_ms >= $3 AND minute_ms < $4
      GROUP BY name, unit, 3 ORDER BY name, unit, 3`,
    [
      query.machineId,
      query.stream,
      query.fromMs - (query.fromMs % MINUTE_MS),
      query.toMs,
      bucketMs,
    ],
  )
  const series = new Map<string, ReadingSeries>()
  for (const row of answer.rows) {
    const key = `${row.name} ${row.unit}`
    const one: ReadingSeries = series.get(key) ?? {
      stream: query.stream,
      name: row.name,
      unit: row.unit === '' ? null : row.unit,
      bucketMs,
      buckets: [],
    }
    series.set(key, one)
    one.buckets.push({
      timeMs: Number(row.time_ms),
      count: Number(row.count),
      min: row.min,
      max: row.max,
      mean: row.sum / Number(row.count),
      last: row.last,
    })
  }
  return [...series.values()]
}
