// Run by spool-kill.test.ts: publishes as fast as it can and says what it was promised, until it is killed.
import { writeSync } from 'node:fs'
import { openMachine } from '../src/index.ts'

const [folder = ''] = process.argv.slice(2)
const machine = await openMachine({
  folder,
  spool: { segmentBytes: 20_000, historyBytes: 40_000 },
  // What would be sent, is "sent" here: each digest that leaves the process counts.
  transport: (handlers) => {
    setTimeout(() => handlers.onOnline(), 1)
    return {
      publish: (_topic, bytes) => writeSync(1, `sent ${Buffer.from(bytes).toString('base64')}\n`),
      close: async () => {},
    }
  },
  delivery: { window: 100_000 },
})
writeSync(1, 'ready\n')
for (let value = 1n; ; value += 1n) {
  await Promise.all(
    ['level', 'temperature', 'level'].map(async (stream) => {
      const { seq, digest } = await machine.publish(stream, [{ unit: 'mm', value }])
      writeSync(1, `kept ${stream} ${seq} ${digest}\n`)
    }),
  )
}
