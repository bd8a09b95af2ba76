import { bitsOfHours, type HourBits, hoursOfBits } from './hour-bits.ts'

/** Days of a week, the first one first. */
export const DAY_NAMES = [
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
  'Sunday',
]
const DAY_HOURS = 24

/** Hours of a day in words: `8-12, 14-16`. */
function rangesOfDay(hours: readonly number[]): string {
  const ranges: [number, number][] = []
  for (const hour of hours) {
    const last = ranges.at(-1)
    if (last?.[1] === hour) last[1] = hour + 1
    else ranges.push([hour, hour + 1])
  }
  return ranges.map(([from, to]) => `${from}-${to}`).join(', ')
}

function joinWords(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`
}

/** Hours of a week in words: `Saturday 8-12`, `Monday and Tuesday 9-17`; days with the same hours together. */
export function hoursText(bits: HourBits): string {
  const byRanges = new Map<string, string[]>()
  for (const [index, day] of DAY_NAMES.entries()) {
    const own = hoursOfBits(bits)
      .filter((hour) => Math.floor(hour / DAY_HOURS) === index)
      .map((hour) => hour % DAY_HOURS)
    if (own.length === 0) continue
    const ranges = rangesOfDay(own)
    byRanges.set(ranges, [...(byRanges.get(ranges) ?? []), day])
  }
  if (byRanges.size === 0) return 'no hours'
  return [...byRanges]
    .map(([ranges, days]) =>
      days.length === DAY_NAMES.length ? `every day ${ranges}` : `${joinWords(days)} ${ranges}`,
    )
    .join('; ')
}

/** The same of many weeks: `Saturdays 8-12`, `Mondays and Tuesdays 9-17`, `All days 8-12`. */
export function hoursOfManyWeeks(bits: HourBits): string {
  const text = hoursText(bits)
    .replace('every day', 'all days')
    .replace(new RegExp(DAY_NAMES.join('|'), 'g'), '$&s')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

const DAY = '[a-z]+'
const PART = new RegExp(`^(${DAY})(?:\\s*-\\s*(${DAY}))?\\s+(\\d{1,2})\\s*-\\s*(\\d{1,2})$`)
const MAX_TEXT = 500

/** A day by its name, in any case, or its first three letters. */
function dayOf(text: string): number {
  return DAY_NAMES.findIndex((day) => {
    const name = day.toLowerCase()
    return name === text || name.slice(0, 3) === text
  })
}

/** Days from one to another, Sunday before Monday where it goes around. */
function daysFrom(first: number, last: number): number[] {
  const count = ((last - first + DAY_NAMES.length) % DAY_NAMES.length) + 1
  return Array.from({ length: count }, (_, index) => (first + index) % DAY_NAMES.length)
}

/**
 * Hours of a week as people write them: `Sat 8-12`, `Mon-Fri 9-17; Sunday 10-11`. Undefined for what is not that, and for hours that end before
 * they begin: past midnight is two parts.
 */
export function parseHours(text: string): HourBits | undefined {
  if (text.length > MAX_TEXT) return undefined
  let bits = 0n
  for (const part of text.toLowerCase().split(/[;,]/)) {
    const [, first = '', last, from, to] = PART.exec(part.trim()) ?? []
    const [start, end] = [dayOf(first), dayOf(last ?? first)]
    const [begin, until] = [Number(from), Number(to)]
    if (start < 0 || end < 0 || !(begin < until) || until > DAY_HOURS) return undefined
    for (const day of daysFrom(start, end)) {
      const hours = Array.from({ length: until - begin }, (_, i) => day * DAY_HOURS + begin + i)
      bits |= bitsOfHours(hours)
    }
  }
  return bits
}
