/**
 * A node in a process of its own: `node node-process.ts <dataDir> <databaseUrl> <rpcUrl>`. It tells where it listens, and takes `clockMs`: by how much
 * its computer's clock is wrong from now on.
 */
import { startNode } from '@liquefy/node'
import pino from 'pino'

const [dataDir, databaseUrl, rpcUrl] = process.argv.slice(2)
const now = Date.now
let wrongMs = 0
Date.now = () => now() + wrongMs
process.on('message', ({ clockMs }: { clockMs: number }) => {
  wrongMs = clockMs
})

const node = await startNode({
  dataDir,
  databaseUrl,
  rpcUrl,
  port: 0,
  mqttPort: 0,
  settle: { minMinor: 1n, maxAgeMs: 500 },
  anchorIntervalMs: 3_000,
  logger: pino({ level: 'warn' }),
})
process.send?.({ url: node.url, mqttUrl: node.mqttUrl })
const end = () => {
  void node.stop().then(() => process.exit())
}
process.on('SIGTERM', end)
process.on('disconnect', end)
