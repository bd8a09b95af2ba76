import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testEuroAbi } from '@liquefy/abi'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  type Client,
  createClient,
  type Deployment,
  fund,
  openAgreement,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import { type Hex, type PrivateKey, privateKeyFromBytes } from '@liquefy/protocol'
import pg from 'pg'
import pino from 'pino'
import {
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  http,
  type PublicClient,
  parseEther,
  toHex,
} from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { expect } from 'vitest'
import type { Anvil } from '../../src/chain/anvil.ts'
import { openKeys } from '../../src/chain/keys.ts'
import type { RunningRole } from '../../src/index.ts'
import { startEmbeddedPostgres } from '../../src/store/embedded-postgres.ts'
import { RULE, termsOf } from '../business.ts'
import { BARE_CHAIN_ID, startBareAnvil } from '../chain/bare-anvil.ts'
import { atEnd } from '../chain/support.ts'
import { freePort, startMosquitto } from '../mosquitto.ts'

/** The chain's time is that of its newest block: behind, but not by much. */
const CHAIN_LEAD_SECONDS = 86_400 - 1
const ESCROW_MINOR = 5_000_000n

/** One process with a role. */
interface RoleProcess {
  child: ChildProcess
  url: string | undefined
}

/** What processes share, and the parties who do business on it. */
export interface Site {
  anvil: Anvil
  mqttUrl: string
  /** Asks the shared database. */
  query: pg.Pool['query']
  operator: Hex
  /** Settings of a process with this role, and a data folder of its own; a second `settle` gets the same keys. */
  environment(role: RunningRole['role']): Promise<Record<string, string>>
  /** Starts a process and waits until it is ready. */
  start(role: RunningRole['role']): Promise<RoleProcess>
}

export interface Business {
  client: Client
  deployment: Deployment
  publicClient: PublicClient
  payer: Wallet
  payee: Wallet
  /** Registers, activates and opens a funded agreement: pay per gram of the stream `weight`. */
  openMachine(): Promise<{ machineId: bigint; key: PrivateKey; agreementId: Hex }>
}

async function newFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `liquefy-${name}-`))
  // As root, a database runs under an account of its own, which has to pass through.
  await chmod(folder, 0o711)
  atEnd(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A database, a broker and a chain, and nothing else yet. */
export async function openSite(): Promise<Site> {
  const logger = pino({ level: 'silent' })
  const server = await startEmbeddedPostgres({ dataDir: await newFolder('db'), logger })
  atEnd(() => server.stop())
  const keysFolder = await newFolder('keys')
  const keys = await openKeys(keysFolder)
  const anvil = await startBareAnvil(await newFolder('evm'), keys)
  await anvil.rpc.call('evm_increaseTime', [CHAIN_LEAD_SECONDS])
  const port = await freePort()
  atEnd(await startMosquitto(await newFolder('mqtt'), port))
  const mqttUrl = `mqtt://127.0.0.1:${port}`
  const pool = new pg.Pool({ connectionString: server.url, max: 2 })
  pool.on('error', () => undefined)
  atEnd(() => pool.end())

  const environment: Site['environment'] = async (role) => {
    const dataDir = await newFolder(role)
    if (role === 'settle') {
      await cp(join(keysFolder, 'keys'), join(dataDir, 'keys'), { recursive: true })
    }
    return {
      LIQUEFY_DATA_DIR: dataDir,
      DATABASE_URL: server.url,
      MQTT_URL: mqttUrl,
      RPC_URL: anvil.url,
    }
  }

  return {
    anvil,
    mqttUrl,
    query: pool.query.bind(pool) as pg.Pool['query'],
    operator: keys.operator.address.toLowerCase() as Hex,
    environment,
    async start(role) {
      const child = fork(join(import.meta.dirname, 'run-role.ts'), [], {
        env: { ...process.env, LIQUEFY_ROLE: role, ...(await environment(role)) },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      atEnd(() => endProcess(child))
      const [ready] = await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(([code]) => {
          throw new Error(`${role} ended with ${code}`)
        }),
      ])
      return { child, url: ready.url }
    },
  }
}

/** Ends a process, stopped or not, and waits until it is gone. */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM') {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill(signal)
  child.kill('SIGCONT')
  await gone
}

/** Payer and payee with money, who do business through the API at `url`. */
export async function openBusiness(site: Site, url: string | undefined): Promise<Business> {
  const client = createClient({ url: String(url) })
  const deployment = await client.deployment()
  const chain: Chain = defineChain({
    id: BARE_CHAIN_ID,
    name: 'Outside',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [site.anvil.url] } },
  })
  const transport = http(site.anvil.url)
  const publicClient = createPublicClient({ chain, transport, pollingInterval: 100, cacheTime: 0 })
  const newWallet = async (): Promise<Wallet> => {
    const account = privateKeyToAccount(generatePrivateKey())
    await site.anvil.rpc.call('anvil_setBalance', [account.address, toHex(parseEther('1'))])
    return createWalletClient({ account, chain, transport })
  }
  const [payer, payee] = [await newWallet(), await newWallet()]
  const by = (wallet: Wallet) => ({ deployment, publicClient, wallet })
  const hash = await payer.writeContract({
    address: deployment.asset.address,
    abi: testEuroAbi,
    chain,
    functionName: 'mint',
    args: [payer.account.address, ESCROW_MINOR * 100n],
  })
  await publicClient.waitForTransactionReceipt({ hash })
  await approve({ ...by(payer), asset: deployment.asset.address, amountMinor: ESCROW_MINOR * 100n })
  await client.submitRules([RULE])

  return {
    client,
    deployment,
    publicClient,
    payer,
    payee,
    async openMachine() {
      const key = privateKeyFromBytes('P-256', randomBytes(32))
      const machineId = await registerMachine({ ...by(payee), key })
      await activateMachine({ ...by(payee), machineId })
      const terms = termsOf(machineId, { deployment, payer, payee })
      const payerSignature = await authorizeAgreement({ ...by(payer), terms })
      const agreementId = await openAgreement({ ...by(payee), terms, payerSignature })
      await fund({ ...by(payer), agreementId, amountMinor: ESCROW_MINOR })
      await expect
        .poll(async () => (await client.agreement(agreementId)).escrowMinor, { timeout: 30_000 })
        .toBe(String(ESCROW_MINOR))
      return { machineId, key, agreementId }
    },
  }
}
