import {
  type Abi,
  type Account,
  BaseError,
  ContractFunctionRevertedError,
  createPublicClient,
  encodeFunctionData,
  type Hex,
  http,
  type PublicClient,
  type TransactionReceipt,
} from 'viem'
import { eachBounded } from './bounded.ts'
import { CliError } from './failure.ts'
import { refusalText } from './refusal.ts'

/** One call of a contract. */
export interface Call {
  address: Hex
  abi: Abi
  functionName: string
  args: readonly unknown[]
}

/** An account that can sign by itself. */
export type Signer = Account & { signTransaction: NonNullable<Account['signTransaction']> }

export interface Ledger {
  client: PublicClient
  chainId: number
}

/** Transactions under way at once: the ledger holds a bounded number that wait for a lower nonce. */
const IN_FLIGHT = 200
/** Like calls need like gas; what another block's state adds is covered. */
const GAS_MARGIN_PERCENT = 150n
const POLL_MS = 100

export async function openLedger(rpcUrl: string): Promise<Ledger> {
  const client = createPublicClient({
    transport: http(rpcUrl, { timeout: 60_000 }),
    pollingInterval: POLL_MS,
    cacheTime: 0,
  })
  try {
    return { client, chainId: await client.getChainId() }
  } catch (cause) {
    throw new CliError(
      'LEDGER_UNREACHABLE',
      `No ledger answers at ${rpcUrl}. Start one with \`liquefy up\`.`,
      { cause },
    )
  }
}

/**
 * Sends calls that are alike, of one account, with rising nonces and many in a block. Answers their receipts in order.
 *
 * @throws CliError `TRANSACTION_REVERTED` with the contract's own reason.
 */
export async function sendAll(
  ledger: Ledger,
  account: Signer,
  calls: readonly Call[],
  onDone: (done: number) => void = () => {},
): Promise<TransactionReceipt[]> {
  const { client, chainId } = ledger
  const [first] = calls
  if (!first) return []
  const estimate = await estimateGas(client, account, first)
  const fees = await client.estimateFeesPerGas()
  const nonce = await client.getTransactionCount({ address: account.address, blockTag: 'pending' })
  let done = 0
  return eachBounded(calls, IN_FLIGHT, async (call, index) => {
    const serializedTransaction = await account.signTransaction({
      type: 'eip1559',
      chainId,
      to: call.address,
      data: encodeFunctionData(call),
      nonce: nonce + index,
      gas: (estimate * GAS_MARGIN_PERCENT) / 100n,
      maxFeePerGas: fees.maxFeePerGas * 2n,
      maxPriorityFeePerGas: fees.maxPriorityFeePerGas,
    })
    const hash = await client.sendRawTransaction({ serializedTransaction })
    const receipt = await client.waitForTransactionReceipt({ hash })
    if (receipt.status !== 'success') {
      // Asked again as of now, the contract says why.
      await estimateGas(client, account, call)
      throw new CliError(
        'TRANSACTION_REVERTED',
        `${call.functionName} was refused by the ledger (${hash}).`,
      )
    }
    onDone(++done)
    return receipt
  })
}

async function estimateGas(client: PublicClient, account: Signer, call: Call): Promise<bigint> {
  try {
    return await client.estimateContractGas({ ...call, account: account.address })
  } catch (error) {
    const reverted =
      error instanceof BaseError
        ? error.walk((cause) => cause instanceof ContractFunctionRevertedError)
        : null
    if (!(reverted instanceof ContractFunctionRevertedError)) throw error
    const message = reverted.data
      ? refusalText(call.functionName, reverted.data)
      : `${call.functionName} is refused by the contract: ${reverted.reason ?? 'no reason given'}.`
    throw new CliError('TRANSACTION_REVERTED', message, { cause: error })
  }
}
