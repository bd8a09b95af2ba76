import type { VaultSummary } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { countOf, formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { Gauge } from './gauge.tsx'
import { OffsetPages } from './offset-pages.tsx'
import { useVaults } from './vault-queries.ts'
import { machineNames, phaseBadge, phaseWords } from './vault-words.ts'
import '../transact/offers.css'
import './vault.css'

/** All machines that many own. */
export const VaultsPage = () => {
  const deployment = useDeployment()
  return (
    <>
      <section className="head head-with-action">
        <div>
          <h1>Shared ownership</h1>
          <p className="lead">
            Machines that many people own: what they earn flows to the owners, and the owners
            decide.
          </p>
        </div>
        <div className="actions">
          <Link to="/portfolio" className="button button-quiet">
            My portfolio
          </Link>
          <Link to="/vaults/new" className="button">
            Share a machine
          </Link>
        </div>
      </section>
      <Loaded query={deployment} what="the ledger">
        {({ cooperation }) => (cooperation === null ? <NoVaults /> : <AllVaults />)}
      </Loaded>
    </>
  )
}

/** On a ledger whose contracts an earlier version deployed. */
export const NoVaults = () => (
  <Empty title="This ledger has no shared machines">
    An earlier version of Liquefy deployed its contracts. A new ledger has them: start a node with a
    data folder of its own.
  </Empty>
)

const AllVaults = () => {
  const [offset, setOffset] = useState(0)
  const vaults = useVaults(offset)
  return (
    <Card title="Vaults">
      <Loaded query={vaults} what="the vaults">
        {({ vaults: list, nextOffset }) =>
          list.length === 0 ? (
            <Empty title="No machine is shared yet">
              Whoever owns a machine can share it: <Link to="/vaults/new">sell shares of one</Link>.
            </Empty>
          ) : (
            <>
              <ul className="rows">
                {list.map((vault) => (
                  <VaultRow key={vault.vault} vault={vault} />
                ))}
              </ul>
              <OffsetPages offset={offset} nextOffset={nextOffset} onGo={setOffset} />
            </>
          )
        }
      </Loaded>
    </Card>
  )
}

const VaultRow = ({ vault }: { vault: VaultSummary }) => (
  <li>
    <Link to="/vaults/$vault" params={{ vault: vault.vault }} className="row row-agreement">
      <span>
        <strong>{vault.name}</strong>{' '}
        <span className={phaseBadge(vault.phase)}>{phaseWords(vault.phase)}</span>
        <span className="note">
          {machineNames(vault) || 'no machine'}, {countOf(vault.ownerCount, 'owner')}
        </span>
        {vault.sale && vault.phase === 'selling' ? (
          <>
            <Gauge
              whole={BigInt(vault.sale.cap)}
              parts={[{ name: 'Sold', className: 'part-sold', amount: BigInt(vault.sale.sold) }]}
            />
            <span className="note">
              {formatCount(vault.sale.sold)} of {formatCount(vault.sale.cap)} shares sold, at{' '}
              <Money minor={vault.sale.priceMinor} /> each
            </span>
          </>
        ) : null}
      </span>
      <span className="row-end">
        <span>
          <Money minor={vault.incomeMinor} /> earned
        </span>
        <span className="note">
          <Money minor={vault.ownersMinor} /> of it the owners’
        </span>
      </span>
    </Link>
  </li>
)
