import type { Hex, Holding, Portfolio } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useSession } from '../../session/use-session.ts'
import { countOf, formatCount } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Card, Figure, Party, Until } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { ppmPercent } from './percent.ts'
import { StatementButton } from './statement-button.tsx'
import { usePortfolio } from './vault-queries.ts'
import { machineNames, phaseBadge, phaseWords, sameAccount } from './vault-words.ts'
import '../transact/offers.css'
import './vault.css'

/** What one owns of shared machines: shares, money to claim, votes that wait, statements. */
export const PortfolioPage = () => {
  const me = useSession()?.address
  return (
    <>
      <section className="head">
        <p className="crumb">
          <Link to="/vaults">Shared ownership</Link> / my portfolio
        </p>
        <h1>My portfolio</h1>
      </section>
      {me === undefined ? (
        <Empty title="Sign in first">
          Shares belong to the account that you sign in with: the button stands at the top.
        </Empty>
      ) : (
        <Mine key={me} me={me} />
      )}
    </>
  )
}

const Mine = ({ me }: { me: Hex }) => (
  <Loaded query={usePortfolio(me)} what="your portfolio">
    {(portfolio) =>
      portfolio.holdings.length === 0 ? (
        <Card>
          <Empty title="You own no share yet">
            <Link to="/vaults">Look at the machines that are shared</Link>, or{' '}
            <Link to="/vaults/new">share one of yours</Link>.
          </Empty>
        </Card>
      ) : (
        <>
          <Sums portfolio={portfolio} />
          <WaitingVotes portfolio={portfolio} />
          <Holdings me={me} holdings={portfolio.holdings} />
        </>
      )
    }
  </Loaded>
)

const sum = (holdings: Holding[], pick: (one: Holding) => string): string =>
  String(holdings.reduce((total, one) => total + BigInt(pick(one)), 0n))

const Sums = ({ portfolio: { holdings } }: { portfolio: Portfolio }) => {
  const due = holdings.filter(({ claimableMinor }) => claimableMinor !== '0')
  const step = useStep(
    async (wallets, say) => {
      const { claimIncomeOf } = await import('../../wallet/owning.ts')
      await claimIncomeOf(wallets, due, say)
      return due.length
    },
    (count) => `Claimed from ${countOf(count, 'vault')}.`,
  )
  return (
    <section className="band" aria-label="My money">
      <dl>
        <Figure name="Yours to claim" note={`from ${countOf(due.length, 'vault')}`}>
          <Money minor={sum(holdings, ({ claimableMinor }) => claimableMinor)} large />
        </Figure>
        <Figure name="Earned so far" note="claimed or not">
          <Money minor={sum(holdings, ({ earnedMinor }) => earnedMinor)} />
        </Figure>
      </dl>
      <div>
        <button
          type="button"
          className="button"
          disabled={due.length === 0 || step.isBlocked}
          onClick={step.start}
        >
          {due.length > 1 ? 'Claim all' : 'Claim'}
        </button>
        {step.words}
      </div>
    </section>
  )
}

const WaitingVotes = ({ portfolio: { waitingVotes } }: { portfolio: Portfolio }) => (
  <Card title="Votes that wait for you">
    {waitingVotes.length === 0 ? (
      <p className="note">None. A proposal in which you have a vote appears here by itself.</p>
    ) : (
      <ul className="rows">
        {waitingVotes.map((proposal) => (
          <li key={`${proposal.vault}-${proposal.proposalId}`}>
            <Link
              to="/vaults/$vault/proposals/$proposalId"
              params={{ vault: proposal.vault, proposalId: proposal.proposalId }}
              className="row row-agreement"
            >
              <span>
                <strong>{proposal.title}</strong>
                <span className="note">
                  {proposal.vaultName}, proposed by <Party address={proposal.proposer} />
                </span>
              </span>
              <span className="row-end">
                <span>{countOf(Number(proposal.weight), 'vote')}</span>
                <span className="note">
                  {proposal.state === 'pending' ? (
                    <>
                      begins <Until timeMs={proposal.votesFromMs} over="now" />
                    </>
                  ) : (
                    <>
                      ends <Until timeMs={proposal.votesUntilMs} over="now" />
                    </>
                  )}
                </span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    )}
  </Card>
)

const Holdings = ({ me, holdings }: { me: Hex; holdings: Holding[] }) => (
  <Card title="Shares">
    <ul className="rows">
      {holdings.map((holding) => (
        <li key={holding.vault} className="holding">
          <Link to="/vaults/$vault" params={{ vault: holding.vault }} className="row row-agreement">
            <span>
              <strong>{holding.name}</strong>{' '}
              <span className={phaseBadge(holding.phase)}>{phaseWords(holding.phase)}</span>
              <span className="note">
                {machineNames(holding) || 'no machine'}; {countOf(Number(holding.votes), 'vote')}
                {sameAccount(holding.delegate, me) || holding.shares === '0' ? null : (
                  <>
                    , <Party address={holding.delegate} /> votes with your shares
                  </>
                )}
              </span>
            </span>
            <span className="row-end">
              <span>
                {formatCount(holding.shares)} {holding.symbol}, {ppmPercent(holding.sharePpm)}
              </span>
              <span className="note">
                <Money minor={holding.claimableMinor} /> to claim,{' '}
                <Money minor={holding.claimedMinor} /> claimed
              </span>
            </span>
          </Link>
          <div className="actions holding-actions">
            <StatementButton vault={holding.vault} of={holding.name} />
            {holding.creditMinor === '0' ? null : (
              <span className="note">
                <Money minor={holding.creditMinor} /> beside your shares: see the vault
              </span>
            )}
            {holding.redeemableMinor === null ? null : (
              <span className="note">
                bought out: give in your shares for <Money minor={holding.redeemableMinor} />
              </span>
            )}
          </div>
        </li>
      ))}
    </ul>
  </Card>
)
