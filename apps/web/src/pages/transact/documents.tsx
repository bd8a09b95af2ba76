import type { Agreement } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { node } from '../../api.ts'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { formatTime, payeeName, payerName } from '../../ui/format.ts'
import { Card } from '../../ui/parts.tsx'
import { useDownload } from '../use-download.tsx'
import './documents.css'

/** What people file: the statement for everybody, the e-invoice of a period for its two parties. */
export const Documents = ({ agreement }: { agreement: Agreement }) => (
  <Card title="Statement and invoice">
    <div className="columns">
      <Statement agreement={agreement} />
      <Invoice agreement={agreement} />
    </div>
  </Card>
)

const ALL = 'all'

const Statement = ({ agreement }: { agreement: Agreement }) => {
  const [chosen, setChosen] = useState(ALL)
  const download = useDownload((as: 'csv' | 'pdf') =>
    node.statement(agreement.agreementId, {
      as,
      ...(chosen === ALL ? {} : { period: Number(chosen) }),
      ...(as === 'pdf' ? { timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone } : {}),
    }),
  )
  return (
    <div className="document">
      <h3>Statement</h3>
      <p className="note">
        What was metered, owed and paid, with every transaction, and how anybody can check it.
      </p>
      <PeriodField label="Periods" agreement={agreement} value={chosen} onChoose={setChosen}>
        <option value={ALL}>all periods</option>
      </PeriodField>
      <div className="actions">
        {(['pdf', 'csv'] as const).map((as) => (
          <button
            key={as}
            type="button"
            className="button button-quiet"
            disabled={download.isPending || chosen === ''}
            onClick={() => download.start(as)}
          >
            Statement as {as.toUpperCase()}
          </button>
        ))}
      </div>
      {download.words}
    </div>
  )
}

const Invoice = ({ agreement }: { agreement: Agreement }) => {
  const deployment = useDeployment().data
  const me = useSession()?.address
  const newest = agreement.periods.at(-1)
  const [chosen, setChosen] = useState<string>()
  const period = chosen ?? String(newest?.period)
  const download = useDownload(() => node.invoice(agreement.agreementId, Number(period)))
  const [payer, payee] = [agreement.payer, agreement.payee]
  const parties = [payer, payee, agreement.payerMachine?.owner, agreement.payeeMachine?.owner]
  const isParty = me !== undefined && parties.some((party) => party?.toLowerCase() === me)
  return (
    <div className="document">
      <h3>E-invoice</h3>
      <p className="note">
        One period as XML (EN 16931), which accounting reads; a proforma invoice until no late
        reading can change it. It has <Link to="/me">details of both</Link>, so it is for them
        alone.
      </p>
      {isParty && newest ? (
        <>
          <PeriodField label="Period" agreement={agreement} value={period} onChoose={setChosen} />
          <div className="actions">
            <button
              type="button"
              className="button button-quiet"
              disabled={download.isPending || period === ''}
              onClick={() => download.start(undefined)}
            >
              E-invoice as XML
            </button>
          </div>
          {download.words}
        </>
      ) : (
        <p>
          {isParty
            ? 'Nothing to invoice yet: the first period appears with the first priced reading.'
            : `Sign in as ${payerName(deployment, agreement)} or ${payeeName(deployment, agreement)} to get it.`}
        </p>
      )}
    </div>
  )
}

const EARLIER = 'earlier'

/** One of the newest periods, which the agreement's answer has, or any by its number; empty while none is written. */
const PeriodField = ({
  label,
  agreement,
  value,
  onChoose,
  children,
}: {
  label: string
  agreement: Agreement
  value: string
  onChoose: (value: string) => void
  children?: ReactNode
}) => {
  const [isEarlier, setEarlier] = useState(false)
  const choose = (choice: string) => {
    setEarlier(choice === EARLIER)
    onChoose(choice === EARLIER ? '' : choice)
  }
  return (
    <>
      <label className="field">
        <span>{label}</span>
        <select value={isEarlier ? EARLIER : value} onChange={({ target }) => choose(target.value)}>
          {children}
          {agreement.periods.toReversed().map(({ period, startMs }) => (
            <option key={period} value={period}>
              {period}, from {formatTime(startMs)}
            </option>
          ))}
          {agreement.periodCount > agreement.periods.length ? (
            <option value={EARLIER}>an earlier one, by its number</option>
          ) : null}
        </select>
      </label>
      {isEarlier ? (
        <label className="field">
          <span>Number of the period, the first is 0</span>
          <input
            type="number"
            min={0}
            step={1}
            value={value}
            onChange={({ target }) => onChoose(target.value)}
          />
        </label>
      ) : null}
    </>
  )
}
