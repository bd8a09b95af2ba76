import pino from 'pino'
import { startNode } from '../src/index.ts'

/** A node in a process of its own, for tests that kill it: `node run-node.ts <dataDir>`; tells its parent where it is. */
const node = await startNode({
  dataDir: String(process.argv[2]),
  port: 0,
  mqttPort: 0,
  rpcPort: 0,
  // Nothing is settled before it is killed; after that everything is at once.
  settle: { minMinor: BigInt(process.argv[3] ?? '1'), maxAgeMs: 3_600_000 },
  logger: pino({ level: process.env.LOG_LEVEL ?? 'silent' }),
})
process.send?.({ url: node.url, mqttUrl: node.mqttUrl, deployment: node.deployment })
const end = () => {
  void node.stop().then(() => process.exit())
}
process.on('SIGTERM', end)
process.on('disconnect', end)
