import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  bookedUntilMs,
  type Counts,
  counterReadings,
  isPeak,
  MINUTE_MS,
  spread,
} from '../../src/charging/minutes.ts'
import type { Session } from '../../src/charging/session.ts'

const YEAR_MS = Date.parse('2016-09-01T00:00:00Z')
const MINUTES_OF_YEAR = 365 * 1_440

const sessionOf = (startMs: number, minutes: number, energyWh: bigint): Session => ({
  row: 1,
  chargePoint: '51519',
  connector: '1',
  site: 'Broxden Park & Ride, Perth',
  startMs,
  endMs: startMs + minutes * MINUTE_MS,
  energyWh,
})

const anySession = fc
  .record({
    start: fc.nat(MINUTES_OF_YEAR),
    minutes: fc.oneof(fc.constant(0), fc.nat(200), fc.nat(5_000)),
    energyWh: fc.bigInt(0n, 200_000n),
  })
  .map(({ start, minutes, energyWh }) => sessionOf(YEAR_MS + start * MINUTE_MS, minutes, energyWh))

const totalWh = ({ peakWh, offPeakWh }: Counts) => peakWh + offPeakWh

test('spreading loses no watt hour, stays within the session, and shares evenly', () => {
  fc.assert(
    fc.property(anySession, (session) => {
      const byMinute = new Map<number, Counts>()
      spread(session, byMinute)
      const shares = [...byMinute.values()].map(totalWh)
      const times = [...byMinute.keys()]
      expect(shares.reduce((sum, wh) => sum + wh, 0n)).toBe(session.energyWh)
      expect(Math.min(...times)).toBe(session.startMs)
      expect(Math.max(...times)).toBe(bookedUntilMs(session) - MINUTE_MS)
      const [most = 0n, least = 0n] = [shares[0], shares.at(-1)]
      // Largest remainder over equal shares: the earliest minutes have one watt hour more.
      expect(most - least === 0n || most - least === 1n).toBe(true)
      expect(shares).toEqual([...shares].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0)))
      const minutes = [...byMinute.values()].reduce((sum, { minutes: m }) => sum + m, 0n)
      expect(minutes).toBe(BigInt((session.endMs - session.startMs) / MINUTE_MS))
    }),
    { numRuns: 200 },
  )
})

test('the counters end with the sum of all sessions, never fall, and show each border only once', () => {
  const border = (timeMs: number) => timeMs % (28 * 86_400_000) === 0
  fc.assert(
    fc.property(fc.array(anySession, { minLength: 1, maxLength: 12 }), (sessions) => {
      const readings = counterReadings(sessions, border)
      const last = readings.at(-1)
      expect(last && totalWh(last)).toBe(sessions.reduce((sum, { energyWh }) => sum + energyWh, 0n))
      for (const [index, reading] of readings.entries()) {
        const before = readings[index - 1]
        if (!before) continue
        expect(reading.timeMs).toBeGreaterThan(before.timeMs)
        expect(reading.peakWh >= before.peakWh && reading.offPeakWh >= before.offPeakWh).toBe(true)
        expect(reading.minutes >= before.minutes).toBe(true)
      }
    }),
    { numRuns: 200 },
  )
})

test('a session across a border is shown there, so that energy lies in the period of its delivery', () => {
  const borderMs = YEAR_MS + 60 * MINUTE_MS
  const session = sessionOf(YEAR_MS, 120, 12_001n)
  const readings = counterReadings([session], (timeMs) => timeMs === borderMs)
  expect(readings.map(({ timeMs, offPeakWh, minutes }) => [timeMs, offPeakWh, minutes])).toEqual([
    // 12,001 Wh over 120 minutes: 100 each, and one more in the first.
    [borderMs, 6_001n, 60n],
    [YEAR_MS + 120 * MINUTE_MS, 12_001n, 120n],
  ])
})

test('a session of zero minutes is booked at its start minute', () => {
  const [reading] = counterReadings([sessionOf(YEAR_MS, 0, 700n)], () => false)
  expect(reading).toEqual({
    timeMs: YEAR_MS + MINUTE_MS,
    peakWh: 0n,
    offPeakWh: 700n,
    minutes: 0n,
  })
})

test.each([
  ['Monday before seven, summer time', '2017-05-01T05:59:00Z', false],
  ['Monday at seven, summer time', '2017-05-01T06:00:00Z', true],
  ['Friday before seven in the evening', '2017-05-05T17:59:00Z', true],
  ['Friday at seven in the evening', '2017-05-05T18:00:00Z', false],
  ['Saturday noon', '2017-05-06T11:00:00Z', false],
  ['Sunday noon', '2017-05-07T11:00:00Z', false],
  ['Monday at seven, winter time', '2017-01-02T07:00:00Z', true],
  ['Monday before seven, winter time', '2017-01-02T06:59:00Z', false],
  ['Friday before the clocks go back', '2016-10-28T06:00:00Z', true],
  ['Monday after the clocks went back', '2016-10-31T06:00:00Z', false],
])('%s: %s', (_, time, peak) => {
  expect(isPeak(Date.parse(time))).toBe(peak)
})
