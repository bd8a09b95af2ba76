import {
  allowListsAbi,
  machineGovernorAbi,
  machineVaultAbi,
  vaultFactoryAbi,
  vaultTimelockAbi,
} from '@liquefy/abi'
import type { Hex, VaultPhase } from '@liquefy/client'
import {
  concat,
  decodeEventLog,
  encodeAbiParameters,
  keccak256,
  type Log,
  parseAbiParameters,
  sliceHex,
  toHex,
  zeroHash,
} from 'viem'
import { lower, plain } from './ledger-text.ts'

/** What a vault is made of: the factory made all three. */
export interface VaultParts {
  vault: Hex
  governor: Hex
  timelock: Hex
}

/** A vault's name and symbol, which no event tells. */
export interface VaultTitle {
  name: string
  symbol: string
}

/** Names of facts, of which the newest holds. */
export type VaultFact =
  | 'phase'
  | 'operator'
  | 'compliance'
  | 'waterfall'
  | 'sale'
  | 'sale-end'
  | 'buyout-rules'
  | 'buyout'
  | 'voting-delay'
  | 'voting-period'
  | 'proposal-threshold'
  | 'quorum-percent'
  | 'timelock-delay'

/** What happened to a vault. Amounts in smallest units of its asset, shares whole, times in seconds. */
type VaultHappening =
  | ({ event: 'created'; founder: Hex; governor: Hex; timelock: Hex } & VaultTitle)
  | { event: 'opened'; asset: Hex; machineIds: readonly bigint[] }
  | { event: 'fact'; name: VaultFact; value: unknown }
  | { event: 'moved'; from: Hex; to: Hex; shares: bigint }
  | { event: 'delegated'; account: Hex; to: Hex }
  | { event: 'votes'; account: Hex; votes: bigint }
  | { event: 'allowed'; account: Hex; allowed: boolean }
  | {
      event: 'income'
      minor: bigint
      split: { reserve: bigint; lender: bigint; fees: bigint; owners: bigint }
    }
  | { event: 'credit'; account: Hex; minor: bigint }
  | { event: 'sale-closed'; succeeded: boolean; sold: bigint; proceeds: bigint }
  | { event: 'buyout-failed'; refused: bigint }
  | { event: 'buyout-completed'; buyer: Hex; priceMinor: bigint }
  | {
      event: 'payment'
      payment: VaultPaymentKind
      account: Hex
      other?: Hex
      shares?: bigint
      minor?: bigint
      words?: string
    }
  | {
      event: 'proposed'
      proposalId: bigint
      proposer: Hex
      calls: { target: Hex; value: string; data: Hex }[]
      description: string
      descriptionHash: Hex
      snapshot: bigint
      deadline: bigint
      operationId: Hex
    }
  | {
      event: 'voted'
      proposalId: bigint
      voter: Hex
      support: number
      weight: bigint
      reason: string
    }
  | { event: 'step'; proposalId: bigint; step: ProposalStep; eta?: bigint }
  | { event: 'operation'; operationId: Hex; step: ProposalStep }

type VaultPaymentKind =
  | 'bought'
  | 'refunded'
  | 'claimed'
  | 'credit-paid'
  | 'spent'
  | 'redeemed'
  | 'refused'

export type ProposalStep = 'queued' | 'executed' | 'canceled'

/** An event of a vault, its governor, its timelock, or of a list about it. */
export type VaultEvent = { kind: 'vault'; vault: Hex } & VaultHappening

const PHASES: readonly VaultPhase[] = ['selling', 'live', 'failed', 'bought-out']
/** Longer words are cut: anybody may write a whole block full of them. */
const MOST_CHARACTERS = 20_000

/** The beginning of a text, as the tables keep it. */
export const plainWords = (text: string, most = MOST_CHARACTERS): string =>
  plain(text.slice(0, most)).toWellFormed()

/** Reads a log of the factory. */
export function factoryEvent(log: Log, titleOf: (vault: Hex) => VaultTitle): VaultEvent {
  const { args } = decodeEventLog({ abi: vaultFactoryAbi, ...log })
  const vault = lower(args.vault)
  return {
    kind: 'vault',
    vault,
    event: 'created',
    founder: lower(args.founder),
    governor: lower(args.governor),
    timelock: lower(args.timelock),
    ...titleOf(vault),
  }
}

/** Reads a log of the lists of who may hold shares; whether the vault is one shows where it is stored. */
export function allowListEvent(log: Log): VaultEvent {
  const { args } = decodeEventLog({ abi: allowListsAbi, ...log })
  const { vault, account, allowed } = args
  return { kind: 'vault', vault: lower(vault), event: 'allowed', account: lower(account), allowed }
}

/** Reads a log of a vault or of what governs it; undefined for events that tell the node nothing. */
export function vaultEvent(parts: VaultParts, log: Log): VaultEvent | undefined {
  const address = lower(log.address)
  let told: VaultHappening | undefined
  if (address === parts.vault) told = ofVault(log)
  else if (address === parts.governor) told = ofGovernor(parts.governor, log)
  else told = ofTimelock(log)
  return told && { kind: 'vault', vault: parts.vault, ...told }
}

function ofVault(log: Log): VaultHappening | undefined {
  const { eventName, args } = decodeEventLog({ abi: machineVaultAbi, ...log })
  const fact = (name: VaultFact, value: unknown): VaultHappening => ({ event: 'fact', name, value })
  switch (eventName) {
    case 'VaultOpened':
      return { event: 'opened', asset: lower(args.asset), machineIds: args.machineIds }
    case 'Transfer': {
      const { from, to, value } = args
      return { event: 'moved', from: lower(from), to: lower(to), shares: value }
    }
    case 'DelegateChanged':
      return { event: 'delegated', account: lower(args.delegator), to: lower(args.toDelegate) }
    case 'DelegateVotesChanged':
      return { event: 'votes', account: lower(args.delegate), votes: args.newVotes }
    case 'PhaseChanged':
      return fact('phase', PHASES[args.to] ?? 'live')
    case 'OperatorSet':
      return fact('operator', lower(args.operator))
    case 'ComplianceSet':
      return fact('compliance', lower(args.compliance))
    case 'WaterfallSet': {
      const { reserveTarget, lender, outstanding, fees } = args.waterfall
      return fact('waterfall', {
        reserveTarget: String(reserveTarget),
        lender: lower(lender),
        outstanding: String(outstanding),
        fees: fees.map(({ to, bps }) => ({ to: lower(to), bps })),
      })
    }
    case 'SaleOpened': {
      const { priceMinor, cap, goal, deadline } = args.sale
      return fact('sale', {
        price: String(priceMinor),
        cap: String(cap),
        goal: String(goal),
        deadline: Number(deadline),
      })
    }
    case 'BuyoutRulesSet':
      return fact('buyout-rules', args.rules)
    case 'BuyoutOffered': {
      const { offer, offerer, priceMinor, deposit, refuseBy } = args
      return fact('buyout', {
        offer: String(offer),
        offerer: lower(offerer),
        price: String(priceMinor),
        deposit: String(deposit),
        refuseBy: Number(refuseBy),
      })
    }
    default:
      return moneyOf(log)
  }
}

function moneyOf(log: Log): VaultHappening | undefined {
  const { eventName, args } = decodeEventLog({ abi: machineVaultAbi, ...log })
  const paid = (
    payment: VaultPaymentKind,
    account: Hex,
    rest: { other?: Hex; shares?: bigint; minor?: bigint; words?: string },
  ): VaultHappening => ({ event: 'payment', payment, account: lower(account), ...rest })
  switch (eventName) {
    case 'Income':
      return { event: 'income', minor: args.amount, split: args.split }
    case 'FeePaid':
      return { event: 'credit', account: lower(args.to), minor: args.amount }
    case 'SharesBought': {
      const { payer, to, shares, paid: minor } = args
      return paid('bought', to, { other: lower(payer), shares, minor })
    }
    case 'SaleClosed':
      return { event: 'sale-closed', ...args }
    case 'SaleRefunded':
      return paid('refunded', args.account, { shares: args.shares, minor: args.amount })
    case 'Claimed':
      return paid('claimed', args.owner, { other: lower(args.to), minor: args.amount })
    case 'CreditPaid':
      return paid('credit-paid', args.account, { minor: args.amount })
    case 'Spent':
      return paid('spent', args.to, { minor: args.amount, words: plainWords(args.purpose) })
    case 'SharesRedeemed':
      return paid('redeemed', args.owner, { shares: args.shares, minor: args.amount })
    case 'BuyoutRefused':
      return paid('refused', args.owner, { shares: args.shares, words: String(args.offer) })
    case 'BuyoutFailed':
      return { event: 'buyout-failed', refused: args.refused }
    case 'BuyoutCompleted':
      return {
        event: 'buyout-completed',
        buyer: lower(args.buyer),
        priceMinor: args.priceMinor,
      }
    default:
      return undefined
  }
}

function ofGovernor(governor: Hex, log: Log): VaultHappening | undefined {
  const { eventName, args } = decodeEventLog({ abi: machineGovernorAbi, ...log })
  const setting = (name: VaultFact, value: bigint | number): VaultHappening => ({
    event: 'fact',
    name,
    value: String(value),
  })
  switch (eventName) {
    case 'VotingDelaySet':
      return setting('voting-delay', args.newVotingDelay)
    case 'VotingPeriodSet':
      return setting('voting-period', args.newVotingPeriod)
    case 'ProposalThresholdSet':
      return setting('proposal-threshold', args.newProposalThreshold)
    case 'QuorumNumeratorUpdated':
      return setting('quorum-percent', args.newQuorumNumerator)
    case 'ProposalCreated': {
      const { proposalId, proposer, targets, values, calldatas, description } = args
      const descriptionHash = keccak256(toHex(description))
      const calls = targets.map((target, index) => ({
        target: lower(target),
        value: String(values[index]),
        data: calldatas[index] ?? '0x',
      }))
      return {
        event: 'proposed',
        proposalId,
        proposer: lower(proposer),
        calls,
        description: plainWords(description),
        descriptionHash,
        snapshot: args.voteStart,
        deadline: args.voteEnd,
        operationId: operationIdOf(governor, { targets, values, calldatas }, descriptionHash),
      }
    }
    case 'VoteCast': {
      const { proposalId, voter, support, weight, reason } = args
      const words = plainWords(reason, 1_000)
      return { event: 'voted', proposalId, voter: lower(voter), support, weight, reason: words }
    }
    case 'VoteCastWithParams': {
      const { proposalId, voter, support, weight, reason } = args
      const words = plainWords(reason, 1_000)
      return { event: 'voted', proposalId, voter: lower(voter), support, weight, reason: words }
    }
    case 'ProposalQueued':
      return {
        event: 'step',
        proposalId: args.proposalId,
        step: 'queued',
        eta: args.etaSeconds,
      }
    case 'ProposalExecuted':
      return { event: 'step', proposalId: args.proposalId, step: 'executed' }
    case 'ProposalCanceled':
      return { event: 'step', proposalId: args.proposalId, step: 'canceled' }
    default:
      return undefined
  }
}

/** By OpenZeppelin's GovernorTimelockControl: hashOperationBatch, salted with the governor and the description. */
function operationIdOf(
  governor: Hex,
  {
    targets,
    values,
    calldatas,
  }: { targets: readonly Hex[]; values: readonly bigint[]; calldatas: readonly Hex[] },
  descriptionHash: Hex,
): Hex {
  const padded = concat([governor, sliceHex(zeroHash, 0, 12)])
  const salt = toHex(BigInt(padded) ^ BigInt(descriptionHash), { size: 32 })
  return keccak256(
    encodeAbiParameters(parseAbiParameters('address[], uint256[], bytes[], bytes32, bytes32'), [
      targets,
      values,
      calldatas,
      zeroHash,
      salt,
    ]),
  )
}

/** What the timelock does without the governor: anybody may execute there what waits. */
function ofTimelock(log: Log): VaultHappening | undefined {
  const { eventName, args } = decodeEventLog({ abi: vaultTimelockAbi, ...log })
  switch (eventName) {
    case 'MinDelayChange':
      return { event: 'fact', name: 'timelock-delay', value: String(args.newDuration) }
    case 'CallExecuted':
      return { event: 'operation', operationId: args.id, step: 'executed' }
    case 'Cancelled':
      return { event: 'operation', operationId: args.id, step: 'canceled' }
    default:
      return undefined
  }
}
