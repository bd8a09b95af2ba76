import type { CalendarWeek } from '@liquefy/client'
import { DAY_NAMES } from '@liquefy/protocol'
import { type ComponentProps, type KeyboardEvent, useRef, useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { nameOf } from '../../ui/format.ts'
import { type HourState, hourName, type ShownHour } from './hour-states.ts'
import type { Selection } from './use-selection.ts'

const hoursOfDay = Array.from({ length: 24 }, (_, hour) => hour)
const dayMs = 86_400_000

const stateWords: Record<HourState, string> = {
  skipped: 'does not exist: the clock skips it',
  mine: 'yours',
  taken: 'taken',
  over: 'over',
  sale: 'free, on sale',
  free: 'free',
}

const steps: Record<string, number> = {
  ArrowUp: -1,
  ArrowDown: 1,
  ArrowLeft: -24,
  ArrowRight: 24,
}

const dayOfMonth = new Intl.DateTimeFormat(undefined, {
  timeZone: 'UTC',
  day: 'numeric',
  month: 'short',
})

/** A week of hours: chosen by dragging, by tapping, or by arrow keys with space and shift. */
export const WeekGrid = ({
  week,
  shown,
  selection,
}: {
  week: CalendarWeek
  shown: readonly ShownHour[]
  selection: Selection
}) => {
  const grid = useRef<HTMLTableElement>(null)
  const [focused, setFocused] = useState(8)
  const drag = useRef<{ from: number; moved: boolean }>(undefined)
  const anchor = useRef(focused)

  const focus = (hour: number) => {
    setFocused(hour)
    grid.current?.querySelector<HTMLElement>(`[data-hour="${hour}"]`)?.focus()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const step = steps[event.key]
    const next = focused + (step ?? 0)
    const leavesDay =
      Math.abs(step ?? 0) === 1 && Math.floor(next / 24) !== Math.floor(focused / 24)
    if (step === undefined || next < 0 || next > 167 || leavesDay) return
    event.preventDefault()
    if (event.shiftKey) selection.stretch(anchor.current, next)
    else anchor.current = next
    focus(next)
  }
  const handlersOf = (hour: number): HourHandlers => ({
    onKeyDown,
    // A finger scrolls the page: it taps hours one by one.
    onPointerDown: ({ pointerType, button }) => {
      if (pointerType !== 'touch' && button === 0) drag.current = { from: hour, moved: false }
    },
    onPointerEnter: ({ buttons }) => {
      if (!drag.current || buttons !== 1 || hour === drag.current.from) return
      drag.current.moved = true
      selection.stretch(drag.current.from, hour)
    },
    onClick: () => {
      const wasDragged = drag.current?.moved === true
      drag.current = undefined
      if (wasDragged) return
      setFocused(hour)
      anchor.current = hour
      selection.toggle(hour)
    },
  })
  return (
    <table ref={grid} className="week-grid">
      <caption className="visually-hidden">Hours of the week of {week.monday}</caption>
      <thead>
        <tr>
          <th scope="col">
            <span className="visually-hidden">Hour</span>
          </th>
          {DAY_NAMES.map((name, day) => (
            <th key={name} scope="col">
              <abbr title={name}>{name.slice(0, 3)}</abbr>
              <span className="note">
                {dayOfMonth.format(Date.parse(week.monday) + day * dayMs)}
              </span>
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {hoursOfDay.map((hour) => (
          <tr key={hour}>
            <th scope="row">{hour}</th>
            {DAY_NAMES.map((name, day) => {
              const one = shown[day * 24 + hour]
              return one ? (
                <HourCell
                  key={name}
                  shown={one}
                  isChosen={selection.hours.has(one.hour)}
                  isFocused={one.hour === focused}
                  handlers={handlersOf(one.hour)}
                />
              ) : null
            })}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

type HourHandlers = Pick<
  ComponentProps<'button'>,
  'onKeyDown' | 'onPointerDown' | 'onPointerEnter' | 'onClick'
>

const HourCell = ({
  shown: { hour, state, seconds, holder },
  isChosen,
  isFocused,
  handlers,
}: {
  shown: ShownHour
  isChosen: boolean
  isFocused: boolean
  handlers: HourHandlers
}) => {
  const deployment = useDeployment().data
  const by = holder === undefined || state === 'mine' ? '' : ` by ${nameOf(deployment, holder)}`
  const length = seconds === 3_600 || seconds === 0 ? '' : `, lasts ${seconds / 3_600} hours`
  const words = `${hourName(hour)}: ${stateWords[state]}${by}${length}`
  return (
    <td>
      <button
        type="button"
        data-hour={hour}
        aria-pressed={isChosen}
        aria-label={words}
        title={words}
        tabIndex={isFocused ? 0 : -1}
        className={`hour hour-${state}`}
        {...handlers}
      >
        {seconds === 3_600 ? null : seconds === 0 ? '×' : `${seconds / 3_600} h`}
      </button>
    </td>
  )
}
