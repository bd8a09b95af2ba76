import type { Notice } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useAgreements, useDeployment, useNotices } from '../../queries.ts'
import { formatCount, nameOf, shorten } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { agreementTitle } from './title.ts'

const shownNotices = 5

/** Agreements that are low on escrow, each with a link; nothing where there are none. */
export const NoticeBanner = () => {
  const notices = useNotices().data?.filter(({ role }) => role === 'payer') ?? []
  if (notices.length === 0) return null
  return (
    <section className="card notice" aria-labelledby="low-escrow">
      <h2 id="low-escrow">
        {notices.length === 1
          ? 'An agreement is low on escrow'
          : `${formatCount(notices.length)} agreements are low on escrow`}
      </h2>
      <ul className="rows">
        {notices.slice(0, shownNotices).map((notice) => (
          <li key={notice.agreementId}>
            <NoticeRow notice={notice} />
          </li>
        ))}
      </ul>
      {notices.length > shownNotices ? (
        <p className="note">and {formatCount(notices.length - shownNotices)} more</p>
      ) : null}
    </section>
  )
}

const NoticeRow = ({ notice }: { notice: Notice }) => {
  const deployment = useDeployment().data
  const { agreementId } = notice
  const agreement = useAgreements().data?.find((one) => one.agreementId === agreementId)
  return (
    <Link to="/agreements/$agreementId" params={{ agreementId }} className="row">
      <span>
        <strong>{agreement ? agreementTitle(agreement, deployment) : 'An agreement'}</strong>
        <span className="note">
          <NoticeWords notice={notice} />
        </span>
      </span>
      <span className="note">{shorten(agreementId)}</span>
    </Link>
  )
}

const NoticeWords = ({ notice }: { notice: Notice }) => {
  const deployment = useDeployment().data
  return (
    <>
      <Money minor={notice.escrowMinor} /> left in escrow, <Money minor={notice.unpaidMinor} /> owed
      and not yet paid. {nameOf(deployment, notice.party)} should top it up.
    </>
  )
}

const titles: Record<Notice['kind'], string> = {
  'escrow-low': 'Escrow runs low',
  'escrow-short': 'Escrow is too little',
}

/** What warns of one agreement, on its own page: too little escrow, or else what its node says stands in the way. */
export const AgreementNotice = ({
  agreementId,
  problem,
}: {
  agreementId: string
  problem: string | null
}) => {
  const notice = useNotices().data?.find(
    (one) => one.agreementId === agreementId && one.role === 'payer',
  )
  if (!notice && problem === null) return null
  return (
    <section className="card notice" role="status">
      <h2>{notice ? titles[notice.kind] : 'Something stands in the way'}</h2>
      {notice ? (
        <p>
          <NoticeWords notice={notice} />
        </p>
      ) : null}
      {problem === null ? null : <p>{problem}</p>}
    </section>
  )
}
