import './machines.css'
import type { MachineSummary } from '@liquefy/client'
import { getRouteApi, Link } from '@tanstack/react-router'
import { Suspense, useEffect, useState } from 'react'
import { lazyPart } from '../../failures/lazy-part.ts'
import { useAgreements, useMachines } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Empty, Loaded, Loading } from '../../ui/states.tsx'
import { agreementsOf, machinesOf } from '../mine.ts'
import { attentionOf } from './attention.ts'
import { type MachineFilter, matching } from './machine-filter.ts'
import { MachineFilters } from './machine-filters.tsx'
import { MachineTable } from './machine-table.tsx'

const route = getRouteApi('/machines')

const MachineMap = lazyPart(async () => (await import('./map/machine-map.tsx')).MachineMap)

/** All machines, or those of who is signed in: found, filtered, ordered, and on a map. */
export const MachinesPage = () => {
  const machines = useMachines()
  return (
    <>
      <section className="head">
        <h1>Machines</h1>
      </section>
      <Loaded query={machines} what="the machines">
        {(list) =>
          list.length === 0 ? (
            <Empty title="No machines yet">
              <Link to="/machines/new">Add one</Link>, or start the demo with <code>npm start</code>
              .
            </Empty>
          ) : (
            <Found list={list} />
          )
        }
      </Loaded>
    </>
  )
}

const tickMs = 5_000

const Found = ({ list }: { list: MachineSummary[] }) => {
  const filter = route.useSearch()
  const navigate = route.useNavigate()
  const nowMs = useTick()
  const me = useSession()?.address
  const agreements = useAgreements().data ?? []
  const whose = filter.whose ?? (me === undefined ? 'all' : 'mine')
  const mine = whose === 'mine' ? me : undefined
  const shown = matching(machinesOf(mine, list, agreementsOf(mine, agreements)), filter, nowMs)
  const choose = (change: Partial<MachineFilter>) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true })
  return (
    <>
      <MachineFilters
        filter={{ ...filter, whose }}
        signedIn={me !== undefined}
        onChoose={choose}
        onClear={() => void navigate({ search: {}, replace: true })}
      />
      <Summary shown={shown} all={list.length} nowMs={nowMs} />
      <Places shown={shown} />
      {shown.length === 0 ? (
        <section className="card">
          <Empty title="No machine fits">
            {mine === undefined
              ? 'Loosen the filters above.'
              : 'None of yours does: loosen the filters above, or look at all of them.'}
          </Empty>
        </section>
      ) : (
        <MachineTable machines={shown} nowMs={nowMs} />
      )}
    </>
  )
}

const Summary = ({
  shown,
  all,
  nowMs,
}: {
  shown: MachineSummary[]
  all: number
  nowMs: number
}) => {
  const income = shown.reduce((sum, one) => sum + BigInt(one.settledSinceMinor), 0n)
  const attention = shown.filter((one) => attentionOf(one, nowMs).length > 0).length
  return (
    <p className="machines-summary" role="status">
      {shown.length === all
        ? `${formatCount(all)} ${all === 1 ? 'machine' : 'machines'}`
        : `${formatCount(shown.length)} of ${formatCount(all)} machines`}
      , <Money minor={String(income)} /> settled today,{' '}
      {attention === 0
        ? 'none needs attention'
        : `${formatCount(attention)} ${attention === 1 ? 'needs' : 'need'} attention`}
    </p>
  )
}

const Places = ({ shown }: { shown: MachineSummary[] }) => {
  const placed = shown.filter(({ place }) => place !== null)
  if (placed.length === 0) {
    return shown.length === 0 ? null : (
      <p className="note">
        None of these machines has a place, so there is no map. Its owner gives it one on the
        machine’s page; one that measures <code>lat</code> and <code>lon</code> has it by itself.
      </p>
    )
  }
  return (
    <Suspense fallback={<Loading what="the map" />}>
      <MachineMap machines={placed} without={shown.length - placed.length} />
    </Suspense>
  )
}

/** The time, renewed often enough to notice a silence. */
const useTick = (): number => {
  const [nowMs, setNowMs] = useState(Date.now)
  useEffect(() => {
    const timer = setInterval(() => setNowMs(Date.now()), tickMs)
    return () => clearInterval(timer)
  }, [])
  return nowMs
}
