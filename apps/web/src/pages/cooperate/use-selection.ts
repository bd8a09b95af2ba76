import { bitsOfHours } from '@liquefy/protocol'
import { useState } from 'react'
import { kindOf, type ShownHour } from './hour-states.ts'

/** Hours that the reader has chosen; all free, or all his own. */
export interface Selection {
  hours: ReadonlySet<number>
  bits: bigint
  kind: 'free' | 'mine' | undefined
  /** Chooses an hour, or no longer. */
  toggle(hour: number): void
  /** Chooses the block of days and hours between two hours, instead of what a block from the same hour chose before. */
  stretch(from: number, to: number): void
  clear(): void
}

const dayHours = 24

/** Hours in the block between two corners. */
const blockOf = (from: number, to: number): number[] => {
  const [fromDay, toDay] = [Math.floor(from / dayHours), Math.floor(to / dayHours)]
  const [fromHour, toHour] = [from % dayHours, to % dayHours]
  const span = (a: number, b: number) =>
    Array.from({ length: Math.abs(a - b) + 1 }, (_, index) => Math.min(a, b) + index)
  return span(fromDay, toDay).flatMap((day) =>
    span(fromHour, toHour).map((hour) => day * dayHours + hour),
  )
}

/** What is chosen of the hours shown; what changed hands meanwhile is chosen no longer. */
export const useSelection = (shown: readonly ShownHour[]): Selection => {
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set())
  const [kind, setKind] = useState<'free' | 'mine'>()
  const [before, setBefore] = useState<{ from: number; hours: ReadonlySet<number> }>()
  const kindAt = (hour: number) => kindOf(shown[hour]?.state ?? 'skipped')
  const hours = new Set([...chosen].filter((hour) => kindAt(hour) === kind))

  const put = (next: ReadonlySet<number>, of: 'free' | 'mine') => {
    setChosen(next)
    setKind(of)
  }
  return {
    hours,
    bits: bitsOfHours([...hours]),
    kind: hours.size > 0 ? kind : undefined,
    toggle(hour) {
      const of = kindAt(hour)
      if (!of) return
      const next = new Set(of === kind ? hours : [])
      if (!next.delete(hour)) next.add(hour)
      setBefore({ from: hour, hours: next })
      put(next, of)
    },
    stretch(from, to) {
      const of = kindAt(from)
      if (!of) return
      const base = before?.from === from ? before.hours : of === kind ? hours : new Set<number>()
      if (before?.from !== from) setBefore({ from, hours: base })
      const block = blockOf(from, to).filter((hour) => kindAt(hour) === of)
      put(new Set([...base, ...block]), of)
    },
    clear() {
      setChosen(new Set())
      setBefore(undefined)
    },
  }
}
