import {
  allowListsAbi,
  clearingHouseAbi,
  machineAccountAbi,
  machineGovernorAbi,
  machineRegistryAbi,
  machineVaultAbi,
  seaportAbi,
  vaultTimelockAbi,
} from '@liquefy/abi'
import { type Abi, encodeFunctionData, keccak256, parseEventLogs, toHex, zeroAddress } from 'viem'
import type { SpendingPolicy } from './account-ledger.ts'
import type { MarketPlace } from './market-ledger.ts'
import { type Sender, send } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'
import type { BuyoutRules, VaultProposal } from './vault.ts'
import {
  cooperationOf,
  type GovernanceSetup,
  type Waterfall,
  waterfallOnLedger,
} from './vault-ledger.ts'
import { type TradeAction, tradeCalls } from './vault-trade.ts'

/** An action on a vault's governor. */
export type GovernorAction = Sender & { governor: Hex }

/** One call that the timelock makes once owners have voted for it. */
export interface ProposedCall {
  target: Hex
  value: bigint
  data: Hex
}

/** What owners vote on. Amounts in smallest units of the vault's asset. `call`: any call in the vault's name. */
export type ProposedAction =
  | { kind: 'spend'; to: Hex; amountMinor: bigint; purpose: string }
  | { kind: 'waterfall'; waterfall: Waterfall }
  | { kind: 'operator'; operator: Hex }
  | { kind: 'compliance'; contract: Hex | null }
  | { kind: 'buyout-rules'; rules: BuyoutRules | null }
  | { kind: 'governance'; change: Partial<GovernanceSetup> }
  | { kind: 'suspend'; machineId: bigint; reason?: string | undefined }
  | { kind: 'resume' | 'decommission' | 'revoke-key'; machineId: bigint }
  | { kind: 'transfer-machine'; machineId: bigint; to: Hex }
  | { kind: 'machine-policy'; account: Hex; asset: Hex; policy: SpendingPolicy }
  | { kind: 'machine-pause'; account: Hex; paused: boolean }
  | { kind: 'close-agreement'; agreementId: Hex }
  | { kind: 'refund'; agreementId: Hex; period: number; amountMinor: bigint }
  | TradeAction
  | { kind: 'call'; target: Hex; value: bigint; data: Hex }

/** Where the vault and its parts are. */
export interface GovernedVault {
  vault: Hex
  governor: Hex
  timelock: Hex
  deployment: MarketPlace
}

/** A proposal as the governor is given it. */
export type ProposalCalls = Pick<VaultProposal, 'descriptionHash'> & { calls: ProposedCall[] }

/** The calls of what owners vote on, in order; a change of governance may be several, and a trade is. @throws LiquefyError of `tradeCalls`. */
export function proposedCalls(vault: GovernedVault, actions: readonly ProposedAction[]) {
  return actions.flatMap((action) => callsOf(vault, action))
}

/** Proposes to the owners; answers the proposal's id, decimal. For who holds the threshold of votes. */
export async function proposeToOwners(
  action: GovernorAction & { calls: readonly ProposedCall[]; description: string },
): Promise<string> {
  const { calls, description } = action
  const { logs } = await call(action, 'propose', [...columnsOf(calls), description])
  const [event] = parseEventLogs({ abi: machineGovernorAbi, eventName: 'ProposalCreated', logs })
  if (!event) throw new TypeError('The ledger took a proposal without saying so.')
  return String(event.args.proposalId)
}

const SUPPORT = { against: 0, for: 1, abstain: 2 } as const

/** Votes with all that the wallet's account had at the proposal's snapshot; once. */
export function castVote(
  action: GovernorAction & {
    proposalId: string
    support: keyof typeof SUPPORT
    reason?: string | undefined
  },
) {
  const args = [BigInt(action.proposalId), SUPPORT[action.support], action.reason ?? '']
  return call(action, 'castVoteWithReason', args)
}

/** Puts a proposal that has succeeded into the timelock. For anyone. */
export function queueProposal(action: GovernorAction & { proposal: ProposalCalls }) {
  return call(action, 'queue', governorArguments(action.proposal))
}

/** Does what a queued proposal says, once the timelock lets it. For anyone. */
export function executeProposal(action: GovernorAction & { proposal: ProposalCalls }) {
  return call(action, 'execute', governorArguments(action.proposal))
}

/** Takes a proposal back before voting begins. For its proposer. */
export function cancelProposal(action: GovernorAction & { proposal: ProposalCalls }) {
  return call(action, 'cancel', governorArguments(action.proposal))
}

/** Puts accounts on the list of who may hold shares of a vault, or takes them off. For the vault's operator. */
export function setAllowed(
  action: Sender & {
    deployment: Pick<Deployment, 'cooperation'>
    vault: Hex
    accounts: readonly Hex[]
    allowed: boolean
  },
) {
  const { deployment, vault, accounts, allowed } = action
  return send(action, {
    address: cooperationOf(deployment).allowLists,
    abi: allowListsAbi,
    functionName: 'setAllowed',
    args: [vault, accounts, allowed],
  })
}

function callsOf(vault: GovernedVault, action: ProposedAction): ProposedCall[] {
  const { registry, clearingHouse } = vault.deployment
  switch (action.kind) {
    case 'spend':
      return [ofVault(vault, 'spend', [action.to, action.amountMinor, action.purpose])]
    case 'waterfall':
      return [ofVault(vault, 'setWaterfall', [waterfallOnLedger(action.waterfall)])]
    case 'operator':
      return [ofVault(vault, 'setOperator', [action.operator])]
    case 'compliance':
      return [ofVault(vault, 'setCompliance', [action.contract ?? zeroAddress])]
    case 'buyout-rules': {
      const rules = action.rules ?? { minBps: 0, refusalBps: 0, delaySeconds: 0 }
      return [ofVault(vault, 'setBuyoutRules', [rules])]
    }
    case 'governance':
      return governanceCalls(vault, action.change)
    case 'suspend': {
      const { machineId, reason } = action
      return reason === undefined
        ? [throughVault(vault, registry, machineRegistryAbi, 'suspend', [machineId])]
        : [
            throughVault(vault, registry, machineRegistryAbi, 'suspendWithReason', [
              machineId,
              reason,
            ]),
          ]
    }
    case 'resume':
    case 'decommission':
    case 'revoke-key': {
      const name = action.kind === 'revoke-key' ? 'revoke' : action.kind
      return [throughVault(vault, registry, machineRegistryAbi, name, [action.machineId])]
    }
    case 'transfer-machine': {
      const args = [vault.vault, action.to, action.machineId]
      return [throughVault(vault, registry, machineRegistryAbi, 'transferFrom', args)]
    }
    case 'machine-policy': {
      const args = [action.asset, action.policy]
      return [throughVault(vault, action.account, machineAccountAbi, 'setPolicy', args)]
    }
    case 'machine-pause':
      return [throughVault(vault, action.account, machineAccountAbi, 'setPaused', [action.paused])]
    case 'close-agreement':
      return [throughVault(vault, clearingHouse, clearingHouseAbi, 'close', [action.agreementId])]
    case 'refund': {
      const { agreementId, period, amountMinor } = action
      const args = [agreementId, period, amountMinor]
      return [throughVault(vault, clearingHouse, clearingHouseAbi, 'refund', args)]
    }
    case 'accept-offer':
    case 'sell-machine':
      return tradeCalls(vault.deployment, vault.vault, action).map(({ target, data }) =>
        ofVault(vault, 'execute', [target, 0n, data]),
      )
    case 'call':
      return [ofVault(vault, 'execute', [action.target, action.value, action.data])]
  }
}

function governanceCalls(
  { governor, timelock }: GovernedVault,
  change: Partial<GovernanceSetup>,
): ProposedCall[] {
  const ofGovernor: [string, unknown][] = [
    ['setVotingDelay', change.votingDelaySeconds],
    ['setVotingPeriod', change.votingPeriodSeconds],
    ['setProposalThreshold', change.proposalThreshold],
    [
      'updateQuorumNumerator',
      change.quorumPercent === undefined ? undefined : BigInt(change.quorumPercent),
    ],
  ]
  const calls = ofGovernor
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => encoded(governor, machineGovernorAbi, name, [value]))
  if (change.timelockSeconds === undefined) return calls
  const delay = BigInt(change.timelockSeconds)
  return [...calls, encoded(timelock, vaultTimelockAbi, 'updateDelay', [delay])]
}

function encoded(
  target: Hex,
  abi: Abi,
  functionName: string,
  args: readonly unknown[],
): ProposedCall {
  return { target, value: 0n, data: encodeFunctionData({ abi, functionName, args }) }
}

function ofVault({ vault }: GovernedVault, functionName: string, args: readonly unknown[]) {
  return encoded(vault, machineVaultAbi, functionName, args)
}

function throughVault(
  vault: GovernedVault,
  target: Hex,
  abi: Abi,
  functionName: string,
  args: readonly unknown[],
): ProposedCall {
  const { data } = encoded(target, abi, functionName, args)
  return ofVault(vault, 'execute', [target, 0n, data])
}

const columnsOf = (calls: readonly ProposedCall[]) => [
  calls.map(({ target }) => target),
  calls.map(({ value }) => value),
  calls.map(({ data }) => data),
]

const governorArguments = ({ calls, descriptionHash }: ProposalCalls) => [
  ...columnsOf(calls),
  descriptionHash,
]

/** What the governor knows a description by. */
export function descriptionHashOf(description: string): Hex {
  return keccak256(toHex(description))
}

/** A vault's proposal as the API tells it, for `queueProposal`, `executeProposal` and `cancelProposal`. */
export function callsOfProposal({ calls, descriptionHash }: VaultProposal): ProposalCalls {
  return {
    descriptionHash,
    calls: calls.map(({ target, value, data }) => ({ target, value: BigInt(value), data })),
  }
}

/** What the timelock and the called contracts refuse comes through the governor as it is. */
const abi: Abi = [
  ...machineGovernorAbi,
  ...[vaultTimelockAbi, machineVaultAbi, machineRegistryAbi, clearingHouseAbi, seaportAbi].flatMap(
    (one: Abi) => one.filter(({ type }) => type === 'error'),
  ),
]

function call(action: GovernorAction, functionName: string, args: readonly unknown[]) {
  return send(action, { address: action.governor, abi, functionName, args })
}
