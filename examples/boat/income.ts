import { machineVaultAbi } from '@liquefy/abi'
import { claimIncome, collectIncome, payCredit, transferShares } from '@liquefy/client'
import type { Hex } from '@liquefy/protocol'
import { parseEventLogs } from 'viem'
import type { Harbour } from './harbour.ts'
import { FOUNDER, FRIENDS, type Friend, GIVER, HARBOUR_OFFICE, LENDER, RECEIVER } from './people.ts'

/** One income, and where the waterfall led it; smallest units. */
export interface Income {
  amount: bigint
  reserve: bigint
  lender: bigint
  fees: bigint
  owners: bigint
}

/** Takes what the charter has settled through the waterfall. Anybody may; here the founder does. */
export async function takeIncome(
  { senderOf }: Harbour,
  vault: Hex,
  agreementId: Hex,
): Promise<Income> {
  const action = { ...senderOf(FOUNDER), vault, agreementIds: [agreementId] }
  const { logs } = await collectIncome(action)
  const [income] = parseEventLogs({ abi: machineVaultAbi, eventName: 'Income', logs })
  if (!income) throw new TypeError('There was nothing to collect.')
  const { amount, split } = income.args
  return { amount, ...split }
}

/** A friend gives another one of her shares: what it earned before stays hers. */
export async function giveShare({ senderOf, addressOf }: Harbour, vault: Hex): Promise<void> {
  await transferShares({ ...senderOf(GIVER), vault, to: addressOf(RECEIVER), shares: 1n })
}

/** Every friend takes what his shares have earned, bank and harbour office theirs; answers what each friend had. */
export async function claimAll({ senderOf }: Harbour, vault: Hex): Promise<Map<Friend, bigint>> {
  const claims = FRIENDS.map(async (friend) => {
    const { logs } = await claimIncome({ ...senderOf(friend), vault })
    const [claimed] = parseEventLogs({ abi: machineVaultAbi, eventName: 'Claimed', logs })
    if (!claimed) throw new TypeError(`The ledger paid ${friend} without saying so.`)
    return [friend, claimed.args.amount] as const
  })
  const creditors = [LENDER, HARBOUR_OFFICE].map((one) => payCredit({ ...senderOf(one), vault }))
  await Promise.all(creditors)
  return new Map(await Promise.all(claims))
}

/** How many shares each friend has, in their order. */
export function sharesHeld({ senderOf, addressOf }: Harbour, vault: Hex): Promise<bigint[]> {
  const { publicClient } = senderOf(FOUNDER)
  const contract = { address: vault, abi: machineVaultAbi } as const
  return Promise.all(
    FRIENDS.map((friend) =>
      publicClient.readContract({
        ...contract,
        functionName: 'balanceOf',
        args: [addressOf(friend)],
      }),
    ),
  )
}
