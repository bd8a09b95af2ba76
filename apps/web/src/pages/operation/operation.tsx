import { useOperation } from '../../queries.ts'
import { formatCount } from '../../ui/format.ts'
import { Ago, Card, Figure } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'
import { Alerts, nodeDown } from './alerts.tsx'
import { Gas } from './gas.tsx'
import { Intake } from './intake.tsx'
import { LedgerAndLog } from './ledger-and-log.tsx'
import { NodeHealth } from './node-health.tsx'
import { PathToMoney } from './path-to-money.tsx'
import { RefusalsByCode } from './refusals-by-code.tsx'
import './operation.css'

/** What whoever keeps the node up watches: nobody's rows, and what needs him first. */
export const OperationPage = () => {
  const operation = useOperation()
  const { isError, dataUpdatedAt } = operation
  return (
    <>
      <section className="head operation-head">
        <h1>Operation</h1>
        {operation.data ? (
          <p className="note">
            {isError ? 'Stands still: as it was ' : 'As it was '}
            <Ago timeMs={dataUpdatedAt} />
          </p>
        ) : null}
      </section>
      <Loaded query={operation} what="the figures of the node">
        {(now) => (
          <>
            <Alerts
              alerts={isError ? [nodeDown(dataUpdatedAt), ...now.alerts] : now.alerts}
              notWatched={now.notWatched}
            />
            {now.process.role === 'api' ? <OneOfSeveral workers={now.process.workers} /> : null}
            <div className="columns operation">
              <div className="operation-column">
                <Intake operation={now} />
                <LedgerAndLog operation={now} />
                <NodeHealth operation={now} />
              </div>
              <div className="operation-column">
                <PathToMoney operation={now} />
                <Gas operation={now} />
                {now.refusals ? <RefusalsByCode refusals={now.refusals} /> : null}
              </div>
            </div>
            <p className="note">
              For Prometheus and Grafana: <a href="/metrics">/metrics</a>. What each figure and
              alert means stands in docs/operation.md.
            </p>
          </>
        )}
      </Loaded>
    </>
  )
}

/** Work that stands still if nobody does it. */
const works = [
  ['meter', 'nothing is metered'],
  ['settle', 'the ledger is not followed, and nothing is anchored or paid'],
] as const

const OneOfSeveral = ({ workers }: { workers: Record<string, number> | null }) => (
  <Card title="One process of several">
    <p className="note">
      This one serves the API and the page. It knows of the others what the database tells: not
      which frames they hold, how long they take to commit, what gas they have spent since their
      start, their memory or disks, or whether the log has halted: let Prometheus watch those.
    </p>
    {workers === null ? null : (
      <dl className="figures operation-below">
        {works.map(([role, without]) => (
          <Figure
            key={role}
            name={`Processes that ${role}`}
            note={workers[role] ? undefined : `${without}: start one with --role ${role}`}
          >
            {formatCount(workers[role] ?? 0)}
          </Figure>
        ))}
      </dl>
    )}
  </Card>
)
