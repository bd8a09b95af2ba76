import './market.css'
import type { Hex, MarketOrder, MarketQuery } from '@liquefy/client'
import { parseDecimal } from '@liquefy/protocol'
import { getRouteApi } from '@tanstack/react-router'
import { lazy, Suspense, useState } from 'react'
import { useDeployment, useMachines, useMarketOrders } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { countOf } from '../../ui/format.ts'
import { Empty, Loaded } from '../../ui/states.tsx'
import { type MarketFilter, queryOf } from './market-filter.ts'
import { MarketFilters } from './market-filters.tsx'
import { OrderCard } from './order-card.tsx'

const route = getRouteApi('/market')
const FillDialog = lazy(async () => ({ default: (await import('./fill-dialog.tsx')).FillDialog }))
const OrderForm = lazy(async () => ({ default: (await import('./order-form.tsx')).OrderForm }))

/** What is for sale and what is wanted: machines, shares, usage rights and what agreements will pay. */
export const MarketPage = () => {
  const me = useSession()?.address
  const deployment = useDeployment().data
  const [posting, setPosting] = useState(false)
  return (
    <>
      <section className="head head-with-action">
        <div>
          <h1>Market</h1>
          <p className="lead">
            Machines, shares of them, hours of use, and what agreements will pay: with what each of
            them has earned.
          </p>
        </div>
        {me === undefined ? null : (
          <button type="button" className="button" onClick={() => setPosting(true)}>
            Sell, or offer a price
          </button>
        )}
      </section>
      {me === undefined ? (
        <p className="note">Sign in to buy, to sell, or to offer a price.</p>
      ) : null}
      {deployment?.cooperation === null ? (
        <section className="card">
          <Empty title="This ledger has no market">
            An earlier version deployed its contracts, which nobody can change. A new ledger has
            one.
          </Empty>
        </section>
      ) : (
        <Found me={me} />
      )}
      {posting && me !== undefined ? (
        <Suspense>
          <OrderForm me={me} onClose={() => setPosting(false)} />
        </Suspense>
      ) : null}
    </>
  )
}

const Found = ({ me }: { me: Hex | undefined }) => {
  const filter = route.useSearch()
  const navigate = route.useNavigate()
  const machines = useMachines().data ?? []
  const asset = useDeployment().data?.asset
  const [offset, setOffset] = useState(0)
  // Here, since an order that is filled leaves the list, and what came of it is still to be read.
  const [filling, setFilling] = useState<MarketOrder>()
  const choose = (change: Partial<MarketFilter>) => {
    setOffset(0)
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true })
  }
  const query: MarketQuery = {
    ...queryOf(filter, machines, minorOf(filter.upTo, asset?.decimals ?? 0)),
    ...(filter.mine && me ? { maker: me, all: true } : {}),
    ...(offset > 0 ? { offset } : {}),
  }
  const page = useMarketOrders(query)
  return (
    <>
      <MarketFilters
        filter={filter}
        machines={machines}
        signedIn={me !== undefined}
        onChoose={choose}
        onClear={() => {
          setOffset(0)
          void navigate({ search: {}, replace: true })
        }}
      />
      <Loaded query={page} what="the market">
        {({ orders, nextOffset }) => (
          <>
            <p className="note" role="status">
              {orders.length === 0 ? 'Nothing fits.' : `${countOf(orders.length, 'order')} shown.`}
            </p>
            {orders.length === 0 ? (
              <section className="card">
                <Empty
                  title={filter.mine ? 'You have no orders' : 'Nothing of this kind can be had now'}
                >
                  Loosen the filters above, or say yourself what you want: who has it can accept
                  your price.
                </Empty>
              </section>
            ) : (
              <div className="orders">
                {orders.map((order) => (
                  <OrderCard key={order.orderId} order={order} onFill={() => setFilling(order)} />
                ))}
              </div>
            )}
            <p className="order-pages">
              {offset > 0 ? (
                <button type="button" className="button button-quiet" onClick={() => setOffset(0)}>
                  From the beginning
                </button>
              ) : null}
              {nextOffset === null ? null : (
                <button
                  type="button"
                  className="button button-quiet"
                  onClick={() => setOffset(nextOffset)}
                >
                  More
                </button>
              )}
            </p>
          </>
        )}
      </Loaded>
      {filling ? (
        <Suspense>
          <FillDialog order={filling} onClose={() => setFilling(undefined)} />
        </Suspense>
      ) : null}
    </>
  )
}

const minorOf = (text: string | undefined, decimals: number): bigint | undefined => {
  if (text === undefined) return undefined
  try {
    return parseDecimal(text.trim(), decimals)
  } catch {
    // Half a number is still being typed.
    return undefined
  }
}
