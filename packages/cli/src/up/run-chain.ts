import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { startEmbeddedChain, systemClock } from '@liquefy/node'
import type { Context } from '../context.ts'
import { forgetRunning, writeRunning } from '../data-folder.ts'
import { CliError } from '../failure.ts'
import { openLogger } from '../logger.ts'
import { untilStopped } from './until-stopped.ts'

const DEFAULT_PORT = 4285

/** Serves the ledger of a data folder until asked to stop. @throws CliError `LEDGER_MISSING`. */
export async function runChain(context: Context, options: { rpcPort?: number }): Promise<void> {
  const { folder, out } = context
  if (!existsSync(join(folder, 'chain', 'genesis.json'))) {
    throw new CliError(
      'LEDGER_MISSING',
      `${folder} holds no ledger yet. \`liquefy up\` makes one; or name another folder with --data-dir.`,
    )
  }
  const stopped = untilStopped()
  const logger = openLogger()
  const port = options.rpcPort ?? portSetting() ?? DEFAULT_PORT
  const chain = await startEmbeddedChain({ dataDir: folder, port, clock: systemClock, logger })
  writeRunning(folder, { pid: process.pid, rpcUrl: chain.rpcUrl })
  try {
    out.result(
      { rpcUrl: chain.rpcUrl, chainId: chain.chainId, dataDir: folder },
      `The ledger of ${folder} is at ${chain.rpcUrl}, chain ${chain.chainId}. Ctrl+C stops it.`,
    )
    await stopped
  } finally {
    await chain.stop()
    forgetRunning(folder)
  }
}

function portSetting(): number | undefined {
  const text = process.env.LIQUEFY_RPC_PORT
  if (!text) return undefined
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new CliError(
    'CONFIG_INVALID',
    `LIQUEFY_RPC_PORT is "${text}"; it must be a port from 0 to 65535.`,
  )
}
