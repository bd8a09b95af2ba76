import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type Chain, createPublicClient, createWalletClient, http } from 'viem'
import type { PrivateKeyAccount } from 'viem/accounts'
import { afterEach } from 'vitest'
import { EMBEDDED_CHAIN_ID } from '../../src/chain/embedded.ts'
import type { Logger } from '../../src/chain/logger.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'

/** A logger that keeps its lines, so that a test can ask what was said. */
export function memoryLogger(): Logger & { lines: string[] } {
  const lines: string[] = []
  const say = (...args: unknown[]) => {
    const text = args.map((arg) => (arg instanceof Error ? arg.message : JSON.stringify(arg)))
    lines.push(text.join(' '))
  }
  const logger = { lines, debug: say, info: say, warn: say, error: say }
  return logger as unknown as Logger & { lines: string[] }
}

const cleanups: (() => Promise<unknown>)[] = []

/** Runs after the test, last registered first. */
export function atEnd(work: () => Promise<unknown>): void {
  cleanups.push(work)
}

afterEach(async () => {
  for (const work of cleanups.splice(0).reverse()) await work()
})

export async function newDataDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'liquefy-chain-'))
  atEnd(() => rm(dir, { recursive: true, force: true }))
  return dir
}

export const systemClock = { nowMs: () => Date.now() }

export const chainOf = (rpcUrl: string, id = EMBEDDED_CHAIN_ID): Chain => ({
  id,
  name: 'test',
  nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
  rpcUrls: { default: { http: [rpcUrl] } },
})

export function clients(rpcUrl: string, account: PrivateKeyAccount, id = EMBEDDED_CHAIN_ID) {
  const chain = chainOf(rpcUrl, id)
  const transport = http(rpcUrl)
  return {
    wallet: createWalletClient({ account, chain, transport }),
    reader: createPublicClient({ chain, transport, pollingInterval: 50, cacheTime: 0 }),
  }
}

/** The node's database in `dataDir`, closed at the end. */
export async function testDatabase(dataDir: string): Promise<Database> {
  const database = await openDatabase({ dataDir, logger: pino({ level: 'silent' }) })
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= database.close()
    return closed
  }
  atEnd(close)
  return { ...database, close }
}
