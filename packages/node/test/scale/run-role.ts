import pino from 'pino'
import { startRole } from '../../src/index.ts'

/** One process of a deployment, for tests that kill it: its settings come by the environment; tells its parent where it is. */
const running = await startRole({
  port: 0,
  workers: 1,
  settle: { minMinor: 1n, maxAgeMs: 500 },
  anchorIntervalMs: 2_000,
  logger: pino({ level: process.env.LOG_LEVEL ?? 'silent' }, pino.destination(2)),
})
process.send?.({ url: running.url })
const end = () => {
  void running.stop().then(() => process.exit())
}
process.on('SIGTERM', end)
process.on('disconnect', end)
