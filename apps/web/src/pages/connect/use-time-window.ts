import { useCallback, useEffect, useRef, useState } from 'react'
import {
  lastOf,
  type Reach,
  spanOf,
  type TimeWindow,
  touchesNow,
  wholeOf,
} from '../../ui/series-window.ts'

/** What an address says of a chart: the newest of it, or a part of time, ms since 1970. Neither: the page chooses. */
export interface ChartView {
  last?: number
  from?: number
  to?: number
}

const FRESH_MS = 15 * 60_000
const SLOWEST_MS = 60_000
const FASTEST_MS = 1_000

/**
 * The window of a chart. It moves at most once a frame, however many events ask for it; one that ends now goes on with the time. A chart of a machine that
 * measured a moment ago begins with its last quarter of an hour, any other with all that there is.
 */
export const useTimeWindow = (firstMs: number, lastMs: number, view: ChartView) => {
  const known = useRef({ firstMs, lastMs })
  useEffect(() => {
    known.current = { firstMs, lastMs }
  }, [firstMs, lastMs])
  const reach = useCallback(() => ({ ...known.current, nowMs: Date.now() }), [])
  const [shown, show] = useState(() => beginning(view, { firstMs, lastMs, nowMs: Date.now() }))
  const next = useRef(shown.window)
  const frame = useRef<number>(undefined)
  const move = useCallback(
    (change: (window: TimeWindow, reach: Reach) => TimeWindow) => {
      next.current = change(next.current, reach())
      frame.current ??= requestAnimationFrame(() => {
        frame.current = undefined
        show({ window: next.current, isLive: touchesNow(next.current, reach()) })
      })
    },
    [reach],
  )
  useEffect(
    () => () => {
      if (frame.current !== undefined) cancelAnimationFrame(frame.current)
      frame.current = undefined
    },
    [],
  )
  const { isLive } = shown
  const spanMs = spanOf(shown.window)
  useEffect(() => {
    if (!isLive) return undefined
    const everyMs = Math.min(Math.max(spanMs / 1_000, FASTEST_MS), SLOWEST_MS)
    const timer = setInterval(() => move((window, now) => lastOf(spanOf(window), now)), everyMs)
    return () => clearInterval(timer)
  }, [isLive, spanMs, move])
  return { ...shown, move }
}

const beginning = ({ last, from, to }: ChartView, reach: Reach) => {
  if (from !== undefined && to !== undefined) {
    return { window: { fromMs: from, toMs: to }, isLive: false }
  }
  const isFresh = reach.nowMs - reach.lastMs < FRESH_MS
  const spanMs = last ?? (isFresh ? FRESH_MS : undefined)
  if (spanMs !== undefined) return { window: lastOf(spanMs, reach), isLive: true }
  const window = wholeOf(reach)
  return { window, isLive: touchesNow(window, reach) }
}
