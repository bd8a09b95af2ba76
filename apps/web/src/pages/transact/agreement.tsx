import type { Agreement, Hex, PeriodView } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useAgreement, useDeployment } from '../../queries.ts'
import { agreementRoute } from '../../router.tsx'
import { AmountBar } from '../../ui/charts.tsx'
import { formatCount, nameOf, shorten } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At, Card, Figure, Party } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { CheckIt } from '../trust/check-it.tsx'
import { registersInWords } from './registers.tsx'

/** One agreement: its terms in words, its money, and the means to check every step of it. */
export const AgreementPage = () => {
  const agreementId = agreementRoute.useParams().agreementId as Hex
  const agreement = useAgreement(agreementId)
  return (
    <Loaded query={agreement} what="this agreement">
      {(loaded) => (
        <>
          <Head agreement={loaded} />
          <MoneyCard agreement={loaded} />
          <CheckIt agreementId={agreementId} />
          <div className="columns">
            <Periods agreement={loaded} />
            <Settlements agreement={loaded} />
          </div>
        </>
      )}
    </Loaded>
  )
}

const Head = ({ agreement }: { agreement: Agreement }) => {
  const deployment = useDeployment().data
  return (
    <section className="head">
      <p className="crumb">
        <Link to="/">Overview</Link> /{' '}
        {agreement.machineId === '0' ? (
          agreement.machineName
        ) : (
          <Link to="/machines/$machineId" params={{ machineId: agreement.machineId }}>
            {agreement.machineName}
          </Link>
        )}{' '}
        / agreement <span title={agreement.agreementId}>{shorten(agreement.agreementId)}</span>
      </p>
      <h1>
        {nameOf(deployment, agreement.payer)} pays {nameOf(deployment, agreement.payee)}{' '}
        <span className={agreement.open ? 'badge badge-active' : 'badge'}>
          {agreement.open ? 'open' : 'closed'}
        </span>
      </h1>
      <p className="lead">{agreement.tariffInWords}</p>
      <ul className="plain note">
        {agreement.rulesInWords.map((words) => (
          <li key={words}>{words}</li>
        ))}
        <li>Meter values are signed by {agreement.metersSignedBy}.</li>
      </ul>
    </section>
  )
}

const sumOf = (periods: PeriodView[], pick: (period: PeriodView) => string): bigint =>
  periods.reduce((sum, period) => sum + BigInt(pick(period)), 0n)

const atLeastZero = (value: bigint): bigint => (value > 0n ? value : 0n)

const MoneyCard = ({ agreement }: { agreement: Agreement }) => {
  const owed = sumOf(agreement.periods, ({ owedMinor }) => owedMinor)
  const final = BigInt(agreement.finalMinor)
  const included = BigInt(agreement.includedMinor)
  const arrears = sumOf(agreement.periods, ({ arrearsMinor }) => arrearsMinor)
  return (
    <Card title="Money">
      <dl className="figures">
        <Figure name="Owed" note="by every signed reading so far">
          <Money minor={String(owed)} />
        </Figure>
        <Figure name="Included" note="paid in a block">
          <Money minor={agreement.includedMinor} />
        </Figure>
        <Figure name="Final" note="cannot be undone">
          <Money minor={agreement.finalMinor} />
        </Figure>
        <Figure
          name="Escrow left"
          note={arrears > 0n ? 'too little: top it up' : 'set aside by the payer'}
        >
          <Money minor={agreement.escrowMinor} />
        </Figure>
        <Figure name="To withdraw" note={<Party address={agreement.position.owner} />}>
          <Money minor={agreement.position.accruedMinor} />
        </Figure>
      </dl>
      <AmountBar
        parts={[
          { name: 'final', className: 'part-final', minor: final },
          { name: 'included', className: 'part-included', minor: atLeastZero(included - final) },
          {
            name: 'owed, not yet settled',
            className: 'part-owed',
            minor: atLeastZero(owed - included),
          },
          { name: 'escrow left', className: 'part-escrow', minor: BigInt(agreement.escrowMinor) },
        ]}
      />
      <p className="legend note">
        <span className="key part-final" /> final <span className="key part-included" /> included{' '}
        <span className="key part-owed" /> owed <span className="key part-escrow" /> escrow
      </p>
    </Card>
  )
}

const Periods = ({ agreement }: { agreement: Agreement }) => (
  <Card title="Periods">
    {agreement.periods.length === 0 ? (
      <Empty title="Nothing metered yet">
        The first period appears with the first priced reading.
      </Empty>
    ) : (
      <div className="table">
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col">Registers</th>
              <th scope="col" className="number">
                Owed
              </th>
              <th scope="col" className="number">
                Paid
              </th>
            </tr>
          </thead>
          <tbody>
            {agreement.periods.map((period) => (
              <tr key={period.period}>
                <td>
                  <At timeMs={period.startMs} />
                </td>
                <td>{registersInWords(agreement, period.registers)}</td>
                <td className="number">
                  <Money minor={period.owedMinor} />
                </td>
                <td className="number">
                  <Money minor={period.includedMinor} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    )}
  </Card>
)

const shownSettlements = 15

const Settlements = ({ agreement }: { agreement: Agreement }) => {
  const newest = agreement.settlements
  return (
    <Card title="Settlements">
      {newest.length === 0 ? (
        <Empty title="None yet">
          The machine signs its registers every few seconds; the first one pays.
        </Empty>
      ) : (
        <div className="table">
          <table>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Transaction</th>
                <th scope="col" className="number">
                  Paid
                </th>
              </tr>
            </thead>
            <tbody>
              {newest.slice(0, shownSettlements).map((settlement) => (
                <tr key={`${settlement.txHash}-${settlement.period}-${settlement.asOf}`}>
                  <td>
                    <At timeMs={settlement.atMs} />
                  </td>
                  <td>
                    <code title={settlement.txHash}>{shorten(settlement.txHash)}</code>{' '}
                    <span className="note">{settlement.final ? 'final' : 'included'}</span>
                  </td>
                  <td className="number">
                    <Money minor={settlement.paidMinor} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {newest.length > shownSettlements ? (
        <p className="note">
          {formatCount(newest.length - shownSettlements)} earlier:{' '}
          <code>npx liquefy agreement show</code>
        </p>
      ) : null}
    </Card>
  )
}
