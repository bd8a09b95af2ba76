/** One process with a role: its settings come by the environment; tells its parent when it is ready, and ends on SIGTERM. */
import { startRole } from '@liquefy/node'
import pino from 'pino'

const running = await startRole({
  workers: 1,
  anchorIntervalMs: 2 ** 31 - 1,
  logger: pino({ level: 'warn' }),
})
process.send?.('ready')
const end = () => {
  running.stop().then(
    () => process.exit(),
    () => process.exit(1),
  )
}
process.on('SIGTERM', end)
process.on('disconnect', end)
