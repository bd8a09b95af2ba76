import './chart.css'
import type { Machine } from '@liquefy/client'
import {
  type KeyboardEvent,
  useCallback,
  useDeferredValue,
  useEffect,
  useId,
  useMemo,
  useState,
  useSyncExternalStore,
} from 'react'
import { node } from '../../api.ts'
import { Choice } from '../../ui/choice.tsx'
import { unitWords } from '../../ui/format.ts'
import {
  type Drawn,
  drawnOver,
  TILE_BUCKETS,
  tilesOver,
  timesOf,
  widthFor,
} from '../../ui/series-tiles.ts'
import {
  lastOf,
  panned,
  type Reach,
  spanOf,
  type TimeWindow,
  wholeOf,
  zoomed,
} from '../../ui/series-window.ts'
import { Problem } from '../../ui/states.tsx'
import { TimeSeries } from '../../ui/time-series.tsx'
import { lengthWords, momentWords, valueWords, windowWords } from '../../ui/time-words.ts'
import { ReadingsTable } from './readings-table.tsx'
import { SeriesSummary } from './series-summary.tsx'
import { TileStore } from './tile-store.ts'
import { type ChartView, useTimeWindow } from './use-time-window.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const spans = [
  { words: '15 min', value: HOUR_MS / 4 },
  { words: 'Hour', value: HOUR_MS },
  { words: 'Day', value: DAY_MS },
  { words: 'Month', value: 30 * DAY_MS },
  { words: 'Year', value: 365 * DAY_MS },
]
const STEP = 2
const PAN_PART = 0.25
const MIDDLE = 0.5
const END = 1
/** Of the window, fetched on both sides before somebody moves there. */
const BESIDE = 0.25
/** Buckets of all that there is, which are drawn wherever nothing finer has come yet. */
const GROUND_BUCKETS = 512
const FEWEST_BUCKETS = 400
const MOST_BUCKETS = 1_500
const SETTLED_MS = 400

/**
 * The readings of one stream, from years to single readings: whoever moves the window sees at once what is known of it, and what is finer as it comes.
 * `onView` is told where somebody has stopped, so that the address can say it.
 */
export const ReadingsChart = ({
  machine,
  stream,
  view,
  onView,
}: {
  machine: { machineId: string; name: string }
  stream: Machine['streams'][number]
  view: ChartView
  onView: (view: ChartView) => void
}) => {
  const { window, isLive, move } = useTimeWindow(stream.firstMs, stream.lastMs, view)
  const [widthPx, setWidthPx] = useState(likelyWidthPx)
  const most = Math.min(Math.max(widthPx, FEWEST_BUCKETS), MOST_BUCKETS)
  const bucketMs = widthFor(window, most)
  const { tiles, part, parts, choosePart, version } = useTiles(machine.machineId, stream)
  const wanted = useMemo(
    () => tilesWanted(window, bucketMs, { ...stream, nowMs: Date.now() }),
    [window, bucketMs, stream],
  )
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new version may have made a tile outdated
  useEffect(() => tiles.want(wanted), [tiles, wanted, version])
  // biome-ignore lint/correctness/useExhaustiveDependencies: the tiles are the same object with other content
  const drawn = useMemo(
    () => drawnOver(widened(window, 0.02), bucketMs, tiles.heldOf(part)),
    [window, bucketMs, tiles, part, version],
  )
  const isComplete = tilesOver(window, bucketMs).every((tile) => tiles.has(tile))
  useStop(window, isLive, onView)

  const zoom = useCallback(
    (factor: number, place: number) => move((now, far) => zoomed(now, factor, place, far)),
    [move],
  )
  const pan = useCallback((by: number) => move((now, far) => panned(now, by, far)), [move])
  const moves = useMemo(() => ({ zoom, pan }), [zoom, pan])
  // Nearer and further away, what happens now stays in the picture.
  const step = (factor: number) => zoom(factor, isLive ? END : MIDDLE)
  const toAll = () => move((_, far) => wholeOf(far))
  const toNow = () => move((now, far) => lastOf(spanOf(now), far))
  const keys: [keys: string, act: () => void][] = [
    ['+ =', () => step(STEP)],
    ['- _', () => step(1 / STEP)],
    ['ArrowLeft', () => pan(-PAN_PART)],
    ['ArrowRight', () => pan(PAN_PART)],
    ['Home', toAll],
    ['End', toNow],
  ]
  const onKeyDown = (event: KeyboardEvent) => {
    const act = keys.find(([names]) => names.split(' ').includes(event.key))?.[1]
    if (act === undefined || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    act()
  }

  const unit = unitWords((part ?? stream).unit ?? '')
  const inWindow = drawn.filter(
    ({ atMs, timeMs, bucketMs: width }) =>
      timeMs + width > window.fromMs && timeMs < window.toMs && atMs <= window.toMs + width,
  )
  const settled = useDeferredValue(inWindow)
  const [point, setPoint] = useState<Drawn>()
  const hintId = useId()
  return (
    <div className="chart">
      <div className="chart-tools">
        <Choice
          label="Time span"
          options={spans}
          value={isLive ? (spans.find(({ value }) => value === spanOf(window))?.value ?? 0) : 0}
          onChoose={(spanMs) => move((_, far) => lastOf(spanMs, far))}
        />
        {parts.length > 1 ? (
          <Choice
            label="Record"
            options={parts.map(({ name, unit: of }, place) => ({
              words: of === null ? name : `${name}, ${of}`,
              value: place,
            }))}
            value={part === undefined ? 0 : parts.indexOf(part)}
            onChoose={choosePart}
          />
        ) : null}
        <div className="chart-buttons">
          <Tool name="Earlier" sign="‹" act={() => pan(-PAN_PART)} />
          <Tool name="Later" sign="›" act={() => pan(PAN_PART)} />
          <Tool name="Zoom out" sign="−" act={() => step(1 / STEP)} />
          <Tool name="Zoom in" sign="+" act={() => step(STEP)} />
          <button type="button" className="button button-quiet" onClick={toAll}>
            All
          </button>
          <button
            type="button"
            className="button button-quiet"
            aria-pressed={isLive}
            onClick={toNow}
          >
            Now
          </button>
        </div>
      </div>
      <section
        className="chart-area"
        aria-label={`Chart of ${stream.stream}`}
        aria-describedby={hintId}
        aria-busy={!isComplete}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what has keys must be able to have the focus
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        <TimeSeries
          key={unit}
          drawn={drawn}
          window={window}
          unit={unit}
          label={`${machine.name}: ${stream.stream} in ${unit === '' ? 'no unit' : unit} over time`}
          moves={moves}
          onWidth={setWidthPx}
          onPoint={setPoint}
        />
        {inWindow.length === 0 ? (
          <p className="chart-nothing" role="status">
            {isComplete ? 'Nothing was measured in this time.' : 'Loading the readings…'}
          </p>
        ) : null}
      </section>
      {tiles.problem !== undefined && !isComplete ? (
        <Problem title="Some readings could not be loaded" error={tiles.problem}>
          <p className="note">They are asked for again every two seconds.</p>
        </Problem>
      ) : null}
      <p className="chart-window">
        {point === undefined ? windowWords(window) : momentWords(point.timeMs)}
        <span className="note">
          {point === undefined ? fineness(settled) : pointWords(point, unit)}
        </span>
      </p>
      <SeriesSummary drawn={settled} unit={unit} />
      <p className="note" id={hintId}>
        Drag to move, pinch to zoom, or click the chart and turn the wheel. Keys: + − ← →, Home for
        everything, End for now.
      </p>
      <ReadingsTable drawn={settled} unit={unit} />
    </div>
  )
}

const Tool = ({ name, sign, act }: { name: string; sign: string; act: () => void }) => (
  <button
    type="button"
    className="button button-quiet chart-sign"
    aria-label={name}
    title={name}
    onClick={act}
  >
    {sign}
  </button>
)

/** Of the plot, before it is there to be measured: the first tiles are of the right width then. */
const likelyWidthPx = () => Math.min(globalThis.innerWidth, 1_120) - 160

/** The tiles of one stream, read again as the machine logs more, and which of its series is shown. */
const useTiles = (
  machineId: string,
  { stream, envelopes }: { stream: string; envelopes: number },
) => {
  const tiles = useMemo(
    () =>
      new TileStore((tile, signal) => {
        const points = TILE_BUCKETS
        return node.readings(machineId, { stream, points, ...timesOf(tile) }, signal)
      }),
    [machineId, stream],
  )
  const version = useSyncExternalStore(tiles.subscribe, tiles.version)
  useEffect(() => () => tiles.close(), [tiles])
  // biome-ignore lint/correctness/useExhaustiveDependencies: more envelopes is what has changed
  useEffect(() => tiles.outdate(Date.now()), [tiles, envelopes])
  const [chosen, choosePart] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the tiles are the same object with other content
  const parts = useMemo(() => tiles.parts(), [tiles, version])
  return { tiles, version, parts, part: parts[chosen] ?? parts[0], choosePart }
}

/** What is seen first, then what lies beside it, then all that there is in few buckets. */
const tilesWanted = (window: TimeWindow, bucketMs: number, reach: Reach) => {
  const { fromMs, toMs } = widened(window, BESIDE)
  const beside = {
    fromMs: Math.min(Math.max(fromMs, reach.firstMs), window.fromMs),
    toMs: Math.max(Math.min(toMs, reach.nowMs), window.toMs),
  }
  const whole = wholeOf(reach)
  return [
    ...tilesOver(window, bucketMs),
    ...tilesOver(whole, widthFor(whole, GROUND_BUCKETS)),
    ...tilesOver(beside, bucketMs),
  ]
}

const widened = (window: TimeWindow, part: number): TimeWindow => ({
  fromMs: Math.max(window.fromMs - part * spanOf(window), 0),
  toMs: window.toMs + part * spanOf(window),
})

const pointWords = ({ bucketMs, count, min, max, mean }: Drawn, unit: string): string =>
  count === 1
    ? `${valueWords(mean)} ${unit}`
    : `${lengthWords(bucketMs)}: lowest ${valueWords(min)}, highest ${valueWords(max)}, mean ${valueWords(mean)} ${unit}`

const fineness = (drawn: readonly Drawn[]): string => {
  const widest = Math.max(0, ...drawn.map(({ bucketMs }) => bucketMs))
  if (drawn.every(({ count }) => count === 1)) return 'Single readings'
  return `Each point: ${lengthWords(widest)}, its lowest, highest and mean`
}

/** Tells where somebody has stopped moving, once he has. */
const useStop = (window: TimeWindow, isLive: boolean, onView: (view: ChartView) => void) => {
  const { fromMs, toMs } = window
  const view = isLive ? `last ${toMs - fromMs}` : `${fromMs} ${toMs}`
  const [told, tell] = useState(view)
  useEffect(() => {
    if (view === told) return undefined
    const timer = setTimeout(() => {
      tell(view)
      onView(isLive ? { last: toMs - fromMs } : { from: fromMs, to: toMs })
    }, SETTLED_MS)
    return () => clearTimeout(timer)
  }, [view, told, isLive, fromMs, toMs, onView])
}
