import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type AgreementDraft,
  approve,
  authorizeAgreement,
  type Client,
  createClient,
  fund,
  openAgreement,
  operatorSignature,
  type Sender,
  termsOf,
  tokensOf,
  type Wallet,
} from '@liquefy/client'
import { createKey, type Machine, openMachine, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { type Hex, ZERO_DIGEST } from '@liquefy/protocol'
import { createVirtualClock, type VirtualClock, walletLedger } from '@liquefy/simulator'
import pino from 'pino'
import type { Browser, Page } from 'playwright-core'
import { createWalletClient, http } from 'viem'
import { desktop, signInAs } from './visit.ts'

/** Who registered the boat. */
export const FOUNDER = 'Silowerk AG'
/** Who hires it. */
export const CHARTERER = 'Collector Ltd'

export const EURO = 1_000_000n
export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

const startMs = Date.UTC(2026, 3, 6, 8)
/** Nothing settles or anchors by itself while the clock jumps. */
const neverMs = Number.MAX_SAFE_INTEGER
const patienceMs = 120_000

/** 9 tEUR an hour of the engine, which counts seconds. */
const charter: AgreementDraft = {
  meters: [
    {
      stream: 'engine',
      rule: {
        rule: 'counter',
        version: 1,
        unit: 's',
        scale: 0,
        registerUnit: 's',
        factor: { numerator: 1, denominator: 1 },
        maxRate: { burst: '360000', perHour: '3600' },
      },
      limit: { burst: 1_000_000n, perHour: 3_600n },
    },
  ],
  priceUnits: ['s'],
  tariff: { kind: 'linear', prices: [2_500n], scale: 0 },
  capMinor: 10_000n * EURO,
  periodSeconds: 365 * 86_400,
  periods: 1,
  backfillSeconds: 86_400,
  lateSeconds: 3_600,
  gapTimeoutSeconds: 3_600,
  settleSeconds: 30 * 86_400,
}

/** A node with a boat on it, whose time stands still until it is moved, and people who may share the boat. */
export interface SharedBoat {
  node: RunningNode
  client: Client
  machineId: string
  clock: VirtualClock
  /** What a person acts on the ledger with. */
  actionOf(name: string): Sender & { deployment: RunningNode['deployment'] }
  addressOf(name: string): Hex
  /** What a person has in his own pocket, in smallest units. */
  pocketOf(name: string): Promise<bigint>
  /** The charterer hires the boat of the vault, and pays into escrow. */
  hire(vault: Hex, operator: string): Promise<void>
  /** The engine runs; what that costs is settled. Time goes on by the same. */
  sail(hours: number): Promise<void>
  /** Its operator names the boat: a vault does not get the words of the former owner. */
  nameAs(page: Page): Promise<void>
  /** Time goes on: the node's at once, a page's when it is opened or loaded again. */
  wait(ms: number): void
  /** A page at which a person sits who has signed in. It lives in the boat's time. */
  pageOf(browser: Browser, name: string | undefined, path: string): Promise<Page>
  stop(): Promise<void>
}

export const startSharedBoat = async (): Promise<SharedBoat> => {
  const folder = mkdtempSync(join(tmpdir(), 'liquefy-shared-boat-'))
  // As root, the database runs under an account of its own, which has to pass through.
  chmodSync(folder, 0o711)
  const clock = createVirtualClock(startMs)
  const node = await startNode({
    dataDir: join(folder, 'data'),
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    webRoot: join(import.meta.dirname, '../dist'),
    clock,
    genesisTimestampMs: startMs - HOUR_MS,
    blockMs: 100,
    settle: { minMinor: 2n ** 96n, maxAgeMs: neverMs },
    anchorIntervalMs: neverMs,
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
  })
  const client = createClient({ url: node.url })
  const { deployment } = node
  const { publicClient } = node.chain
  const walletOf = (name: string): Wallet => {
    const person = node.keys.people.find((one) => one.name === name)
    if (!person) throw new Error(`nobody is called ${name}`)
    const { account } = person
    return createWalletClient({ account, chain: publicClient.chain, transport: http(node.rpcUrl) })
  }
  const actionOf = (name: string) => ({ deployment, publicClient, wallet: walletOf(name) })
  const addressOf = (name: string) => walletOf(name).account.address
  const asset = deployment.asset.address
  const ledger = walletLedger({ deployment, publicClient, walletOf })
  const device = join(folder, 'boat')
  const machineId = await ledger.registerMachine({ key: createKey(device), owner: FOUNDER })
  await node.nameMachine(machineId, 'Boat')
  await node.idle()

  let boat: Machine | undefined
  let engineSeconds = 0
  const connect = async (): Promise<Machine> => {
    const { chainId, registry, clearingHouse } = deployment
    const identity = { machineId, chainId, registry, clearingHouse, mqttUrl: node.mqttUrl }
    saveIdentity(device, identity)
    const opened = await openMachine({ folder: device, clock, signEveryMs: neverMs })
    await eventually(() => opened.agreements().length > 0, 'the boat was told of its agreement')
    await opened.sample('engine', { unit: 's', value: 0n })
    await opened.flushed(patienceMs)
    return opened
  }

  return {
    node,
    client,
    machineId: String(machineId),
    clock,
    actionOf,
    addressOf,
    pocketOf: (name) => tokensOf({ ...actionOf(name), asset }),

    async hire(vault, operator) {
      await client.submitRules(charter.meters.map(({ rule }) => rule))
      const startSeconds = BigInt(Math.floor(clock.nowMs() / 1000) - 60)
      const terms = termsOf(charter, {
        deployment,
        machineId,
        payer: addressOf(CHARTERER),
        payee: vault,
        startSeconds,
        salt: ZERO_DIGEST,
      })
      const payerSignature = await authorizeAgreement({ ...actionOf(CHARTERER), terms })
      const payeeSignature = await operatorSignature({ ...actionOf(operator), terms })
      const agreementId = await openAgreement({
        ...actionOf(CHARTERER),
        terms,
        payerSignature,
        payeeSignature,
      })
      const amountMinor = 5_000n * EURO
      await approve({ ...actionOf(CHARTERER), asset, amountMinor })
      await fund({ ...actionOf(CHARTERER), agreementId, amountMinor })
      await node.idle()
      boat = await connect()
    },

    async sail(hours) {
      if (!boat) throw new Error('nobody has hired the boat')
      clock.advance(hours * HOUR_MS)
      engineSeconds += hours * 3_600
      await boat.sample('engine', { unit: 's', value: BigInt(engineSeconds) })
      await boat.flushed(patienceMs)
      await node.idle()
      const answers = await boat.meterNow(patienceMs)
      const bad = answers.find(({ kind }) => kind === 'refused' || kind === 'mismatch')
      if (bad) throw new Error(`the node said ${bad.kind} to a meter value`)
      await node.settleNow()
      await node.idle()
    },

    async nameAs(page) {
      const session = await page.evaluate(() => localStorage.getItem('liquefy.session') ?? '{}')
      const { token } = JSON.parse(session) as { token: string }
      const named = createClient({ url: node.url, token: () => token })
      await named.nameMachine(String(machineId), 'Boat')
    },

    wait: (ms) => clock.advance(ms),

    async pageOf(browser, name, path) {
      const context = await browser.newContext(desktop)
      await context.clock.setFixedTime(clock.nowMs())
      const page = await context.newPage()
      await page.goto(new URL(path, node.url).href)
      if (name !== undefined) await signInAs(page, name)
      return page
    },

    async stop() {
      await boat?.close()
      await node.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

const eventually = async (isSo: () => boolean, what: string): Promise<void> => {
  const untilMs = Date.now() + patienceMs
  while (!isSo()) {
    if (Date.now() > untilMs) throw new Error(`waited in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** Pages of one file of tests. */
export interface OpenPages {
  at(browser: Browser, boat: SharedBoat, name: string | undefined, path: string): Promise<Page>
  /** Closes them, and answers what any of them threw. */
  close(): Promise<string[]>
}

export const openPages = (): OpenPages => {
  const pages: Page[] = []
  const crashes: string[] = []
  return {
    async at(browser, boat, name, path) {
      const page = await boat.pageOf(browser, name, path)
      page.on('pageerror', (error) => crashes.push(error.message))
      pages.push(page)
      return page
    },
    async close() {
      for (const page of pages) await page.context().close()
      return crashes
    },
  }
}
