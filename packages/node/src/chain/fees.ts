import { larger } from '@liquefy/protocol'
import type { PublicClient } from 'viem'

/** Fee fields of a transaction: EIP-1559, or legacy where the chain has no base fee. Wei a gas. */
export type Fees =
  | { type: 'eip1559'; maxFeePerGas: bigint; maxPriorityFeePerGas: bigint }
  | { type: 'legacy'; gasPrice: bigint }

/** Fees that the chain takes now, with room for its base fee to double. */
export async function feesNow(client: PublicClient): Promise<Fees> {
  const block = await client.getBlock({ blockTag: 'latest', includeTransactions: false })
  if (block.baseFeePerGas === null) {
    return { type: 'legacy', gasPrice: await client.getGasPrice() }
  }
  const maxPriorityFeePerGas = await client.estimateMaxPriorityFeePerGas()
  const maxFeePerGas = block.baseFeePerGas * 2n + maxPriorityFeePerGas
  return { type: 'eip1559', maxFeePerGas, maxPriorityFeePerGas }
}

/** The most that a gas may cost, in wei. */
export function mostOf(fees: Fees): bigint {
  return fees.type === 'legacy' ? fees.gasPrice : fees.maxFeePerGas
}

// Nodes replace a transaction of the same nonce only for at least a tenth more.
const raised = (fee: bigint) => (fee * 9n) / 8n + 1n

/** Fees that replace a transaction which paid `old`, and are no less than what the chain takes `now`. */
export function bumpFees(old: Fees, now: Fees): Fees {
  if (old.type === 'legacy') {
    return { type: 'legacy', gasPrice: larger(raised(old.gasPrice), mostOf(now)) }
  }
  const nowFee = mostOf(now)
  const nowTip = now.type === 'legacy' ? 0n : now.maxPriorityFeePerGas
  return {
    type: 'eip1559',
    maxFeePerGas: larger(raised(old.maxFeePerGas), nowFee),
    maxPriorityFeePerGas: larger(raised(old.maxPriorityFeePerGas), nowTip),
  }
}
