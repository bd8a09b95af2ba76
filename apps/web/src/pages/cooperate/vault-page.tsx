import type { Hex, Vault } from '@liquefy/client'
import { durationWords } from '@liquefy/protocol'
import { getRouteApi, Link } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useDeployment } from '../../queries.ts'
import { countOf, formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Figure, Party } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'
import { BuyoutCard } from './buyout-card.tsx'
import { HoldingCard } from './holding-card.tsx'
import { IncomeCard } from './income-card.tsx'
import { OwnersCard } from './owners-card.tsx'
import { SaleCard } from './sale-card.tsx'
import { useVaultSoon } from './vault-queries.ts'
import { isUsualAsset, phaseBadge, phaseWords } from './vault-words.ts'
import { WaterfallCard } from './waterfall-card.tsx'
import '../transact/offers.css'
import './vault.css'

const route = getRouteApi('/vaults/$vault')

/** Who owns a machine, what it earns for them, and what they may do about it. */
export const VaultPage = (): ReactNode => {
  const address = route.useParams().vault as Hex
  const vault = useVaultSoon(address)
  const deployment = useDeployment().data
  return (
    <Loaded query={vault} what="this vault">
      {(loaded) => (
        <>
          <Head vault={loaded} />
          {deployment && !isUsualAsset(loaded, deployment) ? (
            <OtherAsset vault={loaded} symbol={deployment.asset.symbol} />
          ) : null}
          <SaleCard vault={loaded} />
          <div className="columns">
            <HoldingCard vault={loaded} />
            <WaterfallCard vault={loaded} />
          </div>
          <OwnersCard vault={loaded} />
          <IncomeCard vault={loaded} />
          <div className="columns">
            <DecisionsCard vault={loaded} />
            <BuyoutCard vault={loaded} />
          </div>
        </>
      )}
    </Loaded>
  )
}

const Head = ({ vault }: { vault: Vault }) => (
  <section className="head">
    <p className="crumb">
      <Link to="/vaults">Shared ownership</Link> / {vault.symbol}
    </p>
    <h1>
      {vault.name} <span className={phaseBadge(vault.phase)}>{phaseWords(vault.phase)}</span>
    </h1>
    <p className="lead">
      <Machines vault={vault} /> {vault.phase === 'bought-out' ? 'was' : 'is'} owned by{' '}
      {countOf(vault.ownerCount, 'account')} in {formatCount(vault.supply)} shares.
    </p>
    <dl className="figures">
      <Figure
        name="Income so far"
        note={
          <>
            <Money minor={vault.ownersMinor} /> of it the owners’
          </>
        }
      >
        <Money minor={vault.incomeMinor} />
      </Figure>
      <Figure name="Owners may claim">
        <Money minor={vault.claimableMinor} />
      </Figure>
      <Figure name="Reserve" note="for upkeep, spent by vote">
        <Money minor={vault.reserveMinor} />
      </Figure>
      <Figure name="Run by" note="opens agreements that pay the vault">
        <Party address={vault.operator} />
      </Figure>
      <Figure name="Shares may be held by">{complianceWords[vault.compliance.kind]}</Figure>
    </dl>
  </section>
)

const complianceWords: Record<Vault['compliance']['kind'], string> = {
  open: 'everybody',
  'allow-list': 'whom the operator lists',
  contract: 'whom a registry of identities lets',
}

const Machines = ({ vault: { machines, vault } }: { vault: Vault }) => {
  const held = machines.filter((machine) => machine.held)
  if (held.length === 0) return <span title={vault}>What was in this vault</span>
  return held.map(({ machineId, machineName }, index) => (
    <span key={machineId}>
      {index === 0 ? '' : index === held.length - 1 ? ' and ' : ', '}
      <Link to="/machines/$machineId" params={{ machineId }}>
        {machineName === machineId ? `Machine ${machineId}` : machineName}
      </Link>
    </span>
  ))
}

/** Amounts would be shown in units of the wrong token. */
const OtherAsset = ({ vault, symbol }: { vault: Vault; symbol: string }) => (
  <p className="problem-words" role="alert">
    This vault earns another token (<code>{vault.asset}</code>), of which this node does not know
    the decimals: its amounts here are not {symbol}.
  </p>
)

/** How owners decide, and what waits for them. */
const DecisionsCard = ({ vault }: { vault: Vault }) => {
  const { governance, openProposals } = vault
  return (
    <Card
      title="How owners decide"
      aside={
        <Link to="/vaults/$vault/proposals" params={{ vault: vault.vault }}>
          {openProposals === 0 ? 'Proposals' : `Proposals, ${openProposals} open`}
        </Link>
      }
    >
      <ul className="terms-in-words">
        <li>
          {governance.proposalThreshold === '0'
            ? 'Everybody may propose.'
            : `Who has ${countOf(Number(governance.proposalThreshold), 'vote')} may propose.`}{' '}
          A share is a vote.
        </li>
        <li>
          Votes are counted as shares stood {durationWords(governance.votingDelaySeconds)} after a
          proposal, so that nobody buys votes for it. The vote is open for{' '}
          {durationWords(governance.votingPeriodSeconds)}.
        </li>
        <li>
          It is accepted if more shares are for it than against, and {governance.quorumPercent}% of
          all shares take part.
        </li>
        <li>
          What was accepted waits {durationWords(governance.timelockSeconds)} where all can see it,
          and then anybody can have it done. Nothing gets past that.
        </li>
      </ul>
      <div className="actions after">
        <Link
          to="/vaults/$vault/proposals/new"
          params={{ vault: vault.vault }}
          className="button button-quiet"
        >
          Propose something
        </Link>
      </div>
    </Card>
  )
}
