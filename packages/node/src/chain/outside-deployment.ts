import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { erc20Abi, formatEther, type Hex, type PublicClient } from 'viem'
import { deployContracts, gasToDeploy } from './deploy.ts'
import { type Asset, type ContractDeployment, DeploymentError } from './deployment.ts'
import { type Fees, feesNow, mostOf } from './fees.ts'
import type { Keys } from './keys.ts'

/** For the operator's first anchors and settlements, and for passing on what the deployment costs. */
const OPERATOR_GAS = 3_000_000n
/** More than a plain transfer takes on any chain; what is not used is not paid. */
const TRANSFER_GAS = 200_000n

/** The contracts are not on the chain, and nobody has paid for putting them there. */
export class GasMoneyError extends LiquefyError {
  /** The account to fund. */
  readonly address: Hex
  /** What it must hold, with room for fees to rise. */
  readonly wei: bigint

  constructor(address: Hex, gas: bigint, fees: Fees, has: bigint) {
    const wei = (gas * mostOf(fees) * 5n) / 4n
    super(
      'GAS_MONEY_MISSING',
      `The contracts are not on this chain yet. To deploy them ${address} must hold at least ${formatEther(wei)} of the chain's coin (${gas} gas at today's fee, and a quarter more); it has ${formatEther(has)}. Send it that and start again, or set LIQUEFY_DEPLOYMENT to the file of contracts that stand already.`,
    )
    this.name = 'GasMoneyError'
    this.address = address
    this.wei = wei
  }
}

/**
 * Deploys the contracts to a chain that is not the node's own, paid by its operator. Money is `asset`, an ERC-20 token; without it
 * the test euro, of which nobody is given any.
 *
 * @throws GasMoneyError if the operator cannot pay; DeploymentError if `asset` is no token.
 */
export async function deployOutside(options: {
  client: PublicClient
  dataDir: string
  keys: Keys
  asset: Hex | undefined
}): Promise<ContractDeployment> {
  const { client, dataDir, keys } = options
  const asset = options.asset === undefined ? undefined : await readAsset(client, options.asset)
  const plan = { client, deployer: keys.deployer, holders: [], asset }
  const fees = await feesNow(client)
  await fundDeployer(client, keys, await gasToDeploy(plan), fees)
  const begun = join(dataDir, 'deployment.begun')
  const deployment = await deployContracts({
    ...plan,
    fees,
    fromBlock: await blockOfBeginning(client, begun),
  })
  await rm(begun, { force: true })
  return deployment
}

async function readAsset(client: PublicClient, address: Hex): Promise<Asset> {
  try {
    const [symbol, decimals] = await Promise.all([
      client.readContract({ address, abi: erc20Abi, functionName: 'symbol' }),
      client.readContract({ address, abi: erc20Abi, functionName: 'decimals' }),
    ])
    return { address, symbol, decimals }
  } catch (cause) {
    throw new DeploymentError(
      `LIQUEFY_ASSET is ${address}, which is no ERC-20 token on this chain. Check it and RPC_URL.`,
      { cause },
    )
  }
}

/** The deployer's nonce is the plan, so that it pays for nothing else: the operator is who people fund. */
async function fundDeployer(
  client: PublicClient,
  { operator, deployer }: Keys,
  gas: bigint,
  fees: Fees,
): Promise<void> {
  const [deployerHas, operatorHas] = await Promise.all([
    client.getBalance({ address: deployer.address }),
    client.getBalance({ address: operator.address }),
  ])
  const missing = gas * mostOf(fees) - deployerHas
  if (missing <= 0n) return
  if (operatorHas < missing + OPERATOR_GAS * mostOf(fees)) {
    throw new GasMoneyError(operator.address, gas + OPERATOR_GAS, fees, operatorHas)
  }
  const serializedTransaction = await operator.signTransaction({
    ...fees,
    chainId: await client.getChainId(),
    nonce: await client.getTransactionCount({ address: operator.address, blockTag: 'pending' }),
    to: deployer.address,
    value: missing,
    gas: TRANSFER_GAS,
  })
  const hash = await client.sendRawTransaction({ serializedTransaction })
  const { status } = await client.waitForTransactionReceipt({ hash })
  if (status !== 'success') throw new DeploymentError(`The ledger refused the transfer ${hash}.`)
}

/** Head of the chain when the deployment began, kept until it is done: a second try must not begin to read later than the first. */
async function blockOfBeginning(client: PublicClient, path: string): Promise<number> {
  const chainId = await client.getChainId()
  try {
    const begun = JSON.parse(await readFile(path, 'utf8')) as {
      chainId: number
      fromBlock: number
    }
    if (begun.chainId === chainId && Number.isSafeInteger(begun.fromBlock)) return begun.fromBlock
  } catch (error) {
    const isAbsent = (error as NodeJS.ErrnoException).code === 'ENOENT'
    if (!isAbsent && !(error instanceof SyntaxError)) throw error
  }
  const fromBlock = Number(await client.getBlockNumber())
  await writeFile(path, JSON.stringify({ chainId, fromBlock }))
  return fromBlock
}
