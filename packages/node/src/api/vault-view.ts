import type {
  BuyoutOffer,
  BuyoutRules,
  Hex,
  Vault,
  VaultIncome,
  VaultPhase,
  VaultSale,
  VaultSummary,
  VaultWaterfall,
} from '@liquefy/client'
import { zeroAddress } from 'viem'
import type { VaultFact } from '../chain/vault-events.ts'
import { isOpenProposal, proposalState } from '../cooperate/proposal-state.ts'
import { readMoney, readPositionOwners } from '../store/agreements.ts'
import type { Queryable } from '../store/database.ts'
import { readProposals } from '../store/governance.ts'
import { readNewestBlockMs } from '../store/ledger.ts'
import { readClaimable, readHolderCounts, readOwnersOf, readVotes } from '../store/shares.ts'
import { readFact, readFacts, type VaultFacts } from '../store/vault-facts.ts'
import {
  type IncomeRow,
  readCredits,
  readIncomeSums,
  readLenderSince,
  readReserve,
  type StoredOffer,
} from '../store/vault-income.ts'
import {
  readPaymentSums,
  readRefused,
  readSold,
  readVault,
  readVaultMachines,
  type VaultRow,
} from '../store/vaults.ts'
import type { ApiContext } from './context.ts'
import { unknown } from './problem.ts'

/** Newest proposals of a vault that are looked through for those that something can still come of. */
const PROPOSALS_COUNTED = 200
/** Agreements that one `collect` names at most. */
const COLLECTED = 100

/** @throws ProblemError 404 `VAULT_UNKNOWN`. */
export async function knownVault(context: ApiContext, vault: string): Promise<VaultRow> {
  const row = await readVault(context.database.pool, vault.toLowerCase() as Hex)
  if (!row) throw unknown('VAULT_UNKNOWN', `A vault ${vault}`)
  return row
}

/** The time of the next block: a ledger without work makes none, and its newest may be ahead of the clock. */
export async function ledgerSeconds({ database, clock }: ApiContext): Promise<number> {
  const newest = await readNewestBlockMs(database.pool)
  return Math.floor(Math.max(clock.nowMs(), newest) / 1_000)
}

const factOf = <Value>(facts: VaultFacts | undefined, name: VaultFact): Value | undefined =>
  facts?.get(name)?.value as Value | undefined

/** What lists tell of vaults, in their order. */
export async function vaultSummaries(
  context: ApiContext,
  rows: readonly VaultRow[],
): Promise<VaultSummary[]> {
  const [facts, now] = await Promise.all([
    readFacts(
      context.database.pool,
      rows.map(({ vault }) => vault),
    ),
    ledgerSeconds(context),
  ])
  return summariesOf(context, rows, { facts, now })
}

async function summariesOf(
  { database }: ApiContext,
  rows: readonly VaultRow[],
  { facts, now }: { facts: Map<Hex, VaultFacts>; now: number },
): Promise<VaultSummary[]> {
  const db = database.pool
  const ids = rows.map(({ vault }) => vault)
  const [holders, sums, machines, sold] = await Promise.all([
    readHolderCounts(db, ids),
    readIncomeSums(db, ids),
    readVaultMachines(db, ids),
    readSold(db, ids),
  ])
  return rows.map((row): VaultSummary => {
    const of = facts.get(row.vault)
    const held = holders.get(row.vault)
    const income = sums.get(row.vault)
    return {
      vault: row.vault,
      name: row.name,
      symbol: row.symbol,
      phase: phaseOf(of),
      founder: row.founder,
      operator: factOf<Hex>(of, 'operator') ?? zeroAddress,
      machines: (machines.get(row.vault) ?? []).map((one) => ({
        machineId: String(one.machineId),
        machineName: one.name,
        held: one.held,
      })),
      supply: String(held?.supply ?? 0n),
      ownerCount: held?.owners ?? 0,
      sale: saleOf(of, sold.get(row.vault) ?? 0n, now),
      incomeMinor: String(income?.minor ?? 0n),
      ownersMinor: String(income?.owners ?? 0n),
      createdMs: row.atMs,
    }
  })
}

const phaseOf = (facts: VaultFacts | undefined): VaultPhase =>
  factOf<VaultPhase>(facts, 'phase') ?? 'selling'

function saleOf(facts: VaultFacts | undefined, sold: bigint, now: number): VaultSale | null {
  const sale = factOf<{ price: string; cap: string; goal: string; deadline: number }>(facts, 'sale')
  if (!sale) return null
  const end = factOf<{ succeeded: boolean }>(facts, 'sale-end')
  const running = now > sale.deadline ? 'over' : 'open'
  return {
    priceMinor: sale.price,
    cap: sale.cap,
    goal: sale.goal,
    sold: String(sold),
    deadlineMs: sale.deadline * 1_000,
    state: end ? (end.succeeded ? 'succeeded' : 'failed') : running,
  }
}

/** One vault. @throws ProblemError 404 `VAULT_UNKNOWN`. */
export async function vaultView(context: ApiContext, address: string): Promise<Vault> {
  const db = context.database.pool
  const row = await knownVault(context, address)
  const { vault } = row
  const [allFacts, now] = await Promise.all([readFacts(db, [vault]), ledgerSeconds(context)])
  const [summaries, reserve, credits, claimable, lenderPaid, onLedger, accrued] = await Promise.all(
    [
      summariesOf(context, [row], { facts: allFacts, now }),
      readReserve(db, vault),
      readCredits(db, vault),
      readClaimable(db, vault),
      readLenderSince(db, vault),
      context.readVault(vault, row.asset),
      accruedOf(context, row),
    ],
  )
  const [summary] = summaries
  if (!summary) throw new RangeError('One vault has one summary.')
  const facts = allFacts.get(vault)
  const rules = factOf<BuyoutRules>(facts, 'buyout-rules')
  const buyout = await buyoutOf(db, summary, facts, now)
  const proposals = await readProposals(db, {
    vaults: [vault],
    offset: 0,
    limit: PROPOSALS_COUNTED,
  })
  return {
    ...summary,
    asset: row.asset,
    governor: row.governor,
    timelock: row.timelock,
    controller: controllerOf(row, summary.phase, buyout),
    compliance: complianceOf(context, factOf<Hex>(facts, 'compliance')),
    waterfall: waterfallOf(factOf<StoredWaterfall>(facts, 'waterfall'), lenderPaid),
    reserveMinor: String(summary.phase === 'bought-out' ? 0n : reserve),
    credits: credits.map(({ account, minor }) => ({ account, minor: String(minor) })),
    claimableMinor: String(claimable),
    undistributedMinor: String(onLedger.undistributedMinor),
    collectable: {
      minor: String(onLedger.houseMinor + accrued.minor),
      agreementIds: accrued.agreementIds,
    },
    governance: {
      votingDelaySeconds: settingOf(facts, 'voting-delay'),
      votingPeriodSeconds: settingOf(facts, 'voting-period'),
      proposalThreshold: factOf<string>(facts, 'proposal-threshold') ?? '0',
      quorumPercent: settingOf(facts, 'quorum-percent'),
      timelockSeconds: settingOf(facts, 'timelock-delay'),
    },
    buyoutRules: rules && rules.minBps > 0 ? rules : null,
    buyout,
    openProposals: proposals.filter((one) => isOpenProposal(proposalState(one, now))).length,
    txHash: row.txHash,
  }
}

const settingOf = (facts: VaultFacts | undefined, name: VaultFact): number =>
  Number(factOf<string>(facts, name) ?? 0)

function controllerOf(row: VaultRow, phase: VaultPhase, buyout: BuyoutOffer | null): Hex {
  if (phase === 'failed') return row.founder
  return phase === 'bought-out' && buyout ? buyout.offerer : row.timelock
}

function complianceOf({ deployment }: ApiContext, contract: Hex | undefined): Vault['compliance'] {
  if (contract === undefined || contract === zeroAddress) return { kind: 'open', contract: null }
  const isOurs = contract === deployment.cooperation?.allowLists
  return { kind: isOurs ? 'allow-list' : 'contract', contract }
}

interface StoredWaterfall {
  reserveTarget: string
  lender: Hex
  outstanding: string
  fees: { to: Hex; bps: number }[]
}

function waterfallOf(stored: StoredWaterfall | undefined, lenderPaid: bigint): VaultWaterfall {
  if (!stored) throw new RangeError('A vault has a waterfall from its first block on.')
  return {
    reserveTargetMinor: stored.reserveTarget,
    lender: stored.lender === zeroAddress ? null : stored.lender,
    outstandingMinor: String(BigInt(stored.outstanding) - lenderPaid),
    fees: stored.fees,
  }
}

async function buyoutOf(
  db: Queryable,
  { vault, supply }: Pick<VaultSummary, 'vault' | 'supply'>,
  facts: VaultFacts | undefined,
  now: number,
): Promise<BuyoutOffer | null> {
  const offer = factOf<StoredOffer>(facts, 'buyout')
  if (!offer) return null
  const [refused, [offerer]] = await Promise.all([
    readRefused(db, vault, offer.offer),
    readOwnersOf(db, vault, { account: offer.offerer, offset: 0, limit: 1 }),
  ])
  const others = BigInt(supply) - (offerer?.shares ?? 0n)
  const { refusalBps } = factOf<BuyoutRules>(facts, 'buyout-rules') ?? { refusalBps: 0 }
  const waiting = now > offer.refuseBy ? 'ripe' : 'stands'
  return {
    offer: offer.offer,
    offerer: offer.offerer,
    priceMinor: offer.price,
    depositMinor: offer.deposit,
    refuseByMs: offer.refuseBy * 1_000,
    refused: String(refused),
    refusalLimit: String((others * BigInt(refusalBps)) / 10_000n),
    state: offer.end ?? waiting,
    offeredMs: offer.offeredMs,
  }
}

/** What agreements have earned whose position is the vault's, and that nobody has credited yet. */
async function accruedOf(
  context: ApiContext,
  { vault, asset }: VaultRow,
): Promise<{ minor: bigint; agreementIds: Hex[] }> {
  const db = context.database.pool
  const owners = await readPositionOwners(db)
  const ids = context.agreements
    .all()
    .filter((one) => (owners.get(one.agreementId) ?? one.payee) === vault)
    .filter(({ terms }) => terms?.asset.toLowerCase() === asset)
    .map(({ agreementId }) => agreementId)
  if (ids.length === 0) return { minor: 0n, agreementIds: [] }
  const money = await readMoney(db, context.block().final, ids)
  const earning = ids
    .map((agreementId) => ({ agreementId, minor: money.get(agreementId)?.accruedMinor ?? 0n }))
    .filter(({ minor }) => minor > 0n)
    .slice(0, COLLECTED)
  return {
    minor: earning.reduce((sum, { minor }) => sum + minor, 0n),
    agreementIds: earning.map(({ agreementId }) => agreementId),
  }
}

/** An income as the API tells it. */
export function incomeView(row: IncomeRow, finalBlock: number): VaultIncome {
  return {
    place: `${row.block}-${row.logIndex}`,
    atMs: row.atMs,
    minor: String(row.minor),
    reserveMinor: String(row.reserve),
    lenderMinor: String(row.lender),
    feesMinor: String(row.fees),
    ownersMinor: String(row.owners),
    cumulatedMinor: String(row.cumulated),
    cumulatedOwnersMinor: String(row.cumulatedOwners),
    supply: String(row.supply),
    soleOwner: row.soleOwner,
    txHash: row.txHash,
    final: row.block <= finalBlock,
  }
}

/** So many parts of a million. Rounded down. */
export const ppmOf = (part: bigint, whole: bigint): number =>
  whole === 0n ? 0 : Number((part * 1_000_000n) / whole)

/** What an account has of one vault, beside what the list of vaults tells. */
export async function holdingOf(
  context: ApiContext,
  summary: VaultSummary,
  account: Hex,
): Promise<{
  shares: bigint
  sharePpm: number
  bought: bigint
  claimableMinor: bigint
  claimedMinor: bigint
  earnedMinor: bigint
  creditMinor: bigint
  delegate: Hex
  votes: bigint
  redeemableMinor: bigint | null
  refused: bigint
}> {
  const db = context.database.pool
  const { vault, phase } = summary
  const [owners, credits, payments, votes, offer] = await Promise.all([
    readOwnersOf(db, vault, { account, offset: 0, limit: 1 }),
    readCredits(db, vault, account),
    readPaymentSums(db, vault, account),
    readVotes(db, vault, account),
    readFact<StoredOffer>(db, vault, 'buyout'),
  ])
  const [owner] = owners
  const shares = owner?.shares ?? 0n
  const bought = payments.get('bought')?.shares ?? 0n
  const refunded = payments.get('refunded')?.shares ?? 0n
  const refused = offer && !offer.end ? await readRefused(db, vault, offer.offer, account) : 0n
  return {
    shares,
    sharePpm: ppmOf(shares, BigInt(summary.supply)),
    bought: bought - refunded,
    claimableMinor: (owner?.earnedMinor ?? 0n) - (owner?.claimedMinor ?? 0n),
    claimedMinor: owner?.claimedMinor ?? 0n,
    earnedMinor: owner?.earnedMinor ?? 0n,
    creditMinor: credits[0]?.minor ?? 0n,
    delegate: owner?.delegate ?? zeroAddress,
    votes,
    redeemableMinor:
      phase === 'bought-out' && offer && shares > 0n ? shares * BigInt(offer.price) : null,
    refused,
  }
}
