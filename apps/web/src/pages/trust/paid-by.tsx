import type { EnvelopePayment } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useEnvelopePayments } from '../../queries.ts'
import { formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At, Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'

/** From the sensor to the money: the settlements that paid for an envelope. */
export const PaidBy = ({ logIndex }: { logIndex: string }) => {
  const payments = useEnvelopePayments(logIndex)
  return (
    <Card title="What paid for it">
      <Loaded query={payments} what="what paid for it">
        {(list) =>
          list.length === 0 ? (
            <Empty title="Nothing">It moved no register that an agreement pays by.</Empty>
          ) : (
            <ul className="rows">
              {list.map((payment) => (
                <li key={`${payment.agreementId} ${payment.period}`}>
                  <Payment payment={payment} />
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

const Payment = ({ payment }: { payment: EnvelopePayment }) => {
  const { agreementId, machineName, period, settlement } = payment
  if (!settlement) {
    return (
      <Link to="/agreements/$agreementId" params={{ agreementId }} className="row">
        <span>
          <strong>Not settled yet</strong>
          <span className="note">
            {machineName}, period {formatCount(period)}
          </span>
        </span>
        <span className="note">watch it settle</span>
      </Link>
    )
  }
  const { place, paidMinor, atMs, final } = settlement
  return (
    <Link
      to="/agreements/$agreementId/settlements/$place"
      params={{ agreementId, place }}
      className="row"
    >
      <span>
        <strong>
          A settlement of <Money minor={paidMinor} />
        </strong>
        <span className="note">
          {machineName}, period {formatCount(period)}, {final ? 'final' : 'included'}
        </span>
      </span>
      <At timeMs={atMs} />
    </Link>
  )
}
