import {
  clearingHouseAbi,
  machineGovernorAbi,
  machineRegistryAbi,
  machineVaultAbi,
  testEuroAbi,
  vaultFactoryAbi,
} from '@liquefy/abi'
import { LiquefyError, type Terms } from '@liquefy/protocol'
import { type Abi, encodeAbiParameters, parseEventLogs, zeroAddress } from 'viem'
import { type AgreementAction, authorizeAgreement } from './agreement-ledger.ts'
import { letTake } from './allowance.ts'
import { type Call, type Sender, send } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'
import type { BuyoutRules } from './vault.ts'

/** An action on a vault. */
export type VaultAction = Sender & { vault: Hex }

/** In what order income is used; amounts in smallest units of the vault's asset. `lender` absent: there is none. */
export interface Waterfall {
  reserveTarget: bigint
  lender?: { account: Hex; outstanding: bigint } | undefined
  /** At most four; `bps` of 10,000 parts of what is left after reserve and lender. */
  fees: readonly { to: Hex; bps: number }[]
}

/** A sale: `deadline` in seconds; refunded unless `goal` shares are sold. */
export interface ShareSale {
  priceMinor: bigint
  cap: bigint
  goal: bigint
  deadline: bigint
}

/** How owners decide; seconds, shares, and percent of all shares. */
export interface GovernanceSetup {
  votingDelaySeconds: number
  votingPeriodSeconds: number
  proposalThreshold: bigint
  quorumPercent: number
  timelockSeconds: number
}

/** What a vault begins with. `sale` and `buyout` absent: there is none; `compliance` absent: everybody may hold shares. */
export interface VaultSetup {
  name: string
  symbol: string
  asset: Hex
  operator: Hex
  compliance?: Hex | undefined
  machineIds: readonly bigint[]
  founderShares: bigint
  sale?: ShareSale | undefined
  buyout?: BuyoutRules | undefined
  waterfall: Waterfall
}

/** What a small group can live with: a day to think, three days to vote, a quarter takes part, a day until it is done. */
export const USUAL_GOVERNANCE: GovernanceSetup = {
  votingDelaySeconds: 86_400,
  votingPeriodSeconds: 259_200,
  proposalThreshold: 1n,
  quorumPercent: 25,
  timelockSeconds: 86_400,
}

/** A vault and what governs it. */
export interface NewVault {
  vault: Hex
  governor: Hex
  timelock: Hex
}

const NO_SALE: ShareSale = { priceMinor: 0n, cap: 0n, goal: 0n, deadline: 0n }
const NO_BUYOUT: BuyoutRules = { minBps: 0, refusalBps: 0, delaySeconds: 0 }

/** What a waterfall is on the ledger. */
export function waterfallOnLedger({ reserveTarget, lender, fees }: Waterfall) {
  const { account, outstanding } = lender ?? { account: zeroAddress, outstanding: 0n }
  return { reserveTarget, lender: account, outstanding, fees }
}

/**
 * Makes a vault of the wallet's machines, and hands them over.
 *
 * @throws LiquefyError `COOPERATION_MISSING` on a ledger whose contracts an earlier version deployed.
 */
export async function createVault(
  action: Sender & {
    deployment: Pick<Deployment, 'registry' | 'cooperation'>
    setup: VaultSetup
    governance?: GovernanceSetup
  },
): Promise<NewVault> {
  const { deployment, setup, governance = USUAL_GOVERNANCE } = action
  const { vaultFactory } = cooperationOf(deployment)
  for (const machineId of setup.machineIds) {
    await send(action, {
      address: deployment.registry,
      abi: machineRegistryAbi,
      functionName: 'approve',
      args: [vaultFactory, machineId],
    })
  }
  const onLedger = {
    ...setup,
    compliance: setup.compliance ?? zeroAddress,
    sale: setup.sale ?? NO_SALE,
    buyout: setup.buyout ?? NO_BUYOUT,
    waterfall: waterfallOnLedger(setup.waterfall),
  }
  const { logs } = await send(action, {
    address: vaultFactory,
    abi: [...vaultFactoryAbi, ...errorsOf(machineGovernorAbi), ...errorsOf(machineRegistryAbi)],
    functionName: 'create',
    args: [onLedger, governance],
  })
  const [event] = parseEventLogs({ abi: vaultFactoryAbi, eventName: 'VaultCreated', logs })
  if (!event) throw new TypeError('The ledger made a vault without saying so.')
  const { vault, governor, timelock } = event.args
  return { vault: lower(vault), governor: lower(governor), timelock: lower(timelock) }
}

/** Buys shares in the primary sale, for the wallet's account unless `to` is told; lets the vault take their price first. */
export async function buyShares(
  action: VaultAction & { asset: Hex; shares: bigint; priceMinor: bigint; to?: Hex | undefined },
) {
  const { asset, shares, priceMinor, wallet, to = wallet.account.address } = action
  const amountMinor = shares * priceMinor
  await letTake(action, { asset, spender: action.vault, amountMinor })
  return call(action, 'buyShares', [shares, to])
}

/** Ends a sale whose deadline has passed. For anyone. */
export function closeSale(action: VaultAction) {
  return call(action, 'closeSale', [])
}

/** Gives a buyer of a failed sale his money; the wallet's account unless told. For anyone. */
export function refundShares(action: VaultAction & { account?: Hex | undefined }) {
  return call(action, 'refundShares', [accountOf(action)])
}

/** Takes what agreements have earned out of the clearing house, and sends it through the waterfall. For anyone. */
export function collectIncome(action: VaultAction & { agreementIds: readonly Hex[] }) {
  return call(action, 'collect', [action.agreementIds])
}

/** Sends what lies on the vault and is nobody's yet through the waterfall. For anyone. */
export function distributeIncome(action: VaultAction) {
  return call(action, 'distribute', [])
}

/** Pays an owner what his shares have earned; the wallet's account unless told. For anyone. */
export function claimIncome(action: VaultAction & { account?: Hex | undefined }) {
  return call(action, 'claim', [accountOf(action)])
}

/** Pays what the wallet's shares have earned to another address. */
export function claimIncomeTo(action: VaultAction & { to: Hex }) {
  return call(action, 'claimTo', [action.to])
}

/** Pays a lender, a fee or the founder's proceeds; the wallet's account unless told. For anyone. */
export function payCredit(action: VaultAction & { account?: Hex | undefined }) {
  return call(action, 'payCredit', [accountOf(action)])
}

/** Moves shares of the wallet's account. Income up to now stays with who earned it. */
export function transferShares(action: VaultAction & { to: Hex; shares: bigint }) {
  return call(action, 'transfer', [action.to, action.shares])
}

/** Says who votes with the wallet's shares: itself, or another account. */
export function delegateVotes(action: VaultAction & { to: Hex }) {
  return call(action, 'delegate', [action.to])
}

/** Offers for all shares that the wallet does not hold, and pays for them; lets the vault take it first. */
export async function offerBuyout(action: VaultAction & { asset: Hex; priceMinor: bigint }) {
  const { publicClient, vault, wallet, asset, priceMinor } = action
  const contract = { address: vault, abi: machineVaultAbi } as const
  const { address } = wallet.account
  const [supply, held] = await Promise.all([
    publicClient.readContract({ ...contract, functionName: 'totalSupply' }),
    publicClient.readContract({ ...contract, functionName: 'balanceOf', args: [address] }),
  ])
  const amountMinor = (supply - held) * priceMinor
  await letTake(action, { asset, spender: vault, amountMinor })
  return call(action, 'offerBuyout', [priceMinor])
}

/** Refuses the offer that stands with some of the wallet's shares; they do not move while it stands. */
export function refuseBuyout(action: VaultAction & { shares: bigint }) {
  return call(action, 'refuseBuyout', [action.shares])
}

/** Completes an offer that nobody refused in time. For anyone; income is distributed before, in an earlier block. */
export function completeBuyout(action: VaultAction) {
  return call(action, 'completeBuyout', [])
}

/** Pays the price of the completed offer for an owner's shares; the wallet's account unless told. For anyone. */
export function redeemShares(action: VaultAction & { account?: Hex | undefined }) {
  return call(action, 'redeem', [accountOf(action)])
}

/**
 * Signs terms as a vault's operator: what `payeeSignature` of `openAgreement` is where the payee is the vault. It is good for terms that pay
 * the vault in its asset, and nothing else.
 */
export async function operatorSignature(
  input: Pick<AgreementAction, 'deployment' | 'wallet'> & { terms: Terms },
): Promise<Hex> {
  return vaultSignature(input.terms, await authorizeAgreement(input))
}

/** The vault's signature of terms (ERC-1271) made of its operator's: abi.encode(Terms, bytes). */
export function vaultSignature(terms: Terms, signature: Hex): Hex {
  return encodeAbiParameters([TERMS, { type: 'bytes' }], [terms, signature])
}

const open = clearingHouseAbi.find(
  (item) => item.type === 'function' && item.name === 'open',
) as Extract<(typeof clearingHouseAbi)[number], { type: 'function'; name: 'open' }>
const [TERMS] = open.inputs

/** Where vaults are made. @throws LiquefyError `COOPERATION_MISSING`. */
export function cooperationOf({ cooperation }: Pick<Deployment, 'cooperation'>) {
  if (cooperation) return cooperation
  throw new LiquefyError(
    'COOPERATION_MISSING',
    'Nobody can share machines on this ledger: an earlier version deployed its contracts, which nobody can change. A new ledger has vaults.',
  )
}

/** A call of a vault. What its asset refuses comes through it as it is. */
function vaultCall(vault: Hex, functionName: string, args: readonly unknown[]): Call {
  return {
    address: vault,
    abi: [...machineVaultAbi, ...errorsOf(testEuroAbi), ...errorsOf(clearingHouseAbi)],
    functionName,
    args,
  }
}

function accountOf({ wallet, account }: VaultAction & { account?: Hex | undefined }): Hex {
  return account ?? wallet.account.address
}

function call(action: VaultAction, functionName: string, args: readonly unknown[]) {
  return send(action, vaultCall(action.vault, functionName, args))
}

const errorsOf = (abi: Abi): Abi => abi.filter(({ type }) => type === 'error')

const lower = (hex: Hex): Hex => hex.toLowerCase() as Hex
