const LOCAL_TIME = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})$/
const OFFSETS_MINUTES = [0, 60]
const MINUTE_MS = 60_000

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
  const parts = LOCAL_TIME.exec(text)
  if (!parts) return { ok: false, code: 'TIME_INVALID' }
  const asUtcMs = Date.parse(`${text}Z`)
  if (Number.isNaN(asUtcMs)) return { ok: false, code: 'TIME_INVALID' }
  const moments = OFFSETS_MINUTES.map((minutes) => asUtcMs - minutes * MINUTE_MS).filter(
    (timeMs) => wallClock(timeMs) === text,
  )
  const [timeMs] = moments
  if (timeMs === undefined) return { ok: false, code: 'TIME_INVALID' }
  return moments.length === 1 ? { ok: true, timeMs } : { ok: false, code: 'TIME_AMBIGUOUS' }
}

function wallClock(timeMs: number): string {
  const parts = Object.fromEntries(
    london.formatToParts(timeMs).map(({ type, value }) => [type, value]),
  )
  return `${parts.year}-${parts.month}-${parts.day}T${parts.hour}:${parts.minute}:${parts.second}`
}
