import './map.css'
import type { MachineSummary } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { geoPath } from 'd3-geo'
import { memo, useEffect, useMemo, useRef, useState } from 'react'
import { formatCount } from '../../../ui/format.ts'
import { Card } from '../../../ui/parts.tsx'
import { attentionOf, attentionWords } from '../attention.ts'
import { latitudeWords, longitudeWords } from '../place-words.ts'
import { type Land, loadLand } from './land.ts'
import { gridOf, type MapView, scaleOf, viewOf } from './map-view.ts'
import { type Marker, markersOf } from './markers.ts'

/** Labels of more marks than this would hide each other; they show under the pointer and the focus. */
const mostLabels = 16
const legend = [
  ['active', 'active'],
  ['suspended', 'suspended or not yet active'],
  ['decommissioned', 'decommissioned'],
  ['attention', 'needs attention'],
] as const

/** Ten metres: what lies nearer is at one place. */
const samePlaceE7 = 1_000

/** Machines where they are. The table beside it says the same in words. */
export const MachineMap = ({
  machines,
  without,
}: {
  machines: MachineSummary[]
  without: number
}) => {
  const [focus, setFocus] = useState<ReadonlySet<string>>()
  const [here, setHere] = useState<ReadonlySet<string>>()
  const holder = useRef<HTMLDivElement>(null)
  const width = useWidth(holder)
  const height = Math.round(Math.min(Math.max(width * 0.42, 260), 400))
  const inView = machines.filter(({ machineId }) => !focus || focus.has(machineId))
  const shown = inView.length > 0 ? inView : machines
  // Machines change every second, their places seldom: what is drawn of the world stays as long as these do.
  const where = shown.flatMap(({ place }) => (place ? [place.latitudeE7, place.longitudeE7] : []))
  const whereKey = where.join(' ')
  const view = useMemo(() => {
    const numbers = whereKey.split(' ').map(Number)
    const places = Array.from({ length: numbers.length / 2 }, (_, index) => ({
      latitudeE7: numbers[2 * index] ?? 0,
      longitudeE7: numbers[2 * index + 1] ?? 0,
    }))
    return width > 0 ? viewOf(places, width, height) : undefined
  }, [whereKey, width, height])
  const markers = view ? markersOf(shown, view) : []
  const choose = (marker: Marker) => {
    const ids = new Set(marker.machines.map(({ machineId }) => machineId))
    if (isOnePlace(marker)) setHere(ids)
    else setFocus(ids)
  }
  const atOnePlace = machines.filter(({ machineId }) => here?.has(machineId))
  return (
    <Card
      title="Where they are"
      aside={
        focus ? (
          <button
            type="button"
            className="button button-quiet"
            onClick={() => {
              setFocus(undefined)
              setHere(undefined)
            }}
          >
            Show the whole map
          </button>
        ) : null
      }
    >
      <div className="map" ref={holder} style={{ height }}>
        {view ? (
          <>
            <World view={view} />
            {markers.map((marker) => (
              <Mark
                key={marker.machines[0]?.machineId}
                marker={marker}
                labelled={markers.length <= mostLabels}
                turned={marker.x > width * 0.72}
                onChoose={() => choose(marker)}
              />
            ))}
          </>
        ) : null}
      </div>
      {atOnePlace.length > 0 ? (
        <p className="map-here" role="status">
          At this place:{' '}
          {atOnePlace.map(({ machineId, name }) => (
            <Link key={machineId} to="/machines/$machineId" params={{ machineId }}>
              {name}
            </Link>
          ))}
        </p>
      ) : null}
      <p className="note map-legend">
        {legend.map(([mark, words]) => (
          <span key={mark}>
            <span className={`map-key map-${mark}`} /> {words}
          </span>
        ))}
        {without > 0 ? (
          <span className="map-without">
            {formatCount(without)} more without a place: in the table below
          </span>
        ) : null}
      </p>
    </Card>
  )
}

const isOnePlace = ({ machines: [first, ...others] }: Marker): boolean =>
  others.every(
    ({ place }) =>
      first?.place &&
      place &&
      Math.abs(place.latitudeE7 - first.place.latitudeE7) < samePlaceE7 &&
      Math.abs(place.longitudeE7 - first.place.longitudeE7) < samePlaceE7,
  )

const Mark = ({
  marker: { x, y, machines },
  labelled,
  turned,
  onChoose,
}: {
  marker: Marker
  labelled: boolean
  turned: boolean
  onChoose: () => void
}) => {
  const [machine] = machines
  if (!machine) return null
  const style = { left: x, top: y }
  const classes = ['map-mark', labelled ? 'map-labelled' : '', turned ? 'map-turned' : '']
  const reasons = [...new Set(machines.flatMap((one) => attentionOf(one, Date.now())))]
  if (reasons.length > 0) classes.push('map-attention')
  const why = reasons.map((reason) => attentionWords[reason])
  if (machines.length > 1) {
    return (
      <button
        type="button"
        className={[...classes, 'map-cluster'].join(' ')}
        style={style}
        aria-label={[`${formatCount(machines.length)} machines, look closer`, ...why].join(', ')}
        onClick={onChoose}
      >
        {formatCount(machines.length)}
      </button>
    )
  }
  return (
    <Link
      to="/machines/$machineId"
      params={{ machineId: machine.machineId }}
      className={[...classes, `map-${machine.state}`].join(' ')}
      style={style}
      aria-label={[...new Set([machine.name, machine.state, ...why])].join(', ')}
    >
      <span className="map-label">{machine.name}</span>
    </Link>
  )
}

const scalePx = 120
const labelPx = 6

/** Land, grid and scale of a view. */
const World = memo(({ view }: { view: MapView }) => {
  const { width, height, projection, spanDegrees } = view
  const [land, setLand] = useState<Land>()
  useEffect(() => {
    let wanted = true
    void loadLand(spanDegrees).then((loaded) => wanted && setLand(loaded))
    return () => {
      wanted = false
    }
  }, [spanDegrees])
  const outline = useMemo(
    () => (land ? (geoPath(projection)(land) ?? undefined) : undefined),
    [land, projection],
  )
  const { latitudes, longitudes } = useMemo(() => gridOf(view), [view])
  const scale = scaleOf(view, scalePx)
  return (
    <svg className="map-world" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      <path className="map-land" d={outline} />
      {latitudes.map(({ at, degrees }) => (
        <g key={`latitude ${degrees}`}>
          <line className="map-grid" x1={0} x2={width} y1={at} y2={at} />
          {at > labelPx * 6 ? (
            <text x={labelPx} y={at - labelPx / 2}>
              {latitudeWords(degrees)}
            </text>
          ) : null}
        </g>
      ))}
      {longitudes.map(({ at, degrees }) => (
        <g key={`longitude ${degrees}`}>
          <line className="map-grid" x1={at} x2={at} y1={0} y2={height} />
          {at < width - labelPx * 8 ? (
            <text x={at + labelPx / 2} y={labelPx * 2.5}>
              {longitudeWords(degrees)}
            </text>
          ) : null}
        </g>
      ))}
      <g transform={`translate(${width - scale.px - 14} ${height - 12})`}>
        <path className="map-scale" d={`M0,-6 v6 h${scale.px} v-6`} />
        <text x={scale.px / 2} y={-6} textAnchor="middle">
          {scale.metres >= 1_000
            ? `${formatCount(scale.metres / 1_000)} km`
            : `${formatCount(Math.max(1, Math.round(scale.metres)))} m`}
        </text>
      </g>
    </svg>
  )
})

/** Of an element, pixels; 0 until it is known. */
const useWidth = (element: React.RefObject<HTMLElement | null>): number => {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    if (!element.current) return
    const watcher = new ResizeObserver(([entry]) =>
      setWidth(Math.round(entry?.contentRect.width ?? 0)),
    )
    watcher.observe(element.current)
    return () => watcher.disconnect()
  }, [element])
  return width
}
