import {
  type Deployment,
  type GovernanceSetup,
  type Hex,
  type MarketOrder,
  marketOf,
  type ProposedAction,
  replacedOrders,
  type TradeAction,
  tradeProblem,
  type Vault,
} from '@liquefy/client'
import { isHex } from 'viem'
import { amountIn } from '../../ui/amount.ts'
import { accountIn } from './account.ts'
import { type BuyoutDraft, buyoutDraft, buyoutIn } from './buyout-draft.ts'
import { type Duration, secondsIn } from './duration.ts'
import { type GovernanceDraft, governanceDraft, governanceIn } from './governance-draft.ts'
import { type WaterfallDraft, waterfallDraft, waterfallIn } from './waterfall-draft.ts'

/** What owners are usually asked, by the words of the form. */
export const proposalKinds = {
  spend: 'Spend from the reserve',
  waterfall: 'Change how income is split',
  operator: 'Change who runs the machine',
  suspend: 'Suspend the machine',
  resume: 'Let a suspended machine go on',
  'machine-policy': 'Change what the machine’s key may spend',
  'machine-pause': 'Stop what the machine’s key spends, or let it go on',
  'revoke-key': 'Take the machine’s key away',
  'accept-offer': 'Accept an offer',
  'sell-machine': 'Put the machine up for sale',
  'transfer-machine': 'Give the machine to somebody',
  decommission: 'Decommission the machine for ever',
  'close-agreement': 'Close an agreement',
  compliance: 'Change who may hold shares',
  'buyout-rules': 'Change the rules of a buy-out',
  governance: 'Change how owners decide',
  call: 'Any other call',
} as const

type ProposalKind = keyof typeof proposalKinds

/** The form as it is written; only the fields of its kind count. */
export interface ProposalDraft {
  kind: ProposalKind
  title: string
  why: string
  machineId: string
  account: string
  amount: string
  purpose: string
  perDay: string
  goodFor: Duration
  counterparties: string
  paused: boolean
  compliance: 'open' | 'allow-list' | 'contract'
  agreementId: string
  offerId: string
  data: string
  waterfall: WaterfallDraft
  buyout: BuyoutDraft
  governance: GovernanceDraft
}

export const emptyProposal = (vault: Vault, deployment: Deployment): ProposalDraft => ({
  kind: 'spend',
  title: '',
  why: '',
  machineId: vault.machines.find(({ held }) => held)?.machineId ?? '',
  account: '',
  amount: '',
  purpose: '',
  perDay: '',
  goodFor: { count: '30', unit: 'days' },
  counterparties: '',
  paused: true,
  compliance: vault.compliance.kind,
  agreementId: '',
  offerId: '',
  data: '',
  waterfall: waterfallDraft(vault, deployment),
  buyout: buyoutDraft(vault),
  governance: governanceDraft(vault.governance),
})

/** What else an action is made of. */
export interface ProposalContext {
  vault: Vault
  deployment: Deployment
  /** The account of the chosen machine; undefined: it has none. */
  machineAccount: Hex | undefined
  /** Offers of the market for what the vault holds, and its own sales there; undefined: not known yet. */
  offers: readonly MarketOrder[] | undefined
  sales: readonly MarketOrder[] | undefined
  nowMs: number
}

/** What owners would vote on, or what is wrong with the form. */
export const actionOf = (
  draft: ProposalDraft,
  context: ProposalContext,
): ProposedAction | string => {
  const { vault, deployment } = context
  const { decimals } = deployment.asset
  switch (draft.kind) {
    case 'spend': {
      const to = accountIn(draft.account, deployment)
      const amountMinor = amountIn(draft.amount, decimals)
      if (to === undefined) return 'Say who gets the money.'
      if (typeof amountMinor === 'string') return `Amount: ${amountMinor}`
      if (draft.purpose.trim() === '') return 'Say what the money is for.'
      return { kind: 'spend', to, amountMinor, purpose: draft.purpose.trim() }
    }
    case 'waterfall': {
      const waterfall = waterfallIn(draft.waterfall, deployment)
      return typeof waterfall === 'string' ? waterfall : { kind: 'waterfall', waterfall }
    }
    case 'operator': {
      const operator = accountIn(draft.account, deployment)
      return operator === undefined ? 'Say who shall run it.' : { kind: 'operator', operator }
    }
    case 'suspend': {
      const reason = draft.purpose.trim()
      const machineId = BigInt(draft.machineId || 0)
      if (machineId === 0n) return noMachine
      return { kind: 'suspend', machineId, ...(reason === '' ? {} : { reason }) }
    }
    case 'resume':
    case 'decommission':
    case 'revoke-key':
      return draft.machineId === ''
        ? noMachine
        : { kind: draft.kind, machineId: BigInt(draft.machineId) }
    case 'transfer-machine': {
      const to = accountIn(draft.account, deployment)
      if (draft.machineId === '') return noMachine
      if (to === undefined) return 'Say who gets the machine.'
      return { kind: 'transfer-machine', machineId: BigInt(draft.machineId), to }
    }
    case 'accept-offer':
      return acceptanceOf(draft, context)
    case 'sell-machine':
      return saleOf(draft, context)
    case 'machine-policy':
      return policyOf(draft, context)
    case 'machine-pause':
      return context.machineAccount === undefined
        ? noAccount
        : { kind: 'machine-pause', account: context.machineAccount, paused: draft.paused }
    case 'close-agreement':
      return isHex(draft.agreementId.trim()) && draft.agreementId.trim().length === 66
        ? { kind: 'close-agreement', agreementId: draft.agreementId.trim() as Hex }
        : 'Write the agreement’s id: 0x and 64 digits, as its page shows it.'
    case 'compliance':
      return complianceOf(draft, deployment)
    case 'buyout-rules': {
      const rules = buyoutIn(draft.buyout)
      return typeof rules === 'string' ? rules : { kind: 'buyout-rules', rules }
    }
    case 'governance': {
      const wanted = governanceIn(draft.governance)
      if (typeof wanted === 'string') return wanted
      const change = changeOf(wanted, vault)
      return Object.keys(change).length === 0
        ? 'Nothing is changed yet.'
        : { kind: 'governance', change }
    }
    case 'call': {
      const target = accountIn(draft.account, deployment)
      const data = draft.data.trim()
      if (target === undefined) return 'Say which contract is called.'
      if (!isHex(data) || data.length % 2 !== 0) return 'The call’s bytes begin with 0x.'
      return { kind: 'call', target, value: 0n, data }
    }
  }
}

const noMachine = 'Choose the machine.'
const noAccount =
  'This machine has no account on the ledger yet: its owner creates one (liquefy machine account).'

const askingMarket = 'The market is being asked what stands there.'

const acceptanceOf = (draft: ProposalDraft, context: ProposalContext): TradeAction | string => {
  const { offers } = context
  const offer = offers?.find(({ orderId }) => orderId === draft.offerId)
  if (offers === undefined) return askingMarket
  if (offers.length === 0) return 'Nobody offers a price for what the vault holds.'
  if (offer === undefined) return 'Choose the offer.'
  return decidable({ kind: 'accept-offer', offer }, context)
}

const saleOf = (draft: ProposalDraft, context: ProposalContext): TradeAction | string => {
  const { deployment, sales, nowMs } = context
  const priceMinor = amountIn(draft.amount, deployment.asset.decimals)
  const seconds = secondsIn(draft.goodFor)
  if (draft.machineId === '') return noMachine
  if (typeof priceMinor === 'string') return `Price: ${priceMinor}`
  if (typeof seconds === 'string') return `How long: ${seconds}`
  if (sales === undefined) return askingMarket
  const machineId = BigInt(draft.machineId)
  const kind = 'sell-machine'
  const until = BigInt(Math.floor(nowMs / 1000) + seconds)
  const replaced = replacedOrders(sales, marketOf(deployment), { kind: 'machine', machineId })
  return decidable({ kind, machineId, priceMinor, until, replaced }, context)
}

const decidable = (action: TradeAction, context: ProposalContext): TradeAction | string =>
  tradeProblem(action, context.vault, context) ?? action

const policyOf = (
  draft: ProposalDraft,
  { deployment, machineAccount, nowMs }: ProposalContext,
): ProposedAction | string => {
  const { decimals, address: asset } = deployment.asset
  const perPayment = amountIn(draft.amount, decimals)
  const perDay = amountIn(draft.perDay, decimals)
  const seconds = secondsIn(draft.goodFor)
  const names = draft.counterparties.split(',').filter((name) => name.trim() !== '')
  const counterparties = names.map((name) => accountIn(name, deployment))
  if (machineAccount === undefined) return noAccount
  if (typeof perPayment === 'string') return `At once: ${perPayment}`
  if (typeof perDay === 'string') return `A day: ${perDay}`
  if (typeof seconds === 'string') return `How long: ${seconds}`
  if (names.length === 0) return 'Say to whom it may pay.'
  const unknown = counterparties.indexOf(undefined)
  if (unknown >= 0) return `Nobody is called “${names[unknown]?.trim()}”.`
  const expiry = BigInt(Math.floor(nowMs / 1000) + seconds)
  const policy = { perPayment, perDay, expiry, counterparties: counterparties as Hex[] }
  return { kind: 'machine-policy', account: machineAccount, asset, policy }
}

const complianceOf = (draft: ProposalDraft, deployment: Deployment): ProposedAction | string => {
  switch (draft.compliance) {
    case 'open':
      return { kind: 'compliance', contract: null }
    case 'allow-list': {
      const contract = deployment.cooperation?.allowLists
      return contract ? { kind: 'compliance', contract } : 'This ledger has no lists.'
    }
    case 'contract': {
      const contract = accountIn(draft.account, deployment)
      return contract ? { kind: 'compliance', contract } : 'Write the contract’s address.'
    }
  }
}

/** Only what is another than now. */
const changeOf = (
  wanted: GovernanceSetup,
  { governance: now }: Vault,
): Partial<GovernanceSetup> => {
  const change: Partial<GovernanceSetup> = {}
  if (wanted.votingDelaySeconds !== now.votingDelaySeconds) {
    change.votingDelaySeconds = wanted.votingDelaySeconds
  }
  if (wanted.votingPeriodSeconds !== now.votingPeriodSeconds) {
    change.votingPeriodSeconds = wanted.votingPeriodSeconds
  }
  if (wanted.timelockSeconds !== now.timelockSeconds)
    change.timelockSeconds = wanted.timelockSeconds
  if (wanted.quorumPercent !== now.quorumPercent) change.quorumPercent = wanted.quorumPercent
  if (String(wanted.proposalThreshold) !== now.proposalThreshold) {
    change.proposalThreshold = wanted.proposalThreshold
  }
  return change
}
