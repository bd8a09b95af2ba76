import type { Agreement } from '@liquefy/client'
import { larger } from '@liquefy/protocol'
import { Link } from '@tanstack/react-router'
import { useDeployment, useEscrow, useNotices } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { AmountBar } from '../../ui/charts.tsx'
import { payerName } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Figure, Party } from '../../ui/parts.tsx'

/** What an agreement owes and has paid, and how long its escrow lasts. */
export const MoneyCard = ({ agreement }: { agreement: Agreement }) => {
  const outlook = useEscrow(agreement.agreementId).data
  const cost = BigInt(agreement.costMinor)
  const final = BigInt(agreement.finalMinor)
  const included = BigInt(agreement.includedMinor)
  const isInArrears = agreement.arrearsMinor !== '0'
  return (
    <Card title="Money">
      <dl className="figures">
        <Figure name="Owed" note={owedBy(agreement)}>
          <Money minor={agreement.costMinor} />
        </Figure>
        <Figure name="Included" note="paid in a block">
          <Money minor={agreement.includedMinor} />
        </Figure>
        <Figure name="Final" note="cannot be undone">
          <Money minor={agreement.finalMinor} />
        </Figure>
        {agreement.refundedMinor === '0' ? null : (
          <Figure name="Refunded" note="given back by the payee">
            <Money minor={agreement.refundedMinor} />
          </Figure>
        )}
        <Figure
          name="Escrow left"
          note={
            isInArrears ? 'too little: top it up' : (outlook?.inWords ?? 'set aside by the payer')
          }
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
          { name: 'included', className: 'part-included', minor: larger(included - final, 0n) },
          {
            name: 'owed, not yet settled',
            className: 'part-owed',
            minor: larger(cost - included, 0n),
          },
          { name: 'escrow left', className: 'part-escrow', minor: BigInt(agreement.escrowMinor) },
        ]}
      />
      <p className="legend note">
        <span className="key part-final" /> final <span className="key part-included" /> included{' '}
        <span className="key part-owed" /> owed <span className="key part-escrow" /> escrow
      </p>
      <TopUpHint agreement={agreement} isSpent={outlook?.kind === 'spent'} />
    </Card>
  )
}

const owedBy = ({ registerUnits, adjustedMinor }: Agreement): string => {
  if (registerUnits.length === 0) return 'by the time that has passed'
  return adjustedMinor !== '0'
    ? 'by every signed reading, late ones too'
    : 'by every signed reading so far'
}

const topUpWords = (payer: string, isMachine: boolean): string =>
  isMachine
    ? `${payer} can top it up by its own key: liquefy machine fund.`
    : `${payer} can top it up here, signed in.`

/** Where escrow is low: the way to the top-up for whoever may do it, and for others who that is. */
const TopUpHint = ({ agreement, isSpent }: { agreement: Agreement; isSpent: boolean }) => {
  const { agreementId, payer, payerMachine, open } = agreement
  const deployment = useDeployment().data
  const me = useSession()?.address
  const isLow =
    useNotices().data?.some((one) => one.agreementId === agreementId && 'escrowMinor' in one) ??
    false
  if (!open || (!isLow && !isSpent)) return null
  return (
    <p className="top-up-hint">
      {me === payer.toLowerCase() ? (
        <Link to="/agreements/$agreementId" params={{ agreementId }} hash="top-up">
          Top up escrow
        </Link>
      ) : (
        topUpWords(payerName(deployment, agreement), payerMachine !== null)
      )}
    </p>
  )
}
