/** Figures by series, as a scrape of Prometheus writes them: `name`, or `name{label="value"}`. */
export type Scrape = ReadonlyMap<string, number>

/**
 * What was read of one's own metrics, for conditions as Prometheus has them. A scrape a minute is kept, of what conditions look back at; bounded
 * in time.
 */
export interface Recorded {
  /** Takes what was read at a time: it is what `now` answers. */
  take(atMs: number, scrape: Scrape): void
  nowMs(): number
  /** Undefined: not known. */
  now(series: string): number | undefined
  /** All series of a metric. */
  series(metric: string): { series: string; labels: Record<string, string> }[]
  /** Of a counter, a second. Undefined without two scrapes. */
  rate(series: string, windowMs: number): number | undefined
  /** Of what a histogram counted in the window, in its own unit; undefined if it counted nothing. */
  quantile(histogram: string, part: number, windowMs: number): number | undefined
  /** Where a gauge will be, by the line of least squares through the window. Undefined without two scrapes. */
  predicted(series: string, windowMs: number, aheadMs: number): number | undefined
}

interface Point {
  atMs: number
  value: number
}

/** Between two scrapes that are kept; a minute, less what a timer may be early. */
const APART_MS = 59_000
const SERIES = /^(\w+)(?:\{(.*)\})?$/

/** @param keptMs how long scrapes are kept of each metric that a condition looks back at. */
export function createRecorded(keptMs: Readonly<Record<string, number>>): Recorded {
  let newest: Scrape = new Map()
  let newestMs = 0
  let keptAtMs = Number.NEGATIVE_INFINITY
  const kept = new Map<string, Point[]>()

  const keep = (atMs: number, scrape: Scrape) => {
    keptAtMs = atMs
    for (const [series, value] of scrape) {
      const span = keptMs[metricOf(series)]
      if (span === undefined) continue
      const points = kept.get(series) ?? []
      kept.set(series, points)
      points.push({ atMs, value })
      // One from before the window tells what it began with.
      while (points.length > 2 && Number(points[1]?.atMs) <= atMs - span) points.shift()
    }
  }

  /** From what the window began with until now. */
  const increase = (series: string, windowMs: number): number | undefined => {
    const value = newest.get(series)
    const points = kept.get(series) ?? []
    const begin = points.findLast(({ atMs }) => atMs <= newestMs - windowMs) ?? points[0]
    if (value === undefined || begin === undefined || begin.atMs >= newestMs) return undefined
    return Math.max(0, value - begin.value)
  }

  const seriesOf = (metric: string) =>
    [...newest.keys()]
      .filter((series) => metricOf(series) === metric)
      .map((series) => ({ series, labels: labelsOf(series) }))

  return {
    take(atMs, scrape) {
      newest = scrape
      newestMs = atMs
      if (atMs - keptAtMs >= APART_MS) keep(atMs, scrape)
    },
    nowMs: () => newestMs,
    now: (series) => newest.get(series),
    series: seriesOf,
    rate(series, windowMs) {
      const risen = increase(series, windowMs)
      return risen === undefined ? undefined : risen / (windowMs / 1_000)
    },
    quantile(histogram, part, windowMs) {
      const buckets = seriesOf(`${histogram}_bucket`)
        .map(({ series, labels }) => ({
          upTo: labels.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(labels.le),
          count: increase(series, windowMs) ?? 0,
        }))
        .sort((a, b) => a.upTo - b.upTo)
      return quantileOf(buckets, part)
    },
    predicted(series, windowMs, aheadMs) {
      const points = (kept.get(series) ?? []).filter(({ atMs }) => atMs >= newestMs - windowMs)
      return lineAt(points, newestMs + aheadMs)
    },
  }
}

const metricOf = (series: string): string => SERIES.exec(series)?.[1] ?? series

const labelsOf = (series: string): Record<string, string> =>
  Object.fromEntries(
    [...(SERIES.exec(series)?.[2] ?? '').matchAll(/(\w+)="([^"]*)"/g)].map(
      ([, label = '', value = '']) => [label, value],
    ),
  )

/** As `histogram_quantile` of Prometheus: even within a bucket; what is beyond the last bound is told as that bound. */
function quantileOf(
  buckets: readonly { upTo: number; count: number }[],
  part: number,
): number | undefined {
  const total = buckets.at(-1)?.count ?? 0
  if (total === 0) return undefined
  const wanted = part * total
  const index = buckets.findIndex(({ count }) => count >= wanted)
  const { upTo, count } = buckets[index] ?? { upTo: 0, count: 0 }
  const below = buckets[index - 1] ?? { upTo: 0, count: 0 }
  if (!Number.isFinite(upTo)) return below.upTo
  if (count === below.count) return upTo
  return below.upTo + ((upTo - below.upTo) * (wanted - below.count)) / (count - below.count)
}

function lineAt(points: readonly Point[], atMs: number): number | undefined {
  const [first] = points
  if (first === undefined || points.length < 2) return undefined
  const mean = (of: (point: Point) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length
  const x = ({ atMs: pointMs }: Point) => pointMs - first.atMs
  const [meanX, meanY] = [mean(x), mean(({ value }) => value)]
  const spread = mean((point) => (x(point) - meanX) ** 2)
  const slope = mean((point) => (x(point) - meanX) * (point.value - meanY)) / spread
  return meanY + slope * (atMs - first.atMs - meanX)
}
