import type { Machine, ReadingBucket } from '@liquefy/client'
import { useQueries, useQuery } from '@tanstack/react-query'
import { highestIn, readingsQuery, useHighest } from '../../../queries.ts'
import { wattsOf } from './twin-kind.ts'

/** What a twin shows: a value, and which part of the highest one seen it is (0 to 1). */
export interface Measure {
  value: number
  unit: string
  share: number
}

const spanMs = 15 * 60_000
const points = 180

/** The newest level of the last quarter of an hour; null: there is none, undefined: it is being loaded. */
export const useLevel = ({ machineId, mainStream }: Machine): Measure | null | undefined => {
  const readings = useQuery(readingsQuery(machineId, mainStream, spanMs, points))
  const series = readings.data?.[0]
  const highest = useHighest(machineId, mainStream).data ?? 0
  const value = series?.buckets.at(-1)?.last
  if (value === undefined) return readings.isPending ? undefined : null
  return {
    value,
    unit: series?.unit ?? '',
    share: shareOf(value, Math.max(highest, highestIn(series?.buckets ?? []))),
  }
}

/** The power now, in kilowatts, of all streams that count energy or measure power; null and undefined as above. */
export const usePower = ({ machineId, streams }: Machine): Measure | null | undefined => {
  const electric = streams.flatMap(({ stream, unit }) => {
    const watts = wattsOf(unit)
    return watts ? [{ stream, ...watts }] : []
  })
  const queries = useQueries({
    queries: electric.map(({ stream }) => readingsQuery(machineId, stream, spanMs, points)),
  })
  const powers = queries.flatMap(({ data }, index) => {
    const kind = electric[index]
    const buckets = data?.[0]?.buckets ?? []
    if (!kind || buckets.length === 0) return []
    const line = kind.adds
      ? ratesOf(buckets)
      : buckets.map(({ timeMs, last }) => ({ timeMs, value: last }))
    return [line.map(({ timeMs, value }) => ({ timeMs, watts: value * kind.factor }))]
  })
  if (powers.length === 0) return queries.some(({ isPending }) => isPending) ? undefined : null
  const value = powers.reduce((sum, line) => sum + newestOf(line), 0) / 1_000
  const highest = powers.reduce(
    (sum, line) => sum + Math.max(0, ...line.map(({ watts }) => watts)),
    0,
  )
  return { value, unit: 'kW', share: shareOf(value * 1_000, highest) }
}

/** Growth a second from bucket to bucket; what falls is another counter. */
const ratesOf = (buckets: readonly ReadingBucket[]) =>
  buckets.slice(1).map(({ timeMs, last }, index) => {
    const before = buckets[index]
    const seconds = (timeMs - (before?.timeMs ?? timeMs)) / 1_000
    return { timeMs, value: seconds > 0 ? Math.max(0, last - (before?.last ?? last)) / seconds : 0 }
  })

/** Readings come one after the other: silent for longer than a few of their intervals, nothing flows. */
const silentIntervals = 4
const leastSilenceMs = 30_000

const newestOf = (line: readonly { timeMs: number; watts: number }[]): number => {
  const [newest, before] = [line.at(-1), line.at(-2)]
  if (!newest) return 0
  const intervalMs = before ? newest.timeMs - before.timeMs : 0
  const isSilent =
    Date.now() - newest.timeMs > Math.max(leastSilenceMs, silentIntervals * intervalMs)
  return isSilent ? 0 : newest.watts
}

const shareOf = (value: number, highest: number): number =>
  highest > 0 ? Math.min(1, Math.max(0, value / highest)) : 0
