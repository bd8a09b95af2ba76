import {
  type Hex,
  type Measure,
  type OfferMeter,
  offerOfTerms,
  type Proposal,
  usualMeasure,
} from '@liquefy/client'
import { formatDecimal } from '@liquefy/protocol'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useDeployment, useDialogue, useMachine } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { Empty, Loaded } from '../../ui/states.tsx'
import { emptyDraft, emptyMeter, measureWords, type OfferDraft } from './offer-draft.ts'
import { OfferForm } from './offer-form.tsx'
import type { OfferSearch } from './offer-search.ts'
import { rulesOf, termsOf } from './use-explained.ts'

const route = getRouteApi('/agreements/new')

/** Proposes an agreement, or another one than was proposed. */
// What it answers is written out: the router's types begin with its pages, and this one asks the router.
export const OfferPage = (): ReactNode => {
  const search = route.useSearch()
  const { machine, answers } = search
  const me = useSession()?.address
  return (
    <>
      <section className="head">
        <p className="crumb">
          <Link to="/agreements">Agreements</Link> /{' '}
          {answers === undefined ? 'new proposal' : 'counter-offer'}
        </p>
        <h1>{answers === undefined ? 'Propose an agreement' : 'Make a counter-offer'}</h1>
        <p className="lead">
          {answers === undefined
            ? 'Say what is counted and what it costs. The other party accepts, declines, or offers something else.'
            : 'Change what you would have otherwise: it replaces the offer that you were made.'}
        </p>
      </section>
      {me === undefined ? (
        <Empty title="Sign in first">
          A proposal is signed by you, and only its two parties see it: the button stands at the
          top.
        </Empty>
      ) : answers !== undefined ? (
        <Answer key={answers} me={me} proposalId={answers as Hex} />
      ) : machine !== undefined ? (
        <ForMachine key={machine} me={me} machineId={machine} meter={meterOf(search)} />
      ) : (
        <Form me={me} initial={emptyDraft} answered={undefined} />
      )}
    </>
  )
}

const Form = (props: Omit<Parameters<typeof OfferForm>[0], 'onProposed'>) => {
  const navigate = useNavigate()
  return (
    <OfferForm
      {...props}
      onProposed={(proposalId) =>
        void navigate({ to: '/proposals/$proposalId', params: { proposalId } })
      }
    />
  )
}

/** What was said of the meter when the machine was added, for the form. */
const meterOf = ({ stream, unit, measure }: OfferSearch): OfferMeter => {
  if (stream === undefined || unit === undefined) return emptyMeter
  const known = Object.keys(measureWords).find((one) => one === measure)
  return { ...emptyMeter, stream, unit, measure: (known as Measure) ?? usualMeasure(unit) }
}

const ForMachine = ({
  me,
  machineId,
  meter,
}: {
  me: Hex
  machineId: string
  meter: OfferMeter
}) => {
  const machine = useMachine(machineId)
  return (
    <Loaded query={machine} what="this machine">
      {({ owner }) => {
        const isMine = owner.toLowerCase() === me
        const initial: OfferDraft = {
          ...emptyDraft,
          role: isMine ? 'payee' : 'payer',
          other: isMine ? '' : owner.toLowerCase(),
          offer: { ...emptyDraft.offer, machineId, meter },
        }
        return <Form me={me} initial={initial} answered={undefined} />
      }}
    </Loaded>
  )
}

const Answer = ({ me, proposalId }: { me: Hex; proposalId: Hex }) => {
  const dialogue = useDialogue(proposalId)
  const deployment = useDeployment()
  return (
    <Loaded query={deployment} what="the ledger">
      {(ledger) => (
        <Loaded query={dialogue} what="this proposal">
          {({ offers }) => {
            const offer = offers.find((one) => one.proposalId === proposalId)
            const terms = offer && termsOf(offer)
            const made = offer && terms && offerOfTerms(terms, rulesOf(offer), ledger)
            if (!offer || !terms || !made) {
              return (
                <Empty title="This offer says more than the form can">
                  It has several meters, or terms of its own: sign others and post them to{' '}
                  <code>/v1/proposals</code>, with this one as <code>replaces</code>.
                </Empty>
              )
            }
            const { payer: _payer, payee: _payee, ...rest } = made
            const initial: OfferDraft = {
              ...emptyDraft,
              role: terms.payer.toLowerCase() === me ? 'payer' : 'payee',
              other: otherOf(offer, me),
              offer: rest,
              fund: formatDecimal(BigInt(offer.fundMinor), ledger.asset.decimals, { trim: true }),
            }
            return <Form me={me} initial={initial} answered={{ proposalId, terms }} />
          }}
        </Loaded>
      )}
    </Loaded>
  )
}

const otherOf = ({ proposer, counterparty }: Proposal, me: Hex): Hex =>
  proposer === me ? counterparty : proposer
