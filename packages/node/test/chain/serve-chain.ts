// Started as a process of its own by kill.test.ts: serves the embedded chain of the folder named, and prints its URL.
import { startEmbeddedChain } from '../../src/chain/embedded.ts'

const [dataDir = ''] = process.argv.slice(2)
const silent = {
  debug() {},
  info() {},
  error() {},
  warn: (...args: unknown[]) => console.error(JSON.stringify(args)),
}
const chain = await startEmbeddedChain({
  dataDir,
  clock: { nowMs: () => Date.now() },
  blockMs: 5,
  logger: silent as never,
})
console.log(chain.rpcUrl)
