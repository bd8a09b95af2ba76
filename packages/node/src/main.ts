import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Deployment } from '@liquefy/client'
import { LiquefyError } from '@liquefy/protocol'
import type { ApiContext } from './api/context.ts'
import { type Api, startApi } from './api/server.ts'
import { type Certificate, openCertificate } from './certificate.ts'
import { type Chain, startChain } from './chain/chain.ts'
import { type Keys, openKeys } from './chain/keys.ts'
import { publicRpcUrl } from './chain/rpc-transport.ts'
import type { Clock } from './clock.ts'
import { type Config, type NodeOptions, readConfig } from './config.ts'
import { startEmbeddedBroker } from './connect/embedded-broker.ts'
import { createHttpIngest } from './connect/http-ingest.ts'
import type { Broker } from './connect/inbox.ts'
import { connectOutsideBroker } from './connect/outside-broker.ts'
import { topicOf } from './connect/topics.ts'
import { lockDataFolder } from './data-lock.ts'
import { createEvents, type NodeEvents } from './events.ts'
import { createLedgerChanges } from './ledger-changes.ts'
import { createMeasures } from './measures.ts'
import { createPipeline, type Pipeline } from './pipeline.ts'
import { type Database, openDatabase } from './store/database.ts'
import { saveMachineName } from './store/overview.ts'
import { createAgreements } from './transact/agreements.ts'
import { createMetering, type Metering } from './transact/metering.ts'
import { createMoneyCheck, type MoneyCheck } from './transact/money-check.ts'
import { createNotices } from './transact/notices.ts'
import { createSettlement } from './transact/settlement.ts'
import { openEvidence } from './trust/evidence.ts'
import { createIdentity } from './trust/identity.ts'

/** A node that runs. */
export interface RunningNode {
  /** Origin of API and page. */
  url: string
  mqttUrl: string
  /** May hold secrets; `deployment.rpcUrl` is for others. */
  rpcUrl: string
  deployment: Deployment
  keys: Keys
  chain: Chain
  database: Database
  clock: Clock
  events: NodeEvents
  metering: Metering
  pipeline: Pipeline
  /** Gives a machine a name for pages. */
  nameMachine(machineId: bigint, name: string): Promise<void>
  /** Relays all accepted meter values at once; resolves when the ledger has judged them and the node has followed. */
  settleNow(): Promise<void>
  /** Anchors the evidence log; resolves when that is included. */
  anchorNow(): Promise<void>
  /** Compares the database's view of money with the ledger (INV-5). */
  checkMoney(): Promise<MoneyCheck>
  /** Resolves when all that has arrived is logged and metered, and the ledger followed. */
  idle(): Promise<void>
  /** Ends in order: intake first, then what works on it, then ledger and database. A second call waits for the first. */
  stop(): Promise<void>
}

const MONEY_CHECK_MS = 60_000
const SETTLE_ROUNDS = 10
const END_PATIENCE_MS = 20_000

/**
 * Starts a node on a data folder: database, ledger, evidence log, metering, settlement, broker, API and page. What is not
 * given comes from the environment.
 *
 * @throws LiquefyError with a code and what to do: `DATA_FOLDER_IN_USE`, `PORT_IN_USE`, `CONFIG_INVALID` and others.
 */
export async function startNode(options: NodeOptions = {}): Promise<RunningNode> {
  const config = readConfig(options, process.env)
  const dataDir = resolve(config.dataDir)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  /** What has been started, to be ended in reverse order. */
  const started: (() => Promise<void> | void)[] = [lockDataFolder(dataDir)]
  let stopping: Promise<void> | undefined
  const stop = (): Promise<void> => {
    stopping ??= endAll(started, config)
    return stopping
  }
  try {
    return await start({ ...config, dataDir }, started, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function endAll(
  started: readonly (() => Promise<void> | void)[],
  { logger }: Config,
): Promise<void> {
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

async function start(
  config: Config,
  started: (() => Promise<void> | void)[],
  stop: () => Promise<void>,
): Promise<RunningNode> {
  const { dataDir, clock, logger } = config
  const certificate = config.tls && openCertificate(config.tls, logger)
  if (certificate) started.push(() => certificate.close())
  const database = await openDatabase({ dataDir, databaseUrl: config.databaseUrl, logger })
  started.push(() => database.close())
  const keys = await openKeys(dataDir, config.keyPassphrase)
  // On the embedded chain they hold nothing of worth, unless somebody says so by a passphrase.
  if (keys.plain.length > 0 && (config.rpcUrl || config.keyPassphrase)) {
    logger.warn(
      { files: keys.plain },
      'these keys lie unencrypted on disk: set LIQUEFY_KEY_PASSPHRASE_FILE and run `liquefy keys encrypt`',
    )
  }
  const measures = createMeasures()
  const chain = await namingPort('LIQUEFY_RPC_PORT', config.rpcPort, () =>
    startChain({ ...config, database, keys, observer: measures.outbox }),
  )
  started.push(() => chain.stop())
  await chain.follower.synced()

  const { chainId, outbox, follower } = chain
  const { registry, clearingHouse, evidenceAnchor } = chain.deployment
  const events = createEvents((error) => logger.error({ err: error }, 'a listener failed'))
  const identity = createIdentity({ database: database.pool, chainId, registry })
  const agreements = createAgreements({ database, deployment: chain.deployment })
  await agreements.refresh()
  const evidence = await openEvidence({
    database,
    clock,
    chainId,
    evidenceAnchor,
    logAccount: keys.operator,
    outbox,
    anchorIntervalMs: config.anchorIntervalMs,
    logger,
  })
  started.push(() => evidence.close())
  const metering = createMetering({
    database,
    agreements,
    clock,
    events,
    ledger: chain.deployment,
    log: chain.log,
    logger,
  })
  const settlement = createSettlement({
    database,
    clock,
    outbox,
    deployment: chain.deployment,
    policy: config.settle,
    // Gas of the embedded ledger costs nothing.
    asset: config.rpcUrl === undefined ? undefined : chain.deployment.asset.address,
    logger,
  })
  started.push(
    () => settlement.close(),
    () => metering.close(),
  )

  let broker: Broker | undefined
  const publish = async (topic: string, payload: string) => broker?.publish(topic, payload)
  const pipeline = createPipeline({
    database,
    clock,
    identity,
    evidence,
    metering,
    events,
    publish,
    observer: measures.pipeline,
    workers: config.workers,
    logger,
  })
  started.push(() => pipeline.close())
  const changes = createLedgerChanges({
    database,
    clock,
    identity,
    agreements,
    metering,
    settlement,
    events,
    logger,
    announce: (machineId, message) =>
      publish(topicOf(machineId, 'agreement'), JSON.stringify(message)),
    fromBlock: chain.block().included,
  })
  const notices = createNotices({ database, clock, agreements, events, logger })
  started.push(() => notices.close())
  const stopListening = follower.onApplied((change) => changes.apply(change))
  started.push(async () => {
    stopListening()
    await changes.idle()
  })
  metering.kickAgreements(agreements.all().map(({ agreementId }) => agreementId))

  // Another node at the same outside broker has another log.
  const running = await startBroker(config, `liquefy-${chain.log}`, {
    identity,
    inbox: pipeline,
    clock,
    agreementsOf: async (machineId) => agreements.agreementsOf(machineId),
    certificate,
    logger,
  })
  broker = running
  started.push(() => running.close())
  const deployment = deploymentOf(config, chain, running)
  const checkMoney = createMoneyCheck({
    database,
    client: chain.publicClient,
    clearingHouse,
    fromBlock: chain.deployment.fromBlock,
    block: () => chain.block(),
  })
  const api = await startHttp(config, certificate, {
    deployment,
    database,
    agreements,
    evidence,
    clock,
    events,
    measures,
    dataDir,
    certificateExpiresMs: () => certificate?.expiresMs(),
    block: () => chain.block(),
    ledgerLag: () => follower.lag(),
    operatorBalance: () => chain.publicClient.getBalance({ address: keys.operator.address }),
    frames: () => pipeline.counts(),
    connectedMachines: () => running.connectedMachines().length,
    notices: () => notices.current(),
    checkMoney: remembered(checkMoney, MONEY_CHECK_MS),
    ingest: createHttpIngest({ inbox: pipeline, identity, nowMs: () => clock.nowMs() }),
    onRules: () => changes.rulesKnown(),
    submitMeterValue: (json) => metering.submitMeterValue(json),
    submitAttestation: (json) => metering.submitAttestation(json),
    logger,
  })
  started.push(() => api.close())

  const idle = async () => {
    await pipeline.idle()
    await follower.synced()
    await changes.idle()
    await metering.idle()
  }
  logger.info({ url: api.url, mqtt: deployment.mqttUrl, rpc: deployment.rpcUrl }, 'running')
  return {
    url: api.url,
    mqttUrl: deployment.mqttUrl,
    rpcUrl: chain.rpcUrl,
    deployment,
    keys,
    chain,
    database,
    clock,
    events,
    metering,
    pipeline,
    nameMachine: (machineId, name) => saveMachineName(database.pool, machineId, name),
    async settleNow() {
      await idle()
      // A value that came while another of its period was under way has its turn in the next round.
      for (let round = 0; round < SETTLE_ROUNDS; round += 1) {
        const intents = await settlement.settleNow()
        if (intents.length === 0) return
        await Promise.all(intents.map((intentId) => outbox.whenIncluded(intentId)))
        await follower.synced()
        await changes.idle()
      }
    },
    anchorNow: async () => {
      await evidence.anchorNow()
      await follower.synced()
    },
    checkMoney,
    idle,
    stop,
  }
}

function startBroker(
  config: Config,
  clientId: string,
  parts: Omit<Parameters<typeof startEmbeddedBroker>[0], 'host' | 'port'>,
): Promise<Broker> {
  const { mqttUrl, host, mqttPort: port } = config
  if (mqttUrl) return connectOutsideBroker({ ...parts, url: mqttUrl, clientId })
  return namingPort('LIQUEFY_MQTT_PORT', port, () => startEmbeddedBroker({ ...parts, host, port }))
}

function startHttp(
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
async function namingPort<T>(setting: string, port: number, begin: () => Promise<T>): Promise<T> {
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
function deploymentOf(config: Config, chain: Chain, broker: Broker): Deployment {
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
    log,
    asset: deployment.asset,
    mqttUrl: mqttUrl
      ? publicMqttUrl(mqttUrl)
      : `${tls ? 'mqtts' : 'mqtt'}://${name}:${broker.port}`,
    people,
  }
}

function publicMqttUrl(mqttUrl: string): string {
  const url = new URL(mqttUrl)
  url.username = ''
  url.password = ''
  url.search = ''
  return url.href
}

/** Answers the same for a while, so that whoever asks often costs nothing. A failure is not kept. */
function remembered<T>(read: () => Promise<T>, ms: number): () => Promise<T> {
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
