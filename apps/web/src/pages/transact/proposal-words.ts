import type { Hex, ProposalSummary } from '@liquefy/client'

type State = ProposalSummary['state']

/** Where a proposal stands, to whoever reads it. */
export const proposalState = (
  { state, counterparty }: Pick<ProposalSummary, 'state' | 'counterparty'>,
  me: Hex | undefined,
): string => {
  if (state !== 'waiting') return stateWords[state]
  return counterparty === me ? 'waits for you' : 'waits for the other'
}

const stateWords: Record<Exclude<State, 'waiting'>, string> = {
  accepted: 'accepted',
  declined: 'declined',
  withdrawn: 'withdrawn',
  replaced: 'replaced by another offer',
  ended: 'over: the machine was sold',
  expired: 'too old to accept',
}

/** The colour that a state has in lists. */
export const stateBadge = (state: State): string => {
  if (state === 'accepted') return 'badge badge-active'
  if (state === 'waiting') return 'badge badge-registered'
  return state === 'declined' ? 'badge badge-decommissioned' : 'badge'
}
