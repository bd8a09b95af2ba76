import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { LiquefyError } from '@liquefy/protocol'
import { createJsonRpcClient, type JsonRpcClient } from './json-rpc.ts'
import { processMark } from './process-mark.ts'

/** Room of a block. Ours, not the genesis file's: anvil takes it from its command line. */
export const BLOCK_GAS_LIMIT = 60_000_000n

/** Answers may take long: a dump of a long chain, a call that loops to its gas limit. */
const ANSWER_MS = 60_000
const START_MS = 20_000

export interface Anvil {
  readonly rpc: JsonRpcClient
  /** Its own address, which no one but the node should use. */
  readonly url: string
  readonly pid: number
  /** Settles when the process has gone, whoever ended it. */
  readonly exited: Promise<void>
  stop(): Promise<void>
}

class ChainStartError extends LiquefyError {
  constructor(message: string) {
    super('CHAIN_START_FAILED', message)
    this.name = 'ChainStartError'
  }
}

interface PidFile {
  pid: number
  mark: string
}

// The launcher in node_modules/.bin would be our child and anvil an orphan of it: the binary itself is spawned.
function anvilBinary(): string {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  const name = `@foundry-rs/anvil-${process.platform}-${arch}`
  const file = process.platform === 'win32' ? 'anvil.exe' : 'anvil'
  const require = createRequire(import.meta.url)
  try {
    const launcher = createRequire(require.resolve('@foundry-rs/anvil/package.json'))
    return join(dirname(launcher.resolve(`${name}/package.json`)), 'bin', file)
  } catch {
    throw new ChainStartError(
      `The package ${name} is not installed. Run \`npm ci\` without --omit=optional, or set RPC_URL to a chain of your own.`,
    )
  }
}

/** A loopback port that was free a moment ago. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}

/** Ends the anvil that a killed node left behind in this folder. */
async function endOrphan(pidPath: string): Promise<number | undefined> {
  let file: PidFile
  try {
    file = JSON.parse(readFileSync(pidPath, 'utf8')) as PidFile
  } catch {
    return undefined
  }
  if (processMark(file.pid) !== file.mark) return undefined
  process.kill(file.pid, 'SIGKILL')
  while (processMark(file.pid) === file.mark) await sleep(10)
  return file.pid
}

async function whenServing(rpc: JsonRpcClient, child: ChildProcess, errors: () => string) {
  const until = Date.now() + START_MS
  while (Date.now() < until) {
    if (child.exitCode !== null || child.signalCode !== null) break
    const answer = await rpc.call('eth_chainId').catch(() => undefined)
    if (answer) return
    await sleep(15)
  }
  throw new ChainStartError(`anvil did not start. ${errors().trim()}`)
}

/**
 * Starts anvil on a free loopback port with the genesis file of `folder`, mining nothing by itself. An orphan of an
 * earlier, killed node is ended first; `onOrphan` is told its process id.
 */
export async function startAnvil(options: {
  folder: string
  chainId: number
  genesisTimestamp: number
  onOrphan: (pid: number) => void
}): Promise<Anvil> {
  const { folder, chainId, genesisTimestamp } = options
  const pidPath = join(folder, 'anvil.pid')
  const orphan = await endOrphan(pidPath)
  if (orphan !== undefined) options.onOrphan(orphan)

  const port = await freePort()
  const args = [
    ['--host', '127.0.0.1', '--port', String(port), '--chain-id', String(chainId)],
    ['--init', join(folder, 'genesis.json'), '--timestamp', String(genesisTimestamp)],
    ['--hardfork', 'osaka', '--gas-limit', String(BLOCK_GAS_LIMIT), '--accounts', '0'],
    // Order of arrival, so that a replay of the journal makes the same blocks.
    ['--no-mining', '--order', 'fifo'],
    // Old states go, blocks, receipts and logs stay: audits read logs from the first block on.
    ['--prune-history', '64'],
    ['--quiet', '--no-request-size-limit', '--no-cors'],
  ].flat()
  // A group of its own: Ctrl+C in a terminal reaches the whole group, and the node must end before its ledger does.
  const child = spawn(anvilBinary(), args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString('utf8')).slice(-2000)
  })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', (error) => {
      errors += error.message
      resolve()
    })
  })
  const rpc = createJsonRpcClient(port, ANSWER_MS)
  const stop = async () => {
    child.kill('SIGKILL')
    await exited
    rpc.close()
    await rm(pidPath, { force: true })
  }
  try {
    const pid = child.pid ?? 0
    const file: PidFile = {
      pid,
      mark: processMark(pid) ?? '',
    }
    await writeFile(pidPath, JSON.stringify(file), { mode: 0o600 })
    await whenServing(rpc, child, () => errors)
    return { rpc, url: `http://127.0.0.1:${port}`, pid, exited, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
