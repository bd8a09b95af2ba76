import type { ReadingBucket } from '@liquefy/client'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { machineSearchOf } from '../src/pages/connect/machine-search.ts'
import {
  drawnOver,
  gapsIn,
  type Held,
  keyOf,
  TILE_BUCKETS,
  type TileContent,
  tilesOver,
  timesOf,
  WIDTHS_MS,
  widthFor,
} from '../src/ui/series-tiles.ts'
import { panned, spanOf, touchesNow, wholeOf, zoomed } from '../src/ui/series-window.ts'

const YEAR_MS = 365 * 86_400_000
const nowMs = 1_800_000_000_000
const reach = { firstMs: nowMs - YEAR_MS, lastMs: nowMs, nowMs }

const windows = fc
  .record({
    fromMs: fc.integer({ min: 0, max: nowMs }),
    spanMs: fc.integer({ min: 1_000, max: 20 * YEAR_MS }),
  })
  .map(({ fromMs, spanMs }) => ({ fromMs, toMs: fromMs + spanMs }))

const bucketAt = (timeMs: number, value: number): ReadingBucket => {
  return { timeMs, count: 1, min: value, max: value, mean: value, last: value }
}

describe('a window', () => {
  test('stays within what there is, a second or longer, and keeps its place under the pointer', () => {
    const place = fc.double({ min: 0, max: 1, noNaN: true })
    const factor = fc.double({ min: 0.01, max: 100, noNaN: true })
    const inside = fc
      .record({ from: place, span: fc.integer({ min: 1_000, max: YEAR_MS }) })
      .map(({ from, span }) => {
        const fromMs = Math.round(reach.firstMs + from * (YEAR_MS - span))
        return { fromMs, toMs: fromMs + span }
      })
    fc.assert(
      fc.property(inside, factor, place, (window, by, at) => {
        const next = zoomed(window, by, at, reach)
        expect(next.fromMs).toBeGreaterThanOrEqual(reach.firstMs - 1)
        expect(next.toMs).toBeLessThanOrEqual(nowMs)
        expect(spanOf(next)).toBeGreaterThanOrEqual(999)
        const held = window.fromMs + at * spanOf(window)
        if (by >= 1) expect(Math.abs(next.fromMs + at * spanOf(next) - held)).toBeLessThan(3)
        const later = panned(window, at - 0.5, reach)
        expect(Math.abs(spanOf(later) - spanOf(window))).toBeLessThanOrEqual(1)
        expect(later.fromMs).toBeGreaterThanOrEqual(reach.firstMs - 1)
        expect(later.toMs).toBeLessThanOrEqual(nowMs)
      }),
    )
  })

  test('of all is up to now, or to the last reading of what is silent', () => {
    expect(wholeOf(reach)).toEqual({ fromMs: reach.firstMs, toMs: nowMs })
    expect(touchesNow(wholeOf(reach), reach)).toBe(true)
    const silent = { ...reach, lastMs: nowMs - YEAR_MS / 2 }
    expect(touchesNow(wholeOf(silent), silent)).toBe(false)
    expect(wholeOf(silent).toMs).toBeGreaterThan(silent.lastMs)
    expect(wholeOf(silent).toMs).toBeLessThan(silent.lastMs + YEAR_MS / 100)
  })
})

describe('tiles', () => {
  test('each width is a multiple of the one before, so that a tile lies in one of the next width', () => {
    for (const [place, width] of WIDTHS_MS.entries()) {
      expect(width % (WIDTHS_MS[place - 1] ?? 1)).toBe(0)
    }
  })

  test('cover a window without a hole and without more than they must; the width keeps it below the most', () => {
    fc.assert(
      fc.property(windows, fc.integer({ min: 300, max: 1_500 }), (window, most) => {
        const bucketMs = widthFor(window, most)
        const tiles = tilesOver(window, bucketMs)
        const [first, last] = [tiles[0], tiles.at(-1)].map((tile) => tile && timesOf(tile))
        expect(first?.fromMs).toBeLessThanOrEqual(window.fromMs)
        expect(first?.toMs).toBeGreaterThan(window.fromMs)
        expect(last?.toMs).toBeGreaterThanOrEqual(window.toMs)
        expect(last?.fromMs).toBeLessThan(window.toMs)
        for (const [place, { index }] of tiles.entries()) {
          expect(index).toBe((tiles[0]?.index ?? 0) + place)
        }
        const mostTiles = Math.ceil(most / TILE_BUCKETS) + 1
        if (bucketMs < (WIDTHS_MS.at(-1) ?? 0)) expect(tiles.length).toBeLessThanOrEqual(mostTiles)
      }),
    )
  })

  /** Tiles that are there, each with a bucket at every place. */
  const heldFrom = (keys: ReadonlySet<string>): Held => {
    return (tile): TileContent | undefined => {
      if (!keys.has(keyOf(tile))) return undefined
      const { fromMs } = timesOf(tile)
      const { bucketMs } = tile
      const buckets = Array.from({ length: TILE_BUCKETS }, (_, place) =>
        bucketAt(fromMs + place * bucketMs, bucketMs),
      )
      return { bucketMs, buckets }
    }
  }

  test('of any widths become one picture in order of time that covers the window, the narrowest where they are', () => {
    const fine = fc.integer({ min: 4, max: 8 }).map((place) => WIDTHS_MS[place] ?? 0)
    const missing = fc.array(fc.boolean(), { minLength: 4, maxLength: 4 })
    fc.assert(
      fc.property(fine, missing, fc.integer({ min: 0, max: 1_000 }), (bucketMs, gone, part) => {
        const fromMs = nowMs - part * bucketMs
        const window = { fromMs, toMs: fromMs + 1_200 * bucketMs }
        const own = tilesOver(window, bucketMs)
        const keys = new Set(own.flatMap((tile, at) => (gone[at] ? [] : [keyOf(tile)])))
        for (const tile of tilesOver(window, WIDTHS_MS.at(-1) ?? 0)) keys.add(keyOf(tile))
        const drawn = drawnOver(window, bucketMs, heldFrom(keys))
        const times = drawn.map(({ atMs }) => atMs)
        expect(times).toEqual([...new Set(times)].sort((a, b) => a - b))
        expect(times[0]).toBeLessThanOrEqual(window.fromMs + bucketMs)
        expect(times.at(-1)).toBeGreaterThanOrEqual(window.toMs - bucketMs)
        for (const tile of own.filter(({ index }) => keys.has(keyOf({ bucketMs, index })))) {
          const within = drawn.filter(
            ({ atMs }) => atMs >= timesOf(tile).fromMs && atMs < timesOf(tile).toMs,
          )
          expect(within.filter((one) => one.bucketMs === bucketMs)).toHaveLength(TILE_BUCKETS)
        }
      }),
    )
  })

  test('with nothing in them are a gap, not what a wider tile would draw', () => {
    const wide = { bucketMs: 86_400_000, buckets: [bucketAt(0, 5)] }
    const held: Held = ({ bucketMs }) =>
      bucketMs === 60_000 ? { bucketMs, buckets: [] } : bucketMs === 86_400_000 ? wide : undefined
    expect(drawnOver({ fromMs: 0, toMs: 600_000 }, 60_000, held)).toEqual([])
    expect(drawnOver({ fromMs: 0, toMs: 600_000 }, 15_000, held)).toEqual([])
  })
})

test('a gap is more than three times the usual distance, whatever is usual', () => {
  const at = (timeMs: number) => ({ ...bucketAt(timeMs, 1), atMs: timeMs, bucketMs: 1_000 })
  expect(gapsIn([0, 10, 20, 30, 61, 70].map((second) => at(second * 1_000)))).toEqual([4])
  expect(gapsIn([0, 10, 20, 30, 59, 70].map((second) => at(second * 1_000)))).toEqual([])
  expect(gapsIn([0, 2, 3, 7].map((second) => at(second * 1_000)))).toEqual([])
  expect(gapsIn([])).toEqual([])
})

test('an address that makes no sense asks for nothing', () => {
  expect(machineSearchOf({ from: 1, to: 5, stream: 'level' })).toEqual({
    from: 1,
    to: 5,
    stream: 'level',
  })
  expect(machineSearchOf({ last: 60_000 })).toEqual({ last: 60_000 })
  for (const search of [
    { from: 5, to: 1 },
    { from: 1 },
    { last: 'x' },
    { last: 1e300 },
    { to: -1 },
  ]) {
    expect(machineSearchOf(search)).toEqual({})
  }
})
