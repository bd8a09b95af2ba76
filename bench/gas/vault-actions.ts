import { allowListsAbi, machineGovernorAbi, machineVaultAbi } from '@liquefy/abi'
import {
  type BuyoutRules,
  cooperationOf,
  createVault,
  descriptionHashOf,
  type GovernanceSetup,
  type NewVault,
  type ProposedAction,
  proposedCalls,
  type ShareSale,
} from '@liquefy/client'
import type { Hex } from '@liquefy/protocol'
import { parseEventLogs } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import type { Measure } from './actions.ts'
import { assetCall, registerMachines } from './business.ts'
import type { BenchLedger } from './ledger.ts'

interface People {
  /** Buys shares. */
  payer: PrivateKeyAccount
  /** Founds vaults, and operates them. */
  payee: PrivateKeyAccount
}

const PRICE_MINOR = 1_000n
const MONEY_MINOR = 10n ** 9n
const FOUNDER_SHARES = 60n
const SOLD_SHARES = 40n
const HOUR_SECONDS = 3_600
const DAY_SECONDS = 86_400
const FOR = 1
const BUYOUT: BuyoutRules = { minBps: 5_000, refusalBps: 5_000, delaySeconds: HOUR_SECONDS }
const GOVERNANCE: GovernanceSetup = {
  votingDelaySeconds: 60,
  votingPeriodSeconds: HOUR_SECONDS,
  proposalThreshold: 1n,
  quorumPercent: 20,
  timelockSeconds: HOUR_SECONDS,
}

/** A vault's life with two owners: shares sold, income paid out, all that owners can vote, a buy-out; and a sale that fails. */
export async function vaultActions(
  ledger: BenchLedger,
  people: People,
  measure: Measure,
): Promise<void> {
  const { payer: buyer, payee: founder } = people
  for (const { address } of [buyer, founder]) {
    await ledger.send(buyer, assetCall(ledger, 'mint', [address, MONEY_MINOR]))
  }
  const made = await newVault(ledger, founder, FOUNDER_SHARES)
  const { vault } = made
  const send = (by: PrivateKeyAccount, functionName: string, args: readonly unknown[]) =>
    ledger.send(by, { address: vault, abi: machineVaultAbi, functionName, args })
  for (const owner of [buyer, founder]) {
    await ledger.send(owner, assetCall(ledger, 'approve', [vault, MONEY_MINOR]))
  }

  await measure('vaultBuyShares', send(buyer, 'buyShares', [SOLD_SHARES, buyer.address]))
  await measure('vaultPayCredit', send(buyer, 'payCredit', [founder.address]))
  await measure('vaultTransfer', send(founder, 'transfer', [buyer.address, 1n]))
  await send(buyer, 'approve', [founder.address, 1n])
  const back = [buyer.address, founder.address, 1n]
  await measure('vaultTransferFrom', send(founder, 'transferFrom', back))
  await measure('vaultDelegate', send(buyer, 'delegate', [founder.address]))
  const listed = {
    address: cooperationOf(ledger.node.deployment).allowLists,
    abi: allowListsAbi,
    functionName: 'setAllowed',
    args: [vault, [buyer.address], true],
  }
  await measure('allowListSetAllowed', ledger.send(founder, listed))
  for (const _ of ['the first income writes slots that are empty', 'the second is measured']) {
    await ledger.send(buyer, assetCall(ledger, 'transfer', [vault, 100n * PRICE_MINOR]))
    await measure('vaultDistribute', send(buyer, 'distribute', []))
    await ledger.pass(1)
    await measure('vaultClaimTo', send(founder, 'claimTo', [founder.address]))
  }
  await voted(ledger, people, made, measure)

  await measure('vaultOfferBuyout', send(founder, 'offerBuyout', [PRICE_MINOR]))
  await measure('vaultRefuseBuyout', send(buyer, 'refuseBuyout', [1n]))
  await ledger.pass(HOUR_SECONDS + 1)
  await measure('vaultCompleteBuyout', send(founder, 'completeBuyout', []))
  await measure('vaultRedeem', send(buyer, 'redeem', [buyer.address]))
  await failedSale(ledger, people, measure)
}

/** All that owners vote on; each is measured as the transaction that executes its proposal. */
async function voted(
  ledger: BenchLedger,
  { payer: buyer, payee: founder }: People,
  made: NewVault,
  measure: Measure,
): Promise<void> {
  const { vault, governor } = made
  const { deployment } = ledger.node
  const send = (by: PrivateKeyAccount, functionName: string, args: readonly unknown[]) =>
    ledger.send(by, { address: governor, abi: machineGovernorAbi, functionName, args })
  const machineId = await machineOf(ledger, vault)
  const waterfall = { reserveTarget: 2n * PRICE_MINOR, fees: [] }
  const actions: Record<string, ProposedAction> = {
    vaultSpend: { kind: 'spend', to: buyer.address, amountMinor: 1n, purpose: 'a propeller' },
    vaultExecute: { kind: 'suspend', machineId },
    vaultSetWaterfall: { kind: 'waterfall', waterfall },
    vaultSetOperator: { kind: 'operator', operator: buyer.address },
    vaultSetCompliance: { kind: 'compliance', contract: null },
    vaultSetBuyoutRules: { kind: 'buyout-rules', rules: BUYOUT },
    governorSetVotingDelay: { kind: 'governance', change: { votingDelaySeconds: 61 } },
    governorSetVotingPeriod: { kind: 'governance', change: { votingPeriodSeconds: 3_601 } },
    governorSetProposalThreshold: { kind: 'governance', change: { proposalThreshold: 2n } },
    governorUpdateQuorumNumerator: { kind: 'governance', change: { quorumPercent: 21 } },
    timelockUpdateDelay: { kind: 'governance', change: { timelockSeconds: 3_601 } },
  }
  const columns = (action: ProposedAction) => {
    const calls = proposedCalls({ ...made, deployment }, [action])
    return [
      calls.map((one) => one.target),
      calls.map((one) => one.value),
      calls.map((one) => one.data),
    ]
  }
  const hashed = (name: string, action: ProposedAction) => [
    ...columns(action),
    descriptionHashOf(name),
  ]
  const propose = async (name: string, action: ProposedAction) => {
    const sent = send(founder, 'propose', [...columns(action), name])
    await measure('governorPropose', sent)
    const { logs } = await sent
    const [event] = parseEventLogs({ abi: machineGovernorAbi, eventName: 'ProposalCreated', logs })
    if (!event) throw new Error('Nothing was proposed.')
    return event.args.proposalId
  }

  const regretted: ProposedAction = { kind: 'operator', operator: founder.address }
  await propose('regretted', regretted)
  await measure('governorCancel', send(founder, 'cancel', hashed('regretted', regretted)))
  const proposals: bigint[] = []
  for (const [name, action] of Object.entries(actions)) proposals.push(await propose(name, action))
  await ledger.pass(GOVERNANCE.votingDelaySeconds + 1)
  const [first, ...others] = proposals
  const spoken = [first, FOR, 'it smokes']
  await measure('governorCastVoteWithReason', send(founder, 'castVoteWithReason', spoken))
  for (const id of others) {
    await measure('governorCastVote', send(founder, 'castVote', [id, FOR]))
  }
  await ledger.pass(HOUR_SECONDS)
  for (const [name, action] of Object.entries(actions)) {
    await measure('governorQueue', send(founder, 'queue', hashed(name, action)))
  }
  await ledger.pass(HOUR_SECONDS + 1)
  for (const [name, action] of Object.entries(actions)) {
    const executed = send(founder, 'execute', hashed(name, action))
    await measure(name, executed)
    if (name === 'vaultSetOperator') await measure('governorExecute', executed)
  }
}

/** Nobody else buys: the only buyer has his money back. */
async function failedSale(
  ledger: BenchLedger,
  { payer: buyer, payee: founder }: People,
  measure: Measure,
): Promise<void> {
  const { vault } = await newVault(ledger, founder, 0n)
  await ledger.send(buyer, assetCall(ledger, 'approve', [vault, MONEY_MINOR]))
  const send = (functionName: string, args: readonly unknown[]) =>
    ledger.send(buyer, { address: vault, abi: machineVaultAbi, functionName, args })
  await send('buyShares', [1n, buyer.address])
  await ledger.pass(DAY_SECONDS + 1)
  await measure('vaultCloseSale', send('closeSale', []))
  await measure('vaultRefundShares', send('refundShares', [buyer.address]))
}

/** A vault of one machine that sells shares for a day; its reserve takes the first two prices of one. */
async function newVault(
  ledger: BenchLedger,
  founder: PrivateKeyAccount,
  founderShares: bigint,
): Promise<NewVault> {
  const [machine] = await registerMachines(ledger, founder, 'P-256', 1)
  if (!machine) throw new Error('No machine was registered.')
  const { deployment } = ledger.node
  const sale: ShareSale = {
    priceMinor: PRICE_MINOR,
    cap: SOLD_SHARES,
    goal: SOLD_SHARES,
    deadline: (await ledger.now()) + BigInt(DAY_SECONDS),
  }
  const setup = {
    name: 'Actions',
    symbol: 'ACT',
    asset: deployment.asset.address,
    operator: founder.address,
    machineIds: [machine.machineId],
    founderShares,
    sale,
    buyout: BUYOUT,
    waterfall: { reserveTarget: 2n * PRICE_MINOR, fees: [] },
  }
  return createVault({ ...ledger.senderOf(founder), deployment, setup, governance: GOVERNANCE })
}

async function machineOf(ledger: BenchLedger, vault: Hex): Promise<bigint> {
  const contract = { address: vault, abi: machineVaultAbi } as const
  const [machineId] = await ledger.reader.readContract({ ...contract, functionName: 'machineIds' })
  if (machineId === undefined) throw new Error('The vault has no machine.')
  return machineId
}
