import { testEuroAbi } from '@liquefy/abi'
import type { Hex } from '@liquefy/client'
import { type NodeOptions, type RunningNode, startNode } from '@liquefy/node'
import { pino } from 'pino'
import { createWalletClient, http } from 'viem'
import { writeRunning } from '../src/data-folder.ts'

/** A node in this process, with quick blocks, that command lines find by its data folder. */
export async function runningNode(
  dataDir: string,
  settings: Partial<NodeOptions> = {},
): Promise<RunningNode> {
  const node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    logger: pino({ level: 'silent' }),
    ...settings,
  })
  const { url, rpcUrl, mqttUrl } = node
  writeRunning(dataDir, { pid: process.pid, url, rpcUrl, mqttUrl })
  return node
}

/** Test euros for an account, also for one that nobody has created yet. */
export async function mint(node: RunningNode, account: Hex, amount: bigint): Promise<void> {
  const { publicClient } = node.chain
  const wallet = createWalletClient({
    account: node.keys.operator,
    chain: publicClient.chain,
    transport: http(node.rpcUrl),
  })
  const hash = await wallet.writeContract({
    address: node.deployment.asset.address,
    abi: testEuroAbi,
    functionName: 'mint',
    args: [account, amount],
    chain: publicClient.chain ?? null,
  })
  await publicClient.waitForTransactionReceipt({ hash })
}
