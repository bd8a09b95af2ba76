import type { Hex, Proposal } from '@liquefy/client'
import { formatDecimal, type TermsChange, termsChanges } from '@liquefy/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { useState } from 'react'
import { node } from '../../api.ts'
import { useAgreement, useDeployment, useDialogue } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { nameOf } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { At, Card, Figure, Party } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { ExampleBill } from './example-bill.tsx'
import { Fund } from './money-actions.tsx'
import { proposalState, stateBadge } from './proposal-words.ts'
import { TermsInWords } from './terms-in-words.tsx'
import { explainedOf, useExplaining } from './use-explained.ts'
import './offers.css'

const route = getRouteApi('/proposals/$proposalId')

/** One negotiation: the offer that stands, what it changed, what can be said to it, and all offers before. */
export const ProposalPage = () => {
  const proposalId = route.useParams().proposalId as Hex
  const me = useSession()?.address
  const dialogue = useDialogue(proposalId)
  if (me === undefined) {
    return (
      <Empty title="Sign in first">
        Only the two parties of a proposal see it: sign in as one of them, the button stands at the
        top.
      </Empty>
    )
  }
  return (
    <Loaded query={dialogue} what="this proposal">
      {({ offers }) => {
        const newest = offers.at(-1)
        return newest ? (
          <>
            <Head offer={newest} me={me} />
            <Standing key={newest.proposalId} offer={newest} before={offers.at(-2)} me={me} />
            {offers.length > 1 ? <Earlier offers={offers.slice(0, -1)} me={me} /> : null}
          </>
        ) : null
      }}
    </Loaded>
  )
}

const Head = ({ offer, me }: { offer: Proposal; me: Hex }) => {
  const deployment = useDeployment().data
  return (
    <section className="head">
      <p className="crumb">
        <Link to="/agreements">Agreements</Link> / proposal /{' '}
        {offer.machineId === '0' ? (
          'no machine'
        ) : (
          <Link to="/machines/$machineId" params={{ machineId: offer.machineId }}>
            {offer.machineName}
          </Link>
        )}
      </p>
      <h1>
        {nameOf(deployment, offer.payer)} pays {nameOf(deployment, offer.payee)}{' '}
        <span className={stateBadge(offer.state)}>{proposalState(offer, me)}</span>
      </h1>
      <p className="lead">{offer.tariffInWords}</p>
      <dl className="figures">
        <Figure name={offer.replaces === null ? 'Proposed by' : 'Newest offer by'}>
          <Party address={offer.proposer} />
        </Figure>
        <Figure name="Offered">
          <At timeMs={offer.createdMs} />
        </Figure>
        {offer.state === 'waiting' ? (
          <Figure name="Stands until">
            <At timeMs={offer.openByMs} />
          </Figure>
        ) : null}
        <Figure name="First escrow" note="asked of the payer">
          <Money minor={offer.fundMinor} />
        </Figure>
      </dl>
    </section>
  )
}

/** The newest offer: what it says, and what comes next. */
const Standing = ({
  offer,
  before,
  me,
}: {
  offer: Proposal
  before: Proposal | undefined
  me: Hex
}) => {
  const explaining = useExplaining()
  return (
    <>
      {offer.message === '' ? null : (
        <blockquote className="said">
          <p>{offer.message}</p>
          <footer className="note">
            <Party address={offer.proposer} />
          </footer>
        </blockquote>
      )}
      {before ? <Changes before={before} after={offer} /> : null}
      <div className="columns">
        <div className="stack">
          <Card title="What comes next">
            <Next offer={offer} me={me} />
          </Card>
          {offer.state === 'accepted' ? <FirstEscrow offer={offer} me={me} /> : null}
          <Card>
            {explaining ? <ExampleBill explained={explainedOf(explaining, offer)} /> : null}
          </Card>
        </div>
        <Card title="In plain words">
          {explaining ? <TermsInWords explained={explainedOf(explaining, offer)} /> : null}
        </Card>
      </div>
    </>
  )
}

const Next = ({ offer, me }: { offer: Proposal; me: Hex }) => {
  switch (offer.state) {
    case 'waiting':
      return offer.counterparty === me ? <Answers offer={offer} /> : <Waits offer={offer} />
    case 'accepted':
      return <Accepted offer={offer} me={me} />
    default:
      return <Over offer={offer} me={me} />
  }
}

/** For whom it was made: yes, no, or something else. */
const Answers = ({ offer }: { offer: Proposal }) => {
  const deployment = useDeployment().data
  const accept = useStep(
    async (wallets, say) => {
      const { acceptProposal } = await import('../../wallet/proposing.ts')
      await acceptProposal(wallets, offer, say)
      return true
    },
    () => 'Accepted: the agreement is open on the ledger.',
  )
  return (
    <div className="form form-wide">
      <p>
        {nameOf(deployment, offer.proposer)} has signed these terms. Accepting opens the agreement
        on the ledger: from then on signed readings are paid.
      </p>
      <div className="choices">
        <button
          type="button"
          className="button"
          disabled={accept.isBlocked || accept.outcome !== undefined}
          onClick={accept.start}
        >
          Accept
        </button>
        <Link
          to="/agreements/new"
          search={{ answers: offer.proposalId }}
          className="button button-quiet"
        >
          Make a counter-offer
        </Link>
      </div>
      {accept.words}
      <Say offer={offer} verb="Decline" />
    </div>
  )
}

/** For who made it. */
const Waits = ({ offer }: { offer: Proposal }) => {
  const deployment = useDeployment().data
  return (
    <div className="form form-wide">
      <p>
        {nameOf(deployment, offer.counterparty)} sees it and can accept it, decline it, or offer
        something else. This page shows the answer as soon as it comes.
      </p>
      <Say offer={offer} verb="Withdraw" />
      <p className="note">
        Withdrawn here, it is no longer shown with your signature. Whoever kept that could still
        open these terms on the ledger until <At timeMs={offer.openByMs} />.
      </p>
    </div>
  )
}

/** Declines or withdraws, with a word to the other. */
const Say = ({ offer, verb }: { offer: Proposal; verb: 'Decline' | 'Withdraw' }) => {
  const [message, setMessage] = useState('')
  const queries = useQueryClient()
  const saying = useMutation({
    mutationFn: () =>
      verb === 'Decline'
        ? node.declineProposal(offer.proposalId, message.trim())
        : node.withdrawProposal(offer.proposalId, message.trim()),
    onSettled: () => queries.invalidateQueries(),
  })
  return (
    <details className="offer-details">
      <summary>{verb} it</summary>
      <form
        className="form form-wide"
        onSubmit={(event) => {
          event.preventDefault()
          saying.mutate()
        }}
      >
        <label className="field">
          <span>Why (may be empty)</span>
          <textarea
            rows={2}
            maxLength={500}
            value={message}
            onChange={({ target }) => setMessage(target.value)}
          />
        </label>
        <button type="submit" className="button button-quiet" disabled={saying.isPending}>
          {verb}
        </button>
        {saying.isError ? (
          <p className="problem-words" role="alert">
            {saying.error.message}
          </p>
        ) : null}
      </form>
    </details>
  )
}

const Accepted = ({ offer, me }: { offer: Proposal; me: Hex }) => {
  const agreement = useAgreement(offer.proposalId)
  const deployment = useDeployment().data
  return (
    <Loaded query={agreement} what="the agreement">
      {({ payer, escrowMinor, includedMinor }) => (
        <div className="form form-wide">
          <p className="good-words">
            The agreement is open.{' '}
            {escrowMinor !== '0' || includedMinor !== '0' ? (
              <>
                <Money minor={escrowMinor} /> in escrow, <Money minor={includedMinor} /> paid.
              </>
            ) : payer.toLowerCase() === me ? (
              'Put money into escrow, so that it can pay.'
            ) : (
              `${nameOf(deployment, payer)} puts money into escrow next.`
            )}
          </p>
          <Link
            to="/agreements/$agreementId"
            params={{ agreementId: offer.proposalId }}
            className="button button-quiet button-link"
          >
            See the agreement
          </Link>
        </div>
      )}
    </Loaded>
  )
}

/** For the payer of what was accepted: the amount that the offer asked for stands there already. */
const FirstEscrow = ({ offer, me }: { offer: Proposal; me: Hex }) => {
  const agreement = useAgreement(offer.proposalId).data
  const asset = useDeployment().data?.asset
  if (!agreement || !asset || agreement.payer.toLowerCase() !== me) return null
  const suggested = formatDecimal(BigInt(offer.fundMinor), asset.decimals, { trim: true })
  return <Fund agreement={agreement} title="Put money into escrow" suggested={suggested} />
}

const Over = ({ offer, me }: { offer: Proposal; me: Hex }) => {
  const deployment = useDeployment().data
  const who = offer.state === 'declined' ? offer.counterparty : offer.proposer
  return (
    <div className="form form-wide">
      <p>
        {offer.state === 'expired'
          ? 'Nobody answered in time, so that these terms can no longer be opened.'
          : `${who === me ? 'You have' : `${nameOf(deployment, who)} has`} ${offer.state} it.`}
      </p>
      {offer.answerWords ? (
        <blockquote className="said">
          <p>{offer.answerWords}</p>
        </blockquote>
      ) : null}
      <Link
        to="/agreements/new"
        search={offer.machineId === '0' ? {} : { machine: offer.machineId }}
        className="button button-quiet button-link"
      >
        Propose something else
      </Link>
    </div>
  )
}

/** What one offer changed of the one before, in words. */
const Changes = ({ before, after }: { before: Proposal; after: Proposal }) => {
  const changes = useChanges(before, after)
  if (changes === undefined) return null
  return (
    <Card title="What this offer changes">
      {changes.length === 0 ? (
        <p className="note">Nothing but the words beside it.</p>
      ) : (
        <dl className="changes">
          {changes.map(({ what, before: was, after: is }) => (
            <div key={what}>
              <dt>{what}</dt>
              <dd>
                <del>
                  <span className="visually-hidden">before: </span>
                  {was}
                </del>
                <ins>
                  <span className="visually-hidden">now: </span>
                  {is}
                </ins>
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Card>
  )
}

const useChanges = (before: Proposal, after: Proposal): TermsChange[] | undefined => {
  const explaining = useExplaining()
  const asset = useDeployment().data?.asset
  if (!explaining || !asset) return undefined
  const of = (offer: Proposal) => explainedOf(explaining, offer)
  const money = ({ fundMinor }: Proposal) =>
    `${formatDecimal(BigInt(fundMinor), asset.decimals, { grouping: true, trim: true })} ${asset.symbol}`
  const changes = termsChanges(of(before), of(after))
  return before.fundMinor === after.fundMinor
    ? changes
    : [...changes, { what: 'First escrow', before: money(before), after: money(after) }]
}

const Earlier = ({ offers, me }: { offers: Proposal[]; me: Hex }) => (
  <Card title="How it came here">
    <ol className="timeline">
      {offers
        .map((offer, index) => ({ offer, before: offers[index - 1] }))
        .reverse()
        .map(({ offer, before }) => (
          <li className="event" key={offer.proposalId}>
            <At timeMs={offer.createdMs} />
            <div>
              <strong>
                <Party address={offer.proposer} />
              </strong>{' '}
              {before ? 'offered instead' : 'proposed'}: {offer.tariffInWords}
              <span className="note">{proposalState(offer, me)}</span>
              {offer.message === '' ? null : <p className="said-before">“{offer.message}”</p>}
              {before ? <ChangedWords before={before} after={offer} /> : null}
            </div>
          </li>
        ))}
    </ol>
  </Card>
)

const ChangedWords = ({ before, after }: { before: Proposal; after: Proposal }) => {
  const changes = useChanges(before, after) ?? []
  return changes.length === 0 ? null : (
    <span className="note">changed: {changes.map(({ what }) => what).join(', ')}</span>
  )
}
