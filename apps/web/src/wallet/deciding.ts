import {
  callsOfProposal,
  cancelProposal,
  castVote,
  executeProposal,
  type ProposedAction,
  proposedCalls,
  proposeToOwners,
  queueProposal,
  type Vault,
  type VaultProposal,
  type VaultVote,
  validatedSales,
} from '@liquefy/client'
import { node } from '../api.ts'
import type { Wallets } from './wallets.ts'

/** Proposes to a vault's owners. Answers the proposal's id. */
export const proposeActions = async (
  wallets: Wallets,
  {
    vault,
    actions,
    description,
  }: { vault: Vault; actions: readonly ProposedAction[]; description: string },
): Promise<string> => {
  const action = await wallets.sender()
  const { governor } = vault
  const calls = proposedCalls({ ...vault, deployment: action.deployment }, actions)
  return proposeToOwners({ ...action, governor, calls, description })
}

export const voteOn = async (
  wallets: Wallets,
  {
    vault: { governor },
    proposalId,
    support,
    reason,
  }: { vault: Vault; proposalId: string; support: VaultVote['support']; reason: string },
): Promise<void> => {
  await castVote({ ...(await wallets.sender()), governor, proposalId, support, reason })
}

type OfProposal = { vault: Vault; proposal: VaultProposal }

export const queueIt = async (wallets: Wallets, { vault, proposal }: OfProposal): Promise<void> => {
  const action = { ...(await wallets.sender()), governor: vault.governor }
  await queueProposal({ ...action, proposal: callsOfProposal(proposal) })
}

export const executeIt = async (
  wallets: Wallets,
  { vault, proposal }: OfProposal,
): Promise<void> => {
  const action = { ...(await wallets.sender()), governor: vault.governor }
  await executeProposal({ ...action, proposal: callsOfProposal(proposal) })
}

export const withdrawIt = async (
  wallets: Wallets,
  { vault, proposal }: OfProposal,
): Promise<void> => {
  const action = { ...(await wallets.sender()), governor: vault.governor }
  await cancelProposal({ ...action, proposal: callsOfProposal(proposal) })
}

/** Has the node list what a proposal has put up for sale. */
export const listVotedSales = async (wallets: Wallets, proposal: VaultProposal): Promise<void> => {
  const sales = await validatedSales({ ...(await wallets.sender()), proposal })
  for (const sale of sales) await node.postOrder(sale)
}
