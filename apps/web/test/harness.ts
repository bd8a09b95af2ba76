import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import { type Browser, chromium as playwright } from 'playwright-core'
import { findChromium } from './chromium.ts'

const root = join(import.meta.dirname, '../../..')
const startMs = 90_000

export interface Demo {
  url: string
  dataDir: string
  stop(): Promise<void>
}

/** The product as a newcomer runs it: the command line's node with the silo demo, on free ports and a folder of its own. */
export const startDemo = async (): Promise<Demo> => {
  const dataDir = newFolder()
  const node = up(dataDir, ['--demo', 'silo', '--port', '0', '--rpc-port', '0'])
  const stop = async () => {
    await ended(node)
    rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    return { url: await addressOf(node), dataDir, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** A node without a demo: nobody has registered a machine yet. It can be killed, and started again where it was. */
export interface EmptyNode extends Demo {
  kill(): Promise<void>
  startAgain(): Promise<void>
}

export const startEmptyNode = async (): Promise<EmptyNode> => {
  const dataDir = newFolder()
  let node = up(dataDir, ['--port', '0', '--rpc-port', '0'])
  const kill = () => ended(node, 'SIGKILL')
  const stop = async () => {
    await ended(node)
    rmSync(dataDir, { recursive: true, force: true })
  }
  try {
    const url = await addressOf(node)
    const { rpcUrl } = await createClient({ url }).deployment()
    const ports = ['--port', new URL(url).port, '--rpc-port', new URL(rpcUrl).port]
    const startAgain = async () => {
      node = up(dataDir, ports)
      await addressOf(node)
    }
    return { url, dataDir, kill, startAgain, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

const newFolder = () => mkdtempSync(join(tmpdir(), 'liquefy-page-'))

const up = (dataDir: string, options: readonly string[]): ChildProcess => {
  const command = ['up', '--data-dir', dataDir, '--mqtt-port', '0', ...options]
  return spawn(process.execPath, [join(root, 'packages/cli/bin/liquefy.js'), ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

/** Resolves when the demo sends nothing to the ledger for its people any more, so that they can be acted as without a race for nonces. */
export const demoIsSetUp = async ({ url }: Demo): Promise<void> => {
  const client = createClient({ url })
  for (let looks = 0; looks < 300; looks += 1) {
    const funded = (await client.agreements()).filter(({ escrowMinor }) => escrowMinor !== '0')
    if (funded.length === 3) return
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
  throw new Error('the demo has not funded its three agreements within a minute')
}

/** Runs one command of the command line on the demo's data folder. Answers what it printed, whatever its exit code. */
export const runCommand = (demo: Demo, args: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const command = spawn(
      process.execPath,
      [join(root, 'packages/cli/bin/liquefy.js'), ...args, '--data-dir', demo.dataDir],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    let printed = ''
    command.stdout.on('data', (chunk: Buffer) => {
      printed += chunk
    })
    command.on('error', reject)
    command.on('close', () => resolve(printed))
  })

const addressOf = (node: ChildProcess) =>
  new Promise<string>((resolve, reject) => {
    let printed = ''
    const timer = setTimeout(
      () => reject(new Error(`no address in ${startMs} ms:\n${printed}`)),
      startMs,
    )
    const read = (chunk: Buffer) => {
      printed += chunk
      const url = /Liquefy is at (http:\S+)/.exec(printed)?.[1]
      if (url === undefined) return
      clearTimeout(timer)
      resolve(url)
    }
    node.stdout?.on('data', read)
    node.stderr?.on('data', read)
    node.on('close', (code) => reject(new Error(`the node ended with ${code}:\n${printed}`)))
  })

const ended = (node: ChildProcess, signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM') =>
  new Promise<void>((resolve) => {
    if (node.exitCode !== null || node.signalCode !== null) return resolve()
    node.on('exit', () => resolve())
    node.kill(signal)
  })

export const startBrowser = async (): Promise<Browser> =>
  playwright.launch({
    ...(await findChromium()),
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-dev-shm-usage',
    ],
  })
