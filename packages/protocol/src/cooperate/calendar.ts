import { boundedCache } from '../trust/bounded-cache.ts'
import { ALL_HOURS, HOURS_A_WEEK, type HourBits } from './hour-bits.ts'

/**
 * A machine's calendar is the wall-clock week of one time zone (docs/protocol/rights.md): an hour belongs to whoever holds it while the clock on the
 * wall reads it. An hour that the clock skips has no time; one that it reads twice has both times.
 */

/** Time during which the wall clock reads one hour of a week; ms since 1970, `toMs` excluded. */
export interface HourSpan {
  hour: number
  fromMs: number
  toMs: number
}

/** Time without a gap; ms since 1970, `toMs` excluded. */
export interface Span {
  fromMs: number
  toMs: number
}

/** An hour as a wall clock reads it: `week` weeks after Monday 1970-01-05. */
export interface WallHour {
  week: number
  hour: number
}

const SECOND_MS = 1_000
const HOUR_MS = 3_600_000
const WEEK_MS = HOURS_A_WEEK * HOUR_MS
/** Monday 1970-01-05 00:00, as a wall clock reads it. */
const WEEK_ZERO_MS = 4 * 24 * HOUR_MS
/** No zone was ever further from UTC. */
const MOST_OFFSET_MS = 16 * HOUR_MS
/** No zone changes its clock twice within so long. */
const STEP_MS = 6 * HOUR_MS
const MAX_ZONE_LETTERS = 31
const ZONE = /^[A-Za-z0-9/_+-]+$/
const MOST_FORMATS = 32
const MOST_WEEKS = 1_024

const formats = boundedCache<Intl.DateTimeFormat>(MOST_FORMATS)
const weeks = boundedCache<readonly HourSpan[]>(MOST_WEEKS)

function formatOf(zone: string): Intl.DateTimeFormat {
  return formats(zone, () => {
    return new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  })
}

/** Whether it is a zone that the ledger takes and this computer knows (IANA's database as it has it). */
export function isTimeZone(zone: string): boolean {
  if (zone.length > MAX_ZONE_LETTERS || !ZONE.test(zone)) return false
  try {
    formatOf(zone)
    return true
  } catch {
    return false
  }
}

/** What a wall clock in the zone reads, as if it stood in UTC. */
function wallMs(zone: string, atMs: number): number {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? 0
  const seconds = Date.UTC(
    part('year'),
    part('month') - 1,
    part('day'),
    part('hour'),
    part('minute'),
    part('second'),
  )
  return seconds + (((atMs % SECOND_MS) + SECOND_MS) % SECOND_MS)
}

const offsetMs = (zone: string, atMs: number) => wallMs(zone, atMs) - atMs

const hourOfWallMs = (ms: number): WallHour => {
  const hours = Math.floor((ms - WEEK_ZERO_MS) / HOUR_MS)
  const week = Math.floor(hours / HOURS_A_WEEK)
  return { week, hour: hours - week * HOURS_A_WEEK }
}

/** What the wall clock of the zone reads at an instant. @throws RangeError if the zone is none: ask `isTimeZone`. */
export function wallHourAt(zone: string, atMs: number): WallHour {
  return hourOfWallMs(wallMs(zone, atMs))
}

/** First instant in (fromMs, toMs] with the offset that `toMs` has; exact to the second, as zones are. */
function changeBetween(zone: string, fromMs: number, toMs: number): number {
  const after = offsetMs(zone, toMs)
  let [low, high] = [fromMs, toMs]
  while (high - low > SECOND_MS) {
    const middle = low + Math.floor((high - low) / 2 / SECOND_MS) * SECOND_MS
    if (offsetMs(zone, middle) === after) high = middle
    else low = middle
  }
  return high
}

/** Stretches of [fromMs, toMs) between two changes of the zone's clock. */
function steadySpans(zone: string, fromMs: number, toMs: number): (Span & { offset: number })[] {
  const spans: (Span & { offset: number })[] = []
  let start = fromMs
  let offset = offsetMs(zone, fromMs)
  for (let at = fromMs; at < toMs; at += STEP_MS) {
    const next = Math.min(at + STEP_MS, toMs)
    const nextOffset = offsetMs(zone, next)
    if (nextOffset === offset) continue
    const change = changeBetween(zone, at, next)
    spans.push({ fromMs: start, toMs: change, offset })
    start = change
    offset = nextOffset
  }
  return [...spans, { fromMs: start, toMs, offset }]
}

/**
 * The time of each hour of a week, in order of time. Together they are all the time in which the wall clock reads that week, once.
 *
 * @throws RangeError if the zone is none: ask `isTimeZone`.
 */
export function weekSpans(zone: string, week: number): readonly HourSpan[] {
  return weeks(`${zone} ${week}`, () => cutIntoHours(zone, week))
}

function cutIntoHours(zone: string, week: number): HourSpan[] {
  const first = WEEK_ZERO_MS + week * WEEK_MS
  const spans: HourSpan[] = []
  for (const steady of steadySpans(
    zone,
    first - MOST_OFFSET_MS,
    first + WEEK_MS + MOST_OFFSET_MS,
  )) {
    const { offset } = steady
    const from = Math.max(steady.fromMs + offset, first)
    const to = Math.min(steady.toMs + offset, first + WEEK_MS)
    for (let at = from; at < to; ) {
      const { hour } = hourOfWallMs(at)
      const end = Math.min(first + (hour + 1) * HOUR_MS, to)
      const last = spans.at(-1)
      // The clock went back within the hour, or the other clock reads on in it.
      if (last?.hour === hour && last.toMs === at - offset) last.toMs = end - offset
      else spans.push({ hour, fromMs: at - offset, toMs: end - offset })
      at = end
    }
  }
  return spans
}

/** How long each hour of a week lasts, in seconds: 3,600 but for those in which the clock changes. */
export function hourSeconds(zone: string, week: number): number[] {
  const seconds = Array.from({ length: HOURS_A_WEEK }, () => 0)
  for (const { hour, fromMs, toMs } of weekSpans(zone, week)) {
    seconds[hour] = (seconds[hour] ?? 0) + (toMs - fromMs) / SECOND_MS
  }
  return seconds
}

/** The time of some hours of a week, in order, joined where one follows another. */
export function spansOfBits(zone: string, week: number, bits: HourBits): Span[] {
  if (bits === 0n) return []
  const held = weekSpans(zone, week).filter(({ hour }) => ((bits >> BigInt(hour)) & 1n) === 1n)
  return joinSpans(held)
}

/** Spans in order of time, those that touch joined. */
export function joinSpans(spans: readonly Span[]): Span[] {
  const joined: Span[] = []
  for (const { fromMs, toMs } of [...spans].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1)
    if (last && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs)
    else joined.push({ fromMs, toMs })
  }
  return joined
}

/** Day on which a week begins, as `YYYY-MM-DD`: a Monday. */
export function mondayOf(week: number): string {
  return new Date(WEEK_ZERO_MS + week * WEEK_MS).toISOString().slice(0, 10)
}

/** The week of a day given as `YYYY-MM-DD`; undefined for what is no day. */
export function weekOfDay(day: string): number | undefined {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN
  return Number.isNaN(ms) ? undefined : hourOfWallMs(ms).week
}

// --- what the ledger says of past and future ---------------------------------------------------------------------------

/** The ledger knows no zones: it speaks with a day of slack, more than any zone is away from UTC. */
const SLACK_HOURS = 24

const ledgerHour = (nowSeconds: number) => Math.floor((nowSeconds - WEEK_ZERO_MS / 1_000) / 3_600)

/** First week that the ledger lets rights begin in, and the last is `MAX_RIGHT_WEEKS` after it. */
export function openWeek(nowSeconds: number): number {
  return Math.floor((ledgerHour(nowSeconds) - SLACK_HOURS) / HOURS_A_WEEK)
}

/** Hours of a week that the ledger calls over: nobody books them any more. */
export function hoursOver(week: number, nowSeconds: number): HourBits {
  return hoursBefore(week, ledgerHour(nowSeconds) - SLACK_HOURS)
}

/** Hours of a week that the ledger calls begun, a day early: nobody gives them back any more. */
export function hoursBegun(week: number, nowSeconds: number): HourBits {
  return hoursBefore(week, ledgerHour(nowSeconds) + SLACK_HOURS)
}

function hoursBefore(week: number, hour: number): HourBits {
  const count = hour - week * HOURS_A_WEEK
  if (count <= 0) return 0n
  return count >= HOURS_A_WEEK ? ALL_HOURS : (1n << BigInt(count)) - 1n
}
