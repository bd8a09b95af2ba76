import type { MachineSummary } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { memo } from 'react'
import { useSparkline } from '../../queries.ts'
import { Sparkline } from '../../ui/charts.tsx'
import { formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Ago, At, Party, StateBadge } from '../../ui/parts.tsx'
import { useSeen } from '../../ui/use-seen.ts'
import { type Attention, attentionOf, attentionWords } from './attention.ts'

/** Machines as rows. A row off the screen costs no drawing, no request and no clock. */
export const MachineTable = ({
  machines,
  nowMs,
}: {
  machines: MachineSummary[]
  nowMs: number
}) => (
  <section className="card machine-table">
    <table>
      <caption className="visually-hidden">Machines</caption>
      <thead>
        <tr>
          <th scope="col">Machine</th>
          <th scope="col">State</th>
          <th scope="col">Owner</th>
          <th scope="col">Last 15 minutes</th>
          <th scope="col">Last reading</th>
          <th scope="col" className="number">
            Refused
          </th>
          <th scope="col" className="number">
            Income today
          </th>
        </tr>
      </thead>
      <tbody>
        {machines.map((machine) => (
          <Row
            key={machine.machineId}
            machine={machine}
            reasons={attentionOf(machine, nowMs)
              .filter((reason) => reason !== 'suspended')
              .join(' ')}
          />
        ))}
      </tbody>
    </table>
  </section>
)

const Row = memo(({ machine, reasons }: { machine: MachineSummary; reasons: string }) => {
  const { seen, ref } = useSeen()
  const { machineId, name, lastReadingMs } = machine
  const series = useSparkline(machineId, seen ? machine.mainStream : null).data?.[0]
  return (
    <tr ref={ref}>
      <th scope="row">
        <Link to="/machines/$machineId" params={{ machineId }}>
          {name}
        </Link>
        {name === machineId ? null : <span className="note">machine {machineId}</span>}
      </th>
      <td className="cell-state">
        <StateBadge state={machine.state} />
        {reasons.split(' ').map((reason) =>
          reason === '' ? null : (
            <span key={reason} className="badge badge-suspended">
              {attentionWords[reason as Attention]}
            </span>
          ),
        )}
      </td>
      <td className="cell-owner">
        <Party address={machine.owner} />
      </td>
      <td className="cell-spark">
        <Sparkline
          values={series?.buckets.map(({ mean }) => mean) ?? []}
          label={`${series?.stream ?? 'readings'} of the last 15 minutes`}
        />
      </td>
      <td className="cell-last">
        {lastReadingMs === null ? (
          'none yet'
        ) : seen ? (
          <Ago timeMs={lastReadingMs} />
        ) : (
          <At timeMs={lastReadingMs} />
        )}
        <span className="note">
          {formatCount(machine.envelopes)} {machine.envelopes === 1 ? 'envelope' : 'envelopes'}
        </span>
      </td>
      <td className="number cell-refused">
        {formatCount(machine.refused)}
        <span className="note narrow-only"> refused</span>
      </td>
      <td className="number cell-income">
        <Money minor={machine.settledSinceMinor} />
        <span className="note narrow-only"> today</span>
      </td>
    </tr>
  )
})
