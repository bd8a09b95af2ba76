import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DistanceRule, foldStream, type LoggedEnvelope, registerAt } from '../../src/index.ts'
import { hopMicrometres, type Position } from '../../src/transact/hop.ts'
import {
  DISTANCE,
  decimal,
  declaration,
  MINUTE_MS,
  position,
  reading,
  readings,
  START_MS,
  termsOf,
} from './fixtures.ts'
import { sharedFile } from './shared-data.ts'

const EARTH_METRES = 6_371_008.8
const options = { numRuns: process.env.LIQUEFY_NIGHTLY ? 100_000 : 1_000 }

/** Great circle by haversine, in doubles: nothing in common with the integers under test. */
function haversineMetres(from: Position, to: Position): number {
  const [a, b, c, d] = [from.latitude, to.latitude, from.longitude, to.longitude].map(
    (tenMillionths) => (Number(tenMillionths) / 1e7) * (Math.PI / 180),
  ) as [number, number, number, number]
  const half = Math.sin((b - a) / 2) ** 2 + Math.cos(a) * Math.cos(b) * Math.sin((d - c) / 2) ** 2
  return 2 * EARTH_METRES * Math.asin(Math.sqrt(half))
}

const hopMetres = (from: Position, to: Position) => Number(hopMicrometres(from, to, 7)) / 1e6

const place = fc.record({
  latitude: fc.bigInt({ min: -850_000_000n, max: 850_000_000n }),
  longitude: fc.bigInt({ min: -1_800_000_000n, max: 1_800_000_000n }),
})

/** A place less than 10 km from another one, perhaps across the date line. */
function near({ latitude, longitude }: Position, bearing: number, metres: number): Position {
  const north = ((metres * Math.cos(bearing)) / EARTH_METRES) * (180 / Math.PI)
  const narrowing = Math.cos((Number(latitude) / 1e7) * (Math.PI / 180))
  const east = ((metres * Math.sin(bearing)) / (EARTH_METRES * narrowing)) * (180 / Math.PI)
  const turned = longitude + BigInt(Math.round(east * 1e7)) + 5_400_000_000n
  return {
    latitude: latitude + BigInt(Math.round(north * 1e7)),
    longitude: (turned % 3_600_000_000n) - 1_800_000_000n,
  }
}

const hop = fc.record({
  from: place,
  bearing: fc.double({ min: 0, max: 2 * Math.PI, noNaN: true }),
  metres: fc.double({ min: 0, max: 9_900, noNaN: true }),
})

describe('length of a hop', () => {
  test('within 1e-4 of the great circle below 10 km, up to 85 degrees, across the date line too', () => {
    fc.assert(
      fc.property(hop, ({ from, bearing, metres }) => {
        const to = near(from, bearing, metres)
        const [ours, theirs] = [hopMetres(from, to), haversineMetres(from, to)]
        expect(Math.abs(ours - theirs)).toBeLessThanOrEqual(theirs * 1e-4 + 1e-3)
      }),
      options,
    )
  })

  test('known answers, which any implementation must give to the micrometre', () => {
    const at = (latitude: number, longitude: number): Position => ({
      latitude: BigInt(Math.round(latitude * 1e7)),
      longitude: BigInt(Math.round(longitude * 1e7)),
    })
    const answers = [
      [at(0, 0), at(0, 0), 0n],
      [at(0, 0), at(0.000_000_1, 0), 11_119n],
      [at(52.372_025, 4.909_63), at(52.371_996_7, 4.909_64), 3_219_217n],
      [at(60, 23.5), at(60.01, 23.52), 1_572_417_062n],
      [at(-33.9, 179.999), at(-33.9, -179.999), 184_586_565n],
      [at(89.9, 0), at(89.9, 180), 34_932_946_982n],
      [at(90, 0), at(90, 90), 0n],
    ] as const
    for (const [from, to, micrometres] of answers) {
      expect(hopMicrometres(from, to, 7)).toBe(micrometres)
    }
  })

  test('never negative, the same both ways, nothing to the same place', () => {
    fc.assert(
      fc.property(place, place, (from, to) => {
        const there = hopMicrometres(from, to, 7)
        expect(there).toBeGreaterThanOrEqual(0n)
        expect(hopMicrometres(to, from, 7)).toBe(there)
        expect(hopMicrometres(from, from, 7)).toBe(0n)
      }),
      options,
    )
  })

  test('a line in pieces is as long as the line', () => {
    fc.assert(
      fc.property(hop, fc.integer({ min: 2, max: 10 }), ({ from, bearing, metres }, pieces) => {
        const to = near(from, bearing, Math.max(metres, 100))
        const way = Array.from({ length: pieces + 1 }, (_, piece) => {
          const part = (one: bigint, other: bigint) =>
            one + ((other - one) * BigInt(piece)) / BigInt(pieces)
          const raw = to.longitude - from.longitude
          const turn =
            raw > 1_800_000_000n ? -3_600_000_000n : raw < -1_800_000_000n ? 3_600_000_000n : 0n
          return {
            latitude: part(from.latitude, to.latitude),
            longitude: part(from.longitude, to.longitude + turn),
          }
        })
        const sum = way
          .slice(1)
          .reduce((total, one, index) => total + hopMetres(way[index] ?? one, one), 0)
        const whole = hopMetres(from, to)
        // Each corner of the way is rounded to 11 mm.
        expect(Math.abs(sum - whole)).toBeLessThanOrEqual(whole * 1e-4 + 0.04 * pieces)
      }),
      options,
    )
  })
})

function fold(rule: DistanceRule, envelopes: LoggedEnvelope[], periodSeconds = 3600) {
  const terms = termsOf(rule, { periodSeconds })
  const { steps, state } = foldStream(terms, envelopes, START_MS + 1e9)
  return { codes: steps.map(({ code }) => code), state, billed: registerAt(state, 0) }
}

const at = (seq: number, minutes: number, latitude: number, longitude = 0) =>
  readings(seq, position(minutes, latitude, longitude), {
    loggedAt: START_MS + minutes * MINUTE_MS,
  })

describe('distance', () => {
  // 0.01 degrees of latitude are 1,111.95 m.
  const HUNDREDTH = 100_000

  test('adds straight lines, floored once', () => {
    const stream = [0, 1, 2, 3].map((step) => at(step + 1, step, step * HUNDREDTH))
    expect(fold(DISTANCE, stream)).toMatchObject({ codes: ['OK', 'OK', 'OK', 'OK'], billed: 3335n })
  })

  test('jitter at rest drives nowhere; beyond the band the whole line counts', () => {
    const jitter = [0, 500, -500, 600, 0, -600].map((off, i) => at(i + 1, i, off, -off))
    expect(fold(DISTANCE, jitter).billed).toBe(0n)
    expect(fold(DISTANCE, [at(1, 0, 0), at(2, 1, 890), at(3, 2, 910)]).billed).toBe(10n)
  })

  test('ATK a leap is not believed, however long the machine stood, and the way back bills nothing', () => {
    const stood = Array.from({ length: 30 }, (_, i) => at(i + 1, i, 0))
    // 40 m/s for a minute, and the band.
    const edge = fold(DISTANCE, [...stood, at(31, 30, 216_700)])
    expect(edge).toMatchObject({ billed: 2409n })
    const leap = fold(DISTANCE, [...stood, at(31, 30, 216_800), at(32, 31, 0)])
    expect(leap.codes.slice(-2)).toEqual(['IMPLAUSIBLE', 'OK'])
    expect(leap.billed).toBe(0n)
  })

  test('over a declared silence the straight line counts, over an undeclared one it does not', () => {
    const gap = declaration(2, {
      kind: 'gap',
      fromMs: START_MS,
      toMs: START_MS + 40 * MINUTE_MS,
      reason: 'tunnel',
    })
    expect(fold(DISTANCE, [at(1, 0, 0), gap, at(3, 40, HUNDREDTH)]).billed).toBe(1111n)
    expect(fold(DISTANCE, [at(1, 0, 0), at(2, 40, HUNDREDTH), at(3, 41, 0)])).toMatchObject({
      codes: ['OK', 'GAP', 'OK'],
      billed: 1111n,
    })
    expect(fold(DISTANCE, [at(1, 0, 0), at(2, 40, 0)]).codes).toEqual(['OK', 'OK'])
  })

  test('lat and lon in any order, without a name, are one position', () => {
    const [lat, lon] = position(2, HUNDREDTH, 0).map((one) => ({ ...one, name: 'truck/' }))
    if (!lat || !lon) throw new Error('no position')
    const turned = readings(2, [lon, lat], { loggedAt: START_MS + 2 * MINUTE_MS })
    expect(fold(DISTANCE, [at(1, 0, 0), turned])).toMatchObject({
      codes: ['OK', 'OK'],
      billed: 1111n,
    })
  })

  test('half a position is none, and disturbs no other', () => {
    const [lat] = position(1, 0, 0)
    const [, lon] = position(2, 0, 0)
    if (!lat || !lon) throw new Error('no position')
    const pack = [lat, lon, ...position(3, HUNDREDTH, 0), lat]
    expect(
      fold(DISTANCE, [at(1, 0, 0), readings(2, pack, { loggedAt: START_MS + 3 * MINUTE_MS })]),
    ).toMatchObject({ codes: ['OK', 'VALUE_INVALID'], billed: 1111n })
  })

  test.each([
    ['a latitude beyond the pole', position(1, 900_000_001, 0), 'VALUE_INVALID'],
    ['a longitude beyond the date line', position(1, 0, -1_800_000_001), 'VALUE_INVALID'],
    [
      'a finer degree than agreed',
      position(1, 0, 0).map((one) => ({ ...one, value: decimal(1, -8) })),
      'VALUE_INVALID',
    ],
    ['another unit', [reading(DISTANCE, 1, 5, { unit: 'm' })], 'UNIT_MISMATCH'],
  ])('%s is refused', (_, records, code) => {
    expect(fold(DISTANCE, [readings(1, records)]).codes).toEqual([code])
  })
})

/** Degrees and minutes of NMEA 0183 as the 10^-7 degrees that a receiver would sign. */
function tenMillionths(text: string, hemisphere: string): number {
  const point = text.indexOf('.')
  const degrees = Number(text.slice(0, point - 2)) + Number(text.slice(point - 2)) / 60
  return Math.round(degrees * 1e7) * (hemisphere === 'S' || hemisphere === 'W' ? -1 : 1)
}

type Fix = { seconds: number; latitude: number; longitude: number }

function fixesOf(path: string, sentence: RegExp): Fix[] {
  const fixes: Fix[] = []
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const match = sentence.exec(line)?.groups
    if (!match) continue
    const { time = '', lat = '', ns = '', lon = '', ew = '' } = match
    const [h, m, s] = [time.slice(0, 2), time.slice(2, 4), time.slice(4, 6)].map(Number)
    const seconds = (h ?? 0) * 3600 + (m ?? 0) * 60 + (s ?? 0)
    const fix = { seconds, latitude: tenMillionths(lat, ns), longitude: tenMillionths(lon, ew) }
    if (seconds >= (fixes.at(-1)?.seconds ?? 0)) fixes.push(fix)
  }
  return fixes
}

const sail = sharedFile('boat/plaka.log')
const moored = sharedFile('boat/gps.log')
const BOAT: DistanceRule = {
  ...DISTANCE,
  noiseBandMm: 30_000,
  maxMmPerSecond: 15_000,
  maxSilenceSeconds: 60,
}
const play = (fixes: readonly Fix[]) => {
  const first = fixes[0]?.seconds ?? 0
  return fixes.map(({ seconds, latitude, longitude }, index) =>
    at(index + 1, (seconds - first) / 60, latitude, longitude),
  )
}

test.skipIf(!sail)('a sailing boat: the way is that of its own log, within the noise', () => {
  const log = /^\$GPGLL,(?<lat>[\d.]+),(?<ns>[NS]),(?<lon>[\d.]+),(?<ew>[EW]),(?<time>\d+),A/
  const fixes = fixesOf(sail ?? '', log)
  expect(fixes.length).toBeGreaterThan(7_000)
  const speeds = readFileSync(sail ?? '', 'utf8').matchAll(/\$IIVTG,[\d.]+,T,[\d.]+,M,([\d.]+),N/g)
  const knots = Array.from(speeds, ([, speed]) => Number(speed))
  const hours = ((fixes.at(-1)?.seconds ?? 0) - (fixes[0]?.seconds ?? 0)) / 3600
  const logged = (knots.reduce((sum, one) => sum + one, 0) / knots.length) * hours * 1852
  const { billed, codes } = fold(BOAT, play(fixes), 86_400)
  expect(new Set(codes)).toEqual(new Set(['OK']))
  expect(Math.abs(Number(billed) - logged) / logged).toBeLessThan(0.03)
})

test.skipIf(!moored)('a boat at its mooring: twenty minutes of real jitter drive nowhere', () => {
  const log =
    /^\$GPGGA,(?<time>\d+)\.\d+,(?<lat>[\d.]+),(?<ns>[NS]),(?<lon>[\d.]+),(?<ew>[EW]),[12]/
  const fixes = fixesOf(moored ?? '', log)
  expect(fixes.length).toBeGreaterThan(1_000)
  const naive = fold({ ...BOAT, noiseBandMm: 0 }, play(fixes), 86_400)
  const banded = fold(BOAT, play(fixes), 86_400)
  expect(naive.billed).toBeGreaterThan(300n)
  expect(banded.billed).toBe(0n)
  expect(new Set(banded.codes)).toEqual(new Set(['OK']))
})
