import './machines.css'
import type { Machine, TimelineEntry } from '@liquefy/client'
import { ppmText } from '@liquefy/protocol'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Suspense, useCallback, useEffect } from 'react'
import { lazyPart } from '../../failures/lazy-part.ts'
import { useMachine, useTimeline } from '../../queries.ts'
import { Choice } from '../../ui/choice.tsx'
import { formatCount, shorten } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Ago, At, Card, Figure, Party, StateBadge } from '../../ui/parts.tsx'
import { Empty, Loaded, Loading } from '../../ui/states.tsx'
import { RightsLine } from '../cooperate/rights-line.tsx'
import { Owner } from '../cooperate/shared-owner.tsx'
import { AgreementRegisters } from '../transact/registers.tsx'
import { Envelopes } from '../trust/envelopes.tsx'
import { IdentityCard } from '../trust/identity-card.tsx'
import type { MachineSearch } from './machine-search.ts'
import { MachinePlaceFigure } from './place.tsx'
import { Twin } from './twin/twin.tsx'
import { Unpaid } from './unpaid.tsx'
import type { ChartView } from './use-time-window.ts'

const route = getRouteApi('/machines/$machineId')

/** One machine: what it measures, what it earns, what happened to it. */
export const MachinePage = () => {
  const { machineId } = route.useParams()
  const machine = useMachine(machineId)
  useEffect(() => {
    // The chart's code comes while the machine is asked for.
    void readChart()
  }, [])
  return (
    <Loaded query={machine} what="this machine">
      {(loaded) => (
        <>
          <Head machine={loaded} />
          <div className="machine-live">
            <Twin machine={loaded} />
            <Streams machine={loaded} />
          </div>
          <div className="columns">
            <Card
              title="Registers"
              aside={
                <Link to="/agreements/new" search={{ machine: machineId }}>
                  Propose an agreement
                </Link>
              }
            >
              {loaded.agreements.length === 0 ? (
                <Empty title="Nothing is metered">
                  No agreement names this machine yet: one makes it earn.
                </Empty>
              ) : (
                loaded.agreements.map((agreementId) => (
                  <AgreementRegisters key={agreementId} agreementId={agreementId} />
                ))
              )}
            </Card>
            <Unpaid machine={loaded} />
          </div>
          <IdentityCard machine={loaded} />
          <div className="columns">
            <Envelopes machineId={machineId} />
            <Timeline machineId={machineId} />
          </div>
        </>
      )}
    </Loaded>
  )
}

const Head = ({ machine }: { machine: Machine }) => (
  <section className="head">
    <p className="crumb">
      <Link to="/">Overview</Link> / <Link to="/machines">Machines</Link> / machine{' '}
      {machine.machineId}
    </p>
    <h1>
      {machine.name} <StateBadge state={machine.state} />
    </h1>
    <Suspension suspension={machine.suspension} />
    <dl className="figures">
      <Figure
        name="Income today"
        note={
          <>
            <Money minor={machine.settledMinor} /> settled in all
          </>
        }
      >
        <Money minor={machine.settledSinceMinor} />
      </Figure>
      <Figure name="Owner">
        <Owner machineId={machine.machineId} owner={machine.owner} />
      </Figure>
      <Figure
        name="Key"
        note={machine.controller ? `signed by the edge, machine ${machine.controller}` : undefined}
      >
        {machine.key ? (
          <span title={machine.key.keyId}>
            {machine.key.curve}, epoch {machine.key.epoch}, {shorten(machine.key.keyId)}
          </span>
        ) : (
          'none of its own'
        )}
      </Figure>
      <Figure name="Last reading">
        {machine.lastReadingMs === null ? 'none yet' : <Ago timeMs={machine.lastReadingMs} />}
      </Figure>
      <MachinePlaceFigure machine={machine} />
    </dl>
    <RightsLine machineId={machine.machineId} />
  </section>
)

/** While it is suspended: nothing that it signs is paid. */
const Suspension = ({ suspension }: Pick<Machine, 'suspension'>) =>
  suspension === null ? null : (
    <p>
      Suspended by <Party address={suspension.by} />, <At timeMs={suspension.atMs} />:{' '}
      {suspension.reason ?? 'no reason given'}. What it measures meanwhile is not paid.
    </p>
  )

const readChart = () => import('./readings-chart.tsx')
const ReadingsChart = lazyPart(async () => (await readChart()).ReadingsChart)

const Streams = ({ machine }: { machine: Machine }) => {
  const { stream: chosen, ...view } = route.useSearch()
  const navigate = route.useNavigate()
  const name = chosen ?? machine.mainStream
  const stream = machine.streams.find((one) => one.stream === name) ?? machine.streams[0]
  const show = useCallback(
    (search: MachineSearch) => void navigate({ search, replace: true, resetScroll: false }),
    [navigate],
  )
  const onView = useCallback(
    (shown: ChartView) => show(chosen === undefined ? shown : { ...shown, stream: chosen }),
    [show, chosen],
  )
  if (stream === undefined) {
    return (
      <Card title="Readings">
        <Empty title="No readings yet">
          The first signed envelope shows here within a second of its arrival. See “Put your own
          device on it” in the README.
        </Empty>
      </Card>
    )
  }
  return (
    <Card
      title="Readings"
      aside={
        machine.streams.length > 1 ? (
          <Choice
            label="Stream"
            options={machine.streams.map((each) => ({ words: each.stream, value: each.stream }))}
            value={stream.stream}
            onChoose={(other) => show({ ...view, stream: other })}
          />
        ) : (
          <span className="note">{stream.stream}</span>
        )
      }
    >
      <Suspense fallback={<Loading what="the chart" />}>
        <ReadingsChart
          key={stream.stream}
          machine={machine}
          stream={stream}
          view={view}
          onView={onView}
        />
      </Suspense>
      <Calibration stream={stream} />
    </Card>
  )
}

/** Who vouches for the sensor, until when and how closely; nothing where nobody does. */
const Calibration = ({ stream: { calibration, unit, ucum } }: { stream: Stream }) =>
  calibration === null ? null : (
    <p className="note">
      Calibrated by {calibration.calibrationLaboratory} (
      <span title={calibration.laboratory}>{shorten(calibration.laboratory)}</span>) until{' '}
      <At timeMs={calibration.validUntilMs} />, within {ppmText(calibration.expandedUncertaintyPpm)}
      : certificate {calibration.uniqueIdentifier}, sensor {calibration.item}. Unit {unit} (UCUM{' '}
      {ucum}).
    </p>
  )

type Stream = Machine['streams'][number]

const Timeline = ({ machineId }: { machineId: string }) => {
  const timeline = useTimeline(machineId)
  return (
    <Card title="Its life so far">
      <Loaded query={timeline} what="the timeline">
        {(entries) => (
          <ol className="timeline">
            {runsOf(entries).map((run) => (
              <TimelineRow key={`${run[0].atMs}-${run[0].kind}-${run[0].words}`} run={run} />
            ))}
          </ol>
        )}
      </Loaded>
    </Card>
  )
}

type Run = [TimelineEntry, ...TimelineEntry[]]

/** Payments one after another are one event of a life; everything else stands alone. */
const runsOf = (entries: TimelineEntry[]): Run[] => {
  const runs: Run[] = []
  for (const entry of entries) {
    const run = runs.at(-1)
    if (run && entry.kind === 'settled' && run[0].kind === 'settled') run.push(entry)
    else runs.push([entry])
  }
  return runs
}

const TimelineRow = ({ run }: { run: Run }) => {
  const [newest, ...earlier] = run
  return (
    <li className={`event event-${newest.kind}`}>
      <At timeMs={newest.atMs} />
      {earlier.length === 0 ? (
        <Happened entry={newest} />
      ) : (
        <details>
          <summary>
            {newest.words} {formatCount(earlier.length)}{' '}
            {earlier.length === 1 ? 'payment' : 'payments'} before it
          </summary>
          <ol>
            {run.map((entry) => (
              <li key={`${entry.atMs}-${entry.txHash ?? entry.words}`}>
                <At timeMs={entry.atMs} />
                <Happened entry={entry} />
              </li>
            ))}
          </ol>
        </details>
      )}
    </li>
  )
}

const Happened = ({ entry }: { entry: TimelineEntry }) => (
  <span>
    {entry.words}
    {entry.agreementId ? (
      <>
        {' '}
        <Link to="/agreements/$agreementId" params={{ agreementId: entry.agreementId }}>
          agreement {shorten(entry.agreementId)}
        </Link>
      </>
    ) : null}
  </span>
)
