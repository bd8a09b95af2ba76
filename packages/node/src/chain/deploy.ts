import {
  allowListsBytecode,
  clearingHouseAbi,
  clearingHouseBytecode,
  didRegistryBytecode,
  erc7913P256VerifierBytecode,
  evidenceAnchorBytecode,
  linearTariffBytecode,
  machineAccountAbi,
  machineAccountBytecode,
  machineGovernorBytecode,
  machineRegistryAbi,
  machineRegistryBytecode,
  machineVaultAbi,
  machineVaultBytecode,
  p256Sha256VerifierBytecode,
  planTariffBytecode,
  testEuroAbi,
  testEuroBytecode,
  tieredTariffBytecode,
  vaultFactoryAbi,
  vaultFactoryBytecode,
  vaultTimelockBytecode,
} from '@liquefy/abi'
import {
  type Abi,
  encodeDeployData,
  encodeFunctionData,
  getContractAddress,
  type Hex,
  type PublicClient,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import {
  type Asset,
  type ContractDeployment,
  contractAddresses,
  DeploymentError,
} from './deployment.ts'
import { ERC6551_REGISTRY, ERC6551_REGISTRY_DEPLOYMENT } from './erc6551.ts'
import { type Fees, feesNow } from './fees.ts'

/** Ten million test euros each: worth nothing, and enough for every demo. */
const MINTED_MINOR = 10_000_000n * 10n ** 6n

interface Step {
  to?: Hex
  data: Hex
}

const EMPTY: Abi = []

const create = (bytecode: Hex, abi: Abi = EMPTY, args: unknown[] = []): Step => ({
  data: encodeDeployData({ abi, bytecode, args }),
})

/**
 * The contracts in their order: the address of each follows from the deployer and its place. The test euro is the last of them.
 * The registry of ERC-6551 is not among them: it may stand already, and stands at the same address whoever sent it.
 */
function plan(deployer: Hex, holders: readonly Hex[], asset: Asset | undefined) {
  const at = (nonce: number): Hex =>
    getContractAddress({ from: deployer, nonce: BigInt(nonce) }).toLowerCase() as Hex
  const addresses = {
    p256Sha256Verifier: at(0),
    p256RawVerifier: at(1),
    registry: at(2),
    clearingHouse: at(3),
    evidenceAnchor: at(4),
    linearTariff: at(5),
    tieredTariff: at(6),
    planTariff: at(7),
    accounts: { erc6551Registry: ERC6551_REGISTRY, didRegistry: at(8), machineAccount: at(9) },
    cooperation: {
      machineVault: at(10),
      machineGovernor: at(11),
      vaultTimelock: at(12),
      vaultFactory: at(13),
      allowLists: at(14),
    },
    asset: asset ?? { address: at(15), symbol: 'tEUR', decimals: 6 },
  }
  const { p256Sha256Verifier, p256RawVerifier, registry, clearingHouse } = addresses
  const { accounts, cooperation } = addresses
  const steps: Step[] = [
    create(p256Sha256VerifierBytecode),
    create(erc7913P256VerifierBytecode),
    create(machineRegistryBytecode, machineRegistryAbi, [
      p256Sha256Verifier,
      p256RawVerifier,
      accounts.machineAccount,
    ]),
    create(clearingHouseBytecode, clearingHouseAbi, [registry]),
    create(evidenceAnchorBytecode),
    create(linearTariffBytecode),
    create(tieredTariffBytecode),
    create(planTariffBytecode),
    create(didRegistryBytecode),
    create(machineAccountBytecode, machineAccountAbi, [accounts.didRegistry]),
    create(machineVaultBytecode, machineVaultAbi, [registry, clearingHouse]),
    create(machineGovernorBytecode),
    create(vaultTimelockBytecode),
    create(vaultFactoryBytecode, vaultFactoryAbi, [
      registry,
      cooperation.machineVault,
      cooperation.machineGovernor,
      cooperation.vaultTimelock,
    ]),
    create(allowListsBytecode),
  ]
  if (asset) return { addresses, steps }
  const mints = holders.map((holder) => ({
    to: addresses.asset.address,
    data: encodeFunctionData({
      abi: testEuroAbi,
      functionName: 'mint',
      args: [holder, MINTED_MINOR],
    }),
  }))
  return { addresses, steps: [...steps, create(testEuroBytecode), ...mints] }
}

/** Later steps call contracts that stand only when the earlier ones are mined: their gas cannot be estimated. */
const gasOf = (step: Step): bigint => 500_000n + 250n * BigInt(step.data.length / 2)

/** Throws {@link DeploymentError} unless the chain is the deployment's and every contract has code. */
export async function checkDeployment(
  client: PublicClient,
  deployment: ContractDeployment,
): Promise<void> {
  const chainId = await client.getChainId()
  if (chainId !== deployment.chainId) {
    throw new DeploymentError(
      `The deployment is for chain ${deployment.chainId}, but the ledger is chain ${chainId}. Check RPC_URL and the deployment file.`,
    )
  }
  for (const [name, address] of Object.entries(contractAddresses(deployment))) {
    if ((await client.getCode({ address })) === undefined) {
      throw new DeploymentError(
        `The ledger has no contract at ${address} (${name}). Check RPC_URL and the deployment file.`,
      )
    }
  }
}

/** What is to be deployed. */
export interface DeployOptions {
  client: PublicClient
  /** An account that sends nothing else: steps are told by its nonce. */
  deployer: PrivateKeyAccount
  /** Who gets test euros. */
  holders: readonly Hex[]
  /** What money is, if it stands on the chain already; without it the test euro is deployed. */
  asset?: Asset | undefined
}

/** Gas that the steps still to be done may use at most. */
export async function gasToDeploy(options: DeployOptions): Promise<bigint> {
  const { client, deployer, holders, asset } = options
  const { steps } = plan(deployer.address, holders, asset)
  const done = await client.getTransactionCount({ address: deployer.address })
  const missing = [...steps.slice(done), ...(await missingErc6551(client))]
  return missing.reduce((sum, step) => sum + gasOf(step), 0n)
}

/** ERC-6551 names one registry for all chains, and how it gets there. */
async function missingErc6551(client: PublicClient): Promise<Step[]> {
  if ((await client.getCode({ address: ERC6551_REGISTRY })) !== undefined) return []
  const { to } = ERC6551_REGISTRY_DEPLOYMENT
  if ((await client.getCode({ address: to })) === undefined) {
    throw new DeploymentError(
      `This chain has neither the registry of ERC-6551 nor the deterministic deployment proxy at ${to}, which puts it at its address. Put the proxy there first: its repository (deterministic-deployment-proxy) has the signed transaction.`,
    )
  }
  return [ERC6551_REGISTRY_DEPLOYMENT]
}

/**
 * Deploys every contract, and mints test euros to `holders`. One that was cut short goes on where it stopped, and one which is
 * done does nothing. `fees` and `fromBlock`, the first block that can hold an event: what the chain takes now, and 0, unless told.
 * Throws {@link DeploymentError} if the chain refuses a step.
 */
export async function deployContracts(
  options: DeployOptions & { fees?: Fees; fromBlock?: number },
): Promise<ContractDeployment> {
  const { client, deployer, holders, asset, fromBlock = 0 } = options
  const chainId = await client.getChainId()
  const { addresses, steps } = plan(deployer.address, holders, asset)
  const done = await client.getTransactionCount({ address: deployer.address })
  const fees = options.fees ?? (await feesNow(client))
  const raws: Hex[] = []
  const missing = [...steps.slice(done), ...(await missingErc6551(client))]
  for (const [index, step] of missing.entries()) {
    const nonce = done + index
    raws.push(
      await deployer.signTransaction({ ...step, ...fees, chainId, nonce, gas: gasOf(step) }),
    )
  }
  const hashes = await Promise.all(
    raws.map((serializedTransaction) => client.sendRawTransaction({ serializedTransaction })),
  )
  for (const hash of hashes) {
    const { status } = await client.waitForTransactionReceipt({ hash })
    if (status !== 'success')
      throw new DeploymentError(`The ledger refused deployment step ${hash}.`)
  }
  const deployment = { chainId, fromBlock, ...addresses }
  await checkDeployment(client, deployment)
  return deployment
}
