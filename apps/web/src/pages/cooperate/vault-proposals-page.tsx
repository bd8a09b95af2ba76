import type { Hex, Vault, VaultProposalSummary } from '@liquefy/client'
import { getRouteApi, Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { Ago, Card, Party } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { OffsetPages } from './offset-pages.tsx'
import { useVault, useVaultProposals } from './vault-queries.ts'
import { stateBadge, stateWords } from './vault-words.ts'
import { VoteGauge } from './vote-gauge.tsx'
import '../transact/offers.css'
import './vault.css'

const route = getRouteApi('/vaults/$vault/proposals')

/** What the owners of a vault decide and have decided. */
export const VaultProposalsPage = (): ReactNode => {
  const address = route.useParams().vault as Hex
  const vault = useVault(address)
  return (
    <Loaded query={vault} what="this vault">
      {(loaded) => (
        <>
          <section className="head head-with-action">
            <div>
              <p className="crumb">
                <Link to="/vaults">Shared ownership</Link> /{' '}
                <Link to="/vaults/$vault" params={{ vault: address }}>
                  {loaded.name}
                </Link>{' '}
                / proposals
              </p>
              <h1>What the owners decide</h1>
            </div>
            <Link to="/vaults/$vault/proposals/new" params={{ vault: address }} className="button">
              Propose something
            </Link>
          </section>
          <Proposals vault={loaded} />
        </>
      )}
    </Loaded>
  )
}

const Proposals = ({ vault }: { vault: Vault }) => {
  const [offset, setOffset] = useState(0)
  const proposals = useVaultProposals(vault.vault, offset)
  return (
    <Card title="Proposals">
      <Loaded query={proposals} what="the proposals">
        {({ proposals: list, nextOffset }) =>
          list.length === 0 ? (
            <Empty title="Nothing was proposed yet">
              An owner may propose to spend from the reserve, to change how income is split, who
              runs the machine, and whatever else the vault can do.
            </Empty>
          ) : (
            <>
              <ul className="rows">
                {list.map((proposal) => (
                  <ProposalRow key={proposal.proposalId} vault={vault} proposal={proposal} />
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

const ProposalRow = ({ vault, proposal }: { vault: Vault; proposal: VaultProposalSummary }) => (
  <li>
    <Link
      to="/vaults/$vault/proposals/$proposalId"
      params={{ vault: vault.vault, proposalId: proposal.proposalId }}
      className="row row-agreement"
    >
      <span className="row-wide">
        <strong>{proposal.title}</strong>
        <span className="note">{proposal.effects.map(({ words }) => words).join(' ')}</span>
        <VoteGauge vault={vault} proposal={proposal} />
      </span>
      <span className="row-end">
        <span className={stateBadge(proposal.state)}>{stateWords(proposal.state)}</span>
        <span className="note">
          <Party address={proposal.proposer} />, <Ago timeMs={proposal.createdMs} />
        </span>
      </span>
    </Link>
  </li>
)
