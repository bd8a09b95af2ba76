import pg from 'pg'
import { startBrowser } from '../../apps/web/test/harness.ts'
import { buildPage } from '../build-page.ts'
import { startNodeProcess } from '../load/node-host.ts'
import { drawnAfterMs, visit, type ZoomFigures, zoom } from './page.ts'
import { READINGS, sendYear } from './year.ts'

const ROUNDS = 5
const YEAR_MS = READINGS * 1_000
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const ZOOM_FRAMES = 240
/** Buckets of a tile of the page. */
const TILE_BUCKETS = 512

/**
 * A year of readings, one a second, through a node's ingest; then its chart in a real browser: how soon the year is drawn, and how many frames a second a zoom
 * from the year to a minute and back has. Beside it the same year from the minutes, which a database without hours would have to group.
 */
export async function benchChart(say: (line: string) => void): Promise<Record<string, number>> {
  buildPage()
  const node = await startNodeProcess(1)
  const browser = await startBrowser()
  try {
    const [machine] = node.machines
    if (!machine) throw new Error('The node has no machine.')
    const endMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS
    const sending = performance.now()
    await sendYear(node, machine, endMs, say)
    const sentSeconds = (performance.now() - sending) / 1_000
    const url = new URL(`/machines/${machine.machineId}?last=${YEAR_MS}`, node.url)
    const opened: number[] = []
    const zooms: ZoomFigures[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      await visit(browser, url, async (page) => {
        opened.push(await drawnAfterMs(page))
        const nearer = await zoom(page, YEAR_MS / MINUTE_MS, ZOOM_FRAMES)
        await drawnAfterMs(page)
        zooms.push(nearer, await zoom(page, MINUTE_MS / YEAR_MS, ZOOM_FRAMES))
      })
      say(`round ${round + 1}: drawn after ${Math.round(opened.at(-1) ?? 0)} ms`)
    }
    const window = { fromMs: endMs - YEAR_MS, toMs: endMs }
    return {
      readings: READINGS,
      ingestReadingsPerSecond: Math.round(READINGS / sentSeconds),
      openMs: rounded(median(opened)),
      openWorstMs: rounded(Math.max(...opened)),
      zoomFps: rounded(median(zooms.map(({ framesPerSecond }) => framesPerSecond))),
      zoomWorstFrameMs: rounded(Math.max(...zooms.map(({ worstFrameMs }) => worstFrameMs))),
      ...(await queryFigures(node, String(machine.machineId), window)),
    }
  } finally {
    await browser.close()
    await node.stop()
  }
}

/** What the API takes for a tile of the year, of a day and of seconds, and what grouping the year's minutes would take instead of its hours. */
async function queryFigures(
  { url, databaseUrl }: { url: string; databaseUrl: string },
  machineId: string,
  { fromMs, toMs }: { fromMs: number; toMs: number },
): Promise<Record<string, number>> {
  const tile = (bucketMs: number) =>
    medianTime(async () => {
      const lengthMs = bucketMs * TILE_BUCKETS
      const beginMs = Math.floor((fromMs + toMs) / 2 / lengthMs) * lengthMs
      const query = new URL(`/v1/machines/${machineId}/readings`, url)
      query.search = new URLSearchParams({
        stream: 'power',
        fromMs: String(bucketMs === DAY_MS ? fromMs : beginMs),
        toMs: String(bucketMs === DAY_MS ? toMs : beginMs + lengthMs),
        points: String(bucketMs === DAY_MS ? 365 : TILE_BUCKETS),
      }).toString()
      const [series] = (await (await fetch(query)).json()) as { buckets: unknown[] }[]
      if ((series?.buckets.length ?? 0) < 365) throw new Error('The year is not whole.')
    })
  const client = new pg.Client({
    connectionString: databaseUrl,
    options: '-c max_parallel_workers_per_gather=0 -c jit=off',
  })
  await client.connect()
  try {
    return {
      yearQueryMs: await tile(DAY_MS),
      dayQueryMs: await tile(5 * MINUTE_MS),
      secondsQueryMs: await tile(1_000),
      yearFromMinutesMs: await medianTime(async () => {
        const { rows } = await client.query(
          `SELECT name, unit, minute_ms / $4::bigint AS bucket, sum(count), min(min), max(max), sum(sum),
                  (array_agg(last ORDER BY minute_ms DESC))[1]
             FROM rollups WHERE machine_id = $1 AND stream = 'power' AND minute_ms >= $2 AND minute_ms < $3
            GROUP BY 1, 2, 3`,
          [machineId, fromMs, toMs, DAY_MS],
        )
        if (rows.length < 365) throw new Error('The minutes are not whole.')
      }),
    }
  } finally {
    await client.end()
  }
}

async function medianTime(work: () => Promise<void>): Promise<number> {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const begunMs = performance.now()
    await work()
    times.push(performance.now() - begunMs)
  }
  return rounded(median(times))
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10
}
