import type { Lag, Operation } from '@liquefy/client'
import { formatCount } from '../../ui/format.ts'
import { Ago, Card, Figure } from '../../ui/parts.tsx'
import { formatLag } from './quantities.ts'

/** How long it takes from a reading to its payment, and what waits on the way. */
export const PathToMoney = ({ operation }: { operation: Operation }) => (
  <Card title="From a reading to money">
    <div className="table">
      <table>
        <thead>
          <tr>
            <th scope="col">Until it is</th>
            <th scope="col" className="number">
              half within
            </th>
            <th scope="col" className="number">
              99 of 100 within
            </th>
          </tr>
        </thead>
        <tbody>
          <LagRow
            what="committed"
            note="since it arrived; last 5 min"
            lag={operation.lag.committed}
          />
          <LagRow what="owed" note="since its commit; last 15 min" lag={operation.lag.owed} />
          <LagRow
            what="paid"
            isByBlock
            note="since its commit, with the wait until a payment is worth its gas; last 15 min"
            lag={operation.lag.paid}
          />
        </tbody>
      </table>
    </div>
    {operation.settlement ? <Queue settlement={operation.settlement} /> : null}
  </Card>
)

/** Blocks have whole seconds: what is told by their time is no finer. */
const formatByBlock = (ms: number): string => (ms < 1_000 ? 'under 1 s' : formatLag(ms))

const LagRow = ({
  what,
  note,
  lag,
  isByBlock = false,
}: {
  what: string
  note: string
  lag: Lag | null
  isByBlock?: boolean
}) => {
  const format = isByBlock ? formatByBlock : formatLag
  return (
    <tr>
      <th scope="row">
        <strong>{what}</strong>
        <span className="note">{note}</span>
      </th>
      {lag ? (
        <>
          <td className="number">{format(lag.p50Ms)}</td>
          <td className="number">{format(lag.p99Ms)}</td>
        </>
      ) : (
        <td className="number" colSpan={2}>
          none in this time
        </td>
      )}
    </tr>
  )
}

const Queue = ({ settlement }: { settlement: NonNullable<Operation['settlement']> }) => {
  const { waiting, waitingSinceMs, givenUp, transactions, oldest } = settlement
  const open = (transactions.queued ?? 0) + (transactions.sent ?? 0)
  return (
    <>
      <dl className="figures operation-below">
        <Figure
          name="Bills to settle"
          note={
            waitingSinceMs === null ? (
              'none waits'
            ) : (
              <>
                oldest from <Ago timeMs={waitingSinceMs} />
              </>
            )
          }
        >
          {formatCount(waiting)}
        </Figure>
        <Figure
          name="Transactions under way"
          note={`${formatCount(transactions.final ?? 0)} final, ${formatCount(transactions.included ?? 0)} in a block`}
        >
          {formatCount(open)}
        </Figure>
        <Figure name="Refused by the ledger" note="transactions of all time">
          {formatCount(transactions.reverted ?? 0)}
        </Figure>
        <Figure name="Given up" note="values that the ledger skipped again and again">
          {formatCount(givenUp)}
        </Figure>
      </dl>
      {oldest.length === 0 ? null : (
        <ul className="rows">
          {oldest.map(({ kind, status, sinceMs, problem }) => (
            <li key={`${kind} ${sinceMs}`} className="row">
              <span>
                <strong>{kind}</strong>{' '}
                {status === 'sent' ? 'sent, not in a block' : 'waits to be sent'}
                {problem === null ? null : <span className="note">{problem}</span>}
              </span>
              <Ago timeMs={sinceMs} />
            </li>
          ))}
        </ul>
      )}
    </>
  )
}
