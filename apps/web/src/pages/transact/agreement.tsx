import type { Agreement, Hex } from '@liquefy/client'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useAgreement, useDeployment } from '../../queries.ts'
import { payeeName, payerName, shorten } from '../../ui/format.ts'
import { Loaded } from '../../ui/states.tsx'
import { CheckIt } from '../trust/check-it.tsx'
import './agreement.css'
import { Documents } from './documents.tsx'
import { MoneyActions } from './money-actions.tsx'
import { MoneyCard } from './money-card.tsx'
import { MoneyOverTime } from './money-over-time.tsx'
import { AgreementNotice } from './notices.tsx'
import { Periods } from './periods.tsx'
import { Settlements } from './settlements.tsx'
import { Settling } from './settling.tsx'

const route = getRouteApi('/agreements/$agreementId')

/** One agreement: its terms in words, its money, and the means to check every step of it. */
export const AgreementPage = () => {
  const agreementId = route.useParams().agreementId as Hex
  const agreement = useAgreement(agreementId)
  return (
    <Loaded query={agreement} what="this agreement">
      {(loaded) => (
        <>
          <Head agreement={loaded} />
          <AgreementNotice agreementId={agreementId} problem={loaded.problem} />
          <MoneyCard agreement={loaded} />
          <MoneyActions agreement={loaded} />
          <Settling agreement={loaded} />
          <MoneyOverTime agreement={loaded} />
          <Settlements agreement={loaded} />
          <Periods agreement={loaded} />
          <div id="check">
            <CheckIt agreementId={agreementId} />
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
        {payerName(deployment, agreement)} pays {payeeName(deployment, agreement)}{' '}
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
