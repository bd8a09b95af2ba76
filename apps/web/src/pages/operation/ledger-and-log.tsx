import type { Operation } from '@liquefy/client'
import { formatCount } from '../../ui/format.ts'
import { Ago, Card, Figure, Hash } from '../../ui/parts.tsx'
import { formatLag } from './quantities.ts'

/** Up to a second or so behind is how a follower that asks now and then looks. */
const levelMs = 5_000

/** How far the ledger was followed, and how much of the evidence log is anchored on it. */
export const LedgerAndLog = ({ operation: { ledger, log } }: { operation: Operation }) => (
  <Card title="Ledger and evidence log">
    <dl className="figures">
      <Figure
        name="Newest block"
        note={ledger.newestBlockMs === null ? undefined : <Ago timeMs={ledger.newestBlockMs} />}
      >
        {formatCount(ledger.applied)}
      </Figure>
      <Figure name="Final up to" note={ledger.embedded ? 'embedded ledger' : 'outside ledger'}>
        {formatCount(ledger.final)}
      </Figure>
      <Figure
        name="Followed"
        note={ledger.behindBlocks === 0 ? undefined : `${formatCount(ledger.behindBlocks)} blocks`}
      >
        {ledger.behindMs < levelMs ? 'level with it' : `${formatLag(ledger.behindMs)} behind`}
      </Figure>
      {log ? <Log log={log} /> : null}
    </dl>
    {log ? null : <p className="note">The database does not answer: the log is not known now.</p>}
  </Card>
)

const Log = ({ log }: { log: NonNullable<Operation['log']> }) => {
  const open = BigInt(log.size) - BigInt(log.anchored?.size ?? 0)
  return (
    <>
      <Figure name="Envelopes in the log" note={log.halted ?? (log.runs ? 'it runs' : undefined)}>
        {formatCount(log.size)}
      </Figure>
      <Figure
        name="Anchored on the ledger"
        note={open === 0n ? 'all of it' : `${formatCount(String(open))} not yet`}
      >
        {formatCount(log.anchored?.size ?? 0)}
      </Figure>
      <Figure
        name="Last anchor"
        note={
          log.anchored ? (
            <>
              block {formatCount(log.anchored.block)}, transaction{' '}
              <Hash hex={log.anchored.txHash} />
            </>
          ) : (
            'the first reading brings the first one'
          )
        }
      >
        {log.anchored ? <Ago timeMs={log.anchored.atMs} /> : 'none yet'}
      </Figure>
      <Figure name="Not metered yet" note="envelopes, one for each agreement">
        {formatCount(log.foldLag)}
      </Figure>
    </>
  )
}
