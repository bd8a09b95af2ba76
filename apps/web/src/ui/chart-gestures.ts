/** How a person moves a chart. A place is from 0, the window's beginning, to 1, its end. */
export interface Moves {
  zoom(factor: number, place: number): void
  /** Later by a part of the window. */
  pan(part: number): void
}

const WHEEL_PIXELS = 400
const LINE_PIXELS = 16

/**
 * Lets the pointer move a chart: a drag pans, two fingers zoom, the wheel zooms once the chart has the focus (until then it scrolls the
 * page) or with Ctrl, which is also what pinching a touchpad sends. Answers what undoes it.
 */
export const listenToPointer = (over: HTMLElement, moves: () => Moves): (() => void) => {
  const stop = new AbortController()
  const { signal } = stop
  const pointers = new Map<number, number>()
  const placeOf = (clientX: number) => {
    const { left, width } = over.getBoundingClientRect()
    return Math.min(Math.max((clientX - left) / Math.max(width, 1), 0), 1)
  }

  over.addEventListener(
    'wheel',
    (event) => {
      const hasFocus = over.closest('[tabindex]')?.contains(document.activeElement) ?? false
      if (!hasFocus && !event.ctrlKey) return
      event.preventDefault()
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PIXELS : 1
      const { deltaX, deltaY } = event
      if (Math.abs(deltaX) > Math.abs(deltaY)) {
        moves().pan((deltaX * pixels) / Math.max(over.clientWidth, 1))
      } else {
        moves().zoom(2 ** ((-deltaY * pixels) / WHEEL_PIXELS), placeOf(event.clientX))
      }
    },
    { signal, passive: false },
  )
  over.addEventListener(
    'pointerdown',
    (event) => {
      if (event.button !== 0) return
      over.setPointerCapture(event.pointerId)
      pointers.set(event.pointerId, placeOf(event.clientX))
    },
    { signal },
  )
  over.addEventListener(
    'pointermove',
    (event) => {
      const before = pointers.get(event.pointerId)
      if (before === undefined) return
      const now = placeOf(event.clientX)
      pointers.set(event.pointerId, now)
      const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1]
      if (other === undefined) moves().pan(before - now)
      else moves().zoom(nearness(now, other) / nearness(before, other), other)
    },
    { signal },
  )
  for (const end of ['pointerup', 'pointercancel', 'lostpointercapture'] as const) {
    over.addEventListener(end, ({ pointerId }) => pointers.delete(pointerId), { signal })
  }
  return () => stop.abort()
}

/** Fingers that meet do not zoom without end. */
const nearness = (one: number, other: number): number => Math.max(Math.abs(one - other), 0.02)
