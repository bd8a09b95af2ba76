import { randomBytes } from 'node:crypto'
import { access, chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testEuroAbi } from '@liquefy/abi'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  createClient,
  credit,
  fund,
  openAgreement,
  registerMachine,
  type Wallet,
  withdraw,
} from '@liquefy/client'
import { type Hex, privateKeyFromBytes } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http, parseEther, toHex } from 'viem'
import { generatePrivateKey, type PrivateKeyAccount, privateKeyToAccount } from 'viem/accounts'
import { describe, expect, test, vi } from 'vitest'
import type { Anvil } from '../src/chain/anvil.ts'
import { openKeys } from '../src/chain/keys.ts'
import { GasMoneyError } from '../src/chain/outside-deployment.ts'
import { type RunningNode, startNode } from '../src/index.ts'
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.ts'
import { RULE, termsOf } from './business.ts'
import { BARE_CHAIN_ID, startBareAnvil } from './chain/bare-anvil.ts'
import { atEnd } from './chain/support.ts'
import { connectDevice } from './device.ts'
import { freePort, hasMosquitto, sayIfNoMosquitto, startMosquitto } from './mosquitto.ts'

const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })
/** The time of a chain is that of its newest block, which is behind. */
const CHAIN_BEHIND_SECONDS = 6
const BARE_CHAIN_BEHIND_SECONDS = 86_400

/** What the test runs beside the node, as an operator would. */
type Setting = 'DATABASE_URL' | 'RPC_URL' | 'MQTT_URL'

async function newFolder(name: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `liquefy-${name}-`))
  // As root, a database runs under an account of its own, which has to pass through.
  await chmod(folder, 0o711)
  atEnd(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function startDatabase(): Promise<string> {
  const server = await startEmbeddedPostgres({ dataDir: await newFolder('db'), logger })
  atEnd(() => server.stop())
  return server.url
}

/** A chain that knows neither the node nor its accounts. */
async function startChain(): Promise<Anvil> {
  const folder = await newFolder('evm')
  const anvil = await startBareAnvil(folder, await openKeys(folder))
  await anvil.rpc.call('evm_increaseTime', [BARE_CHAIN_BEHIND_SECONDS - CHAIN_BEHIND_SECONDS])
  return anvil
}

async function startBroker(): Promise<string> {
  const port = await freePort()
  atEnd(await startMosquitto(await newFolder('mqtt'), port))
  return `mqtt://127.0.0.1:${port}`
}

/** Starts a node whose environment has these settings and no other. */
async function startWith(dataDir: string, settings: Partial<Record<Setting, string>>) {
  for (const [name, value] of Object.entries(settings)) vi.stubEnv(name, value)
  try {
    const node = await startNode({
      dataDir,
      port: 0,
      mqttPort: 0,
      rpcPort: 0,
      settle: { minMinor: 1n, maxAgeMs: 1_000 },
      logger,
    })
    atEnd(() => node.stop())
    return node
  } finally {
    vi.unstubAllEnvs()
  }
}

const setBalance = (anvil: Anvil, address: Hex, wei: bigint) =>
  anvil.rpc.call('anvil_setBalance', [address, toHex(wei)])

function walletOf(node: RunningNode, account: PrivateKeyAccount): Wallet {
  const { chain } = node.chain.publicClient
  return createWalletClient({ account, chain, transport: http(node.rpcUrl) })
}

/** Payer and payee: people of the embedded chain, or strangers with gas who mint their own test euros. */
async function partiesOf(node: RunningNode, anvil: Anvil | undefined): Promise<Wallet[]> {
  if (!anvil) return node.keys.people.slice(0, 2).map(({ account }) => walletOf(node, account))
  const wallets = [1, 2].map(() => walletOf(node, privateKeyToAccount(generatePrivateKey())))
  for (const { account } of wallets) await setBalance(anvil, account.address, parseEther('1'))
  const asset = { address: node.deployment.asset.address, abi: testEuroAbi } as const
  const { publicClient } = node.chain
  expect(await publicClient.readContract({ ...asset, functionName: 'totalSupply' })).toBe(0n)
  const [payer] = wallets
  if (!payer) throw new Error('no payer')
  const hash = await payer.writeContract({
    ...asset,
    chain: publicClient.chain,
    functionName: 'mint',
    args: [payer.account.address, 5_000_000n],
  })
  await publicClient.waitForTransactionReceipt({ hash })
  return wallets
}

/** The whole path: a machine is registered, its agreement opened and funded; it measures, signs and is paid. */
async function doBusiness(node: RunningNode, payer: Wallet, payee: Wallet): Promise<Hex> {
  const { deployment } = node
  const { publicClient } = node.chain
  const by = (wallet: Wallet) => ({ deployment, publicClient, wallet })
  const client = createClient({ url: node.url })
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...by(payee), key })
  await activateMachine({ ...by(payee), machineId })
  await node.idle()
  const device = await connectDevice(node, machineId, key)
  atEnd(() => device.close())
  await client.submitRules([RULE])
  const terms = termsOf(machineId, { deployment, payer, payee })
  const payerSignature = await authorizeAgreement({ ...by(payer), terms })
  const agreementId = await openAgreement({ ...by(payee), terms, payerSignature })
  const amountMinor = 5_000_000n
  await approve({ ...by(payer), asset: terms.asset, amountMinor })
  await fund({ ...by(payer), agreementId, amountMinor })
  await device.hears('agreement', (json) => json.agreementId === agreementId)
  expect(await device.publish(1_000n)).toBe('OK')
  expect(await device.publish(2_000n)).toBe('OK')
  await node.idle()
  expect((await client.agreement(agreementId)).owedMinor).toBe('420000')
  const asOf = Math.floor(Date.now() / 1000)
  expect(await device.meter({ agreementId, registers: [1_000n], asOf })).toMatchObject({
    code: 'ACCEPTED',
  })
  await expect
    .poll(async () => (await client.agreement(agreementId)).includedMinor, { timeout: 90_000 })
    .toBe('420000')
  await credit({ ...by(payee), agreementIds: [agreementId] })
  const held = () =>
    publicClient.readContract({
      address: terms.asset,
      abi: testEuroAbi,
      functionName: 'balanceOf',
      args: [payee.account.address],
    })
  const before = await held()
  await withdraw({ ...by(payee), asset: terms.asset, amountMinor: 420_000n })
  expect((await held()) - before).toBe(420_000n)
  await node.idle()
  expect(await node.checkMoney()).toMatchObject({ ok: true, differences: [] })
  return agreementId
}

const isThere = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )

sayIfNoMosquitto('the whole path through an outside MQTT broker')

describe('one setting replaces a part that comes with the node, and the business is the same', () => {
  const all: Setting[] = ['DATABASE_URL', 'RPC_URL', 'MQTT_URL']
  for (const names of [...all.map((name) => [name]), all]) {
    test.runIf(hasMosquitto || !names.includes('MQTT_URL'))(
      names.join(', '),
      async () => {
        const anvil = names.includes('RPC_URL') ? await startChain() : undefined
        const settings = {
          ...(names.includes('DATABASE_URL') ? { DATABASE_URL: await startDatabase() } : {}),
          ...(anvil ? { RPC_URL: anvil.url } : {}),
          ...(names.includes('MQTT_URL') ? { MQTT_URL: await startBroker() } : {}),
        }
        const dataDir = await newFolder('node')
        if (anvil) {
          const refused: unknown = await startWith(dataDir, settings).catch((error) => error)
          const { operator } = await openKeys(dataDir)
          if (!(refused instanceof GasMoneyError)) throw refused
          expect(refused).toMatchObject({ code: 'GAS_MONEY_MISSING', address: operator.address })
          expect(refused.message).toContain(operator.address)
          expect(refused.message).toMatch(/at least 0\.\d+ of the chain's coin \(\d{8} gas/)
          await setBalance(anvil, operator.address, refused.wei)
        }
        const node = await startWith(dataDir, settings)
        const [payer, payee] = await partiesOf(node, anvil)
        if (!payer || !payee) throw new Error('business takes two')
        const agreementId = await doBusiness(node, payer, payee)

        expect(await isThere(join(dataDir, 'postgres'))).toBe(!names.includes('DATABASE_URL'))
        expect(await isThere(join(dataDir, 'chain'))).toBe(!anvil)
        expect(node.deployment).toMatchObject({
          embedded: !anvil,
          ...(anvil ? { chainId: BARE_CHAIN_ID, rpcUrl: anvil.url, people: [] } : {}),
          ...(settings.MQTT_URL ? { mqttUrl: settings.MQTT_URL } : {}),
        })

        await node.stop()
        const again = await startWith(dataDir, settings)
        expect(again.deployment).toMatchObject({ clearingHouse: node.deployment.clearingHouse })
        const client = createClient({ url: again.url })
        expect(await client.agreement(agreementId)).toMatchObject({ includedMinor: '420000' })
        if (!anvil) return
        await anvil.rpc.call('anvil_mine', [toHex(100)])
        await expect
          .poll(async () => (await client.agreement(agreementId)).finalMinor, { timeout: 90_000 })
          .toBe('420000')
      },
      120_000,
    )
  }
})
