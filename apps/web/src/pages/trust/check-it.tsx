import type { Hex } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { Card } from '../../ui/parts.tsx'
import { AuditOutcome } from './audit-outcome.tsx'
import { useAudit } from './use-audit.ts'

/**
 * The audit of one agreement in this browser: signatures, chains, proofs, registers and money, from the raw bundle and
 * the ledger. The node is only the postman.
 */
export const CheckIt = ({ agreementId }: { agreementId: Hex }) => {
  const audit = useAudit()
  return (
    <Card
      title="Check it yourself"
      aside={
        <button
          type="button"
          className="button"
          onClick={() => audit.start({ kind: 'node', agreementId })}
          disabled={!audit.isReady}
        >
          {audit.state.step === 'done' ? 'Check again' : 'Check this bill'}
        </button>
      }
    >
      <p className="note">
        Your browser takes every signed reading, verifies signatures, chain and log proofs, meters
        and prices them anew, and compares with what the ledger paid. It believes neither this page
        nor the node. Or{' '}
        <a href={`/v1/agreements/${agreementId}/bundle`} download={`${agreementId}.jsonl`}>
          keep the evidence
        </a>{' '}
        and <Link to="/check">check the file</Link> whenever you like.
      </p>
      <AuditOutcome state={audit.state} />
    </Card>
  )
}
