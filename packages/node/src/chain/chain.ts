import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { createPublicClient, defineChain, type Hex, type PublicClient } from 'viem'
import type { Clock } from '../clock.ts'
import type { OutboxObserver } from '../measures.ts'
import type { Database, Queryable } from '../store/database.ts'
import { checkDeployment, deployContracts } from './deploy.ts'
import { type ContractDeployment, DeploymentError, parseDeployment } from './deployment.ts'
import { type EmbeddedChain, startEmbeddedChain } from './embedded.ts'
import { type Applied, type Follower, startFollower } from './follower.ts'
import type { Keys } from './keys.ts'
import type { Logger } from './logger.ts'
import { type Outbox, startOutbox } from './outbox.ts'
import { deployOutside } from './outside-deployment.ts'
import { publicRpcUrl, rpcTransport } from './rpc-transport.ts'

/** The ledger as the rest of the node sees it. */
export interface Chain {
  chainId: number
  /** May hold secrets; `Deployment.rpcUrl` is for others. */
  rpcUrl: string
  embedded: boolean
  publicClient: PublicClient
  deployment: ContractDeployment
  /** Signs checkpoints, sends anchors and settlements. */
  log: Hex
  /** Named accounts of the embedded chain, empty on an outside one. */
  people: { name: string; address: Hex }[]
  outbox: Outbox
  follower: Follower
  /** Blocks that the node's tables hold, and those of them that stay. */
  block(): { included: number; final: number }
  stop(): Promise<void>
}

export interface ChainOptions {
  dataDir: string
  database: Database
  clock: Clock
  logger: Logger
  keys: Keys
  /** A chain of one's own instead of the embedded one. */
  rpcUrl?: string | undefined
  /** With `rpcUrl`: deployment file of contracts that stand already, instead of `<dataDir>/deployment.json`. */
  deploymentPath?: string | undefined
  /** With `rpcUrl`: the token that agreements are paid in, when the node deploys the contracts. A test euro unless told. */
  asset?: Hex | undefined
  /** Blocks below the head that count as final on a chain without the `finalized` tag. 12 unless told. */
  finalityBlocks?: number | undefined
  /** Embedded chain only: as `startEmbeddedChain` takes them. */
  rpcPort?: number | undefined
  genesisTimestamp?: number | undefined
  blockMs?: number | undefined
  observer?: OutboxObserver | undefined
  /** Contracts that are known already, whatever the files say. */
  knownDeployment?: ContractDeployment | undefined
  /** As `startFollower` takes it. */
  announce?: ((db: Queryable, change: Applied) => Promise<void>) | undefined
}

/** Reads a ledger. */
export function ledgerClient(
  rpcUrl: string,
  chainId: number,
  pollingInterval: number,
): PublicClient {
  const nativeCurrency = { name: 'Ether', symbol: 'ETH', decimals: 18 }
  const rpcUrls = { default: { http: [publicRpcUrl(rpcUrl)] } }
  const chain = defineChain({ id: chainId, name: 'Ledger', nativeCurrency, rpcUrls })
  const transport = rpcTransport(rpcUrl)
  return createPublicClient({ chain, transport, pollingInterval, cacheTime: 0 })
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

async function writeDeployment(path: string, deployment: ContractDeployment): Promise<void> {
  const file = await open(`${path}.new`, 'w')
  try {
    await file.writeFile(`${JSON.stringify(deployment, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
}

/** The deployment that a data folder, or the file named, tells of. */
async function knownDeployment(options: ChainOptions): Promise<ContractDeployment | undefined> {
  if (options.deploymentPath) {
    const text = await readText(options.deploymentPath)
    if (text === undefined) {
      throw new DeploymentError(`There is no deployment file at ${options.deploymentPath}.`)
    }
    return parseDeployment(text)
  }
  const text = await readText(join(options.dataDir, 'deployment.json'))
  return text === undefined ? undefined : parseDeployment(text)
}

async function openDeployment(
  client: PublicClient,
  options: ChainOptions,
): Promise<ContractDeployment> {
  const known = options.knownDeployment ?? (await knownDeployment(options))
  if (known) {
    await checkDeployment(client, known)
    return known
  }
  const { dataDir, keys, asset } = options
  const holders = keys.people.map(({ account }) => account.address)
  const deployment = options.rpcUrl
    ? await deployOutside({ client, dataDir, keys, asset })
    : await deployContracts({ client, deployer: keys.deployer, holders })
  await writeDeployment(join(dataDir, 'deployment.json'), deployment)
  return deployment
}

/** @throws LiquefyError `LEDGER_UNREACHABLE` */
export async function outsideChainId(rpcUrl: string): Promise<number> {
  try {
    return await createPublicClient({ transport: rpcTransport(rpcUrl) }).getChainId()
  } catch (cause) {
    // The path of an RPC address is often a secret: only its host is named.
    throw new LiquefyError(
      'LEDGER_UNREACHABLE',
      `No ledger answers at ${new URL(rpcUrl).host}. Is it running, and is RPC_URL right?`,
      { cause },
    )
  }
}

/**
 * Connects the node to its ledger: the outside chain at `rpcUrl`, or the embedded one. Either gets its contracts on the first start.
 * Follows its events into the tables and sends what is submitted to the outbox.
 * Throws LiquefyError `LEDGER_UNREACHABLE` if nothing answers there, DeploymentError if the contracts are not where they should be, GasMoneyError if nobody pays for putting them there.
 */
export async function startChain(options: ChainOptions): Promise<Chain> {
  const { dataDir, rpcUrl, database, clock, logger, keys } = options
  await mkdir(dataDir, { recursive: true })
  let embedded: EmbeddedChain | undefined
  if (!rpcUrl) {
    const { rpcPort: port, genesisTimestamp, blockMs } = options
    embedded = await startEmbeddedChain({
      dataDir,
      clock,
      logger,
      keys,
      ...(port === undefined ? {} : { port }),
      ...(genesisTimestamp === undefined ? {} : { genesisTimestamp }),
      ...(blockMs === undefined ? {} : { blockMs }),
    })
  }
  try {
    const url = embedded?.rpcUrl ?? rpcUrl ?? ''
    const chainId = embedded?.chainId ?? (await outsideChainId(url))
    const publicClient = ledgerClient(url, chainId, embedded ? 100 : 2_000)
    const deployment = await openDeployment(publicClient, options)
    const follower = startFollower({
      client: publicClient,
      deployment,
      database,
      clock,
      logger,
      pollMs: embedded ? 500 : 1_000,
      finality: embedded ? 'head' : 'tag',
      finalityBlocks: options.finalityBlocks ?? 12,
      announce: options.announce,
    })
    embedded?.onBlock(() => follower.kick())
    const outbox = startOutbox({
      client: publicClient,
      account: keys.operator,
      chainId,
      database,
      follower,
      clock,
      logger,
      retryMs: embedded ? 1_000 : 5_000,
      bumpAfterMs: embedded ? undefined : 60_000,
      observer: options.observer,
    })
    const people = keys.people.map(({ name, account }) => ({ name, address: account.address }))
    return {
      chainId,
      rpcUrl: url,
      embedded: embedded !== undefined,
      publicClient,
      deployment,
      log: keys.operator.address.toLowerCase() as Hex,
      people: embedded ? people : [],
      outbox,
      follower,
      block: () => follower.block(),
      async stop() {
        await outbox.stop()
        await follower.stop()
        await embedded?.stop()
      },
    }
  } catch (error) {
    await embedded?.stop()
    throw error
  }
}
