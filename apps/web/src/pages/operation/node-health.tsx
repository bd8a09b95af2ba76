import type { Operation } from '@liquefy/client'
import { formatCount } from '../../ui/format.ts'
import { Ago, At, Card, Figure } from '../../ui/parts.tsx'
import { formatBytes, formatLag } from './quantities.ts'

/** The process, its database and its disk. */
export const NodeHealth = ({ operation }: { operation: Operation }) => {
  const { process, database, disk, moneyOk, certificateExpiresMs } = operation
  return (
    <Card title="Node">
      <dl className="figures">
        <Figure name="Started" note={`version ${process.version}, Node.js ${process.nodeVersion}`}>
          <Ago timeMs={process.startedMs} />
        </Figure>
        <Figure
          name="Memory"
          note={
            process.loopLagMs === null
              ? undefined
              : `event loop at most ${formatLag(process.loopLagMs)} late, 99 of 100`
          }
        >
          {formatBytes(process.memoryBytes)}
        </Figure>
        <Figure
          name="Database"
          note={`${formatCount(database.busy)} of ${formatCount(database.connections)} connections busy, ${formatCount(database.waiting)} wait for one`}
        >
          {database.up
            ? database.bytes === null
              ? 'answers'
              : formatBytes(database.bytes)
            : 'does not answer'}
        </Figure>
        <Figure
          name="Disk left"
          note={disk ? `of ${formatBytes(disk.sizeBytes)}, where data is kept` : undefined}
        >
          {disk ? formatBytes(disk.freeBytes) : 'not known'}
        </Figure>
        <Figure name="Money check" note="the view of money against the events of the ledger">
          {moneyOk === null ? 'not known' : moneyOk ? 'equal to the unit' : 'differs'}
        </Figure>
        {certificateExpiresMs === null ? null : (
          <Figure name="Certificate ends">
            <At timeMs={certificateExpiresMs} />
          </Figure>
        )}
      </dl>
    </Card>
  )
}
