import type { ReadingBucket } from '@liquefy/client'
import { spanOf, type TimeWindow } from './series-window.ts'

/** A part of a series that is fetched and kept as one: so many buckets of one width, at a place that is the same for every window. */
export interface Tile {
  bucketMs: number
  /** It begins at `index * bucketMs * TILE_BUCKETS`. */
  index: number
}

/** What a tile holds. The width may be a larger one than was asked for, where the node has no finer buckets any more. */
export interface TileContent {
  bucketMs: number
  buckets: readonly ReadingBucket[]
}

/** Looks up what is there of a tile; undefined: nothing yet. */
export type Held = (tile: Tile) => TileContent | undefined

/** Buckets of a tile. */
export const TILE_BUCKETS = 512
const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Widths of buckets, each a multiple of the one before: a hundredth of a second to a week. */
export const WIDTHS_MS = [
  10,
  100,
  1_000,
  5_000,
  15_000,
  MINUTE_MS,
  5 * MINUTE_MS,
  15 * MINUTE_MS,
  HOUR_MS,
  6 * HOUR_MS,
  DAY_MS,
  7 * DAY_MS,
] as const
const WIDEST_MS = 7 * DAY_MS
/** Buckets of at most this width are drawn where they begin. */
const SINGLE_MS = 1_000
/** So many times the usual distance is a gap. */
const GAP = 3

/** The finest width in which a window has at most `most` buckets. */
export const widthFor = (window: TimeWindow, most: number): number =>
  WIDTHS_MS.find((width) => spanOf(window) / width <= most) ?? WIDEST_MS

/** The tiles of a width that cover a window, in their order. */
export const tilesOver = ({ fromMs, toMs }: TimeWindow, bucketMs: number): Tile[] => {
  const lengthMs = bucketMs * TILE_BUCKETS
  const first = Math.floor(fromMs / lengthMs)
  const count = Math.max(Math.ceil(toMs / lengthMs) - first, 1)
  return Array.from({ length: count }, (_, place) => ({ bucketMs, index: first + place }))
}

/** When a tile begins and ends. */
export const timesOf = ({ bucketMs, index }: Tile): TimeWindow => ({
  fromMs: index * bucketMs * TILE_BUCKETS,
  toMs: (index + 1) * bucketMs * TILE_BUCKETS,
})

export const keyOf = ({ bucketMs, index }: Tile): string => `${bucketMs}:${index}`

/** A bucket as it is drawn: at its middle, or where it is so narrow that it holds single readings, at its beginning. */
export interface Drawn extends ReadingBucket {
  atMs: number
  bucketMs: number
}

/**
 * What there is of a window, in order of time and a little beyond its borders: for each tile of the width its own buckets, or, until they are
 * there, those of the narrowest wider tile over the same time, so that a chart is never empty where anything is known.
 */
export const drawnOver = (window: TimeWindow, bucketMs: number, held: Held): Drawn[] => {
  const drawn: Drawn[] = []
  for (const tile of tilesOver(window, bucketMs)) {
    const times = timesOf(tile)
    for (const content of contentsOver(times, bucketMs, held)) {
      for (const bucket of content.buckets) {
        if (isNear(bucket, content.bucketMs, times)) append(drawn, bucket, content.bucketMs)
      }
    }
  }
  return drawn
}

/** Overlaps these times or is beside them: a line has to come from somewhere. */
const isNear = ({ timeMs }: ReadingBucket, bucketMs: number, { fromMs, toMs }: TimeWindow) =>
  timeMs + 2 * bucketMs > fromMs && timeMs - bucketMs < toMs

/** Where two widths meet, the narrower one counts. */
const append = (drawn: Drawn[], bucket: ReadingBucket, bucketMs: number): void => {
  const atMs = bucketMs > SINGLE_MS ? bucket.timeMs + bucketMs / 2 : bucket.timeMs
  for (let last = drawn.at(-1); last && last.atMs >= atMs; last = drawn.at(-1)) {
    if (last.bucketMs <= bucketMs) return
    drawn.pop()
  }
  drawn.push({ ...bucket, atMs, bucketMs })
}

const contentsOver = (times: TimeWindow, finestMs: number, held: Held): TileContent[] => {
  for (const width of WIDTHS_MS) {
    if (width < finestMs) continue
    const contents = tilesOver(times, width).flatMap((tile) => held(tile) ?? [])
    if (contents.length > 0) return contents
  }
  return []
}

/** Places in `drawn` before which nothing was measured for much longer than usual: more than three times the middle distance. */
export const gapsIn = (drawn: readonly Drawn[]): number[] => {
  const distances = drawn.slice(1).map(({ atMs }, place) => atMs - (drawn[place]?.atMs ?? atMs))
  const usualMs = distances.toSorted((a, b) => a - b)[distances.length >> 1] ?? 0
  return distances.flatMap((distance, place) => {
    const widest = Math.max(drawn[place]?.bucketMs ?? 0, drawn[place + 1]?.bucketMs ?? 0)
    return distance > GAP * Math.max(widest, usualMs) ? [place + 1] : []
  })
}
