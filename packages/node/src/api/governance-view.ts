import type { VaultProposal, VaultProposalSummary, VaultVote } from '@liquefy/client'
import { type CallContext, explainProposal } from '@liquefy/protocol'
import { proposalState, quorumOf } from '../cooperate/proposal-state.ts'
import { type ProposalRow, readProposals, readProposalVotes } from '../store/governance.ts'
import { readVaultMachines, type VaultRow } from '../store/vaults.ts'
import type { ApiContext } from './context.ts'
import { identityOf } from './machine-view.ts'
import { unknown } from './problem.ts'
import { knownVault, ledgerSeconds } from './vault-view.ts'

const VOTES_SHOWN = 200
const TITLE_CHARACTERS = 200
const SUPPORT = ['against', 'for', 'abstain'] as const

/** Proposals of a vault with their effects in words. */
export async function proposalSummaries(
  context: ApiContext,
  vault: VaultRow,
  rows: readonly ProposalRow[],
): Promise<VaultProposalSummary[]> {
  const [words, now] = await Promise.all([callContextOf(context, vault), ledgerSeconds(context)])
  return rows.map((row) => summaryOf(row, words, now))
}

/** One proposal. @throws ProblemError 404 `VAULT_UNKNOWN`, `VAULT_PROPOSAL_UNKNOWN`. */
export async function proposalView(
  context: ApiContext,
  address: string,
  proposalId: bigint,
): Promise<VaultProposal> {
  const db = context.database.pool
  const row = await knownVault(context, address)
  const { vault } = row
  const [proposal] = await readProposals(db, { vaults: [vault], proposalId, offset: 0, limit: 1 })
  if (!proposal) throw unknown('VAULT_PROPOSAL_UNKNOWN', `A proposal ${proposalId} to this vault`)
  const [summaries, votes] = await Promise.all([
    proposalSummaries(context, row, [proposal]),
    readProposalVotes(db, vault, proposalId, VOTES_SHOWN),
  ])
  const [summary] = summaries
  if (!summary) throw new RangeError('One proposal has one summary.')
  const { steps } = proposal
  return {
    ...summary,
    description: proposal.description,
    descriptionHash: proposal.descriptionHash,
    calls: proposal.calls,
    votes: votes.map(
      ({ voter, support, weight, reason, txHash, atMs }): VaultVote => ({
        voter,
        support: SUPPORT[support] ?? 'abstain',
        weight: String(weight),
        reason,
        atMs,
        txHash,
      }),
    ),
    voteCount: proposal.voters,
    queuedMs: steps.queued?.atMs ?? null,
    executedMs: steps.executed?.atMs ?? null,
    canceledMs: steps.canceled?.atMs ?? null,
    operationId: proposal.operationId,
    txHash: proposal.txHash,
  }
}

function summaryOf(row: ProposalRow, words: CallContext, now: number): VaultProposalSummary {
  const eta = row.steps.queued?.eta ?? null
  const calls = row.calls.map(({ target, value, data }) => ({ target, value: BigInt(value), data }))
  return {
    proposalId: String(row.proposalId),
    vault: row.vault,
    vaultName: row.vaultName,
    proposer: row.proposer,
    title: titleOf(row.description),
    state: proposalState(row, now),
    effects: explainProposal(calls, words),
    createdMs: row.atMs,
    votesFromMs: row.snapshot * 1_000,
    votesUntilMs: row.deadline * 1_000,
    executableMs: eta === null ? null : eta * 1_000,
    for: String(row.for),
    against: String(row.against),
    abstain: String(row.abstain),
    quorum: String(quorumOf(row)),
  }
}

function titleOf(description: string): string {
  const [line = ''] = description.split('\n').filter((one) => one.trim() !== '')
  return line
    .replace(/^[#\s]+/, '')
    .trim()
    .slice(0, TITLE_CHARACTERS)
}

/** What it takes to say what a vault's proposals do. */
async function callContextOf(context: ApiContext, row: VaultRow): Promise<CallContext> {
  const { deployment, database } = context
  const { vault, governor, timelock, asset } = row
  const machines = (await readVaultMachines(database.pool, [vault])).get(vault) ?? []
  const known = deployment.asset.address.toLowerCase() === asset
  return {
    vault,
    governor,
    timelock,
    asset: known
      ? { ...deployment.asset, address: asset }
      : { address: asset, symbol: `smallest units of ${asset}`, decimals: 0 },
    registry: deployment.registry,
    clearingHouse: deployment.clearingHouse,
    allowLists: deployment.cooperation?.allowLists,
    usageRights: deployment.cooperation?.usageRights,
    market: deployment.cooperation?.market,
    names: new Map(deployment.people.map(({ name, address }) => [address.toLowerCase(), name])),
    accounts: new Map(
      machines.flatMap(({ machineId }) => {
        const { account } = identityOf(context, machineId)
        return account ? [[account.toLowerCase(), machineId] as const] : []
      }),
    ),
    machineNames: new Map(
      machines
        .filter(({ machineId, name }) => name !== String(machineId))
        .map(({ machineId, name }) => [machineId, name]),
    ),
  }
}
