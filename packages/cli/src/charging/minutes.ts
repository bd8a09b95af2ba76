import { londonOffsetMs } from '../london-time.ts'
import type { Session } from './session.ts'

/** What a charge point's three counters have counted. */
export interface Counts {
  /** Delivered on weekdays from 07:00 to before 19:00, London time. */
  peakWh: bigint
  offPeakWh: bigint
  /** Minutes connected, all connectors together. */
  minutes: bigint
}

export const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const PEAK_FROM_MS = 7 * HOUR_MS
const PEAK_TO_MS = 19 * HOUR_MS
/** 1970-01-01 was a Thursday; days of the week are counted from Sunday. */
const FIRST_WEEKDAY = 4

/** Whether the minute that begins at `timeMs` is at peak: Monday to Friday, 07:00 to before 19:00, London time. */
export function isPeak(timeMs: number): boolean {
  const localMs = timeMs + londonOffsetMs(timeMs)
  const weekday = (Math.floor(localMs / DAY_MS) + FIRST_WEEKDAY) % 7
  const timeOfDayMs = localMs % DAY_MS
  const isWeekday = weekday >= 1 && weekday <= 5
  return isWeekday && timeOfDayMs >= PEAK_FROM_MS && timeOfDayMs < PEAK_TO_MS
}

/** The end of the last minute that a session's energy is booked in: its end, or one minute after its start if it has no minutes. */
export function bookedUntilMs({ startMs, endMs }: Session): number {
  return Math.max(endMs, startMs + MINUTE_MS)
}

/**
 * Adds what a session delivered, minute by minute, to `byMinute` (by the minute's start, ms since 1970). Energy is spread evenly over the
 * session's minutes by largest remainder: every minute has the floor of the even share, and the watt hours left go one each to the
 * earliest minutes, so that nothing is lost. A session of zero minutes is booked at its start minute.
 */
export function spread(session: Session, byMinute: Map<number, Counts>): void {
  const { startMs, endMs, energyWh } = session
  const lastMs = bookedUntilMs(session)
  const minutes = BigInt((lastMs - startMs) / MINUTE_MS)
  const share = energyWh / minutes
  let left = energyWh % minutes
  for (let timeMs = startMs; timeMs < lastMs; timeMs += MINUTE_MS) {
    const wh = left > 0n ? share + 1n : share
    if (left > 0n) left -= 1n
    const counts = byMinute.get(timeMs) ?? { peakWh: 0n, offPeakWh: 0n, minutes: 0n }
    if (isPeak(timeMs)) counts.peakWh += wh
    else counts.offPeakWh += wh
    if (timeMs < endMs) counts.minutes += 1n
    byMinute.set(timeMs, counts)
  }
}

/** What the counters of one charge point show at a moment, from the beginning on. */
export type CounterReading = { timeMs: number } & Counts

/**
 * The readings that a charge point publishes: its counters at the end of each session, and at each border between billing periods while one
 * is running, so that energy lies in the period in which it was delivered. In order of time, each moment once.
 *
 * @param isBorder whether a billing period begins at that moment.
 */
export function counterReadings(
  sessions: readonly Session[],
  isBorder: (timeMs: number) => boolean,
): CounterReading[] {
  const byMinute = new Map<number, Counts>()
  const moments = new Set<number>()
  for (const session of sessions) {
    spread(session, byMinute)
    moments.add(bookedUntilMs(session))
    for (let timeMs = session.startMs; timeMs < session.endMs; timeMs += MINUTE_MS) {
      if (isBorder(timeMs)) moments.add(timeMs)
    }
  }
  const minutes = [...byMinute.entries()].sort(([a], [b]) => a - b)
  const sum: Counts = { peakWh: 0n, offPeakWh: 0n, minutes: 0n }
  let next = 0
  return [...moments]
    .sort((a, b) => a - b)
    .map((timeMs) => {
      for (let entry = minutes[next]; entry && entry[0] < timeMs; entry = minutes[++next]) {
        sum.peakWh += entry[1].peakWh
        sum.offPeakWh += entry[1].offPeakWh
        sum.minutes += entry[1].minutes
      }
      return { timeMs, ...sum }
    })
}
