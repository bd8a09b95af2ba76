import { joinSpans, mondayOf, type Span, spansOfBits, wallHourAt } from './calendar.ts'
import { countHours, type HourBits } from './hour-bits.ts'
import { hoursOfManyWeeks, hoursText } from './hours-text.ts'

/** A right has at most so many weeks, and begins at most so many ahead. */
export const MAX_RIGHT_WEEKS = 53

/**
 * A right to use a machine, as the ledger has it: a slot has the same hours every week (`bits`, and `hoursPerWeek` 0); a quota has so many hours a week, which are
 * booked later (`hoursPerWeek`, and `bits` 0).
 */
export interface UsageRight {
  rightId: bigint
  machineId: bigint
  firstWeek: number
  weeksCount: number
  bits: HourBits
  hoursPerWeek: number
  /** By week: of a quota the hours booked, of a slot the hours given up. Weeks without any are absent. */
  changes: ReadonlyMap<number, HourBits>
}

/** Hours of a week that a right holds. */
export function heldHours(right: UsageRight, week: number): HourBits {
  const { firstWeek, weeksCount, bits, hoursPerWeek, changes } = right
  if (week < firstWeek || week >= firstWeek + weeksCount) return 0n
  const changed = changes.get(week) ?? 0n
  return hoursPerWeek === 0 ? bits & ~changed : changed
}

/** The time that rights hold between two instants, in order, joined where one ends as another begins. */
export function heldSpans(
  rights: readonly UsageRight[],
  zone: string,
  { fromMs, toMs }: Span,
): Span[] {
  const first = wallHourAt(zone, fromMs).week - 1
  const last = wallHourAt(zone, toMs).week + 1
  const spans: Span[] = []
  for (const right of rights) {
    const from = Math.max(first, right.firstWeek)
    const until = Math.min(last + 1, right.firstWeek + right.weeksCount)
    for (let week = from; week < until; week += 1) {
      spans.push(...spansOfBits(zone, week, heldHours(right, week)))
    }
  }
  return joinSpans(spans)
    .filter((span) => span.toMs > fromMs && span.fromMs < toMs)
    .map((span) => ({
      fromMs: Math.max(span.fromMs, fromMs),
      toMs: Math.min(span.toMs, toMs),
    }))
}

/** Whether a right holds the time of an instant, and if not, why. */
export type Entitlement =
  | { entitled: true }
  | { entitled: false; code: 'RIGHT_NOT_YET' | 'RIGHT_EXPIRED' | 'HOUR_NOT_HELD' }

/** Whether a right holds the hour that the wall clock reads at an instant. */
export function entitlementAt(right: UsageRight, zone: string, atMs: number): Entitlement {
  const { week, hour } = wallHourAt(zone, atMs)
  if ((heldHours(right, week) >> BigInt(hour)) & 1n) return { entitled: true }
  if (week < right.firstWeek) return { entitled: false, code: 'RIGHT_NOT_YET' }
  if (week >= right.firstWeek + right.weeksCount) return { entitled: false, code: 'RIGHT_EXPIRED' }
  return { entitled: false, code: 'HOUR_NOT_HELD' }
}

const mondayFormat = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'UTC',
  day: 'numeric',
  month: 'short',
  year: 'numeric',
})
const mondayText = (week: number) => mondayFormat.format(Date.parse(mondayOf(week)))

/** A right in words: `every Saturday 8-12, 12 weeks from 5 Jan 2026`, `10 hours a week, 1 week from 5 Jan 2026`. */
export function rightText(
  right: Pick<UsageRight, 'firstWeek' | 'weeksCount' | 'bits' | 'hoursPerWeek'>,
): string {
  const { firstWeek, weeksCount, bits, hoursPerWeek } = right
  const slot = hoursText(bits)
  const every = slot.startsWith('every') ? slot : `every ${slot}`
  const what =
    hoursPerWeek === 0 ? every : `${hoursPerWeek} ${hoursPerWeek === 1 ? 'hour' : 'hours'} a week`
  return `${what}, ${weeksCount} ${weeksCount === 1 ? 'week' : 'weeks'} from ${mondayText(firstWeek)}`
}

/**
 * What rights hold of a machine from a week on, a line for those of the same weeks, what ends first before what ends later: `Saturdays 8-12 are held until
 * 31 May 2027`, `10 hours a week are held from 5 Jan 2026 until 31 May 2027`. The day is the Monday on which they hold nothing any more.
 */
export function heldText(rights: readonly UsageRight[], thisWeek: number): string[] {
  const endOf = ({ firstWeek, weeksCount }: UsageRight) => firstWeek + weeksCount
  const beginOf = ({ firstWeek }: UsageRight) => Math.max(firstWeek, thisWeek)
  const coming = rights
    .filter((right) => endOf(right) > thisWeek)
    .sort((a, b) => endOf(a) - endOf(b) || beginOf(a) - beginOf(b))
  const alike = Map.groupBy(coming, (right) => `${beginOf(right)} ${endOf(right)}`)
  return [...alike.values()].flatMap((group) => {
    const [first] = group
    if (!first) return []
    const begin = beginOf(first)
    const from = begin === thisWeek ? '' : `from ${mondayText(begin)} `
    const held = `held ${from}until ${mondayText(endOf(first))}`
    const bits = group.reduce((sum, right) => sum | right.bits, 0n)
    const quota = group.reduce((sum, { hoursPerWeek }) => sum + hoursPerWeek, 0)
    return [
      ...(bits === 0n ? [] : [`${hoursOfManyWeeks(bits)} are ${held}`]),
      ...(quota === 0
        ? []
        : [`${quota} ${quota === 1 ? 'hour a week is' : 'hours a week are'} ${held}`]),
    ]
  })
}

/** Hours that a right has in all, as it was issued: what its price is reckoned from. */
export function hoursInAll(
  right: Pick<UsageRight, 'weeksCount' | 'bits' | 'hoursPerWeek'>,
): number {
  return (countHours(right.bits) + right.hoursPerWeek) * right.weeksCount
}
