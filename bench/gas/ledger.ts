import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Call, type Sender, send, sendAll } from '@liquefy/client'
import { type NodeOptions, type RunningNode, startNode } from '@liquefy/node'
import pino from 'pino'
import {
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  http,
  type PublicClient,
  type TransactionReceipt,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'

/** The embedded ledger of a node that nothing else uses, whose clock the benchmark moves. */
export interface BenchLedger {
  node: RunningNode
  chain: Chain
  chainId: number
  reader: PublicClient
  /** Accounts with coin for gas. */
  accounts: readonly PrivateKeyAccount[]
  /** Who sends, as the actions of the client take it. */
  senderOf(account: PrivateKeyAccount): Sender
  /** Sends one call and waits for its block. @throws TransactionRevertedError with the contract's reason. */
  send(account: PrivateKeyAccount, call: Call): Promise<TransactionReceipt>
  /** Sends calls that are alike, of one account, many in a block; receipts in their order. */
  sendAll(account: PrivateKeyAccount, calls: readonly Call[]): Promise<TransactionReceipt[]>
  /** Moves the clock on, and makes a block there. */
  pass(seconds: number): Promise<void>
  /** Time of the newest block, s since 1970. */
  now(): Promise<bigint>
  stop(): Promise<void>
}

const BLOCK_MS = 50
const NEVER_MS = 2 ** 31 - 1

/** Starts it in a folder of its own, which `stop` removes; `changes` go over how the node runs. */
export async function startLedger(changes: NodeOptions = {}): Promise<BenchLedger> {
  const dataDir = await mkdtemp(join(tmpdir(), 'liquefy-bench-'))
  let aheadMs = 0
  const node = await startNode({
    dataDir,
    host: '127.0.0.1',
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: BLOCK_MS,
    clock: { nowMs: () => Date.now() + aheadMs },
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
    logger: pino({ level: 'silent' }),
    ...changes,
  })
  const { chainId } = node.deployment
  const chain = defineChain({
    id: chainId,
    name: 'Embedded ledger',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [node.rpcUrl] } },
  })
  const transport = http(node.rpcUrl)
  const reader = createPublicClient({ chain, transport, pollingInterval: BLOCK_MS, cacheTime: 0 })
  const accounts = node.keys.people.map(({ account }) => account)
  const now = async () => (await reader.getBlock()).timestamp
  const senderOf = (account: PrivateKeyAccount): Sender => ({
    publicClient: reader,
    wallet: createWalletClient({ account, chain, transport }),
  })

  return {
    node,
    chain,
    chainId,
    reader,
    accounts,
    now,
    senderOf,
    send: (account, call) => send(senderOf(account), call),
    sendAll: (account, calls) => sendAll(senderOf(account), calls),
    async pass(seconds) {
      const due = (await now()) + BigInt(seconds)
      aheadMs = Number(due) * 1000 - Date.now()
      // Blocks arise with transactions only.
      const [someone] = accounts
      if (!someone) throw new Error('The embedded ledger has no people.')
      const wallet = createWalletClient({ account: someone, chain, transport })
      const hash = await wallet.sendTransaction({ to: someone.address, value: 0n })
      await reader.waitForTransactionReceipt({ hash })
    },
    async stop() {
      await node.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
