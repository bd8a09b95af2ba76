import { machineVaultAbi } from '@liquefy/abi'
import {
  buyShares,
  createVault,
  type GovernanceSetup,
  type NewVault,
  payCredit,
} from '@liquefy/client'
import type { Hex } from '@liquefy/protocol'
import { parseEventLogs } from 'viem'
import { DAY_SECONDS, EURO } from './charter.ts'
import type { Harbour } from './harbour.ts'
import { BUYERS, FOUNDER, HARBOUR_OFFICE, LENDER, sharesOf } from './people.ts'

/** What a share costs. */
export const SHARE_MINOR = 450n * EURO
/** First of all income, what a new engine costs is put aside. */
export const RESERVE_MINOR = 700n * EURO
/** Then the bank has its loan back. */
export const LOAN_MINOR = 300n * EURO
/** Of the rest, in parts of 10,000: the harbour office's, for the berth. */
const BERTH_BPS = 300

/** A day to read, three to vote, two until it is done; a quarter of all shares must take part. */
export const GOVERNANCE: GovernanceSetup = {
  votingDelaySeconds: DAY_SECONDS,
  votingPeriodSeconds: 3 * DAY_SECONDS,
  proposalThreshold: 1n,
  quorumPercent: 25,
  timelockSeconds: 2 * DAY_SECONDS,
}
const SALE_SECONDS = 7 * DAY_SECONDS

/** The founder gives the boat into a vault, and offers all shares but her own for a week. */
export function foundCompany(harbour: Harbour, machineId: bigint): Promise<NewVault> {
  const { deployment, clock, addressOf, senderOf } = harbour
  const cap = BUYERS.reduce((sum, friend) => sum + sharesOf(friend), 0n)
  const deadline = BigInt(Math.floor(clock.nowMs() / 1_000) + SALE_SECONDS)
  return createVault({
    ...senderOf(FOUNDER),
    deployment,
    governance: GOVERNANCE,
    setup: {
      name: 'Boat Plaka',
      symbol: 'PLAKA',
      asset: deployment.asset.address,
      operator: addressOf(FOUNDER),
      machineIds: [machineId],
      founderShares: sharesOf(FOUNDER),
      sale: { priceMinor: SHARE_MINOR, cap, goal: cap, deadline },
      buyout: { minBps: 7_500, refusalBps: 5_000, delaySeconds: 30 * DAY_SECONDS },
      waterfall: {
        reserveTarget: RESERVE_MINOR,
        lender: { account: addressOf(LENDER), outstanding: LOAN_MINOR },
        fees: [{ to: addressOf(HARBOUR_OFFICE), bps: BERTH_BPS }],
      },
    },
  })
}

/**
 * Thirty-nine friends buy what is for sale; with the last share the sale has ended, and the founder takes the proceeds.
 *
 * @returns the proceeds, smallest units.
 */
export async function sellShares(harbour: Harbour, vault: Hex): Promise<bigint> {
  const asset = harbour.deployment.asset.address
  await Promise.all(
    BUYERS.map((friend) => {
      const shares = sharesOf(friend)
      const buyer = harbour.senderOf(friend)
      return buyShares({ ...buyer, vault, asset, shares, priceMinor: SHARE_MINOR })
    }),
  )
  const { logs } = await payCredit({ ...harbour.senderOf(FOUNDER), vault })
  const [paid] = parseEventLogs({ abi: machineVaultAbi, eventName: 'CreditPaid', logs })
  if (!paid) throw new TypeError('The ledger paid the proceeds without saying so.')
  return paid.args.amount
}
