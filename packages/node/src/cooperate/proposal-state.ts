import type { VaultProposalState } from '@liquefy/client'
import type { ProposalRow } from '../store/governance.ts'

/** What the state of a proposal follows from. Times in seconds. */
export type Voting = Pick<
  ProposalRow,
  'snapshot' | 'deadline' | 'for' | 'against' | 'abstain' | 'supply' | 'quorumPercent' | 'steps'
>

/** What was voted is queued, and what was queued is executed, within so long: `LAPSE_SECONDS` of the governor. */
const LAPSE_SECONDS = 14 * 86_400

/**
 * As the governor and its timelock would say in a block of that time. Asked of the ledger it would be the state at the newest block,
 * and a ledger makes none while nothing happens.
 */
export function proposalState(voting: Voting, nowSeconds: number): VaultProposalState {
  const { steps, snapshot, deadline } = voting
  if (steps.canceled) return 'canceled'
  if (steps.executed) return 'executed'
  if (snapshot >= nowSeconds) return 'pending'
  if (deadline >= nowSeconds) return 'active'
  if (voting.for + voting.abstain < quorumOf(voting) || voting.for <= voting.against) {
    return 'defeated'
  }
  const readySeconds = steps.queued ? (steps.queued.eta ?? 0) : deadline
  if (nowSeconds > readySeconds + LAPSE_SECONDS) return 'expired'
  if (!steps.queued) return 'succeeded'
  return readySeconds <= nowSeconds ? 'ready' : 'queued'
}

/** For and abstaining votes that a proposal takes. Rounded down. */
export function quorumOf({
  supply,
  quorumPercent,
}: Pick<Voting, 'supply' | 'quorumPercent'>): bigint {
  return (supply * quorumPercent) / 100n
}

/** Whether something can still come of it. */
export function isOpenProposal(state: VaultProposalState): boolean {
  return !['canceled', 'defeated', 'executed', 'expired'].includes(state)
}
