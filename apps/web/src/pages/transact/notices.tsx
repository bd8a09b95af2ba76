import type { CalibrationNotice, EscrowNotice, Notice } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useAgreements, useDeployment, useNotices } from '../../queries.ts'
import { formatCount, nameOf, shorten } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At } from '../../ui/parts.tsx'
import { agreementTitle } from './title.ts'

const shownNotices = 5

const isOfCalibration = (notice: Notice): notice is CalibrationNotice => 'stream' in notice

/** Agreements that are low on escrow, and those with a stream whose calibration ends or is missing; nothing where there are none. */
export const NoticeBanner = () => {
  // One row each: of whom can do something about it, where that is a matter of role.
  const notices = useNotices().data?.filter(({ role }) => role === 'payer') ?? []
  const escrow = notices.filter((notice) => !isOfCalibration(notice))
  return (
    <>
      <NoticeCard
        id="low-escrow"
        title={
          escrow.length === 1
            ? 'An agreement is low on escrow'
            : `${formatCount(escrow.length)} agreements are low on escrow`
        }
        notices={escrow}
      />
      <NoticeCard
        id="calibration"
        title="A sensor wants a laboratory"
        notices={notices.filter(isOfCalibration)}
      />
    </>
  )
}

const NoticeCard = ({
  id,
  title,
  notices,
}: {
  id: string
  title: string
  notices: readonly Notice[]
}) => {
  if (notices.length === 0) return null
  return (
    <section className="card notice" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <ul className="rows">
        {notices.slice(0, shownNotices).map((notice) => (
          <li key={`${notice.agreementId} ${isOfCalibration(notice) ? notice.stream : ''}`}>
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

const NoticeWords = ({ notice }: { notice: Notice }) =>
  isOfCalibration(notice) ? <CalibrationWords notice={notice} /> : <EscrowWords notice={notice} />

const CalibrationWords = ({ notice: { stream, untilMs } }: { notice: CalibrationNotice }) =>
  untilMs === null ? (
    <>
      The sensor of “{stream}” is not calibrated as agreed: what it shows counts nothing until a
      certificate is declared.
    </>
  ) : (
    <>
      The calibration of “{stream}” ends at <At timeMs={untilMs} />; after that its readings count
      nothing.
    </>
  )

const EscrowWords = ({ notice }: { notice: EscrowNotice }) => {
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
  'calibration-ends': 'A calibration ends',
  uncalibrated: 'A sensor is not calibrated',
}

/** What warns of one agreement, on its own page: too little escrow, or else what its node says stands in the way. */
export const AgreementNotice = ({
  agreementId,
  problem,
}: {
  agreementId: string
  problem: string | null
}) => {
  const notices =
    useNotices().data?.filter((one) => one.agreementId === agreementId && one.role === 'payer') ??
    []
  const [first] = notices
  if (!first && problem === null) return null
  return (
    <section className="card notice" role="status">
      <h2>{first ? titles[first.kind] : 'Something stands in the way'}</h2>
      {notices.map((notice) => (
        <p key={`${notice.kind} ${isOfCalibration(notice) ? notice.stream : ''}`}>
          <NoticeWords notice={notice} />
        </p>
      ))}
      {problem === null ? null : <p>{problem}</p>}
    </section>
  )
}
