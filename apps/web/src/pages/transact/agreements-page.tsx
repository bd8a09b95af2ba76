import type { AgreementSummary, Hex, ProposalSummary } from '@liquefy/client'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useAgreements, useDeployment, useProposals } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { Choice } from '../../ui/choice.tsx'
import { formatCount, nameOf, payeeName, payerName, shorten } from '../../ui/format.ts'
import { Money } from '../../ui/money.tsx'
import { Ago, Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { agreementsOf } from '../mine.ts'
import { proposalState, stateBadge } from './proposal-words.ts'
import { agreementTitle } from './title.ts'
import './offers.css'

/** Who pays whom for what: what is agreed, and what is being agreed on. */
export const AgreementsPage = () => {
  const me = useSession()?.address
  return (
    <>
      <section className="head head-with-action">
        <div>
          <h1>Agreements</h1>
          <p className="lead">Who pays whom, for what a machine has measured and signed.</p>
        </div>
        <Link to="/agreements/new" className="button button-link">
          Propose an agreement
        </Link>
      </section>
      {me === undefined ? (
        <p className="note">Sign in to see what you were proposed, and what you have proposed.</p>
      ) : (
        <MyProposals me={me} />
      )}
      <AllAgreements me={me} />
    </>
  )
}

const MyProposals = ({ me }: { me: Hex }) => {
  const proposals = useProposals()
  return (
    <Card title="Proposals">
      <Loaded query={proposals} what="your proposals">
        {(list) => {
          const waiting = list.filter(({ state }) => state === 'waiting')
          const forMe = waiting.filter(({ counterparty }) => counterparty === me)
          const forOther = waiting.filter(({ proposer }) => proposer === me)
          const over = list.filter(({ state }) => state !== 'waiting' && state !== 'replaced')
          return (
            <>
              {waiting.length === 0 ? (
                <p className="note">
                  None waits for an answer. What you are proposed appears here by itself.
                </p>
              ) : null}
              <ProposalRows title="Waiting for you" list={forMe} me={me} />
              <ProposalRows title="Waiting for the other party" list={forOther} me={me} />
              {over.length > 0 ? (
                <details className="offer-details">
                  <summary>{formatCount(over.length)} answered</summary>
                  <ProposalRows title="Answered" list={over} me={me} />
                </details>
              ) : null}
            </>
          )
        }}
      </Loaded>
    </Card>
  )
}

const ProposalRows = ({ title, list, me }: { title: string; list: ProposalSummary[]; me: Hex }) => {
  const deployment = useDeployment().data
  if (list.length === 0) return null
  return (
    <>
      <h3 className="rows-title">{title}</h3>
      <ul className="rows">
        {list.map((proposal) => (
          <li key={proposal.proposalId}>
            <Link
              to="/proposals/$proposalId"
              params={{ proposalId: proposal.proposalId }}
              className="row row-agreement"
            >
              <span>
                <strong>
                  {agreementTitle(proposal, deployment)}{' '}
                  {proposal.counterparty === me ? 'from' : 'to'}{' '}
                  {nameOf(
                    deployment,
                    proposal.counterparty === me ? proposal.proposer : proposal.counterparty,
                  )}
                </strong>
                <span className="note">
                  {proposal.tariffInWords};{' '}
                  {proposal.payer.toLowerCase() === me ? 'you pay' : 'you are paid'}
                </span>
              </span>
              <span className="row-end">
                <span className={stateBadge(proposal.state)}>{proposalState(proposal, me)}</span>
                <span className="note">
                  <Ago timeMs={proposal.answeredMs ?? proposal.createdMs} />
                </span>
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </>
  )
}

const shownAtFirst = 50
const everybody = ''

const AllAgreements = ({ me }: { me: Hex | undefined }) => {
  const agreements = useAgreements()
  const deployment = useDeployment().data
  const [text, setText] = useState('')
  const [state, setState] = useState<'open' | 'closed' | 'all'>('open')
  const [whose, setWhose] = useState<'mine' | 'all'>('mine')
  const [party, setParty] = useState(everybody)
  const [shown, setShown] = useState(shownAtFirst)
  const wordsOf = (one: AgreementSummary) =>
    [
      agreementTitle(one, deployment),
      payerName(deployment, one),
      payeeName(deployment, one),
      one.agreementId,
    ]
      .join(' ')
      .toLowerCase()
  return (
    <Card
      title="Agreements"
      aside={
        <div className="choices">
          {me === undefined ? null : (
            <Choice
              label="Whose"
              options={[
                { words: 'Mine', value: 'mine' },
                { words: 'Everybody’s', value: 'all' },
              ]}
              value={whose}
              onChoose={setWhose}
            />
          )}
          <Choice
            label="State"
            options={[
              { words: 'Open', value: 'open' },
              { words: 'Closed', value: 'closed' },
              { words: 'All', value: 'all' },
            ]}
            value={state}
            onChoose={setState}
          />
        </div>
      }
    >
      <Loaded query={agreements} what="the agreements">
        {(list) => {
          const theirs = agreementsOf(whose === 'mine' ? me : undefined, list)
          const found = theirs
            .filter(({ open }) => state === 'all' || open === (state === 'open'))
            .filter(({ payer, payee }) => party === everybody || isParty(party, payer, payee))
            .filter((one) => wordsOf(one).includes(text.trim().toLowerCase()))
          return (
            <>
              <div className="field-row">
                <label className="field">
                  <span>Search by machine, party or id</span>
                  <input
                    type="search"
                    value={text}
                    autoComplete="off"
                    onChange={({ target }) => setText(target.value)}
                  />
                </label>
                <label className="field">
                  <span>Party</span>
                  <select value={party} onChange={({ target }) => setParty(target.value)}>
                    <option value={everybody}>Anybody</option>
                    {partiesOf(theirs).map((address) => (
                      <option key={address} value={address}>
                        {nameOf(deployment, address)}
                      </option>
                    ))}
                  </select>
                </label>
              </div>
              <p className="note found" role="status">
                {formatCount(found.length)} of {formatCount(list.length)}
              </p>
              {found.length === 0 ? (
                <Empty title="None like this">
                  {list.length === 0
                    ? 'Propose one: the button stands at the top.'
                    : 'Choose “All”, or search for something else.'}
                </Empty>
              ) : (
                <Rows list={found.slice(0, shown)} />
              )}
              {found.length > shown ? (
                <button
                  type="button"
                  className="button button-quiet"
                  onClick={() => setShown(shown + shownAtFirst)}
                >
                  Show {formatCount(Math.min(shownAtFirst, found.length - shown))} more
                </button>
              ) : null}
            </>
          )
        }}
      </Loaded>
    </Card>
  )
}

const isParty = (party: string, ...addresses: Hex[]) =>
  addresses.some((address) => address.toLowerCase() === party)

const partiesOf = (list: AgreementSummary[]): string[] => [
  ...new Set(list.flatMap(({ payer, payee }) => [payer.toLowerCase(), payee.toLowerCase()])),
]

const Rows = ({ list }: { list: AgreementSummary[] }) => {
  const deployment = useDeployment().data
  return (
    <ul className="rows">
      {list.map((agreement) => (
        <li key={agreement.agreementId}>
          <Link
            to="/agreements/$agreementId"
            params={{ agreementId: agreement.agreementId }}
            className="row row-agreement"
          >
            <span>
              <strong>{agreementTitle(agreement, deployment)}</strong>
              <span className="note">
                {payerName(deployment, agreement)} pays {payeeName(deployment, agreement)},{' '}
                {shorten(agreement.agreementId)}
                {agreement.open ? '' : ', closed'}
              </span>
            </span>
            <span className="row-end">
              <span>
                <Money minor={agreement.includedMinor} /> paid
              </span>
              <span className="note">
                <Money minor={agreement.escrowMinor} /> in escrow
              </span>
            </span>
          </Link>
        </li>
      ))}
    </ul>
  )
}
