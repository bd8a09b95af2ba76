import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RunningNode, startNode } from '@liquefy/node'
import type { Hex } from '@liquefy/protocol'
import pino from 'pino'
import {
  type Abi,
  type Chain,
  createPublicClient,
  createWalletClient,
  defineChain,
  encodeFunctionData,
  http,
  type PublicClient,
  type TransactionReceipt,
} from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'

/** One call of a contract. */
export interface Call {
  address: Hex
  abi: Abi | readonly unknown[]
  functionName: string
  args: readonly unknown[]
}

/** The embedded ledger of a node that nothing else uses, whose clock the benchmark moves. */
export interface BenchLedger {
  node: RunningNode
  chain: Chain
  chainId: number
  reader: PublicClient
  /** Accounts with coin for gas. */
  accounts: readonly PrivateKeyAccount[]
  /** Sends one call and waits for its block. @throws Error if it is reverted. */
  send(account: PrivateKeyAccount, call: Call): Promise<TransactionReceipt>
  /** Sends calls of one account with rising nonces, many in a block; receipts in their order. */
  sendAll(account: PrivateKeyAccount, calls: readonly Call[]): Promise<TransactionReceipt[]>
  /** Moves the clock on, and makes a block there. */
  pass(seconds: number): Promise<void>
  /** Time of the newest block, s since 1970. */
  now(): Promise<bigint>
  stop(): Promise<void>
}

const BLOCK_MS = 50
const NEVER_MS = 2 ** 31 - 1
const AT_ONCE = 50
/** Estimates differ from block to block; a limit costs nothing. */
const GAS_LIMIT = 16_000_000n

/** Starts it in a folder of its own, which `stop` removes. */
export async function startLedger(): Promise<BenchLedger> {
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

  const sendAt = async (account: PrivateKeyAccount, call: Call, nonce: number) => {
    const wallet = createWalletClient({ account, chain, transport })
    const hash = await wallet.sendTransaction({
      to: call.address,
      data: encodeFunctionData(call as Parameters<typeof encodeFunctionData>[0]),
      nonce,
      gas: GAS_LIMIT,
    })
    const receipt = await reader.waitForTransactionReceipt({ hash })
    if (receipt.status !== 'success') {
      await reader.simulateContract({ ...call, account } as Parameters<
        typeof reader.simulateContract
      >[0])
      throw new Error(`${call.functionName} was reverted in ${hash}.`)
    }
    return receipt
  }
  const nonceOf = ({ address }: PrivateKeyAccount) =>
    reader.getTransactionCount({ address, blockTag: 'pending' })
  const now = async () => (await reader.getBlock()).timestamp

  return {
    node,
    chain,
    chainId,
    reader,
    accounts,
    now,
    send: async (account, call) => sendAt(account, call, await nonceOf(account)),
    async sendAll(account, calls) {
      const first = await nonceOf(account)
      const receipts: TransactionReceipt[] = []
      for (let from = 0; from < calls.length; from += AT_ONCE) {
        const portion = calls.slice(from, from + AT_ONCE)
        const sent = portion.map((call, index) => sendAt(account, call, first + from + index))
        receipts.push(...(await Promise.all(sent)))
      }
      return receipts
    },
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
