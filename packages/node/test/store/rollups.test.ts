import type { ReadingBucket } from '@liquefy/client'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { readStreams } from '../../src/store/envelopes.ts'
import { readFineSeries } from '../../src/store/fine-series.ts'
import {
  freshDatabase,
  type Ingest,
  registerMachine,
  seal,
  silent,
  startIngest,
  tempDatabase,
} from '../ingest-fixture.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const startMs = Math.floor(Date.now() / DAY_MS) * DAY_MS - 400 * DAY_MS

interface Measured {
  timeMs: number
  value: bigint
}

let database: Database
let ingest: Ingest

beforeAll(async () => {
  database = await tempDatabase()
  ingest = await startIngest({ database })
})
afterAll(async () => {
  await ingest.stop()
  await database.close()
})

/** What a chart must show, by one look at all readings. */
const folded = (measured: readonly Measured[], bucketMs: number): ReadingBucket[] => {
  const buckets = new Map<number, Measured[]>()
  for (const reading of measured.toSorted((a, b) => a.timeMs - b.timeMs)) {
    const timeMs = Math.floor(reading.timeMs / bucketMs) * bucketMs
    buckets.set(timeMs, [...(buckets.get(timeMs) ?? []), reading])
  }
  return [...buckets].map(([timeMs, readings]) => {
    const values = readings.map(({ value }) => Number(value))
    const sum = values.reduce((all, one) => all + one, 0)
    const [min, max] = [Math.min(...values), Math.max(...values)]
    const last = values.at(-1) ?? 0
    return { timeMs, count: values.length, min, max, mean: sum / values.length, last }
  })
}

/** All buckets since `startMs`: of less than an hour by windows of ten days, since a longer one is answered by hours. */
const bucketsOf = async (db: Database, machineId: bigint, bucketMs: number) => {
  const fromMs = Math.floor(startMs / bucketMs) * bucketMs
  const windows = bucketMs < HOUR_MS ? 40 : 1
  const points = Math.ceil((400 * DAY_MS) / windows / bucketMs)
  const windowMs = points * bucketMs
  const found: ReadingBucket[] = []
  for (let window = 0; window < windows; window += 1) {
    const [series] = await readFineSeries(db.pool, {
      machineId,
      stream: 'level',
      fromMs: fromMs + window * windowMs,
      toMs: fromMs + (window + 1) * windowMs,
      points,
    })
    found.push(...(series?.buckets ?? []))
  }
  return found
}

describe('the buckets of a chart', () => {
  test('equal the fold of all readings at every width, for any order of arrival and any restarts', async () => {
    const times = fc.oneof(
      fc.integer({ min: 0, max: 10 * MINUTE_MS }),
      fc.integer({ min: 0, max: 3 * DAY_MS }),
      fc.integer({ min: 0, max: 399 * DAY_MS }),
    )
    const readings = fc.uniqueArray(
      fc.record({ timeMs: times, value: fc.bigInt({ min: -9_999n, max: 9_999n }) }),
      { selector: ({ timeMs }) => timeMs, minLength: 1, maxLength: 60 },
    )
    const story = fc.record({
      readings,
      /** So many readings an envelope, and envelopes a commit. */
      pack: fc.integer({ min: 1, max: 12 }),
      together: fc.integer({ min: 1, max: 5 }),
      restarts: fc.boolean(),
    })
    await fc.assert(
      fc.asyncProperty(story, async ({ readings: given, pack, together, restarts }) => {
        const measured = given.map(({ timeMs, value }) => ({ timeMs: startMs + timeMs, value }))
        const machine = await registerMachine(database)
        let prev: `0x${string}` | undefined
        const envelopes: Uint8Array[] = []
        for (let at = 0; at < measured.length; at += pack) {
          const inside = measured.slice(at, at + pack).toSorted((a, b) => a.timeMs - b.timeMs)
          const content = {
            kind: 'readings' as const,
            readings: inside.map((reading) => ({ unit: 'kg', ...reading })),
          }
          const sealed = seal(machine, {
            seq: BigInt(envelopes.length + 1),
            ...(prev === undefined ? {} : { prev }),
            content,
          })
          prev = sealed.digest
          envelopes.push(sealed.bytes)
        }
        for (let at = 0; at < envelopes.length; at += together) {
          const some = envelopes.slice(at, at + together)
          await Promise.all(some.map((bytes) => ingest.pipeline.envelope(machine.machineId, bytes)))
          if (restarts && at === 0) {
            await ingest.stop()
            ingest = await startIngest({ database })
            // What is sent twice counts once.
            await ingest.pipeline.envelope(machine.machineId, some[0] ?? new Uint8Array())
          }
        }
        for (const bucketMs of [
          MINUTE_MS,
          5 * MINUTE_MS,
          HOUR_MS,
          6 * HOUR_MS,
          DAY_MS,
          7 * DAY_MS,
        ]) {
          const found = await bucketsOf(database, machine.machineId, bucketMs)
          expect(found).toEqual(folded(measured, bucketMs))
        }
      }),
      { numRuns: 25 },
    )
  })

  test('below a minute are of the readings themselves, of long envelopes too', async () => {
    const machine = await registerMachine(database)
    const measured = [0, 1_500, 3_000, 9 * HOUR_MS, 30 * HOUR_MS].map((after, index) => ({
      timeMs: startMs + after,
      value: BigInt(index * 10),
    }))
    const readings = measured.map((reading) => ({ unit: 'kg', ...reading }))
    const { bytes } = seal(machine, { content: { kind: 'readings', readings } })
    await ingest.pipeline.envelope(machine.machineId, bytes)
    const around = async (timeMs: number, bucketMs: number) => {
      const query = { machineId: machine.machineId, stream: 'level', points: 10 }
      const window = { fromMs: timeMs, toMs: timeMs + 10 * bucketMs }
      return (await readFineSeries(database.pool, { ...query, ...window }))[0]
    }
    expect(await around(startMs, 1_000)).toMatchObject({
      bucketMs: 1_000,
      buckets: folded(measured.slice(0, 3), 1_000),
    })
    expect(await around(startMs + 9 * HOUR_MS, 10)).toMatchObject({
      bucketMs: 10,
      buckets: folded(measured.slice(3, 4), 10),
    })
    expect(await around(startMs + 20 * HOUR_MS, 1_000)).toBe(undefined)
    const later = seal(machine, { stream: 'other', timeMs: startMs + DAY_MS, values: [1n, 2n] })
    await ingest.pipeline.envelope(machine.machineId, later.bytes)
    expect(await readStreams(database.pool, machine.machineId)).toMatchObject([
      {
        stream: 'level',
        envelopes: 1,
        firstMs: startMs,
        lastMs: startMs + 30 * HOUR_MS,
        unit: 'kg',
      },
      {
        stream: 'other',
        envelopes: 1,
        firstMs: startMs + DAY_MS - 2,
        lastMs: startMs + DAY_MS - 1,
      },
    ])
  })

  test('are whole, wherever a window cuts them', async () => {
    const machine = await registerMachine(database)
    const measured = [1, 2, 3].map((minute) => ({
      timeMs: startMs + minute * MINUTE_MS,
      value: BigInt(minute),
    }))
    const readings = measured.map((reading) => ({ unit: 'kg', ...reading }))
    const { bytes } = seal(machine, { content: { kind: 'readings', readings } })
    await ingest.pipeline.envelope(machine.machineId, bytes)
    const [series] = await readFineSeries(database.pool, {
      machineId: machine.machineId,
      stream: 'level',
      fromMs: startMs + 2 * MINUTE_MS,
      toMs: startMs + 2 * MINUTE_MS + HOUR_MS,
      points: 1,
    })
    expect(series?.buckets).toEqual(folded(measured, HOUR_MS))
  })

  test('hours of what was there before are made of its minutes by the migration', async () => {
    const older = await freshDatabase(database)
    const { pool } = older
    await pool.query('DROP TABLE hour_rollups; DROP INDEX envelopes_long')
    await pool.query('ALTER TABLE rollups DROP COLUMN last_ms')
    await pool.query(
      `INSERT INTO rollups (machine_id, stream, name, minute_ms, unit, count, min, max, sum, last)
       SELECT 7, 'level', 'level', $1::bigint + 60000 * m, 'kg', 2, m, m + 1, 2 * m + 1, m + 1 FROM generate_series(0, 89) AS m`,
      [startMs],
    )
    await pool.query("DELETE FROM schema_migrations WHERE name = '0014_hour_rollups.sql'")
    await older.close()
    const upgraded = await openDatabase({ dataDir: '', databaseUrl: older.url, logger: silent })
    expect(await bucketsOf(upgraded, 7n, HOUR_MS)).toEqual([
      { timeMs: startMs, count: 120, min: 0, max: 60, mean: 30, last: 60 },
      { timeMs: startMs + HOUR_MS, count: 60, min: 60, max: 90, mean: 75, last: 90 },
    ])
    await upgraded.close()
  })
})
