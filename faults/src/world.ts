import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testEuroAbi } from '@liquefy/abi'
import { type Client, createClient, type Deployment, type Wallet } from '@liquefy/client'
import { createKey } from '@liquefy/machine'
import { openKeys } from '@liquefy/node'
import {
  type CounterRule,
  encodeTariffData,
  type Hex,
  machineSigner,
  ruleHash,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { walletLedger } from '@liquefy/simulator'
import { createPublicClient, createWalletClient, defineChain, http, toHex } from 'viem'
import { type OutsideChain, startOutsideChain } from './chain.ts'
import { type OutsideDatabase, startOutsideDatabase } from './database.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { type Random, randomOf } from './random.ts'
import { type RpcProxy, startRpcProxy } from './rpc-proxy.ts'
import { type Supervised, supervise } from './supervised.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** Smallest units of money for a gram. */
export const PRICE = 7n
/** What each agreement holds in the beginning. */
export const ESCROW_MINOR = 500_000_000n

const BLOCK_MS = 1_000
const SETTLED_BLOCKS = 8
const DAY = 86_400
const PAYER = 'Nordmühle GmbH'
const PAYEE = 'Silowerk AG'
const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '100000000', perHour: '100000000' },
}

/** A machine and the agreement under which it is paid. */
export interface Site {
  machineId: bigint
  agreementId: Hex
}

/** A node with all that it stands on and all that talks to it, each of which can be struck. */
export interface World {
  readonly random: Random
  /** Everything that the run writes; gone after `stop`, unless that is told to keep it. */
  readonly folder: string
  readonly chain: OutsideChain
  readonly rpc: RpcProxy
  readonly database: OutsideDatabase
  readonly node: Supervised
  /** Devices reach the broker by it. */
  readonly broker: TcpProxy
  readonly fleet: Fleet
  readonly sites: readonly Site[]
  readonly deployment: Deployment
  /** Account that sends the node's transactions. */
  readonly operator: Hex
  /** Of the node as it runs now. */
  client(): Client
  /** Origin of its API. */
  url(): string
  stop(options?: { keep: boolean }): Promise<void>
}

/** Starts everything, with `devices` devices that count, each under an agreement of its own with money in it. */
export async function startWorld(options: {
  seed: number
  devices?: number
  /** Time between two readings of a device, ms. */
  everyMs?: number
}): Promise<World> {
  const random = randomOf(options.seed)
  const folder = mkdtempSync(join(tmpdir(), 'liquefy-faults-'))
  // As root, the database runs under an account of its own, which has to pass through.
  chmodSync(folder, 0o711)
  const ends: (() => Promise<unknown> | unknown)[] = []
  const stop: World['stop'] = async ({ keep } = { keep: false }) => {
    for (const end of ends.reverse()) await end()
    if (!keep) rmSync(folder, { recursive: true, force: true })
  }
  try {
    return await start({ ...options, random, folder, ends, stop })
  } catch (error) {
    await stop({ keep: true })
    throw error
  }
}

async function start(options: {
  random: Random
  folder: string
  ends: (() => Promise<unknown> | unknown)[]
  stop: World['stop']
  devices?: number
  everyMs?: number
}): Promise<World> {
  const { random, folder, ends, stop, devices = 3, everyMs = 40 } = options
  const database = await startOutsideDatabase(folder)
  ends.push(() => database.close())
  const dataDir = join(folder, 'node')
  mkdirSync(dataDir)
  const keys = await openKeys(dataDir)
  const people = keys.people.map(({ account }) => account.address)
  const accounts = [keys.operator.address, keys.deployer.address, ...people]
  const chain = await startOutsideChain(join(folder, 'chain'), accounts)
  ends.push(() => chain.stop())
  const rpc = await startRpcProxy(chain.url, random.branch())
  ends.push(() => rpc.close())
  const broker = await startTcpProxy()
  ends.push(() => broker.close())

  let url = ''
  const node = supervise({
    program: join(import.meta.dirname, 'node-process.ts'),
    args: [dataDir, database.url, rpc.url],
    logFile: join(folder, 'node.log'),
    onMessage(message) {
      const where = message as { url: string; mqttUrl: string }
      url = where.url
      broker.target = Number(new URL(where.mqttUrl).port)
    },
  })
  ends.push(() => node.stop())
  await node.ready()
  const client = () => createClient({ url })
  const deployment = await client().deployment()

  const wallets = new Map(keys.people.map(({ name, account }) => [name, account]))
  const viemChain = defineChain({
    id: deployment.chainId,
    name: 'Outside',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [chain.url] } },
  })
  const transport = http(chain.url)
  const publicClient = createPublicClient({
    chain: viemChain,
    transport,
    pollingInterval: 50,
    cacheTime: 0,
  })
  const walletOf = (name: string): Wallet => {
    const account = wallets.get(name)
    if (!account) throw new Error(`There is no ${name}.`)
    return createWalletClient({ account, chain: viemChain, transport })
  }
  const payer = walletOf(PAYER)
  const minted = await payer.writeContract({
    address: deployment.asset.address,
    abi: testEuroAbi,
    chain: viemChain,
    functionName: 'mint',
    args: [payer.account.address, ESCROW_MINOR * BigInt(devices)],
  })
  await publicClient.waitForTransactionReceipt({ hash: minted })
  await client().submitRules([RULE])
  const ledger = walletLedger({ deployment, publicClient, walletOf })
  const sites: Site[] = []
  const folders: string[] = []
  for (let index = 0; index < devices; index += 1) {
    const deviceFolder = join(folder, `device-${index}`)
    const key = createKey(deviceFolder)
    const machineId = await ledger.registerMachine({ key, owner: PAYEE })
    const terms = termsOf(machineId, deployment, payer, walletOf(PAYEE))
    const agreementId = await ledger.openAgreement({ terms, payer: PAYER, payee: PAYEE })
    await ledger.fund({ agreementId, person: PAYER, amountMinor: ESCROW_MINOR })
    sites.push({ machineId, agreementId })
    folders.push(deviceFolder)
  }
  // No reorganisation shall reach what was done so far: parties would have to do it again.
  await chain.call('anvil_mine', [toHex(SETTLED_BLOCKS)])
  chain.blockMs = BLOCK_MS

  const { chainId, registry, clearingHouse } = deployment
  const fleet = startFleet(
    sites.map(({ machineId }, index) => ({
      folder: folders[index] ?? '',
      machineId: String(machineId),
      chainId,
      registry,
      clearingHouse,
      mqttUrl: `mqtt://127.0.0.1:${broker.port}`,
      everyMs,
    })),
    join(folder, 'devices.log'),
  )
  ends.push(() => fleet.stop())
  await fleet.ready()
  const operator = keys.operator.address.toLowerCase() as Hex
  return {
    random,
    folder,
    chain,
    rpc,
    database,
    node,
    broker,
    fleet,
    sites,
    deployment,
    operator,
    client,
    url: () => url,
    stop,
  }
}

function termsOf(machineId: bigint, deployment: Deployment, payer: Wallet, payee: Wallet): Terms {
  const nowSeconds = Math.floor(Date.now() / 1_000)
  return {
    payer: payer.account.address.toLowerCase() as Hex,
    payee: payee.account.address.toLowerCase() as Hex,
    asset: deployment.asset.address,
    machineId,
    meters: [{ stream: 'weight', ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST }],
    signerKind: 1,
    signer: machineSigner(machineId),
    tariff: deployment.linearTariff,
    tariffData: encodeTariffData({ kind: 'linear', prices: [PRICE], scale: 0 }),
    limits: [{ burst: 100_000_000n, perHour: 0n }],
    capMinor: 1_000_000_000n,
    start: BigInt(nowSeconds - 60),
    periodSeconds: DAY,
    periods: 30,
    backfillSeconds: DAY,
    lateSeconds: 3_600,
    gapTimeoutSeconds: 3_600,
    settleSeconds: DAY,
    shared: false,
    openBy: BigInt(nowSeconds + 3_600),
    salt: toHex(randomBytes(32)),
  }
}
