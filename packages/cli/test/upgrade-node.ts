import { startNode } from '@liquefy/node'

/**
 * A node in a process of its own, for the test of upgrades: `node upgrade-node.ts <dataDir>`. It runs with the code that stands beside it,
 * old or new, and tells its parent where it is.
 */
const node = await startNode({
  dataDir: String(process.argv[2]),
  port: 0,
  rpcPort: 0,
  settle: { minMinor: 1n, maxAgeMs: 500 },
})
process.send?.({ url: node.url, mqttUrl: node.mqttUrl, rpcUrl: node.rpcUrl })
const end = () => {
  void node.stop().then(() => process.exit())
}
process.on('SIGTERM', end)
process.on('disconnect', end)
