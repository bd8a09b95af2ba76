const LOCAL_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})$/
const OFFSETS_MINUTES = [60, 0]
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const london = new Intl.DateTimeFormat('en-GB', {
  timeZone: 'Europe/London',
  year: 'numeric',
  month: '2-digit',
  day: '2-digit',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
})

/** What a clock on a wall in London can mean. */
export type LondonTime =
  | { ok: true; timeMs: number }
  | { ok: false; code: 'TIME_INVALID' | 'TIME_AMBIGUOUS' }

/**
 * Reads `YYYY-MM-DDThh:mm:ss` as local time of Europe/London. The hour that is skipped in spring is `TIME_INVALID`, the one
 * that comes twice in autumn `TIME_AMBIGUOUS`: nobody guesses.
 */
export function londonTime(text: string): LondonTime {
  const [timeMs, later] = londonMoments(text)
  if (timeMs === undefined) return { ok: false, code: 'TIME_INVALID' }
  return later === undefined ? { ok: true, timeMs } : { ok: false, code: 'TIME_AMBIGUOUS' }
}

/**
 * All moments, ms since 1970, at which a clock in London showed `YYYY-MM-DDThh:mm:ss`, the earlier first: none for what cannot be
 * read and for the hour that is skipped in spring, two for the hour that comes twice in autumn.
 */
export function londonMoments(text: string): number[] {
  if (!LOCAL_TIME.test(text)) return []
  const asUtcMs = Date.parse(`${text}Z`)
  if (Number.isNaN(asUtcMs)) return []
  return OFFSETS_MINUTES.map((minutes) => asUtcMs - minutes * MINUTE_MS).filter(
    (timeMs) => wallClock(timeMs) === text,
  )
}

const offsets = new Map<number, number>()

/** Milliseconds that London's clocks are ahead of UTC at a moment. They change at whole hours only. */
export function londonOffsetMs(timeMs: number): number {
  const hour = Math.floor(timeMs / HOUR_MS)
  const known = offsets.get(hour)
  if (known !== undefined) return known
  const offsetMs = Date.parse(`${wallClock(hour * HOUR_MS)}Z`) - hour * HOUR_MS
  offsets.set(hour, offsetMs)
  return offsetMs
}

function wallClock(timeMs: number): string {
  const parts = Object.fromEntries(
    london.formatToParts(timeMs).map(({ type, value }) => [type, value]),
  )
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`
}
