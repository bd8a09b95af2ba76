import type { Place } from '@liquefy/client'
import { type GeoProjection, geoDistance, geoMercator } from 'd3-geo'

/** A piece of the world as it is drawn, `width` by `height` pixels, north up (Mercator). */
export interface MapView {
  width: number
  height: number
  projection: GeoProjection
  /** Of the larger side, degrees. */
  spanDegrees: number
  metresPerPixel: number
  /** Where a place is drawn, pixels. */
  xy(place: Place): readonly [x: number, y: number]
}

const marginPx = 56
/** About 50 m: nearer the drawing would promise what positions do not keep. */
const leastSpanDegrees = 0.000_5
/** Mercator has no poles. */
const mostLatitude = 80
const earthMetres = 6_371_008.8

/** The piece that holds all these places, with a margin; at least one is given. */
export const viewOf = (places: readonly Place[], width: number, height: number): MapView => {
  const latitudes = places.map(({ latitudeE7 }) =>
    clamp(latitudeE7 / 1e7, -mostLatitude, mostLatitude),
  )
  const { centre, halfSpan } = arcOf(places.map(({ longitudeE7 }) => longitudeE7 / 1e7))
  const [south, north] = widened(Math.min(...latitudes), Math.max(...latitudes))
  const [west, east] = widened(-halfSpan, halfSpan)
  const projection = geoMercator()
    .rotate([-centre, 0])
    .fitExtent(
      [
        [marginPx, marginPx],
        [width - marginPx, height - marginPx],
      ],
      {
        type: 'MultiPoint',
        coordinates: [
          [centre + west, south],
          [centre + east, north],
        ],
      },
    )
    .clipExtent([
      [-1, -1],
      [width + 1, height + 1],
    ])
  const at = (x: number, y: number) => projection.invert?.([x, y]) ?? [0, 0]
  const middle = at(width / 2, height / 2)
  return {
    width,
    height,
    projection,
    spanDegrees: Math.max(north - south, east - west),
    metresPerPixel: (geoDistance(middle, at(width / 2 + 10, height / 2)) * earthMetres) / 10,
    xy: ({ latitudeE7, longitudeE7 }) =>
      projection([longitudeE7 / 1e7, clamp(latitudeE7 / 1e7, -mostLatitude, mostLatitude)]) ?? [
        0, 0,
      ],
  }
}

/** The shortest arc that holds all longitudes: it may cross the 180th meridian. */
const arcOf = (longitudes: readonly number[]): { centre: number; halfSpan: number } => {
  const sorted = [...longitudes].sort((a, b) => a - b)
  let [start, gap] = [sorted[0] ?? 0, -1]
  sorted.forEach((longitude, index) => {
    const next = sorted[index + 1] ?? (sorted[0] ?? 0) + 360
    if (next - longitude <= gap) return
    gap = next - longitude
    start = next
  })
  const halfSpan = (360 - gap) / 2
  return { centre: start + halfSpan, halfSpan }
}

const widened = (from: number, to: number): [number, number] => {
  const missing = Math.max(0, leastSpanDegrees - (to - from)) / 2
  return [from - missing, to + missing]
}

const clamp = (value: number, least: number, most: number): number =>
  Math.min(Math.max(value, least), most)

/** One line of the grid: where it is drawn, and its degrees. */
interface GridLine {
  at: number
  degrees: number
}

/** Between two lines, about. */
const gridPx = 110
const steps = [1, 2, 5]

/** Round numbers of latitude and longitude across a view. */
export const gridOf = ({
  width,
  height,
  projection,
}: MapView): Record<'latitudes' | 'longitudes', GridLine[]> => {
  const [centre, north] = projection.invert?.([width / 2, 0]) ?? [0, 0]
  const [, south] = projection.invert?.([width / 2, height]) ?? [0, 0]
  const across = Math.min(360, (width / projection.scale()) * (180 / Math.PI))
  const west = centre - across / 2
  const latitudes = roundNumbers(south, north, height / gridPx).map((degrees) => ({
    degrees,
    at: projection([centre, degrees])?.[1] ?? 0,
  }))
  const longitudes = roundNumbers(west, west + across, width / gridPx).map((degrees) => ({
    degrees: ((degrees + 540) % 360) - 180,
    at: projection([degrees, (north + south) / 2])?.[0] ?? 0,
  }))
  return { latitudes, longitudes }
}

/** A length of 1, 2 or 5 times a power of ten that is at most `mostPx` long. */
export const scaleOf = ({ metresPerPixel }: MapView, mostPx: number) => {
  const metres = roundBelow(metresPerPixel * mostPx)
  return { metres, px: metres / metresPerPixel }
}

const roundNumbers = (from: number, to: number, lines: number): number[] => {
  const step = roundAbove((to - from) / lines)
  const first = Math.ceil(from / step)
  const count = Math.max(0, Math.floor(to / step) - first + 1)
  return Array.from({ length: count }, (_, index) => (first + index) * step)
}

const roundAbove = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * (steps.find((step) => step * power >= value) ?? 10)
}

const roundBelow = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * (steps.findLast((step) => step * power <= value) ?? 1)
}
