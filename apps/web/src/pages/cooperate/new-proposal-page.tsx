import type { Deployment, Hex, Vault } from '@liquefy/client'
import { durationWords } from '@liquefy/protocol'
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useAccount, useDeployment } from '../../queries.ts'
import { useSession } from '../../session/use-session.ts'
import { PickField, toldNothing } from '../../ui/fields.tsx'
import { countOf } from '../../ui/format.ts'
import { Card } from '../../ui/parts.tsx'
import { Empty, Loaded } from '../../ui/states.tsx'
import { useStep } from '../../wallet/use-step.tsx'
import { Effects } from './effects.tsx'
import { effectsOf } from './effects-of.ts'
import { PlainField } from './plain-field.tsx'
import { actionOf, emptyProposal, type ProposalDraft, proposalKinds } from './proposal-draft.ts'
import { ProposalFields } from './proposal-fields.tsx'
import { usePortfolio, useVault } from './vault-queries.ts'
import { useOffersFor, useSalesOf } from './vault-trades.ts'
import { sameAccount } from './vault-words.ts'
import '../transact/offers.css'
import './vault.css'

const route = getRouteApi('/vaults/$vault/proposals/new')

/** Asks the owners of a vault to decide on something. */
export const NewProposalPage = (): ReactNode => {
  const address = route.useParams().vault as Hex
  const vault = useVault(address)
  const deployment = useDeployment()
  const me = useSession()?.address
  return (
    <Loaded query={vault} what="this vault">
      {(of) => (
        <>
          <section className="head">
            <p className="crumb">
              <Link to="/vaults/$vault" params={{ vault: address }}>
                {of.name}
              </Link>{' '}
              /{' '}
              <Link to="/vaults/$vault/proposals" params={{ vault: address }}>
                proposals
              </Link>{' '}
              / new
            </p>
            <h1>Propose something</h1>
            <p className="lead">
              The owners vote on it. If they accept, it is done on the ledger just as it is written
              here.
            </p>
          </section>
          {me === undefined ? (
            <Empty title="Sign in first">
              Only who has votes may propose: the button stands at the top.
            </Empty>
          ) : (
            <Loaded query={deployment} what="the ledger">
              {(ledger) => <Form key={me} me={me} vault={of} deployment={ledger} />}
            </Loaded>
          )}
        </>
      )}
    </Loaded>
  )
}

const mostWords = 2_000

const Form = ({ me, vault, deployment }: { me: Hex; vault: Vault; deployment: Deployment }) => {
  const [draft, setDraft] = useState(() => emptyProposal(vault, deployment))
  const [tried, setTried] = useState(false)
  const navigate = useNavigate()
  const ofMachine = draft.kind === 'machine-policy' || draft.kind === 'machine-pause'
  const machine = useMachineWithAccount(ofMachine ? draft.machineId : '')
  const offers = useOffersFor(vault, draft.kind === 'accept-offer')
  const sales = useSalesOf(vault, draft.kind === 'sell-machine')
  const openedMs = useRef(Date.now()).current
  const action = actionOf(draft, {
    vault,
    deployment,
    machineAccount: machine?.account,
    offers,
    sales,
    nowMs: openedMs,
  })
  const preview =
    typeof action === 'string' ? action : effectsOf(action, { vault, deployment, machine })
  const problem =
    typeof preview === 'string'
      ? preview
      : draft.title.trim() === ''
        ? 'Give it a title.'
        : undefined
  const step = useStep(
    async (wallets) => {
      if (typeof action === 'string' || problem !== undefined) throw new Error(problem)
      const { proposeActions } = await import('../../wallet/deciding.ts')
      const description = [draft.title.trim(), draft.why.trim()].filter(Boolean).join('\n\n')
      return proposeActions(wallets, { vault, actions: [action], description })
    },
    () => 'Proposed.',
  )
  const proposalId = step.outcome
  useEffect(() => {
    if (proposalId === undefined) return
    void navigate({
      to: '/vaults/$vault/proposals/$proposalId',
      params: { vault: vault.vault, proposalId },
    })
  }, [proposalId, navigate, vault.vault])
  const change = (changed: Partial<ProposalDraft>) =>
    setDraft((before) => ({ ...before, ...changed }))
  return (
    <form
      className="vault-form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault()
        setTried(true)
        if (problem === undefined) step.start()
      }}
    >
      <Card title="What is proposed">
        <PickField
          label="Kind"
          name="kind"
          value={draft.kind}
          told={toldNothing}
          onChange={(kind) => change({ kind: kind as ProposalDraft['kind'] })}
        >
          {Object.entries(proposalKinds).map(([kind, words]) => (
            <option key={kind} value={kind}>
              {words}
            </option>
          ))}
        </PickField>
        <ProposalFields vault={vault} offers={offers ?? []} draft={draft} onChange={change} />
      </Card>
      <Card title="What it would do on the ledger">
        {typeof preview === 'string' ? <p className="note">{preview}</p> : <Effects {...preview} />}
      </Card>
      <Card title="In your words">
        <PlainField
          label="Title"
          decimal={false}
          most={120}
          value={draft.title}
          onChange={(title) => change({ title })}
        />
        <label className="field">
          <span>Why (may be empty)</span>
          <textarea
            rows={3}
            maxLength={mostWords}
            value={draft.why}
            onChange={({ target }) => change({ why: target.value })}
          />
        </label>
      </Card>
      <Card>
        <p className="note">
          The vote begins {durationWords(vault.governance.votingDelaySeconds)} from now and is open
          for {durationWords(vault.governance.votingPeriodSeconds)}. What is accepted waits another{' '}
          {durationWords(vault.governance.timelockSeconds)}.
        </p>
        <Threshold me={me} vault={vault} />
        {tried && problem !== undefined ? (
          <p className="problem-words" role="alert">
            Not proposed yet. {problem}
          </p>
        ) : null}
        <div>
          <button type="submit" className="button" disabled={step.isBlocked}>
            Propose it
          </button>
        </div>
        {step.words}
      </Card>
    </form>
  )
}

/** The chosen machine with its account; undefined: none is asked for, or it has none on the ledger. */
const useMachineWithAccount = (machineId: string) => {
  const account = useAccount(machineId, machineId !== '').data
  return account?.created ? account : undefined
}

/** Who has too few votes is told before he tries. */
const Threshold = ({ me, vault }: { me: Hex; vault: Vault }) => {
  const { proposalThreshold } = vault.governance
  const portfolio = usePortfolio(me).data
  if (portfolio === undefined) return null
  const votes = portfolio.holdings.find((one) => sameAccount(one.vault, vault.vault))?.votes ?? '0'
  if (BigInt(votes) >= BigInt(proposalThreshold)) return null
  return (
    <p className="problem-words">
      You have {countOf(Number(votes), 'vote')}, and it takes {proposalThreshold} to propose.
    </p>
  )
}
