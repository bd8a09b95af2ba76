import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Client, createClient, type Wallet } from '@liquefy/client'
import { type NodeOptions, type RunningNode, startNode } from '@liquefy/node'
import {
  encodeTariffData,
  type Hex,
  type MeterRule,
  machineSigner,
  type PrivateKey,
  ruleHash,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { walletLedger } from '@liquefy/simulator'
import pino from 'pino'
import { createWalletClient, http, toHex } from 'viem'

/** A node as a user starts it, on any free ports, with a payer and a payee who do business on it. */
export interface LiveNode {
  node: RunningNode
  client: Client
  payer: Wallet
  payee: Wallet
  /** Folder for whatever else the test keeps; gone after `stop`. */
  folder: string
  /** Registers and activates a machine of the payee's. */
  register(key: PrivateKey): Promise<bigint>
  /** Opens and funds an agreement on the machine's stream `weight`; answers its id. */
  open(agreement: {
    machineId: bigint
    /** The machine that signs; the measured one if left out. */
    signerId?: bigint
    rule: MeterRule
    tariff: { price: bigint; scale: number }
    escrowMinor: bigint
  }): Promise<Hex>
  stop(): Promise<void>
}

const PAYER = 'Nordmühle GmbH'
const PAYEE = 'Silowerk AG'
const LONG_SECONDS = 86_400

/** Starts a node whose settlement policy is given; it anchors only when told to. */
export async function startLiveNode(options: Pick<NodeOptions, 'settle'>): Promise<LiveNode> {
  const folder = mkdtempSync(join(tmpdir(), 'liquefy-live-'))
  // As root, the database runs under an account of its own, which has to pass through.
  chmodSync(folder, 0o711)
  const node = await startNode({
    ...options,
    dataDir: join(folder, 'data'),
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    anchorIntervalMs: 2 ** 31 - 1,
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
  })
  const client = createClient({ url: node.url })
  const payer = walletOf(node, PAYER)
  const payee = walletOf(node, PAYEE)
  const ledger = walletLedger({
    deployment: node.deployment,
    publicClient: node.chain.publicClient,
    walletOf: (name) => walletOf(node, name),
  })

  return {
    node,
    client,
    payer,
    payee,
    folder,
    async register(key) {
      const machineId = await ledger.registerMachine({ key, owner: PAYEE })
      await node.idle()
      return machineId
    },
    async open({ machineId, signerId, rule, tariff, escrowMinor: amountMinor }) {
      await client.submitRules([rule])
      const nowSeconds = Math.floor(Date.now() / 1000)
      const terms: Terms = {
        payer: payer.account.address.toLowerCase() as Hex,
        payee: payee.account.address.toLowerCase() as Hex,
        asset: node.deployment.asset.address,
        machineId,
        meters: [{ stream: 'weight', ruleHash: ruleHash(rule), startHead: ZERO_DIGEST }],
        signerKind: 1,
        signer: machineSigner(signerId ?? machineId),
        tariff: node.deployment.linearTariff,
        tariffData: encodeTariffData({
          kind: 'linear',
          prices: [tariff.price],
          scale: tariff.scale,
        }),
        limits: [{ burst: 1_000_000n, perHour: 0n }],
        capMinor: 1_000_000_000n,
        // Before all that a test has measured, however slow the computer is.
        start: BigInt(nowSeconds - 3_600),
        periodSeconds: LONG_SECONDS,
        periods: 30,
        backfillSeconds: LONG_SECONDS,
        lateSeconds: 3_600,
        gapTimeoutSeconds: 3_600,
        settleSeconds: LONG_SECONDS,
        shared: false,
        openBy: BigInt(nowSeconds + 3_600),
        salt: toHex(randomBytes(32)),
      }
      const agreementId = await ledger.openAgreement({ terms, payer: PAYER, payee: PAYEE })
      await ledger.fund({ agreementId, person: PAYER, amountMinor })
      await node.idle()
      return agreementId
    },
    async stop() {
      await node.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function walletOf(node: RunningNode, name: string): Wallet {
  const person = node.keys.people.find((one) => one.name === name)
  if (!person) throw new Error(`no ${name}`)
  return createWalletClient({
    account: person.account,
    chain: node.chain.publicClient.chain,
    transport: http(node.rpcUrl),
  })
}
