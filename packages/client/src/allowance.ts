import { testEuroAbi } from '@liquefy/abi'
import { erc20Abi } from 'viem'
import { type Sender, send } from './transaction.ts'
import type { Hex } from './types.ts'

/** Of which token who may take how much, smallest units. */
export interface Allowance {
  asset: Hex
  spender: Hex
  amountMinor: bigint
}

/** Lets the spender take so much of the wallet's tokens, unless he may already. */
export async function letTake(action: Sender, allowance: Allowance): Promise<void> {
  const { asset, spender, amountMinor } = allowance
  if ((await allowedMinor(action, allowance)) >= amountMinor) return
  const args = [spender, amountMinor]
  await send(action, { address: asset, abi: testEuroAbi, functionName: 'approve', args })
}

/** What the spender may take of the wallet's tokens. */
export function allowedMinor(
  { publicClient, wallet }: Sender,
  { asset, spender }: Pick<Allowance, 'asset' | 'spender'>,
): Promise<bigint> {
  return publicClient.readContract({
    address: asset,
    abi: erc20Abi,
    functionName: 'allowance',
    args: [wallet.account.address, spender],
  })
}
