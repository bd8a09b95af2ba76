import type { MarketOrder } from '@liquefy/client'
import { useDeployment } from '../../queries.ts'
import { PickField, toldNothing } from '../../ui/fields.tsx'
import { formatAmount, formatTime, nameOf } from '../../ui/format.ts'

/** One of the offers that stand for what a vault holds. */
export const OfferField = ({
  offers,
  value,
  onChange,
}: {
  offers: readonly MarketOrder[]
  value: string
  onChange: (orderId: string) => void
}) => {
  const deployment = useDeployment().data
  const asset = deployment?.asset
  return (
    <>
      <PickField label="Offer" name="offerId" value={value} told={toldNothing} onChange={onChange}>
        <option value="">Choose…</option>
        {offers.map(({ orderId, kind, title, priceMinor, maker, endMs }) => (
          <option key={orderId} value={orderId}>
            {formatAmount(priceMinor, asset?.decimals ?? 0)} {asset?.symbol} for{' '}
            {kind === 'receivable' ? `what ${title} will earn` : title}, by{' '}
            {nameOf(deployment, maker)}, until {formatTime(endMs)}
          </option>
        ))}
      </PickField>
      <p className="note">
        The price comes to the vault as income. The offer must outlast the vote and the timelock;
        whoever made it can take it back until then, and nothing is given.
      </p>
    </>
  )
}
