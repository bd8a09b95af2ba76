import { useId } from 'react'
import { useDeployment } from '../../queries.ts'
import { Card } from '../../ui/parts.tsx'
import { AuditOutcome } from './audit-outcome.tsx'
import { useAudit } from './use-audit.ts'

/** The audit of evidence that somebody kept in a file, against the ledger. */
export const CheckPage = () => {
  const audit = useAudit()
  const deployment = useDeployment().data
  const inputId = useId()
  return (
    <>
      <section className="head">
        <h1>Check evidence</h1>
        <p className="lead">
          Give a file of evidence that you kept, or that somebody sent you. It stays in this
          browser: nothing of it is sent anywhere.
        </p>
      </section>
      <Card title="A bundle of evidence">
        <div className="form">
          <label className="field" htmlFor={inputId}>
            <span>
              File from “keep the evidence” or <code>npx liquefy evidence export</code>
            </span>
            <input
              id={inputId}
              type="file"
              accept=".jsonl,.ndjson,application/x-ndjson"
              disabled={!audit.isReady}
              onChange={({ target }) => {
                const [file] = target.files ?? []
                if (file) audit.start({ kind: 'file', file })
                // The same name again, with other contents, is a new choice.
                target.value = ''
              }}
            />
          </label>
        </div>
        <p className="note">
          Payments, keys and anchors are read from the ledger at{' '}
          <code>{deployment?.rpcUrl ?? '…'}</code>. To ask another one:{' '}
          <code>{'npx liquefy audit <agreement> --bundle <file> --rpc <url>'}</code>.
        </p>
        <AuditOutcome state={audit.state} />
      </Card>
    </>
  )
}
