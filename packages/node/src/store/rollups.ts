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
const HOUR_MS = 3_600_000
/** Series of one stream that are answered at most. */
const MAX_SERIES = 32
/** Minutes of one series that are read for one chart; of a longer window the hours have to do. */
const MAX_MINUTES = 20_000

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

/** Adds rollups to those stored: to their minutes, and in the same statement to their hours. */
export async function upsertRollups(
  database: Queryable,
  rollups: readonly Rollup[],
): Promise<void> {
  if (rollups.length === 0) return
  await database.query(
    `WITH minutes AS (${upsertInto('rollups', 'minute_ms', 1)}) ${upsertInto('hour_rollups', 'hour_ms', 12)}`,
    [...columnsOf(rollups), ...columnsOf(hoursOf(rollups))],
  )
}

/** The statement that adds columns, the first of which is parameter `first`, to a table; of two last readings the later one counts. */
const upsertInto = (table: string, start: string, first: number) => `
  INSERT INTO ${table} (machine_id, stream, name, unit, ${start}, count, min, max, sum, last, last_ms)
  SELECT * FROM unnest(${COLUMN_TYPES.map((type, place) => `$${first + place}::${type}[]`).join(', ')})
  ON CONFLICT (machine_id, stream, name, unit, ${start}) DO UPDATE SET
    count = ${table}.count + EXCLUDED.count,
    min = least(${table}.min, EXCLUDED.min),
    max = greatest(${table}.max, EXCLUDED.max),
    sum = ${table}.sum + EXCLUDED.sum,
    last = CASE WHEN EXCLUDED.last_ms >= ${table}.last_ms THEN EXCLUDED.last ELSE ${table}.last END,
    last_ms = greatest(${table}.last_ms, EXCLUDED.last_ms)`

const COLUMN_TYPES = 'numeric text text text bigint int float8 float8 float8 float8 bigint'.split(
  ' ',
)

function columnsOf(rollups: readonly Rollup[]): unknown[][] {
  return [
    rollups.map((rollup) => rollup.machineId),
    rollups.map((rollup) => rollup.stream),
    rollups.map((rollup) => rollup.name),
    rollups.map((rollup) => rollup.unit),
    rollups.map((rollup) => rollup.minuteMs),
    rollups.map((rollup) => rollup.count),
    rollups.map((rollup) => rollup.min),
    rollups.map((rollup) => rollup.max),
    rollups.map((rollup) => rollup.sum),
    rollups.map((rollup) => rollup.last),
    rollups.map((rollup) => rollup.lastMs),
  ]
}

/** The same by hours: `minuteMs` is each one's first minute. */
function hoursOf(rollups: readonly Rollup[]): Rollup[] {
  const hours = new Map<string, Rollup>()
  for (const minute of rollups) {
    const minuteMs = Math.floor(minute.minuteMs / HOUR_MS) * HOUR_MS
    addToRollups(hours, minute, [{ ...minute, minuteMs }])
  }
  return [...hours.values()]
}

/** What is asked of a stream: `toMs` is the first time that is not asked for. */
export interface SeriesQuery {
  machineId: bigint
  stream: string
  fromMs: number
  toMs: number
  /** Buckets at most, if the window begins with one. */
  points: number
}

/** The window, made longer until it has whole buckets. */
export function wholeBuckets<T extends SeriesQuery>(query: T, bucketMs: number): T {
  return {
    ...query,
    fromMs: Math.floor(query.fromMs / bucketMs) * bucketMs,
    toMs: Math.ceil(query.toMs / bucketMs) * bucketMs,
  }
}

/**
 * The series of a stream between two times, ms since 1970, by name and unit: one each, so that a position's latitude and longitude are two. Buckets are
 * of whole minutes, or of whole hours if they are so long or the window has more than 20,000 minutes, and whole even where the window cuts them: the same bucket has the same figures in
 * every window.
 */
export async function readSeries(
  database: Queryable,
  query: SeriesQuery,
): Promise<ReadingSeries[]> {
  const asked = (query.toMs - query.fromMs) / query.points
  const [table, start, widthMs] =
    asked >= HOUR_MS || query.toMs - query.fromMs > MAX_MINUTES * MINUTE_MS
      ? (['hour_rollups', 'hour_ms', HOUR_MS] as const)
      : (['rollups', 'minute_ms', MINUTE_MS] as const)
  const bucketMs = Math.max(Math.ceil(asked / widthMs), 1) * widthMs
  const { machineId, stream, fromMs, toMs } = wholeBuckets(query, bucketMs)
  // The hours know the names of series: by name, no minute is looked at that is not in the window.
  const answer = await database.query(
    `WITH series AS (
       SELECT DISTINCT name, unit FROM hour_rollups
        WHERE machine_id = $1 AND stream = $2 AND hour_ms > $3::bigint - ${HOUR_MS} AND hour_ms < $4
        ORDER BY name, unit LIMIT ${MAX_SERIES})
     SELECT s.name, s.unit, (r.${start} / $5::bigint) * $5::bigint AS time_ms,
            sum(r.count)::bigint AS count, min(r.min) AS min, max(r.max) AS max, sum(r.sum) AS sum,
            (array_agg(r.last ORDER BY r.${start} DESC))[1] AS last
       FROM series s JOIN ${table} r
         ON r.machine_id = $1 AND r.stream = $2 AND r.name = s.name AND r.unit = s.unit AND r.${start} >= $3 AND r.${start} < $4
      GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`,
    [machineId, stream, fromMs, toMs, bucketMs],
  )
  const series = new Map<string, ReadingSeries>()
  for (const row of answer.rows) {
    const key = `${row.name} ${row.unit}`
    const one: ReadingSeries = series.get(key) ?? {
      stream,
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
  return inOrder([...series.values()])
}

/** Series by name and unit, whatever language the database sorts by. */
export function inOrder(series: ReadingSeries[]): ReadingSeries[] {
  const keyOf = ({ name, unit }: ReadingSeries) => `${name} ${unit ?? ''}`
  return series.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
}
