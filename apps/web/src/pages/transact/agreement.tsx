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
import { Documents } from './documents.tsx'
import { MoneyActions } from './money-actions.tsx'
import { AgreementNotice } from './notices.tsx'
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
          <AgreementNotice agreementId={agreementId} problem={loaded.problem} />
          <MoneyCard agreement={loaded} />
          <MoneyActions agreement={loaded} />
          <CheckIt agreementId={agreementId} />
          <div className="columns">
            <Periods agreement={loaded} />
            <Settlements agreement={loaded} />
          </div>
          <Documents agreement={loaded} />
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
        {/* Meters of one kind share a sentence. */}
        {[...new Set(agreement.rulesInWords)].map((words) => (
          <li key={words}>{words}</li>
        ))}
        <li>Meter values are signed by {agreement.metersSignedBy}.</li>
        {agreement.linkedTo ? (
          <li>
            Belongs to <AgreementLink agreementId={agreement.linkedTo} />.
          </li>
        ) : null}
        {agreement.linkedFrom.map((other) => (
          <li key={other}>
            With it goes <AgreementLink agreementId={other} />.
          </li>
        ))}
      </ul>
    </section>
  )
}

const AgreementLink = ({ agreementId }: { agreementId: Hex }) => (
  <Link to="/agreements/$agreementId" params={{ agreementId }} title={agreementId}>
    agreement {shorten(agreementId)}
  </Link>
)

const sumOf = (periods: PeriodView[], pick: (period: PeriodView) => string): bigint =>
  periods.reduce((sum, period) => sum + BigInt(pick(period)), 0n)

const atLeastZero = (value: bigint): bigint => (value > 0n ? value : 0n)

const MoneyCard = ({ agreement }: { agreement: Agreement }) => {
  const adjusted = sumOf(agreement.periods, ({ adjustedMinor }) => adjustedMinor)
  const owed = sumOf(agreement.periods, ({ owedMinor }) => owedMinor) + adjusted
  const refunded = sumOf(agreement.periods, ({ refundedMinor }) => refundedMinor)
  const final = BigInt(agreement.finalMinor)
  const included = BigInt(agreement.includedMinor)
  const arrears = sumOf(agreement.periods, ({ arrearsMinor }) => arrearsMinor)
  return (
    <Card title="Money">
      <dl className="figures">
        <Figure name="Owed" note={owedBy(agreement, adjusted)}>
          <Money minor={String(owed)} />
        </Figure>
        <Figure name="Included" note="paid in a block">
          <Money minor={agreement.includedMinor} />
        </Figure>
        <Figure name="Final" note="cannot be undone">
          <Money minor={agreement.finalMinor} />
        </Figure>
        {refunded > 0n ? (
          <Figure name="Refunded" note="given back by the payee">
            <Money minor={String(refunded)} />
          </Figure>
        ) : null}
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

const owedBy = ({ registerUnits }: Agreement, adjusted: bigint): string => {
  if (registerUnits.length === 0) return 'by the time that has passed'
  return adjusted > 0n ? 'by every signed reading, late ones too' : 'by every signed reading so far'
}

const Periods = ({ agreement }: { agreement: Agreement }) => (
  <Card title="Periods">
    {agreement.periods.length === 0 ? (
      <Empty title="Nothing metered yet">
        The first period appears with the first priced reading, or when it begins to cost.
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
                  <Besides minor={period.adjustedMinor} sign="+" what="for late evidence" />
                </td>
                <td className="number">
                  <Money minor={period.includedMinor} />
                  <Besides minor={period.arrearsMinor} sign="" what="in arrears" />
                  <Besides minor={period.refundedMinor} sign="−" what="refunded" />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    )}
  </Card>
)

/** An amount beside another one; nothing where it is zero. */
const Besides = ({ minor, sign, what }: { minor: string; sign: string; what: string }) =>
  minor === '0' ? null : (
    <span className="note">
      {sign}
      <Money minor={minor} /> {what}
    </span>
  )

type Settlement = Agreement['settlements'][number]

const settlementWords: Record<Settlement['kind'], string> = {
  settled: 'settled',
  collected: 'arrears collected',
  adjusted: 'adjusted for late evidence',
  refunded: 'refunded to the payer',
}

const shownSettlements = 15

const Settlements = ({ agreement }: { agreement: Agreement }) => {
  const newest = agreement.settlements
  return (
    <Card title="Settlements">
      {newest.length === 0 ? (
        <Empty title="None yet">The first meter value that the ledger takes pays.</Empty>
      ) : (
        <div className="table">
          <table>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col" className="number">
                  Amount
                </th>
              </tr>
            </thead>
            <tbody>
              {newest.slice(0, shownSettlements).map((settlement) => (
                <tr
                  key={`${settlement.txHash}-${settlement.kind}-${settlement.period}-${settlement.asOf}`}
                >
                  <td>
                    <At timeMs={settlement.atMs} />
                  </td>
                  <td>
                    <span>{settlementWords[settlement.kind]}</span>
                    <span className="note">
                      <code title={settlement.txHash}>{shorten(settlement.txHash)}</code>{' '}
                      {settlement.final ? 'final' : 'included'}
                    </span>
                  </td>
                  <td className="number">
                    {settlement.kind === 'refunded' ? '−' : ''}
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
