import type { Agreement, SettlementView } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { Suspense, useId, useState } from 'react'
import { lazyPart } from '../../failures/lazy-part.ts'
import { useSettlementsBefore } from '../../queries.ts'
import { Money } from '../../ui/money.tsx'
import { At, Card, Hash } from '../../ui/parts.tsx'
import { Empty, Loading } from '../../ui/states.tsx'
import { Pager } from './pager.tsx'
import { settlementWords } from './settlement-words.ts'
import { usePages } from './use-pages.ts'

const shownSettlements = 15

/** Each payment, the newest first, page by page; each opens to what it rests on. */
export const Settlements = ({ agreement }: { agreement: Agreement }) => {
  const { before, onNewer, earlierThan } = usePages<string>()
  // One more than is shown tells whether there is a page behind.
  const earlier = useSettlementsBefore(agreement.agreementId, before, shownSettlements + 1)
  const known = before === undefined ? agreement.settlements : (earlier.data ?? [])
  const shown = known.slice(0, shownSettlements)
  const last = shown.at(-1)
  return (
    <Card title="Settlements">
      {agreement.settlements.length === 0 ? (
        <Empty title="None yet">The first meter value that the ledger takes pays.</Empty>
      ) : (
        <div className="table">
          <table>
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">What</th>
                <th scope="col" className="number">
                  Amount
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((settlement) => (
                <Row key={settlement.place} agreement={agreement} settlement={settlement} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Pager
        what="settlements"
        onNewer={onNewer}
        onEarlier={last && known.length > shownSettlements ? earlierThan(last.place) : undefined}
      />
    </Card>
  )
}

const SettlementEvidence = lazyPart(
  async () => (await import('./settlement-evidence.tsx')).SettlementEvidence,
)

const Row = ({ agreement, settlement }: { agreement: Agreement; settlement: SettlementView }) => {
  const [isOpen, setOpen] = useState(false)
  const detailId = useId()
  const { kind, txHash, final, place } = settlement
  return (
    <>
      <tr>
        <td>
          <At timeMs={settlement.atMs} />
        </td>
        <td>
          <button
            type="button"
            className="disclosure"
            aria-expanded={isOpen}
            aria-controls={isOpen ? detailId : undefined}
            onClick={() => setOpen(!isOpen)}
          >
            {settlementWords[kind]}
          </button>
          <span className="note">
            <Hash hex={txHash} /> {final ? 'final' : 'included'}
          </span>
        </td>
        <td className="number">
          {kind === 'refunded' ? '−' : ''}
          <Money minor={settlement.paidMinor} />
        </td>
      </tr>
      {isOpen ? (
        <tr id={detailId} className="opened">
          <td colSpan={3}>
            <Suspense fallback={<Loading what="the evidence" />}>
              <SettlementEvidence agreement={agreement} place={place}>
                <Link
                  to="/agreements/$agreementId/settlements/$place"
                  params={{ agreementId: agreement.agreementId, place }}
                >
                  Link to this settlement
                </Link>
              </SettlementEvidence>
            </Suspense>
          </td>
        </tr>
      ) : null}
    </>
  )
}
