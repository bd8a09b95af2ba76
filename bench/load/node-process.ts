/**
 * A node in a process of its own, with machines registered on its embedded ledger: started with `fork`, it tells where it listens, answers
 * `usage` with what it uses, and ends on `stop`. Its memory and its time are its own.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { activateMachines, registerMachines } from '@liquefy/client'
import { startNode } from '@liquefy/node'
import { privateKeyFromBytes } from '@liquefy/protocol'
import pino from 'pino'
import { createPublicClient, createWalletClient, defineChain, http } from 'viem'
import type { NodeQuestion, NodeReady } from './node-host.ts'

const NEVER_MS = 2 ** 31 - 1
const BLOCK_MS = 50

const keys = (process.argv[2] ?? '')
  .split(',')
  .map((hex) => privateKeyFromBytes('P-256', Buffer.from(hex, 'hex')))
const dataDir = await mkdtemp(join(tmpdir(), 'liquefy-bench-'))
const node = await startNode({
  dataDir,
  host: '127.0.0.1',
  port: 0,
  mqttPort: 0,
  rpcPort: 0,
  blockMs: BLOCK_MS,
  anchorIntervalMs: NEVER_MS,
  webRoot: join(import.meta.dirname, '../../apps/web/dist'),
  logger: pino({ level: 'warn' }),
})
const { chainId } = node.deployment
const chain = defineChain({
  id: chainId,
  name: 'Embedded ledger',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [node.rpcUrl] } },
})
const transport = http(node.rpcUrl)
const account = node.keys.people[0]?.account
if (!account) throw new Error('The embedded ledger has no people.')
const action = {
  deployment: node.deployment,
  publicClient: createPublicClient({ chain, transport, pollingInterval: BLOCK_MS, cacheTime: 0 }),
  wallet: createWalletClient({ account, chain, transport }),
}
const machineIds = await registerMachines(action, keys)
await activateMachines(action, machineIds)
await node.idle()

process.on('message', (question: NodeQuestion) => {
  if (question === 'stop') {
    void node
      .stop()
      .then(() => rm(dataDir, { recursive: true, force: true }))
      .then(() => process.exit(0))
    return
  }
  const { user, system } = process.cpuUsage()
  process.send?.({ rssBytes: process.memoryUsage.rss(), cpuMicros: user + system })
})
const ready: NodeReady = {
  url: node.url,
  mqttUrl: node.mqttUrl,
  databaseUrl: node.database.url,
  chainId,
  registry: node.deployment.registry,
  machineIds: machineIds.map(String),
}
process.send?.(ready)
