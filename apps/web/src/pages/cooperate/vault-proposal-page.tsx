import type { Hex, Vault, VaultProposal, VaultVote } from '@liquefy/client'
import { durationWords } from '@liquefy/protocol'
import { getRouteApi, Link } from '@tanstack/react-router'
import { lazy, type ReactNode, Suspense, useState } from 'react'
import { useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { Choice } from '../../ui/choice.tsx'
import { countOf, formatCount } from '../../ui/format.ts'
import { Ago, At, Card, Hash, Party, Until } from '../../ui/parts.tsx'
import { Loaded } from '../../ui/states.tsx'
import { StepForm } from '../../wallet/step-form.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { Act } from './act.tsx'
import { Effects } from './effects.tsx'
import { usePortfolio, useVault, useVaultProposal } from './vault-queries.ts'
import { sameAccount, stateBadge, stateWords } from './vault-words.ts'
import { VoteGauge } from './vote-gauge.tsx'
import { WideTable } from './wide-table.tsx'
import '../transact/offers.css'
import './vault.css'

const VotedSale = lazy(async () => ({ default: (await import('./voted-sale.tsx')).VotedSale }))
const route = getRouteApi('/vaults/$vault/proposals/$proposalId')

/** One proposal: what it would do, who is for it, and what comes next. */
export const VaultProposalPage = (): ReactNode => {
  const { vault: address, proposalId } = route.useParams()
  const vault = useVault(address as Hex)
  const proposal = useVaultProposal(address as Hex, proposalId)
  return (
    <Loaded query={vault} what="this vault">
      {(of) => (
        <Loaded query={proposal} what="this proposal">
          {(loaded) => (
            <>
              <Head vault={of} proposal={loaded} />
              <Card title="What it would do on the ledger">
                <Effects effects={loaded.effects} calls={loaded.calls} />
              </Card>
              <div className="columns">
                <Card title="Votes">
                  <Votes vault={of} proposal={loaded} />
                </Card>
                <Card title="What comes next">
                  <Next vault={of} proposal={loaded} />
                </Card>
              </div>
              <Cast proposal={loaded} />
            </>
          )}
        </Loaded>
      )}
    </Loaded>
  )
}

type Parts = { vault: Vault; proposal: VaultProposal }

const Head = ({ vault, proposal }: Parts) => (
  <section className="head">
    <p className="crumb">
      <Link to="/vaults/$vault" params={{ vault: vault.vault }}>
        {vault.name}
      </Link>{' '}
      /{' '}
      <Link to="/vaults/$vault/proposals" params={{ vault: vault.vault }}>
        proposals
      </Link>
    </p>
    <h1>
      {proposal.title}{' '}
      <span className={stateBadge(proposal.state)}>{stateWords(proposal.state)}</span>
    </h1>
    <p className="note">
      Proposed by <Party address={proposal.proposer} /> <Ago timeMs={proposal.createdMs} />
    </p>
    <Why proposal={proposal} />
    <Path proposal={proposal} />
  </section>
)

/** What the proposer says beside the title, if anything. */
const Why = ({ proposal: { description } }: { proposal: VaultProposal }) => {
  const [, ...rest] = description.trim().split('\n')
  const words = rest.join('\n').trim()
  return words === '' ? null : (
    <div className="after">
      <blockquote className="said">
        <p>{words}</p>
      </blockquote>
    </div>
  )
}

const steps = ['Proposed', 'Vote', 'Queue', 'Wait', 'Execute'] as const

/** How many of the steps are done. */
const stepsDone: Record<VaultProposal['state'], number> = {
  pending: 1,
  active: 1,
  defeated: 1,
  canceled: 1,
  succeeded: 2,
  queued: 3,
  ready: 4,
  executed: 5,
  expired: 2,
}

const Path = ({ proposal }: { proposal: VaultProposal }) => {
  const done = stepsDone[proposal.state]
  const isOver = ['defeated', 'canceled', 'expired'].includes(proposal.state)
  const when: ReactNode[] = [
    <At key="0" timeMs={proposal.createdMs} />,
    proposal.state === 'pending' ? (
      <span key="1">
        from <At timeMs={proposal.votesFromMs} />
      </span>
    ) : (
      <span key="1">
        until <At timeMs={proposal.votesUntilMs} />
      </span>
    ),
    proposal.queuedMs === null ? 'by anybody' : <At key="2" timeMs={proposal.queuedMs} />,
    proposal.executableMs === null ? (
      'in the timelock'
    ) : (
      <span key="3">
        until <At timeMs={proposal.executableMs} />
      </span>
    ),
    proposal.executedMs === null ? 'by anybody' : <At key="4" timeMs={proposal.executedMs} />,
  ]
  return (
    <ol className="path after">
      {steps.map((step, index) => (
        <li
          key={step}
          className={
            index < done
              ? 'path-done'
              : index > done
                ? undefined
                : isOver
                  ? 'path-failed'
                  : 'path-now'
          }
          aria-current={index === done ? 'step' : undefined}
        >
          <strong>
            {step}
            {index < done ? <span className="visually-hidden">, done</span> : null}
          </strong>
          <span className="note">{when[index]}</span>
        </li>
      ))}
    </ol>
  )
}

const Votes = ({ vault, proposal }: Parts) => {
  const took = BigInt(proposal.for) + BigInt(proposal.abstain)
  const needed = BigInt(proposal.quorum)
  return (
    <>
      <VoteGauge vault={vault} proposal={proposal} />
      <dl className="votes-legend">
        <VoteCount name="For" className="part-for" count={proposal.for} />
        <VoteCount name="Against" className="part-against" count={proposal.against} />
        <VoteCount name="Abstain" className="part-abstain" count={proposal.abstain} />
      </dl>
      <p className="note after">
        {took >= needed
          ? `Enough take part: ${formatCount(String(took))}, and ${formatCount(proposal.quorum)} are needed, for or abstaining.`
          : `${formatCount(String(took))} of the ${formatCount(proposal.quorum)} votes that are needed, for or abstaining.`}
      </p>
    </>
  )
}

const VoteCount = ({
  name,
  className,
  count,
}: {
  name: string
  className: string
  count: string
}) => (
  <div className="figure">
    <dt>
      <span className={`key ${className}`} aria-hidden="true" /> {name}
    </dt>
    <dd>{formatCount(count)}</dd>
  </div>
)

const Next = ({ vault, proposal }: Parts) => {
  switch (proposal.state) {
    case 'pending':
      return (
        <div className="form form-wide">
          <p>
            The vote begins <Until timeMs={proposal.votesFromMs} over="now" />. Shares count as they
            stand then.
          </p>
          <Withdraw vault={vault} proposal={proposal} />
        </div>
      )
    case 'active':
      return <Vote vault={vault} proposal={proposal} />
    case 'succeeded':
      return (
        <Act
          words={`Accepted. Anybody can put it into the timelock, where it waits ${durationWords(vault.governance.timelockSeconds)} for all to see.`}
          button="Queue it"
          done="It waits in the timelock now."
          work={async (wallets) => {
            const { queueIt } = await import('../../wallet/deciding.ts')
            await queueIt(wallets, { vault, proposal })
          }}
        />
      )
    case 'queued':
      return (
        <p>
          It can be executed{' '}
          <strong>
            {proposal.executableMs === null ? null : (
              <Until timeMs={proposal.executableMs} over="now" />
            )}
          </strong>
          . Nothing gets past the timelock: who does not agree has that long to sell his shares.
        </p>
      )
    case 'ready':
      return (
        <Act
          words="Its time in the timelock is over. Anybody can have it done."
          button="Execute it"
          done="Done, as it was voted."
          work={async (wallets) => {
            const { executeIt } = await import('../../wallet/deciding.ts')
            await executeIt(wallets, { vault, proposal })
          }}
        />
      )
    case 'executed':
      return (
        <>
          <p className="good-words">
            Done{proposal.executedMs === null ? '' : ' '}
            {proposal.executedMs === null ? null : <At timeMs={proposal.executedMs} />}, as it was
            voted.
          </p>
          <Sold vault={vault} proposal={proposal} />
        </>
      )
    case 'defeated':
      return (
        <p>
          {BigInt(proposal.for) + BigInt(proposal.abstain) < BigInt(proposal.quorum)
            ? 'Not accepted: too few took part.'
            : 'Not accepted: no more votes were for it than against.'}
        </p>
      )
    case 'canceled':
      return <p>Taken back before the vote began.</p>
    case 'expired':
      return (
        <p>
          Accepted, but not done within 14 days: it lapsed. Whoever still wants it proposes it anew.
        </p>
      )
  }
}

const Sold = ({ vault, proposal }: Parts) => {
  const deployment = useDeployment().data
  const hasTrade = proposal.effects.some(({ kind }) => kind === 'market')
  return hasTrade && deployment ? (
    <Suspense>
      <VotedSale vault={vault} proposal={proposal} deployment={deployment} />
    </Suspense>
  ) : null
}

const Withdraw = ({ vault, proposal }: Parts) => {
  const me = useSession()?.address
  if (!sameAccount(me, proposal.proposer)) return null
  return (
    <Act
      quiet
      words="Until then you can take it back."
      button="Take it back"
      done="Taken back."
      work={async (wallets) => {
        const { withdrawIt } = await import('../../wallet/deciding.ts')
        await withdrawIt(wallets, { vault, proposal })
      }}
    />
  )
}

const Vote = ({ vault, proposal }: Parts) => {
  const me = useSession()?.address
  const portfolio = usePortfolio(me)
  const cast = proposal.votes.find(({ voter }) => sameAccount(voter, me))
  const waiting = portfolio.data?.waitingVotes.find(
    ({ proposalId, vault: of }) =>
      proposalId === proposal.proposalId && sameAccount(of, vault.vault),
  )
  return (
    <div className="form form-wide">
      <p>
        The vote ends <Until timeMs={proposal.votesUntilMs} over="now" />.
      </p>
      {me === undefined ? (
        <p className="note">Sign in to vote.</p>
      ) : cast ? (
        <p className="good-words">
          You have voted {supportWords[cast.support]} with {countOf(Number(cast.weight), 'vote')}.
        </p>
      ) : portfolio.data && !waiting ? (
        <p className="note">
          You have no vote in it: shares count as they stood <At timeMs={proposal.votesFromMs} />,
          and you had none then, or somebody else votes with them.
        </p>
      ) : (
        <VoteForm vault={vault} proposal={proposal} weight={waiting?.weight} />
      )}
    </div>
  )
}

const supportWords: Record<VaultVote['support'], string> = {
  for: 'for it',
  against: 'against it',
  abstain: 'neither way',
}

const VoteForm = ({ vault, proposal, weight }: Parts & { weight: string | undefined }) => {
  const [support, setSupport] = useState<VaultVote['support']>('for')
  const [reason, setReason] = useState('')
  const step = useStep(
    async (wallets) => {
      const { voteOn } = await import('../../wallet/deciding.ts')
      const { proposalId } = proposal
      await voteOn(wallets, { vault, proposalId, support, reason: reason.trim() })
      return true
    },
    () => 'Your vote is on the ledger.',
  )
  return (
    <StepForm step={step} className="form form-wide">
      <div className="field">
        <Choice
          label="My vote"
          options={[
            { words: 'For', value: 'for' },
            { words: 'Against', value: 'against' },
            { words: 'Abstain', value: 'abstain' },
          ]}
          value={support}
          onChoose={setSupport}
        />
      </div>
      <label className="field">
        <span>Why, for all to read (may be empty)</span>
        <input
          value={reason}
          maxLength={280}
          autoComplete="off"
          onChange={({ target }) => setReason(target.value)}
        />
      </label>
      <div>
        <button
          type="submit"
          className="button"
          disabled={step.isBlocked || step.outcome !== undefined}
        >
          {weight === undefined ? 'Vote' : `Vote with ${countOf(Number(weight), 'vote')}`}
        </button>
      </div>
    </StepForm>
  )
}

/** Who has voted how. */
const Cast = ({ proposal }: { proposal: VaultProposal }) =>
  proposal.votes.length === 0 ? null : (
    <Card title="Who has voted">
      <WideTable label="Who has voted">
        <thead>
          <tr>
            <th scope="col">Owner</th>
            <th scope="col">Vote</th>
            <th scope="col">Why</th>
            <th scope="col">When</th>
            <th scope="col" className="number">
              Shares
            </th>
          </tr>
        </thead>
        <tbody>
          {proposal.votes.map((vote) => (
            <tr key={vote.txHash + vote.voter}>
              <td>
                <Party address={vote.voter} />
              </td>
              <td>{supportWords[vote.support]}</td>
              <td>{vote.reason}</td>
              <td>
                <At timeMs={vote.atMs} />
                <span className="note">
                  <Hash hex={vote.txHash} />
                </span>
              </td>
              <td className="number">{formatCount(vote.weight)}</td>
            </tr>
          ))}
        </tbody>
      </WideTable>
      {proposal.voteCount > proposal.votes.length ? (
        <p className="note">
          The newest {formatCount(proposal.votes.length)} of {formatCount(proposal.voteCount)}.
        </p>
      ) : null}
    </Card>
  )
