import type { MoneyHistory, MoneyPoint } from '@liquefy/client'
import { larger } from '@liquefy/protocol'
import { type CSSProperties, type PointerEvent, useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { formatExact, formatTime, formatTimeWithZone } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At } from '../../ui/parts.tsx'
import './agreement.css'
import { stepPath, ticksTo } from './money-steps.ts'

const lines = [
  { name: 'Owed', of: 'owed', className: 'part-owed' },
  { name: 'Included', of: 'included', className: 'part-included' },
  { name: 'Final', of: 'final', className: 'part-final' },
] as const
const tableRows = 12
/** Places that the cursor can be moved to by keyboard. */
const cursorSteps = 100

/** Three areas of steps, the highest behind: what is owed shows where it is not included yet, and that where it is not final. */
export const MoneyChart = ({ history }: { history: MoneyHistory }) => {
  const [cursor, setCursor] = useState<number>()
  const { fromMs, toMs } = history
  const largest = lines.reduce((most, { of }) => larger(most, lastOf(history[of])), 0n)
  const ticks = ticksTo(largest)
  const top = ticks.at(-1) ?? 1n
  const decimals = useDeployment().data?.asset.decimals ?? 6
  const labels = ticks.map((tick) => tickLabel(tick, decimals))
  const longest = labels.reduce((most, { length }) => Math.max(most, length), 0)
  const atMs = cursor === undefined ? toMs : fromMs + ((toMs - fromMs) * cursor) / cursorSteps
  const moveTo = ({ currentTarget, clientX }: PointerEvent<HTMLElement>) => {
    const { left, width } = currentTarget.getBoundingClientRect()
    const part = (clientX - left) / width
    setCursor(Math.min(1, Math.max(0, part)) * cursorSteps)
  }
  return (
    <div className="money-chart" style={{ '--label': `${longest}ch` } as CSSProperties}>
      <div
        className="money-plot"
        onPointerMove={moveTo}
        onPointerLeave={() => setCursor(undefined)}
      >
        <svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">
          {ticks.map((tick) => (
            <line
              key={tick}
              className="money-grid"
              x1="0"
              x2="1000"
              y1={y(tick, top)}
              y2={y(tick, top)}
            />
          ))}
          {lines.map(({ of, className }) => (
            <path key={of} className={className} d={stepPath(history[of], { fromMs, toMs, top })} />
          ))}
          {cursor === undefined ? null : (
            <line className="money-cursor" x1={cursor * 10} x2={cursor * 10} y1="0" y2="1000" />
          )}
        </svg>
        {ticks.map((tick, index) => (
          <span key={tick} className="money-tick" style={{ top: `${y(tick, top) / 10}%` }}>
            {labels[index]}
          </span>
        ))}
        <input
          type="range"
          min="0"
          max={cursorSteps}
          value={cursor ?? cursorSteps}
          onChange={({ target }) => setCursor(Number(target.value))}
          onBlur={() => setCursor(undefined)}
          aria-label="Time to read the amounts at"
          aria-valuetext={formatTimeWithZone(atMs)}
        />
      </div>
      <p className="money-times note">
        <At timeMs={fromMs} /> <At timeMs={toMs} />
      </p>
      <dl className="money-readout" data-testid="money-at">
        <div>
          <dt>{cursor === undefined ? 'Now' : 'At'}</dt>
          <dd>{formatTime(atMs)}</dd>
        </div>
        {lines.map(({ name, of, className }) => (
          <div key={of}>
            <dt>
              <span className={`key ${className}`} /> {name}
            </dt>
            <dd>
              <Money minor={String(valueAt(history[of], atMs))} />
            </dd>
          </div>
        ))}
      </dl>
      <MoneyTable history={history} />
    </div>
  )
}

const lastOf = (line: MoneyPoint[]): bigint => BigInt(line.at(-1)?.minor ?? '0')
const valueAt = (line: MoneyPoint[], timeMs: number): bigint =>
  BigInt(line.findLast((point) => point.timeMs <= timeMs)?.minor ?? '0')
/** Of a thousand, from the top down. Only the drawing is rounded. */
const y = (minor: bigint, top: bigint): number => 1000 - Number((minor * 1000n) / top)

/** An amount in units of the asset, without places where it is whole. */
const tickLabel = (minor: bigint, decimals: number): string =>
  formatExact(String(minor), decimals, minor % 10n ** BigInt(decimals) === 0n ? 0 : 2)

/** The same in numbers: the newest, and some of the steps before it, evenly chosen. */
const MoneyTable = ({ history }: { history: MoneyHistory }) => {
  const times = [...new Set(lines.flatMap(({ of }) => history[of].map(({ timeMs }) => timeMs)))]
  times.sort((one, other) => other - one)
  const every = Math.max(1, Math.ceil(times.length / tableRows))
  const shown = times.filter((_, index) => index % every === 0)
  return (
    <details>
      <summary>In numbers</summary>
      <div className="table">
        <table>
          <thead>
            <tr>
              <th scope="col">Until</th>
              {lines.map(({ name }) => (
                <th key={name} scope="col" className="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((timeMs) => (
              <tr key={timeMs}>
                <td>
                  <At timeMs={timeMs} />
                </td>
                {lines.map(({ of }) => (
                  <td key={of} className="number">
                    <Money minor={String(valueAt(history[of], timeMs))} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}
