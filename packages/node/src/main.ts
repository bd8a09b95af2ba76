import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Deployment, Place } from '@liquefy/client'
import { openCertificate } from './certificate.ts'
import { accountReader } from './chain/account-reader.ts'
import { type Chain, startChain } from './chain/chain.ts'
import { type Keys, openKeys } from './chain/keys.ts'
import { createPeopleWallets } from './chain/people-wallets.ts'
import { vaultReader } from './chain/vault-reader.ts'
import type { Clock } from './clock.ts'
import {
  costReader,
  deploymentOf,
  type End,
  endAll,
  MONEY_CHECK_MS,
  namingPort,
  openOrderBook,
  remembered,
  startHttp,
} from './composition.ts'
import { type Config, ConfigError, type NodeOptions, readConfig } from './config.ts'
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
import { saveMachinePlace } from './store/places.ts'
import { createAgreements } from './transact/agreements.ts'
import { createMetering, type Metering } from './transact/metering.ts'
import { createMoneyCheck, type MoneyCheck } from './transact/money-check.ts'
import { createNotices } from './transact/notices.ts'
import { createProposals } from './transact/proposals.ts'
import { createSettlement } from './transact/settlement.ts'
import { createCredentials } from './trust/credentials.ts'
import { openEvidence } from './trust/evidence.ts'
import { createIdentity } from './trust/identity.ts'
import { createQuotas } from './trust/quotas.ts'
import { createSessions } from './trust/sessions.ts'

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
  /** Says where a machine stands that does not measure it. */
  placeMachine(machineId: bigint, place: Place): Promise<void>
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

const SETTLE_ROUNDS = 10

/**
 * Starts a node on a data folder: database, ledger, evidence log, metering, settlement, broker, API and page. What is not
 * given comes from the environment.
 *
 * @throws LiquefyError with a code and what to do: `DATA_FOLDER_IN_USE`, `PORT_IN_USE`, `CONFIG_INVALID` and others.
 */
export async function startNode(options: NodeOptions = {}): Promise<RunningNode> {
  const config = readConfig(options, process.env)
  if (config.role !== 'all') {
    throw new ConfigError(`The role is ${config.role}: a process with a role starts by startRole.`)
  }
  const dataDir = resolve(config.dataDir)
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  /** What has been started, to be ended in reverse order. */
  const started: End[] = [lockDataFolder(dataDir)]
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

async function start(
  config: Config,
  started: End[],
  stop: () => Promise<void>,
): Promise<RunningNode> {
  const { dataDir, clock, logger } = config
  const certificate = config.tls && openCertificate(config.tls, logger)
  if (certificate) started.push(() => certificate.close())
  const database = await openDatabase({ dataDir, databaseUrl: config.databaseUrl, logger })
  started.push(() => database.close())
  const keys = await openKeys(dataDir, config.keyPassphrase, config.people)
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
  const quotas = createQuotas({
    limits: config.quotas,
    sendersAreKnown: config.mqttUrl === undefined,
    ownerOf: (machineId) => identity.ownerOf(machineId),
    nowMs: () => clock.nowMs(),
  })
  const pipeline = createPipeline({
    database,
    clock,
    identity,
    evidence,
    metering,
    events,
    publish,
    quotas,
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
    announce: (machineId, message) =>
      publish(topicOf(machineId, 'agreement'), JSON.stringify(message)),
    lead: {
      settlement,
      events,
      forgetVanished: () => metering.forgetVanished(),
      fromBlock: chain.block().included,
    },
    logger,
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
    quotas,
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
    role: 'all',
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
    costOf: costReader(chain.publicClient),
    readAccount: accountReader(chain.publicClient, chain.deployment),
    readVault: vaultReader(chain.publicClient, chain.deployment.clearingHouse),
    frames: () => pipeline.counts(),
    connectedMachines: () => running.connectedMachines().length,
    notices: () => notices.current(),
    checkMoney: remembered(checkMoney, MONEY_CHECK_MS),
    ingest: createHttpIngest({ inbox: pipeline, identity, nowMs: () => clock.nowMs() }),
    onRules: () => changes.rulesKnown(),
    submitMeterValue: (json) => metering.submitMeterValue(json),
    submitAttestation: (json) => metering.submitAttestation(json),
    sessions: await createSessions({
      database,
      clock,
      chainId,
      contractAccepts: (signed) => chain.publicClient.verifyMessage(signed),
    }),
    credentials: createCredentials({ database, clock, issuers: config.trustedIssuers }),
    proposals: createProposals({
      database,
      clock,
      agreements,
      deployment,
      contractAccepts: (signed) => chain.publicClient.verifyHash(signed),
    }),
    orderBook: openOrderBook(config, {
      client: chain.publicClient,
      database,
      deployment: chain.deployment,
    }),
    peopleWallets: deployment.actAsPeople
      ? createPeopleWallets({
          people: keys.people,
          rpcUrl: chain.rpcUrl,
          chain: chain.publicClient.chain,
        })
      : undefined,
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
    placeMachine: (machineId, place) => saveMachinePlace(database.pool, machineId, place),
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
