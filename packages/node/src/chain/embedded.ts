import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { numberToHex } from 'viem'
import type { Clock } from '../clock.ts'
import { BLOCK_GAS_LIMIT } from './anvil.ts'
import { lockFolder } from './folder-lock.ts'
import { openJournal } from './journal.ts'
import { type Keys, openKeys } from './keys.ts'
import { startLedgerEngine } from './ledger-engine.ts'
import type { Logger } from './logger.ts'
import { startRpcEndpoint } from './rpc-endpoint.ts'

/**
 * Chain id of every embedded chain: "lqfy" in ASCII. Not 31337: what is signed for an embedded chain must be void
 * on the development chains that everybody runs, and the other way round.
 */
export const EMBEDDED_CHAIN_ID = 0x6c716679

/** A million of the chain's coin: it costs nothing here, and must never run out. */
const FUNDS_WEI = 10n ** 24n

export interface EmbeddedChain {
  rpcUrl: string
  chainId: number
  /** Told the number of each block as soon as it is made. */
  onBlock(listener: (number: number) => void): () => void
  /** Process id of anvil while it runs. */
  pid(): number | undefined
  stop(): Promise<void>
}

interface Genesis {
  config: { chainId: number }
  timestamp: string
  gasLimit: string
  difficulty: string
  alloc: Record<string, { balance: string }>
}

function newGenesis(keys: Keys, timestamp: number): Genesis {
  const accounts = [keys.operator, keys.deployer, ...keys.people.map(({ account }) => account)]
  const balance = numberToHex(FUNDS_WEI)
  return {
    config: { chainId: EMBEDDED_CHAIN_ID },
    timestamp: numberToHex(timestamp),
    gasLimit: numberToHex(BLOCK_GAS_LIMIT),
    difficulty: '0x0',
    alloc: Object.fromEntries(accounts.map(({ address }) => [address, { balance }])),
  }
}

async function openGenesis(path: string, make: () => Promise<Genesis>): Promise<Genesis> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as Genesis
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
      const message = `${path} cannot be read. Restore it from a backup; the chain starts with it.`
      throw new LiquefyError('GENESIS_BROKEN', message, { cause })
    }
  }
  const genesis = await make()
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(`${JSON.stringify(genesis, null, 2)}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  return genesis
}

export interface EmbeddedOptions {
  dataDir: string
  /** Of the JSON-RPC endpoint; 0 or absent: a free one. */
  port?: number
  clock: Clock
  /** Seconds; only for a new chain. Now by the clock, if absent. */
  genesisTimestamp?: number
  /** Whom a new chain gives its coin; those of the data folder, unless told. */
  keys?: Keys
  /** The least time between blocks, 1,000 unless told. */
  blockMs?: number
  logger: Logger
}

/**
 * Starts the embedded chain of a data folder (docs/protocol/chain.md) with its JSON-RPC endpoint on loopback. With an
 * injected clock the blocks bear its time; their timestamps always rise by at least a second.
 * Throws FolderInUseError, RpcPortError, JournalError, ChainStartError.
 */
export async function startEmbeddedChain(options: EmbeddedOptions): Promise<EmbeddedChain> {
  const folder = join(options.dataDir, 'chain')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const unlock = await lockFolder(folder)
  try {
    const chain = await startLocked(options, folder)
    return {
      ...chain,
      async stop() {
        await chain.stop()
        await unlock()
      },
    }
  } catch (error) {
    await unlock()
    throw error
  }
}

async function startLocked(options: EmbeddedOptions, folder: string): Promise<EmbeddedChain> {
  const { dataDir, port = 0, clock, blockMs = 1_000, logger } = options
  const genesis = await openGenesis(join(folder, 'genesis.json'), async () => {
    const timestamp = options.genesisTimestamp ?? Math.floor(clock.nowMs() / 1000)
    return newGenesis(options.keys ?? (await openKeys(dataDir)), timestamp)
  })
  const { chainId } = genesis.config
  const journal = await openJournal(join(folder, 'journal.jsonl'), folder)
  if (journal.cutBytes > 0) {
    logger.warn(
      { bytes: journal.cutBytes, block: journal.position().number + 1 },
      'The journal ended in a torn block, which nobody was told of; it was cut off',
    )
  }
  const engine = await startLedgerEngine({
    folder,
    chainId,
    genesisTimestamp: Number(genesis.timestamp),
    journal,
    clock,
    blockMs,
    logger,
  }).catch(async (error) => {
    await journal.close()
    throw error
  })
  try {
    const endpoint = await startRpcEndpoint(engine, port)
    return {
      rpcUrl: endpoint.url,
      chainId,
      onBlock: engine.onBlock,
      pid: engine.pid,
      async stop() {
        await engine.stop()
        await endpoint.close()
      },
    }
  } catch (error) {
    await engine.stop()
    throw error
  }
}
