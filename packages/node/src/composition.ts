import type { Deployment, Hex } from '@liquefy/client'
import { LiquefyError } from '@liquefy/protocol'
import type { PublicClient } from 'viem'
import type { ApiContext } from './api/context.ts'
import { type Api, startApi } from './api/server.ts'
import type { Certificate } from './certificate.ts'
import type { Chain } from './chain/chain.ts'
import type { ContractDeployment } from './chain/deployment.ts'
import { marketOf } from './chain/market-events.ts'
import { marketReader } from './chain/market-reader.ts'
import { publicRpcUrl } from './chain/rpc-transport.ts'
import type { Config } from './config.ts'
import type { Broker } from './connect/inbox.ts'
import { createOrderBook, type OrderBook } from './cooperate/order-book.ts'
import { isLoopback } from './loopback.ts'
import type { Database } from './store/database.ts'
import { readVault } from './store/vaults.ts'

/** Ends one part of what was started. */
export type End = () => Promise<void> | void

/** An answer about money may be this old. */
export const MONEY_CHECK_MS = 60_000
const END_PATIENCE_MS = 20_000

/** Ends parts in the reverse order of their start, each whatever became of the others. */
export async function endAll(started: readonly End[], { logger }: Config): Promise<void> {
  for (const end of started.toReversed()) {
    try {
      await inTime(end())
    } catch (error) {
      // The rest must end all the same: a database left running would hold the folder.
      logger.error({ err: error }, 'a part did not end in order')
    }
  }
  logger.info('stopped')
}

/** A part that waits for something outside must not hold up the rest for ever. */
async function inTime(ending: Promise<void> | void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const tooLong = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new LiquefyError('STOP_TOO_SLOW', 'It did not end in time.')),
      END_PATIENCE_MS,
    )
  })
  try {
    await Promise.race([ending, tooLong])
  } finally {
    clearTimeout(timer)
  }
}

/** Starts API and page. */
export function startHttp(
  config: Config,
  certificate: Certificate | undefined,
  context: ApiContext,
): Promise<Api> {
  const { host, port, webRoot } = config
  return namingPort('LIQUEFY_PORT', port, () =>
    startApi(context, { host, port, certificate, webRoot }),
  )
}

/** A port that is taken is a matter of one setting: the error names it. */
export async function namingPort<T>(
  setting: string,
  port: number,
  begin: () => Promise<T>,
): Promise<T> {
  try {
    return await begin()
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code !== 'EADDRINUSE' && code !== 'PORT_IN_USE') throw error
    throw new LiquefyError(
      'PORT_IN_USE',
      `Port ${port} is taken. Stop what listens there, or choose another one with ${optionOf(setting)} or ${setting} (0: any free one).`,
      { cause: error },
    )
  }
}

/** The option of `liquefy up` with a setting's meaning: `--mqtt-port` for `LIQUEFY_MQTT_PORT`. */
function optionOf(setting: string): string {
  return `--${setting.replace('LIQUEFY_', '').toLowerCase().replaceAll('_', '-')}`
}

/** What anybody may know: addresses of one's own parts stand in it without their secrets. */
export function deploymentOf(
  config: Config,
  chain: Pick<Chain, 'chainId' | 'rpcUrl' | 'embedded' | 'deployment' | 'log' | 'people'>,
  broker: Broker,
): Deployment {
  const { mqttUrl, host, tls } = config
  const { deployment, chainId, embedded, log, people } = chain
  const rpcUrl = config.publicRpcUrl ?? publicRpcUrl(chain.rpcUrl)
  const name = host.includes(':') ? `[${host}]` : host
  return {
    chainId,
    rpcUrl,
    embedded,
    registry: deployment.registry,
    p256Sha256Verifier: deployment.p256Sha256Verifier,
    p256RawVerifier: deployment.p256RawVerifier,
    clearingHouse: deployment.clearingHouse,
    evidenceAnchor: deployment.evidenceAnchor,
    linearTariff: deployment.linearTariff,
    tieredTariff: deployment.tieredTariff,
    planTariff: deployment.planTariff,
    accounts: deployment.accounts ?? null,
    cooperation: deployment.cooperation ?? null,
    log,
    asset: deployment.asset,
    mqttUrl: mqttUrl
      ? publicMqttUrl(mqttUrl)
      : `${tls ? 'mqtts' : 'mqtt'}://${name}:${broker.port}`,
    people,
    actAsPeople: embedded && isLoopback(config.host),
  }
}

function publicMqttUrl(mqttUrl: string): string {
  const url = new URL(mqttUrl)
  url.username = ''
  url.password = ''
  url.search = ''
  return url.href
}

/** The book of the ledger's market; undefined where there is none. */
export function openOrderBook(
  { clock }: Config,
  parts: { client: PublicClient; database: Database; deployment: ContractDeployment },
): OrderBook | undefined {
  const { client, database, deployment } = parts
  const market = marketOf(deployment)
  if (!market) return undefined
  const reader = marketReader(client, market)
  const isShare = async (token: Hex) => (await readVault(database.pool, token)) !== undefined
  return createOrderBook({ database, clock, market, reader, isShare })
}

/** Reads from the ledger what transactions cost. */
export function costReader(client: PublicClient): ApiContext['costOf'] {
  return async (hash) => {
    const { gasUsed, effectiveGasPrice } = await client.getTransactionReceipt({ hash })
    return { gas: gasUsed, feeWei: gasUsed * effectiveGasPrice }
  }
}

/** Answers the same for a while, so that whoever asks often costs nothing. A failure is not kept. */
export function remembered<T>(read: () => Promise<T>, ms: number): () => Promise<T> {
  let newest: { answer: Promise<T>; atMs: number } | undefined
  return () => {
    if (newest && performance.now() - newest.atMs < ms) return newest.answer
    const answer = read()
    const entry = { answer, atMs: performance.now() }
    newest = entry
    answer.catch(() => {
      if (newest === entry) newest = undefined
    })
    return answer
  }
}
