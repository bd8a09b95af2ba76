import './language.ts'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { listenToPointer, type Moves } from './chart-gestures.ts'
import { type Drawn, gapsIn } from './series-tiles.ts'
import type { TimeWindow } from './series-window.ts'
import { tickWords, valueWords } from './time-words.ts'

const heightPx = 300
/** Buckets at least this far apart are shown as points. */
const pointSpacePx = 8
const digitPx = 7.5

/** uPlot around a part of one series: the band from lowest to highest of each bucket, and its mean. For another unit it is another chart. */
export const TimeSeries = ({
  drawn,
  window,
  unit,
  label,
  moves,
  onWidth,
  onPoint,
}: {
  drawn: readonly Drawn[]
  window: TimeWindow
  unit: string
  label: string
  moves: Moves
  onWidth: (pixels: number) => void
  /** The bucket that the pointer is at; undefined: none. */
  onPoint: (at: Drawn | undefined) => void
}) => {
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const rows = useRef<(Drawn | undefined)[]>([])
  const newestMoves = useRef(moves)
  useEffect(() => {
    newestMoves.current = moves
  }, [moves])

  useEffect(() => {
    const element = holder.current
    if (!element) return
    const chart = new uPlot(
      optionsFor(element, unit, (place) => onPoint(rows.current[place])),
      [[], [], [], []],
      element,
    )
    plot.current = chart
    const ignore = listenToPointer(chart.over, () => newestMoves.current)
    const watcher = new ResizeObserver(() => {
      chart.setSize({ width: element.clientWidth, height: heightPx })
      onWidth(chart.over.clientWidth)
    })
    watcher.observe(element)
    const theme = matchMedia('(prefers-color-scheme: dark)')
    const recolour = () => {
      chart.delBand(null)
      chart.addBand(bandOf(element))
      chart.redraw(false, true)
    }
    theme.addEventListener('change', recolour)
    return () => {
      theme.removeEventListener('change', recolour)
      watcher.disconnect()
      ignore()
      chart.destroy()
      plot.current = undefined
    }
  }, [unit, onWidth, onPoint])

  useEffect(() => {
    const chart = plot.current
    rows.current = rowsOf(drawn)
    chart?.batch(() => {
      chart.setData(columnsOf(rows.current), false)
      chart.setScale('x', { min: window.fromMs, max: window.toMs })
    })
  }, [drawn, window])

  return <div className="time-chart" ref={holder} role="img" aria-label={label} />
}

// Only a property that is a colour resolves `light-dark()`: a token's own text is not one that a canvas understands.
const colours = (element: Element) => getComputedStyle(element)
const bandOf = (element: Element): uPlot.Band => ({
  series: [2, 1],
  fill: `color-mix(in srgb, ${colours(element).color} 22%, transparent)`,
})

const optionsFor = (
  element: HTMLElement,
  unit: string,
  onPlace: (place: number) => void,
): uPlot.Options => {
  const line = () => colours(element).color
  const faint = () => colours(element).borderTopColor
  const axis: uPlot.Axis = {
    stroke: () => colours(element).textDecorationColor,
    grid: { stroke: faint, width: 1 },
    ticks: { stroke: faint, width: 1 },
    font: `12px ${colours(element).fontFamily}`,
  }
  const hidden: uPlot.Series = { stroke: 'transparent', points: { show: false } }
  return {
    width: element.clientWidth,
    height: heightPx,
    ms: 1,
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false } },
    hooks: { setCursor: [({ cursor }) => onPlace(cursor.idx ?? -1)] },
    scales: { x: { time: true, auto: false } },
    series: [
      {},
      hidden,
      hidden,
      {
        stroke: line,
        width: 1.5,
        points: {
          size: 5,
          space: pointSpacePx,
          fill: line,
          // A bucket between two gaps has no line that would show it.
          filter: (chart, series, areShown) => (areShown ? null : lonely(chart.data[series] ?? [])),
        },
      },
    ],
    bands: [bandOf(element)],
    axes: [
      {
        ...axis,
        space: 64,
        values: (_, ticksMs, __, ___, stepMs) => tickWords(ticksMs, stepMs),
      },
      {
        ...axis,
        label: unit,
        labelSize: 22,
        labelFont: axis.font ?? '',
        size: (_, words) =>
          14 + digitPx * Math.max(4, ...(words ?? []).map(({ length }) => length)),
        values: (_, ticks) => ticks.map(valueWords),
      },
    ],
  }
}

/** Buckets with nothing in each gap. */
const rowsOf = (drawn: readonly Drawn[]): (Drawn | undefined)[] => {
  const gaps = new Set(gapsIn(drawn))
  return drawn.flatMap((bucket, place) => (gaps.has(place) ? [undefined, bucket] : [bucket]))
}

/** Rows as uPlot's columns; where there is nothing, just behind the bucket before. */
const columnsOf = (rows: readonly (Drawn | undefined)[]): uPlot.AlignedData => [
  rows.map((row, place) => row?.atMs ?? (rows[place - 1]?.atMs ?? 0) + 1),
  rows.map((row) => row?.min ?? null),
  rows.map((row) => row?.max ?? null),
  rows.map((row) => row?.mean ?? null),
]

const lonely = (values: ArrayLike<number | null | undefined>): number[] =>
  Array.from(values, (value, place) =>
    typeof value === 'number' &&
    typeof values[place - 1] !== 'number' &&
    typeof values[place + 1] !== 'number'
      ? place
      : -1,
  ).filter((place) => place >= 0)
