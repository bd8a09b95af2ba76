import type { TimeWindow } from './series-window.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

type Options = Intl.DateTimeFormatOptions

/** By the distance of two ticks, from the widest: what is written at each, and below the first and where it changes. */
const scales: [fromMs: number, at: Intl.DateTimeFormat, below: Intl.DateTimeFormat | undefined][] =
  (
    [
      [360 * DAY_MS, { year: 'numeric' }, undefined],
      [28 * DAY_MS, { month: 'short' }, { year: 'numeric' }],
      [DAY_MS, { day: 'numeric', month: 'short' }, { year: 'numeric' }],
      [MINUTE_MS, { hour: '2-digit', minute: '2-digit' }, { day: 'numeric', month: 'short' }],
      [1_000, { timeStyle: 'medium' }, { day: 'numeric', month: 'short' }],
      [
        0,
        { minute: '2-digit', second: '2-digit', fractionalSecondDigits: 2 },
        { day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit' },
      ],
    ] satisfies [number, Options, Options | undefined][]
  ).map(([fromMs, at, below]) => [
    fromMs,
    new Intl.DateTimeFormat(undefined, at),
    below && new Intl.DateTimeFormat(undefined, below),
  ])

/** What stands at the ticks of a time axis, `stepMs` apart, in the reader's locale and zone. */
export const tickWords = (ticksMs: readonly number[], stepMs: number): string[] => {
  const [, at, below] = scales.find(([fromMs]) => stepMs >= fromMs) ?? []
  let before: string | undefined
  return ticksMs.map((timeMs) => {
    const words = at?.format(timeMs) ?? ''
    const under = below?.format(timeMs)
    if (under === undefined || under === before) return words
    before = under
    return `${words}\n${under}`
  })
}

const exact: Options = {
  year: 'numeric',
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
}
const range = new Intl.DateTimeFormat(undefined, { ...exact, timeZoneName: 'short' })
const moment = new Intl.DateTimeFormat(undefined, exact)

/** From when to when, with the zone. */
export const windowWords = ({ fromMs, toMs }: TimeWindow): string => range.formatRange(fromMs, toMs)

export const momentWords = (timeMs: number): string => moment.format(timeMs)

const lengths: [ms: number, unit: string][] = [
  [DAY_MS, 'day'],
  [3_600_000, 'hour'],
  [MINUTE_MS, 'minute'],
  [1_000, 'second'],
  [1, 'millisecond'],
]

/** "1 day", "15 minutes": a length that is a multiple of one of these. */
export const lengthWords = (milliseconds: number): string => {
  const [ms, unit] = lengths.find(([each]) => milliseconds % each === 0) ?? [1, 'millisecond']
  const style = { style: 'unit', unit, unitDisplay: 'long' } as const
  return new Intl.NumberFormat(undefined, style).format(milliseconds / ms)
}

const wide = new Intl.NumberFormat(undefined, { maximumFractionDigits: 3 })
const narrow = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 4 })

/** A measured value for reading. */
export const valueWords = (value: number): string =>
  (Math.abs(value) >= 1 || value === 0 ? wide : narrow).format(value)
