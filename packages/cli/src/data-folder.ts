import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { readKeyHead } from '@liquefy/node/keys'
import type { Hex } from '@liquefy/protocol'
import { CliError } from './failure.ts'

/** What runs on a data folder at present, so that other commands find it. */
export interface Running {
  pid: number
  rpcUrl: string
  /** Absent while `liquefy chain` serves the ledger alone. */
  url?: string
  mqttUrl?: string
}

/** Contracts of the folder's ledger: what this machine deployed or was told to trust. */
export interface KnownContracts {
  chainId: number
  registry: Hex
  clearingHouse: Hex
  evidenceAnchor: Hex
  linearTariff: Hex
  tieredTariff: Hex
  planTariff: Hex
  /** Absent where an earlier version deployed the contracts. */
  accounts?: { erc6551Registry: Hex; machineAccount: Hex; didRegistry: Hex } | null
  asset: { address: Hex; symbol: string; decimals: number }
}

/** `--data-dir`, else LIQUEFY_DATA_DIR, else `.liquefy` in the working folder. */
export function dataFolder(given: string | undefined): string {
  return resolve(given ?? process.env.LIQUEFY_DATA_DIR ?? '.liquefy')
}

export function writeRunning(folder: string, running: Running): void {
  mkdirSync(folder, { recursive: true })
  const draft = join(folder, 'running.json.new')
  // The ledger's address may hold a secret.
  rmSync(draft, { force: true })
  writeFileSync(draft, `${JSON.stringify(running)}\n`, { mode: 0o600 })
  renameSync(draft, join(folder, 'running.json'))
}

export function forgetRunning(folder: string): void {
  rmSync(join(folder, 'running.json'), { force: true })
}

/** Undefined if nothing runs on the folder: no file, or one that a killed process left behind. */
export function readRunning(folder: string): Running | undefined {
  const path = join(folder, 'running.json')
  if (!existsSync(path)) return undefined
  const running = JSON.parse(readFileSync(path, 'utf8')) as Running
  return isAlive(running.pid) ? running : undefined
}

/** @throws CliError `NODE_NOT_RUNNING` that says how to start one. */
export function nodeUrl(folder: string): string {
  const given = process.env.LIQUEFY_URL
  if (given) return given
  const running = readRunning(folder)
  if (running?.url) return running.url
  throw new CliError(
    'NODE_NOT_RUNNING',
    running
      ? `On ${folder} only the ledger runs. Stop \`liquefy chain\` and start the node: liquefy up --data-dir ${folder}`
      : `No node runs on ${folder}. Start one: liquefy up --data-dir ${folder} (or name another with --data-dir).`,
  )
}

/** Undefined if the folder has never held a ledger. */
export function knownContracts(folder: string): KnownContracts | undefined {
  const path = process.env.LIQUEFY_DEPLOYMENT ?? join(folder, 'deployment.json')
  if (!existsSync(path)) return undefined
  return JSON.parse(readFileSync(path, 'utf8')) as KnownContracts
}

/** Account of this folder's own log, which signs its checkpoints; undefined if it has none. */
export function knownLog(folder: string): Hex | undefined {
  const path = join(folder, 'keys', 'operator.json')
  if (!existsSync(path)) return undefined
  return readKeyHead(path).address
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
