import fc from 'fast-check'
import { Temporal } from 'temporal-polyfill'
import { describe, expect, test } from 'vitest'
import {
  ALL_HOURS,
  bitsOfHours,
  hourSeconds,
  hoursBegun,
  hoursOver,
  isTimeZone,
  mondayOf,
  openWeek,
  spansOfBits,
  wallHourAt,
  weekOfDay,
  weekSpans,
} from '../../src/index.ts'

const ZONES = [
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/St_Johns',
  'Pacific/Apia',
  'UTC',
] as const
const SATURDAY = 5 * 24
const SUNDAY = 6 * 24
const week = (day: string) => weekOfDay(day) ?? Number.NaN
const hours = (zone: string, of: number, hour: number) => hourSeconds(zone, of)[hour]

describe('hours of a week', () => {
  test('an ordinary one has 168 of 3,600 seconds, and follows the wall clock', () => {
    const monday = week('2026-01-05')
    expect(mondayOf(monday)).toBe('2026-01-05')
    expect(hourSeconds('Europe/Berlin', monday)).toEqual(Array.from({ length: 168 }, () => 3_600))
    expect(spansOfBits('Europe/Berlin', monday, bitsOfHours([SATURDAY + 8, SATURDAY + 9]))).toEqual(
      [{ fromMs: Date.UTC(2026, 0, 10, 7), toMs: Date.UTC(2026, 0, 10, 9) }],
    )
  })

  test('an hour that the clock skips lasts no time, and one that it repeats lasts two', () => {
    const [spring, autumn] = [week('2026-03-29'), week('2026-10-25')]
    expect(hours('Europe/Berlin', spring, SUNDAY + 2)).toBe(0)
    expect(hours('Europe/Berlin', autumn, SUNDAY + 2)).toBe(7_200)
    expect(spansOfBits('Europe/Berlin', spring, bitsOfHours([SUNDAY + 2]))).toEqual([])
    expect(spansOfBits('Europe/Berlin', autumn, bitsOfHours([SUNDAY + 2]))).toEqual([
      { fromMs: Date.UTC(2026, 9, 25, 0), toMs: Date.UTC(2026, 9, 25, 2) },
    ])
  })

  test('a slot across the change goes on without a gap', () => {
    expect(
      spansOfBits(
        'Europe/Berlin',
        week('2026-03-29'),
        bitsOfHours([SUNDAY + 1, SUNDAY + 2, SUNDAY + 3]),
      ),
    ).toEqual([{ fromMs: Date.UTC(2026, 2, 29, 0), toMs: Date.UTC(2026, 2, 29, 2) }])
  })

  test('Lord Howe moves its clock by half an hour', () => {
    expect(hours('Australia/Lord_Howe', week('2026-10-04'), SUNDAY + 2)).toBe(1_800)
    expect(hours('Australia/Lord_Howe', week('2026-04-05'), SUNDAY + 1)).toBe(5_400)
  })

  test('a day that a zone skips has no time: Samoa, 30 December 2011', () => {
    const friday = hourSeconds('Pacific/Apia', week('2011-12-30')).slice(4 * 24, 5 * 24)
    expect(friday).toEqual(Array.from({ length: 24 }, () => 0))
  })
})

describe('hours are conserved', () => {
  test.each(ZONES)('%s: the hours of a year are its time, once and without a gap', (zone) => {
    const [first, last] = [week('2026-01-05'), week('2027-01-04')]
    const spans = Array.from({ length: last - first }, (_, index) => weekSpans(zone, first + index))
      .flat()
      .sort((a, b) => a.fromMs - b.fromMs)
    const start = Temporal.ZonedDateTime.from(`2026-01-05T00:00[${zone}]`)
    const end = Temporal.ZonedDateTime.from(`2027-01-04T00:00[${zone}]`)
    expect(spans[0]?.fromMs).toBe(start.epochMilliseconds)
    expect(spans.at(-1)?.toMs).toBe(end.epochMilliseconds)
    for (const [index, span] of spans.slice(1).entries())
      expect(span.fromMs).toBe(spans[index]?.toMs)
    const seconds = Array.from({ length: last - first }, (_, index) =>
      hourSeconds(zone, first + index),
    )
      .flat()
      .reduce((sum, one) => sum + one, 0)
    expect(seconds).toBe((end.epochMilliseconds - start.epochMilliseconds) / 1_000)
  })

  test('what an instant reads agrees with Temporal, and lies in the span of its hour', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ZONES),
        fc.integer({ min: Date.UTC(2000, 0), max: Date.UTC(2050, 0) }),
        (zone, atMs) => {
          const { week: of, hour } = wallHourAt(zone, atMs)
          const wall = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(zone)
          expect(hour).toBe((wall.dayOfWeek - 1) * 24 + wall.hour)
          expect(mondayOf(of)).toBe(
            wall
              .toPlainDate()
              .subtract({ days: wall.dayOfWeek - 1 })
              .toString(),
          )
          const inside = weekSpans(zone, of).filter(
            ({ fromMs, toMs }) => fromMs <= atMs && atMs < toMs,
          )
          expect(inside.map((span) => span.hour)).toEqual([hour])
        },
      ),
      { numRuns: 300 },
    )
  }, 60_000)
})

test('a zone is one that the ledger takes and this computer knows', () => {
  expect(['Europe/Berlin', 'UTC', 'Etc/GMT+5'].every(isTimeZone)).toBe(true)
  expect(['', 'Mars/Base', 'Europe Berlin', '+02:00', 'a'.repeat(32)].some(isTimeZone)).toBe(false)
})

test('what is no day has no week', () => {
  expect([weekOfDay('2026-13-01'), weekOfDay('tomorrow')]).toEqual([undefined, undefined])
})

test("the ledger's past comes a day late and its future a day early, whatever the zone", () => {
  const friday = Date.UTC(2027, 0, 15, 8) / 1_000
  const now = openWeek(friday)
  expect(now).toBe(2_975)
  expect([hoursOver(now, friday), hoursBegun(now, friday)]).toEqual([
    (1n << 80n) - 1n,
    (1n << 128n) - 1n,
  ])
  expect([hoursOver(now + 1, friday), hoursOver(now - 1, friday)]).toEqual([0n, ALL_HOURS])
  for (const zone of ['Pacific/Kiritimati', 'Etc/GMT+12']) {
    const { week: of, hour } = wallHourAt(zone, friday * 1_000)
    const bit = 1n << BigInt(hour)
    expect(hoursOver(of, friday) & bit).toBe(0n)
    expect(hoursBegun(of, friday) & bit).toBe(bit)
  }
})
