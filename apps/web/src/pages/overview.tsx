import type { AgreementSummary, MachineSummary, NodeEvent } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { memo, useState } from 'react'
import { useLive } from '../live/live.tsx'
import { useAgreements, useDeployment, useMachines, useSparkline, useStatus } from '../queries.ts'
import { useSession } from '../session/use-session.ts'
import { PaymentBars, Sparkline } from '../ui/charts.tsx'
import { Choice } from '../ui/choice.tsx'
import { formatCount, formatExact, payeeName, payerName } from '../ui/format.ts'
import { Money } from '../ui/money.tsx'
import { Ago, Card, Figure, StateBadge } from '../ui/parts.tsx'
import { Empty, Loaded } from '../ui/states.tsx'
import { useSeen } from '../ui/use-seen.ts'
import { agreementsOf, machinesOf } from './mine.ts'
import { MyMoney } from './transact/my-money.tsx'
import { NoticeBanner } from './transact/notices.tsx'
import { ProposalsWaiting } from './transact/proposals-waiting.tsx'
import { agreementTitle } from './transact/title.ts'
import { verdictWords } from './trust/verdict-words.ts'

/** Machines and their money at a glance. */
export const Overview = () => {
  const machines = useMachines()
  const agreements = useAgreements()
  const me = useSession()?.address
  const [everything, showEverything] = useState(false)
  const mine = me === undefined || everything ? undefined : me
  const myAgreements = agreementsOf(mine, agreements.data ?? [])
  return (
    <>
      <h1 className="visually-hidden">Overview</h1>
      {me === undefined ? null : (
        <Choice
          label="Whose"
          options={[
            { words: 'Mine', value: 'mine' },
            { words: 'All', value: 'all' },
          ]}
          value={everything ? 'all' : 'mine'}
          onChoose={(chosen) => showEverything(chosen === 'all')}
        />
      )}
      <ProposalsWaiting />
      <NoticeBanner />
      {mine === undefined ? <MoneyBand /> : <MyMoney me={mine} agreements={agreements} />}
      <Loaded query={machines} what="the machines">
        {(list) =>
          machinesOf(mine, list, myAgreements).length === 0 && mine !== undefined ? (
            <Empty title="No machine is yours">
              You own none, and none of your agreements names one.{' '}
              <Link to="/machines/new">Add one</Link>, or look at all of them above.
            </Empty>
          ) : list.length === 0 ? (
            <Empty title="No machines yet">
              <Link to="/machines/new">Add one here</Link>, step by step, or in a terminal with{' '}
              <code>npx liquefy machine register</code>. To see how it looks with three silos that
              earn, stop this node and run <code>npm start</code>.
            </Empty>
          ) : (
            <section aria-labelledby="machines">
              <h2 id="machines" className="section">
                Machines
              </h2>
              <ul className="grid">
                {machinesOf(mine, list, myAgreements).map((machine) => (
                  <MachineCard key={machine.machineId} machine={machine} />
                ))}
              </ul>
            </section>
          )
        }
      </Loaded>
      <div className="columns">
        <Loaded query={agreements} what="the agreements">
          {() => <Agreements list={myAgreements} />}
        </Loaded>
        <Feed />
      </div>
      <EvidenceCard />
    </>
  )
}

const MoneyBand = () => {
  const status = useStatus()
  return (
    <Loaded query={status} what="the figures">
      {(now) => (
        <section className="band" aria-label="Money">
          <dl>
            <Figure
              name="Settled on the ledger"
              note="Paid by signed meter values, yours to withdraw"
            >
              <Money minor={now.settledMinor} large />
            </Figure>
            <Figure name="Owed now" note="From signed readings, to be settled within moments">
              <Money minor={unsettled(now.owedMinor, now.settledMinor)} large />
            </Figure>
          </dl>
          <Payments />
        </section>
      )}
    </Loaded>
  )
}

const unsettled = (owed: string, settled: string): string => {
  const rest = BigInt(owed) - BigInt(settled)
  return String(rest > 0n ? rest : 0n)
}

type Settled = Extract<NodeEvent, { type: 'settled' }>

const Payments = () => {
  const { recent } = useLive()
  const deployment = useDeployment().data
  const payments = recent
    .filter((entry): entry is { key: number; event: Settled } => entry.event.type === 'settled')
    .slice(0, 40)
    .reverse()
    .map(({ key, event }) => ({
      key: String(key),
      minor: BigInt(event.paidMinor),
      label: `${formatExact(event.paidMinor, deployment?.asset.decimals ?? 6, 4)} ${deployment?.asset.symbol ?? ''}`,
    }))
  return (
    <div className="payments">
      {payments.length === 0 ? (
        <p className="note">Payments appear here as they settle.</p>
      ) : (
        <PaymentBars payments={payments} />
      )}
    </div>
  )
}

const MachineCard = memo(({ machine }: { machine: MachineSummary }) => {
  const { seen, ref } = useSeen()
  const stream = seen ? machine.mainStream : null
  const series = useSparkline(machine.machineId, stream).data?.[0]
  const values = series?.buckets.map(({ mean }) => mean) ?? []
  return (
    <li ref={ref} className="machine-item">
      <Link
        to="/machines/$machineId"
        params={{ machineId: machine.machineId }}
        className="card machine-card"
      >
        <span className="card-head">
          <strong>{machine.name}</strong>
          <StateBadge state={machine.state} />
        </span>
        <Sparkline
          values={values}
          label={`${series?.stream ?? 'readings'} of the last 15 minutes`}
        />
        <span className="machine-card-figures">
          <span>
            <Money minor={machine.settledSinceMinor} />
            <span className="note">today</span>
          </span>
          <span className="note">
            {machine.lastReadingMs === null ? (
              'no reading yet'
            ) : (
              <Ago timeMs={machine.lastReadingMs} />
            )}
          </span>
        </span>
      </Link>
    </li>
  )
})

const Agreements = ({ list }: { list: AgreementSummary[] }) => {
  const deployment = useDeployment().data
  if (list.length === 0) {
    return (
      <Card title="Agreements">
        <Empty title="No agreements yet">
          <Link to="/agreements/new">Propose one</Link> to whom you sell or buy from.
        </Empty>
      </Card>
    )
  }
  return (
    <Card title="Agreements">
      <ul className="rows">
        {list.slice(0, 12).map((agreement) => (
          <li key={agreement.agreementId}>
            <Link
              to="/agreements/$agreementId"
              params={{ agreementId: agreement.agreementId }}
              className="row"
            >
              <span>
                <strong>{agreementTitle(agreement, deployment)}</strong>
                <span className="note">
                  {agreement.machineId === '0'
                    ? 'no machine'
                    : `${payerName(deployment, agreement)} pays ${payeeName(deployment, agreement)}`}
                </span>
              </span>
              <Money minor={agreement.includedMinor} />
            </Link>
          </li>
        ))}
      </ul>
      {list.length > 12 ? (
        <p className="note">
          <Link to="/agreements">All {formatCount(list.length)} agreements</Link>
        </p>
      ) : null}
    </Card>
  )
}

const Feed = () => {
  const { recent } = useLive()
  const machines = useMachines().data
  const agreements = useAgreements().data
  const machineName = (machineId: string) =>
    machines?.find((machine) => machine.machineId === machineId)?.name ?? `machine ${machineId}`
  const deployment = useDeployment().data
  const agreementName = (agreementId: string) => {
    const agreement = agreements?.find((one) => one.agreementId === agreementId)
    return agreement ? agreementTitle(agreement, deployment) : 'an agreement'
  }
  const shown = recent.filter(({ event }) => event.type !== 'meter-value').slice(0, 10)
  return (
    <Card title="Happening now">
      {shown.length === 0 ? (
        <p className="note">
          Nothing since this page was opened. Payments and refused readings show here.
        </p>
      ) : (
        <ul className="rows feed" aria-live="polite">
          {shown.map(({ key, event }) => (
            <li key={key} className="row">
              {event.type === 'settled' ? (
                <>
                  <span>
                    <strong>{agreementName(event.agreementId)}</strong> was paid
                  </span>
                  <span className="plus">
                    +<Money minor={event.paidMinor} />
                  </span>
                </>
              ) : event.type === 'refused' ? (
                <>
                  <span>
                    <strong>{machineName(event.machineId)}</strong>: {verdictWords(event.code)}
                  </span>
                  <Ago timeMs={event.atMs} />
                </>
              ) : null}
            </li>
          ))}
        </ul>
      )}
    </Card>
  )
}

const EvidenceCard = () => {
  const status = useStatus()
  return (
    <Loaded query={status} what="the evidence">
      {({ envelopes, chain }) => {
        const refused = Object.values(envelopes.refused).reduce((sum, count) => sum + count, 0)
        const unpriced = Object.entries(envelopes.unpriced)
        return (
          <Card title="Evidence">
            <dl className="figures">
              <Figure name="Signed envelopes logged">{formatCount(envelopes.logged)}</Figure>
              <Figure name="Priced">{formatCount(envelopes.priced)}</Figure>
              <Figure
                name="Unpriced"
                note={unpriced
                  .map(([code, count]) => `${verdictWords(code)}: ${formatCount(count)}`)
                  .join(' · ')}
              >
                {formatCount(unpriced.reduce((sum, [, count]) => sum + count, 0))}
              </Figure>
              <Figure
                name="Refused"
                note={Object.entries(envelopes.refused)
                  .map(([code, count]) => `${verdictWords(code)}: ${formatCount(count)}`)
                  .join(' · ')}
              >
                {formatCount(refused)}
              </Figure>
              <Figure name="Anchored on the ledger" note={`block ${formatCount(chain.block)}`}>
                {formatCount(chain.anchoredSize)} of {formatCount(chain.logSize)}
              </Figure>
            </dl>
          </Card>
        )
      }}
    </Loaded>
  )
}
