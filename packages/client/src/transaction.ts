import { LiquefyError } from '@liquefy/protocol'
import {
  type Abi,
  type Account,
  BaseError,
  type Chain,
  ContractFunctionRevertedError,
  formatEther,
  type Hash,
  type PublicClient,
  type TransactionReceipt,
  type Transport,
  type WalletClient,
} from 'viem'
import { refusalText } from './refusal.ts'
import type { Hex } from './types.ts'

/** A party's wallet: a key of one's own, or one that a browser's wallet keeps. */
export type Wallet = WalletClient<Transport, Chain | undefined, Account>

/** Who sends, and the ledger to send to. */
export interface Sender {
  publicClient: PublicClient
  wallet: Wallet
}

/** One call of a contract. */
export interface Call {
  address: Hex
  abi: Abi
  functionName: string
  args: readonly unknown[]
}

/** A call that the contract refuses, with its reason in words; `errorName` is the contract's own where it gave one. */
export class TransactionRevertedError extends LiquefyError {
  readonly errorName: string | undefined

  constructor(message: string, options: { errorName?: string | undefined; cause?: unknown } = {}) {
    super('TRANSACTION_REVERTED', message, { cause: options.cause })
    this.name = 'TransactionRevertedError'
    this.errorName = options.errorName
  }
}

/** The sender has too little of the ledger's coin. Ledgers take a transaction only from who has the most that it may cost. */
export class GasMoneyMissingError extends LiquefyError {
  constructor(address: Hex, have: bigint, needed: bigint) {
    super(
      'GAS_MONEY_MISSING',
      `The account ${address} has ${formatEther(have)} ETH, and up to ${formatEther(needed)} ETH of gas are needed: send it coin of this ledger, and try again.`,
    )
    this.name = 'GasMoneyMissingError'
  }
}

/** Transactions under way at once: a ledger holds a bounded number that wait for a lower nonce. */
const IN_FLIGHT = 200
/** In percent: what comes before it in its block may make a call cost more than when it was estimated. */
const GAS_MARGIN = 150n

/**
 * Sends one call and waits for its block.
 *
 * @throws TransactionRevertedError before anything is sent if the contract would refuse it.
 * @throws GasMoneyMissingError before anything is sent if the account cannot pay for the gas.
 */
export async function send(sender: Sender, call: Call): Promise<TransactionReceipt> {
  const [receipt] = await sendAll(sender, [call])
  if (!receipt) throw new RangeError('One call has one receipt.')
  return receipt
}

/**
 * Sends calls that are alike with rising nonces, many in a block. Answers their receipts in order.
 *
 * @throws TransactionRevertedError before anything is sent if the contract would refuse the first; later if another one.
 * @throws GasMoneyMissingError before anything is sent if the account cannot pay for the gas of the first.
 */
export async function sendAll(
  sender: Sender,
  calls: readonly Call[],
  onDone: (done: number) => void = () => {},
): Promise<TransactionReceipt[]> {
  const { publicClient, wallet } = sender
  const [first] = calls
  if (!first) return []
  const gas = ((await estimateGas(sender, first)) * GAS_MARGIN) / 100n
  const { maxFeePerGas, maxPriorityFeePerGas } = await publicClient.estimateFeesPerGas()
  const { address } = wallet.account
  const [have, needed] = [await publicClient.getBalance({ address }), gas * maxFeePerGas * 2n]
  if (have < needed) throw new GasMoneyMissingError(address, have, needed)
  const nonce = await publicClient.getTransactionCount({ address, blockTag: 'pending' })
  const fees = { gas, maxFeePerGas: maxFeePerGas * 2n, maxPriorityFeePerGas }
  const receipts: Promise<TransactionReceipt>[] = []
  let done = 0
  for (const [index, call] of calls.entries()) {
    await receipts[index - IN_FLIGHT]
    const hash = await wallet.writeContract({
      ...call,
      ...fees,
      chain: wallet.chain ?? null,
      account: wallet.account,
      nonce: nonce + index,
    })
    const receipt = receiptOf(sender, call, hash).then((given) => {
      onDone(++done)
      return given
    })
    // A refusal is told below, or above if it is one of the many; until then nobody listens.
    receipt.catch(() => {})
    receipts.push(receipt)
  }
  return Promise.all(receipts)
}

async function receiptOf(sender: Sender, call: Call, hash: Hash): Promise<TransactionReceipt> {
  const receipt = await sender.publicClient.waitForTransactionReceipt({ hash })
  if (receipt.status === 'success') return receipt
  // Asked again as of now, the contract says why.
  await estimateGas(sender, call)
  throw new TransactionRevertedError(`${call.functionName} was refused by the ledger (${hash}).`)
}

async function estimateGas({ publicClient, wallet }: Sender, call: Call): Promise<bigint> {
  try {
    return await publicClient.estimateContractGas({
      ...call,
      account: wallet.account,
      blockTag: 'pending',
    })
  } catch (error) {
    const reverted =
      error instanceof BaseError
        ? error.walk((cause) => cause instanceof ContractFunctionRevertedError)
        : null
    if (!(reverted instanceof ContractFunctionRevertedError)) throw error
    const message = reverted.data
      ? refusalText(call.functionName, reverted.data)
      : `${call.functionName} is refused by the contract: ${reverted.reason ?? 'no reason given'}.`
    throw new TransactionRevertedError(message, {
      errorName: reverted.data?.errorName,
      cause: error,
    })
  }
}
