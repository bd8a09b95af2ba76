import type { CalendarWeek, Hex, HoursOffer } from '@liquefy/client'
import { bitsOfHours, HOURS_A_WEEK, hoursText, weekSpans } from '@liquefy/protocol'

/** What an hour of a week is to the reader. */
export type HourState = 'skipped' | 'mine' | 'taken' | 'over' | 'sale' | 'free'

/** One hour as the calendar shows it. */
export interface ShownHour {
  hour: number
  state: HourState
  /** How long it lasts: 3,600 but where the clock changes. */
  seconds: number
  /** Who holds it. */
  holder: Hex | undefined
  rightId: string | undefined
}

const has = (bits: string | bigint, hour: number): boolean =>
  ((BigInt(bits) >> BigInt(hour)) & 1n) === 1n

/** The hours of a week for a reader (undefined: nobody is signed in), at a time. */
export const hoursShown = (
  zone: string,
  week: CalendarWeek,
  offer: HoursOffer | null,
  me: Hex | undefined,
  nowMs: number,
): ShownHour[] => {
  const odd = new Map(week.oddHours.map(({ hour, seconds }) => [hour, seconds]))
  const ends = new Map(weekSpans(zone, week.week).map(({ hour, toMs }) => [hour, toMs]))
  const onSale = offer !== null && week.week < offer.untilWeek ? offer.openBits : '0x0'
  return Array.from({ length: HOURS_A_WEEK }, (_, hour) => {
    const held = week.holders.find(({ bits }) => has(bits, hour))
    const seconds = odd.get(hour) ?? 3_600
    const stateOf = (): HourState => {
      if (seconds === 0) return 'skipped'
      if (held) return held.holder === me ? 'mine' : 'taken'
      if ((ends.get(hour) ?? 0) <= nowMs) return 'over'
      return has(onSale, hour) ? 'sale' : 'free'
    }
    return { hour, state: stateOf(), seconds, holder: held?.holder, rightId: held?.rightId }
  })
}

/** Hours that can be chosen together: free ones, or one's own. */
export const kindOf = (state: HourState): 'free' | 'mine' | undefined => {
  if (state === 'sale' || state === 'free') return 'free'
  return state === 'mine' ? 'mine' : undefined
}

/** "Saturday 8-9". */
export const hourName = (hour: number): string => hoursText(bitsOfHours([hour]))
