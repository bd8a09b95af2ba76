import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createClient } from '@liquefy/client'
import { type Role, type RunningNode, startNode } from '@liquefy/node'
import { type Product, type RunningProduct, runProduct, walletLedger } from '@liquefy/simulator'
import { createWalletClient, http } from 'viem'
import type { Context } from '../context.ts'
import { forgetRunning, writeRunning } from '../data-folder.ts'
import { openLogger } from '../logger.ts'
import { openLedger } from '../transactions.ts'
import { personOf } from '../wallet.ts'
import { untilStopped } from './until-stopped.ts'

const webRoot = fileURLToPath(new URL('../../../../apps/web/dist', import.meta.url))

export interface UpOptions {
  role: Role
  demo?: keyof typeof DEMOS
  host?: string
  port?: number
  mqttPort?: number
  rpcPort?: number
  rpcUrl?: string
}

/** The page that was built beside this program, unless the environment names another. */
export function builtPage(): { webRoot?: string } {
  return process.env.LIQUEFY_WEB_ROOT === undefined && existsSync(webRoot) ? { webRoot } : {}
}

/** Starts the node and, if wanted, a demo on it; stops both in order when asked to. */
export async function runNode(context: Context, options: UpOptions): Promise<void> {
  const { folder, out } = context
  const stopped = untilStopped()
  const logger = openLogger()
  const { demo, ...ports } = options
  const node = await startNode({
    ...ports,
    dataDir: folder,
    logger,
    ...builtPage(),
  })
  writeRunning(folder, {
    pid: process.pid,
    url: node.url,
    rpcUrl: node.rpcUrl,
    mqttUrl: node.mqttUrl,
  })
  let product: RunningProduct | undefined
  try {
    out.result(
      { url: node.url, mqttUrl: node.mqttUrl, rpcUrl: node.deployment.rpcUrl, dataDir: folder },
      () => addressText(node, folder),
    )
    const running = demo ? startDemo(node, folder, demo) : undefined
    // Whoever stops while the demo is still being set up need not wait for it.
    product = await Promise.race([running, stopped.then(() => undefined)])
    if (product) {
      const names = product.machines.map(({ name, machineId }) => `${name} (machine ${machineId})`)
      out.say(`Demo: ${names.join(', ')}. Money moves within half a minute.`)
    }
    await stopped
    out.say('Stopping…')
    product ??= await running?.catch(() => undefined)
  } finally {
    await product?.stop()
    await node.stop()
    forgetRunning(folder)
  }
}

/** Examples that run on a node of one's own. */
const DEMOS = {
  silo: () => import('@liquefy/example-silo'),
  charging: () => import('@liquefy/example-charging'),
  boat: () => import('@liquefy/example-boat'),
}

async function startDemo(
  node: RunningNode,
  folder: string,
  demo: keyof typeof DEMOS,
): Promise<RunningProduct> {
  const product: Product = (await DEMOS[demo]()).product
  const { deployment } = node
  const { client: publicClient } = await openLedger(node.rpcUrl)
  const transport = http(node.rpcUrl)
  const ledger = walletLedger({
    deployment,
    publicClient,
    walletOf: (person) => createWalletClient({ account: personOf(folder, person), transport }),
  })
  return runProduct(product, {
    deployment,
    client: createClient({ url: node.url }),
    ledger,
    dataDir: folder,
    nameMachine: (machineId, name) => node.nameMachine(machineId, name),
    placeMachine: (machineId, place) => node.placeMachine(machineId, place),
    onProblem: (machine, error) => process.stderr.write(`${machine}: ${String(error)}\n`),
  })
}

function addressText(node: RunningNode, folder: string): string {
  return [
    `Liquefy is at ${node.url}`,
    `  machines publish to ${node.mqttUrl}`,
    `  the ledger is at ${node.deployment.rpcUrl}, chain ${node.deployment.chainId}`,
    `  data is kept in ${folder}`,
    'Ctrl+C stops it in order.',
  ].join('\n')
}
