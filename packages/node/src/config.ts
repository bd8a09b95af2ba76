import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseTrustedIssuers, type TrustedIssuer } from '@liquefy/credential'
import { LiquefyError } from '@liquefy/protocol'
import pino, { type Logger } from 'pino'
import { type Hex, isAddress } from 'viem'
import { type Clock, systemClock } from './clock.ts'
import { isLoopback } from './loopback.ts'
import { readSecret } from './secret-setting.ts'
import type { SettlePolicy } from './transact/settlement.ts'
import type { QuotaLimits } from './trust/quotas.ts'

/** How a node runs. What is left out comes from the environment, then from the defaults. */
export interface NodeOptions {
  /** Everything that the node keeps: LIQUEFY_DATA_DIR, `.liquefy`. */
  dataDir?: string | undefined
  /** Interface of API, page and broker: LIQUEFY_HOST, 127.0.0.1. Another than loopback needs `tls`. */
  host?: string | undefined
  /** Port of API and page, 0 for any free one: LIQUEFY_PORT, 4280. */
  port?: number | undefined
  /** Port of the embedded broker: LIQUEFY_MQTT_PORT, 4283. */
  mqttPort?: number | undefined
  /** Port of the embedded ledger, on loopback: LIQUEFY_RPC_PORT, 4285. */
  rpcPort?: number | undefined
  /** PostgreSQL of one's own instead of the embedded one: DATABASE_URL. */
  databaseUrl?: string | undefined
  /** EVM chain of one's own instead of the embedded one: RPC_URL. The first start deploys the contracts. */
  rpcUrl?: string | undefined
  /** Names of people of the embedded chain beside the demo's own; each gets a key, coin and test euros. */
  people?: readonly string[] | undefined
  /** Address of that chain for pages and parties: LIQUEFY_PUBLIC_RPC_URL; RPC_URL without what may be secret in it. */
  publicRpcUrl?: string | undefined
  /** Passphrase of the key files: LIQUEFY_KEY_PASSPHRASE. */
  keyPassphrase?: string | undefined
  /** Deployment file of contracts that stand on that chain already: LIQUEFY_DEPLOYMENT. */
  deploymentPath?: string | undefined
  /** ERC-20 token on that chain that agreements are paid in, for the first start: LIQUEFY_ASSET, a test euro. */
  asset?: string | undefined
  /** MQTT 5 broker of one's own instead of the embedded one: MQTT_URL. */
  mqttUrl?: string | undefined
  /** PEM files: LIQUEFY_TLS_CERT and LIQUEFY_TLS_KEY. */
  tls?: { certFile: string; keyFile: string } | undefined
  /** Folder of the built page: LIQUEFY_WEB_ROOT. */
  webRoot?: string | undefined
  /** Another time than the computer's: a replay of old data. */
  clock?: Clock | undefined
  /** Time of the first block of a new embedded chain. */
  genesisTimestampMs?: number | undefined
  /** Least time between blocks of the embedded chain, 1,000 unless told. */
  blockMs?: number | undefined
  /** When an accepted value is worth a transaction: 0.01 of a six-decimal asset, or 10 s. */
  settle?: SettlePolicy | undefined
  /** How often the log is anchored, if it has grown: 30 s. */
  anchorIntervalMs?: number | undefined
  /**
   * What each owner of machines may use: LIQUEFY_QUOTA_ENVELOPES_PER_SECOND, LIQUEFY_QUOTA_BYTES_PER_DAY, LIQUEFY_QUOTA_MACHINES.
   * No limit unless told.
   */
  quotas?: QuotaLimits | undefined
  /** Makers whose credentials of machines are taken: LIQUEFY_TRUSTED_ISSUERS names a file with `[{did, name}]`. None unless told. */
  trustedIssuers?: readonly TrustedIssuer[] | undefined
  /** Threads that verify signatures: LIQUEFY_WORKERS, as many as cores. 0: the main thread does it. */
  workers?: number | undefined
  /** What this process does of what a node does: LIQUEFY_ROLE, `all`. Another than `all` needs DATABASE_URL, MQTT_URL and RPC_URL (docs/scale.md). */
  role?: Role | undefined
  /** LIQUEFY_LOG_LEVEL, `info`, unless a logger is given. */
  logger?: Logger | undefined
}

/** Options with everything decided. */
export interface Config {
  dataDir: string
  host: string
  port: number
  mqttPort: number
  rpcPort: number
  databaseUrl: string | undefined
  rpcUrl: string | undefined
  publicRpcUrl: string | undefined
  people: readonly string[]
  keyPassphrase: string | undefined
  deploymentPath: string | undefined
  asset: Hex | undefined
  mqttUrl: string | undefined
  tls: { certFile: string; keyFile: string } | undefined
  webRoot: string | undefined
  clock: Clock
  genesisTimestamp: number | undefined
  blockMs: number | undefined
  settle: SettlePolicy
  anchorIntervalMs: number
  quotas: QuotaLimits
  trustedIssuers: readonly TrustedIssuer[]
  workers: number
  role: Role
  logger: Logger
}

/** What one process of a deployment does; `all`: everything. */
export type Role = 'all' | (typeof ROLES)[number]

/** Roles that share one deployment. */
export const ROLES = ['ingest', 'meter', 'settle', 'api'] as const

/** A setting that cannot be. */
export class ConfigError extends LiquefyError {
  constructor(message: string) {
    super('CONFIG_INVALID', message)
    this.name = 'ConfigError'
  }
}

type Environment = Readonly<Record<string, string | undefined>>

/** Timers of Node.js hold no more; longer ones would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']

/**
 * Decides every setting: options, then environment, then defaults.
 *
 * @throws LiquefyError `CONFIG_INVALID` that names the setting and what it should be.
 */
export function readConfig(options: NodeOptions, env: Environment): Config {
  const host = options.host ?? textOf(env, 'LIQUEFY_HOST') ?? '127.0.0.1'
  const tls = options.tls ?? tlsOf(env)
  if (!isLoopback(host) && !tls) {
    throw new ConfigError(
      `LIQUEFY_HOST is ${host}, which others can reach. Give LIQUEFY_TLS_CERT and LIQUEFY_TLS_KEY, or listen on 127.0.0.1.`,
    )
  }
  const { genesisTimestampMs, rpcUrl = urlOf(env, 'RPC_URL', ['http:', 'https:']) } = options
  if (rpcUrl && options.clock && options.clock !== systemClock) {
    throw new ConfigError(
      'A clock of its own works with the embedded chain only: leave out RPC_URL.',
    )
  }
  const asset = assetOf(options.asset ?? textOf(env, 'LIQUEFY_ASSET'))
  if (asset && !rpcUrl) {
    throw new ConfigError('LIQUEFY_ASSET is a token on a chain of your own: give RPC_URL too.')
  }
  const databaseUrl =
    options.databaseUrl ?? urlOf(env, 'DATABASE_URL', ['postgres:', 'postgresql:'])
  const mqttUrl = options.mqttUrl ?? urlOf(env, 'MQTT_URL', ['mqtt:', 'mqtts:', 'ws:', 'wss:'])
  const role = options.role ?? roleOf(env)
  requireOutside(role, { DATABASE_URL: databaseUrl, MQTT_URL: mqttUrl, RPC_URL: rpcUrl })
  return {
    dataDir: options.dataDir ?? textOf(env, 'LIQUEFY_DATA_DIR') ?? '.liquefy',
    host,
    port: options.port ?? portOf(env, 'LIQUEFY_PORT') ?? 4280,
    mqttPort: options.mqttPort ?? portOf(env, 'LIQUEFY_MQTT_PORT') ?? 4283,
    rpcPort: options.rpcPort ?? portOf(env, 'LIQUEFY_RPC_PORT') ?? 4285,
    databaseUrl,
    rpcUrl,
    publicRpcUrl: options.publicRpcUrl ?? urlOf(env, 'LIQUEFY_PUBLIC_RPC_URL', ['http:', 'https:']),
    people: options.people ?? [],
    keyPassphrase: options.keyPassphrase ?? readSecret(env, 'LIQUEFY_KEY_PASSPHRASE'),
    deploymentPath: options.deploymentPath ?? textOf(env, 'LIQUEFY_DEPLOYMENT'),
    asset,
    mqttUrl,
    tls,
    webRoot: options.webRoot ?? textOf(env, 'LIQUEFY_WEB_ROOT'),
    clock: options.clock ?? systemClock,
    genesisTimestamp:
      genesisTimestampMs === undefined ? undefined : Math.floor(genesisTimestampMs / 1000),
    blockMs: options.blockMs,
    settle: options.settle ?? { minMinor: 10_000n, maxAgeMs: 10_000 },
    anchorIntervalMs: Math.min(options.anchorIntervalMs ?? 30_000, LONGEST_TIMER_MS),
    quotas: options.quotas ?? {
      envelopesPerSecond: quotaOf(env, 'LIQUEFY_QUOTA_ENVELOPES_PER_SECOND'),
      bytesPerDay: quotaOf(env, 'LIQUEFY_QUOTA_BYTES_PER_DAY'),
      machines: quotaOf(env, 'LIQUEFY_QUOTA_MACHINES'),
    },
    trustedIssuers: options.trustedIssuers ?? issuersOf(env),
    workers: options.workers ?? workersOf(env) ?? availableParallelism(),
    role,
    logger: options.logger ?? pino({ level: levelOf(env) }),
  }
}

function roleOf(env: Environment): Role {
  const text = textOf(env, 'LIQUEFY_ROLE') ?? 'all'
  const role = (['all', ...ROLES] as const).find((one) => one === text)
  if (role) return role
  throw new ConfigError(`LIQUEFY_ROLE is "${text}"; it must be all, ${ROLES.join(', ')}.`)
}

/** Processes that share the work meet outside themselves. */
function requireOutside(role: Role, urls: Record<string, string | undefined>): void {
  const missing = Object.keys(urls).filter((name) => urls[name] === undefined)
  if (role === 'all' || missing.length === 0) return
  throw new ConfigError(
    `The role ${role} works with a database, a broker and a chain that its processes share: give ${missing.join(' and ')}, or leave the role out.`,
  )
}

function textOf(env: Environment, name: string): string | undefined {
  const value = env[name]
  return value === undefined || value === '' ? undefined : value
}

function portOf(env: Environment, name: string): number | undefined {
  const text = textOf(env, name)
  if (text === undefined) return undefined
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port
  throw new ConfigError(`${name} is "${text}"; it must be a port from 0 (any free one) to 65535.`)
}

function issuersOf(env: Environment): TrustedIssuer[] {
  const path = textOf(env, 'LIQUEFY_TRUSTED_ISSUERS')
  if (path === undefined) return []
  try {
    return parseTrustedIssuers(readFileSync(path, 'utf8'))
  } catch (error) {
    const why = error instanceof LiquefyError ? error.message : 'It cannot be read.'
    throw new ConfigError(`LIQUEFY_TRUSTED_ISSUERS names ${path}. ${why}`)
  }
}

function workersOf(env: Environment): number | undefined {
  const text = textOf(env, 'LIQUEFY_WORKERS')
  if (text === undefined) return undefined
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw new ConfigError(
    `LIQUEFY_WORKERS is "${text}"; it must be a number of threads from 0 to 999.`,
  )
}

function quotaOf(env: Environment, name: string): number | undefined {
  const text = textOf(env, name)
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  throw new ConfigError(
    `${name} is "${text}"; it must be a whole number from 1 on, or left out for no limit.`,
  )
}

function urlOf(env: Environment, name: string, protocols: string[]): string | undefined {
  const text = readSecret(env, name)
  if (text === undefined) return undefined
  if (URL.canParse(text) && protocols.includes(new URL(text).protocol)) return text
  // The value stays out of the message: it may hold a password.
  throw new ConfigError(
    `${name} is no URL that begins with ${protocols.map((p) => `${p}//`).join(' or ')}.`,
  )
}

function assetOf(text: string | undefined): Hex | undefined {
  if (text === undefined) return undefined
  if (isAddress(text)) return text.toLowerCase() as Hex
  throw new ConfigError(`LIQUEFY_ASSET is "${text}"; it must be the address of an ERC-20 token.`)
}

function tlsOf(env: Environment): Config['tls'] {
  const certFile = textOf(env, 'LIQUEFY_TLS_CERT')
  const keyFile = textOf(env, 'LIQUEFY_TLS_KEY')
  if (certFile === undefined && keyFile === undefined) return undefined
  if (certFile === undefined || keyFile === undefined) {
    throw new ConfigError('LIQUEFY_TLS_CERT and LIQUEFY_TLS_KEY go together: give both.')
  }
  return { certFile, keyFile }
}

function levelOf(env: Environment): string {
  const level = textOf(env, 'LIQUEFY_LOG_LEVEL') ?? 'info'
  if (LEVELS.includes(level)) return level
  throw new ConfigError(`LIQUEFY_LOG_LEVEL is "${level}"; it must be one of ${LEVELS.join(', ')}.`)
}
