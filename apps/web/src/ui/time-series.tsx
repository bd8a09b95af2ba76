import './language.ts'
import type { ReadingBucket } from '@liquefy/client'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'

const heightPx = 280

/** uPlot around one stream; arrives on its own, since only pages with a chart need it. */
const TimeSeries = ({
  buckets,
  unit,
  label,
}: {
  buckets: ReadingBucket[]
  unit: string
  label: string
}) => {
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)

  useEffect(() => {
    const element = holder.current
    if (!element) return
    const style = getComputedStyle(element)
    const line = style.getPropertyValue('--accent')
    const faint = style.getPropertyValue('--line')
    const text = style.getPropertyValue('--muted')
    const axis = {
      stroke: text,
      grid: { stroke: faint, width: 1 },
      ticks: { stroke: faint, width: 1 },
    }
    const chart = new uPlot(
      {
        width: element.clientWidth,
        height: heightPx,
        legend: { show: true, live: true },
        cursor: { y: false },
        series: [
          { label: 'Time' },
          { label: `lowest (${unit})`, stroke: 'transparent', points: { show: false } },
          { label: `highest (${unit})`, stroke: 'transparent', points: { show: false } },
          { label: `mean (${unit})`, stroke: line, width: 2, points: { show: false } },
        ],
        bands: [{ series: [2, 1], fill: `color-mix(in srgb, ${line} 18%, transparent)` }],
        axes: [axis, { ...axis, size: 64 }],
      },
      [[], [], [], []],
      element,
    )
    plot.current = chart
    const watcher = new ResizeObserver(() => {
      chart.setSize({ width: element.clientWidth, height: heightPx })
    })
    watcher.observe(element)
    return () => {
      watcher.disconnect()
      chart.destroy()
      plot.current = undefined
    }
  }, [unit])

  useEffect(() => {
    plot.current?.setData([
      buckets.map(({ timeMs }) => timeMs / 1000),
      buckets.map(({ min }) => min),
      buckets.map(({ max }) => max),
      buckets.map(({ mean }) => mean),
    ])
  }, [buckets])

  return <div className="time-chart" ref={holder} role="img" aria-label={label} />
}

export default TimeSeries
