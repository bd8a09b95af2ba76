import type { Operation, Throughput } from '@liquefy/client'
import { formatCount } from '../../ui/format.ts'
import { Card, Figure } from '../../ui/parts.tsx'
import { formatBytes, formatRate } from './quantities.ts'

/** Steps of which "now" is the mean, and steps of one bar. */
const nowSteps = 5
const barSteps = 5

/** What comes in, and how fast. */
export const Intake = ({ operation }: { operation: Operation }) => {
  const { frames, throughput, readingsPerEnvelope, process } = operation
  const rate = rateOf(throughput.logged.slice(-nowSteps), throughput.stepMs)
  return (
    <Card title="Intake">
      <dl className="figures">
        <Figure name="Envelopes a second" note={readingsWords(rate, readingsPerEnvelope)}>
          <span className="operation-large">
            {rate === undefined ? 'not known yet' : formatRate(rate)}
          </span>
        </Figure>
        {frames ? (
          <Figure
            name="Held, not committed"
            note={frames.held === 0 ? 'no backlog' : formatBytes(frames.heldBytes)}
          >
            {formatCount(frames.held)}
          </Figure>
        ) : null}
        {process.connectedMachines === null ? null : (
          <Figure name="Connected machines" note="to the embedded broker">
            {formatCount(process.connectedMachines)}
          </Figure>
        )}
      </dl>
      <RateChart throughput={throughput} />
      {frames ? (
        <p className="note">
          Since the start {formatCount(frames.received)} frames: {formatCount(frames.logged)}{' '}
          logged, {formatCount(frames.duplicate)} again what was logged,{' '}
          {formatCount(frames.refused)} refused.
        </p>
      ) : null}
    </Card>
  )
}

const known = (steps: readonly (number | null)[]) => steps.filter((step) => step !== null)

/** A second; undefined: not known. */
const rateOf = (steps: readonly (number | null)[], stepMs: number): number | undefined => {
  const counts = known(steps)
  if (counts.length === 0) return undefined
  return counts.reduce((sum, count) => sum + count, 0) / (counts.length * (stepMs / 1_000))
}

const readingsWords = (rate: number | undefined, perEnvelope: number | null): string =>
  rate === undefined || perEnvelope === null
    ? 'mean of the last 10 s'
    : `${formatRate(rate * perEnvelope)} readings a second; mean of the last 10 s`

/** A bar for every ten seconds of the last quarter of an hour; a gap is what nobody measured. */
const RateChart = ({ throughput: { logged, stepMs } }: { throughput: Throughput }) => {
  const bars = Array.from({ length: logged.length / barSteps }, (_, bar) => ({
    bar,
    rate: rateOf(logged.slice(bar * barSteps, (bar + 1) * barSteps), stepMs),
  }))
  const rates = bars.flatMap(({ rate }) => rate ?? [])
  const highest = Math.max(0, ...rates)
  if (rates.length === 0) return null
  const newest = rates.at(-1) ?? 0
  return (
    <figure className="rate-chart">
      <svg
        viewBox={`0 0 ${bars.length} 30`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`Envelopes a second in the last 15 minutes: ${formatRate(newest)} now, ${formatRate(highest)} at most.`}
      >
        {bars.map(({ bar, rate }) => {
          const height = rate === undefined ? 0 : Math.max(0.6, (rate / (highest || 1)) * 30)
          return <rect key={bar} x={bar + 0.1} y={30 - height} width={0.8} height={height} />
        })}
      </svg>
      <figcaption>
        <span>15 min ago</span>
        <span>at most {formatRate(highest)} a second</span>
        <span>now</span>
      </figcaption>
    </figure>
  )
}
