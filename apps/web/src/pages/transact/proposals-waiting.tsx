import { Link } from '@tanstack/react-router'
import { useDeployment, useProposals } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { nameOf } from '../../ui/format.ts'
import { agreementTitle } from './title.ts'

/** What somebody was proposed and has not answered, each with a link; nothing where there is none. */
export const ProposalsWaiting = () => {
  const me = useSession()?.address
  const deployment = useDeployment().data
  const waiting = (useProposals().data ?? []).filter(
    ({ state, counterparty }) => state === 'waiting' && counterparty === me,
  )
  const [newest] = waiting
  if (!newest) return null
  return (
    <section className="card notice" aria-labelledby="proposals-waiting">
      <h2 id="proposals-waiting">
        {nameOf(deployment, newest.proposer)} proposes an agreement to you
      </h2>
      <p>
        {agreementTitle(newest, deployment)}, {newest.tariffInWords}.{' '}
        <Link to="/proposals/$proposalId" params={{ proposalId: newest.proposalId }}>
          Look at it and answer
        </Link>
        {waiting.length > 1 ? (
          <>
            , or see <Link to="/agreements">all {waiting.length} that wait for you</Link>
          </>
        ) : null}
        .
      </p>
    </section>
  )
}
