import type { AuditReport } from '@liquefy/audit'
import { formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Figure } from '../../ui/parts.tsx'
import { Problem } from '../../ui/states.tsx'
import type { AuditState } from './use-audit.ts'

/** How far an audit is, and what it found. */
export const AuditOutcome = ({ state }: { state: AuditState }) => (
  <div aria-live="polite">
    {state.step === 'running' ? (
      <p>
        <progress aria-label="Checking" /> {formatCount(state.envelopes)} envelopes checked
      </p>
    ) : null}
    {state.step === 'failed' ? (
      <Problem title="The check could not run" error={state.message} />
    ) : null}
    {state.step === 'done' ? <Report report={state.report} /> : null}
  </div>
)

const Report = ({ report }: { report: AuditReport }) => (
  <div
    className={holds(report) ? 'verdict verdict-good' : 'verdict verdict-bad'}
    data-testid="audit"
  >
    <p className="verdict-words">
      {report.firstFault ? `Does not fit: ${report.firstFault.message}` : wordsOf(report)}
    </p>
    {report.firstFault ? (
      <p>
        <code>{report.firstFault.code}</code> {placeOf(report.firstFault)}
      </p>
    ) : null}
    <dl className="figures">
      <Figure name="Envelopes verified">{formatCount(report.envelopes)}</Figure>
      <Figure name="Recomputed" note={<Unpaid report={report} />}>
        <Money minor={report.owedMinor} />
      </Figure>
      <Figure name="Paid on the ledger">
        <Money minor={report.settledMinor} />
      </Figure>
      <Figure name="Difference">
        <Money minor={report.differenceMinor} />
      </Figure>
    </dl>
    {report.settledAfterMinor === '0' ? null : (
      <p>
        <Money minor={report.settledAfterMinor} /> more was paid after this evidence was written and
        is not checked: check again.
      </p>
    )}
    <p className="note">
      {report.metersSignedBy === null ? '' : `Meter values signed by ${report.metersSignedBy}. `}
      Readings signed by {report.signedBy.join(', ') || 'nobody yet'};{' '}
      {formatCount(report.readings)} readings;{' '}
      {report.unanchored === 0
        ? 'all of them anchored on the ledger'
        : `${formatCount(report.unanchored)} envelopes not anchored yet`}
      .
    </p>
    {report.restsOn ? (
      <p className="note">
        Rests on chain {report.restsOn.chainId} and these contracts: compare them with those you
        trust. Clearing house <code>{report.restsOn.clearingHouse}</code>, registry{' '}
        <code>{report.restsOn.registry}</code>, anchor <code>{report.restsOn.evidenceAnchor}</code>,
        log <code>{report.restsOn.log}</code>.
      </p>
    ) : null}
  </div>
)

/** What is owed and not paid yet is no difference: the ledger pays it with the next meter value. */
const Unpaid = ({ report }: { report: AuditReport }) => {
  const unpaid = BigInt(report.owedMinor) - BigInt(report.settledMinor)
  if (unpaid <= 0n || !holds(report)) return null
  return (
    <>
      <Money minor={String(unpaid)} /> of it not paid yet
    </>
  )
}

/** Nothing is amiss, and not one unit was paid that the evidence does not support. */
const holds = ({ firstFault, differenceMinor }: AuditReport): boolean =>
  firstFault === null && differenceMinor === '0'

const wordsOf = (report: AuditReport): string => {
  if (!holds(report)) return 'Does not fit: the ledger paid another sum than the evidence supports.'
  return report.settledAfterMinor === '0'
    ? 'Every reading, every proof and every unit of money fits.'
    : 'Every reading and every proof fits, and the money paid until this evidence was written.'
}

/** Where a fault is, for people: "level, seq 2, log index 17". */
const placeOf = ({
  stream,
  seq,
  logIndex,
  period,
}: NonNullable<AuditReport['firstFault']>): string =>
  [
    stream,
    seq === undefined ? undefined : `seq ${seq}`,
    logIndex === undefined ? undefined : `log index ${logIndex}`,
    period === undefined ? undefined : `period ${period}`,
  ]
    .filter((part) => part !== undefined)
    .join(', ')
