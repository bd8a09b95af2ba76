import { setTimeout as sleep } from 'node:timers/promises'
import { LiquefyError } from '@liquefy/protocol'
import type { Hex, PublicClient } from 'viem'
import { ledgerClient, outsideChainId } from '../chain/chain.ts'
import { type ContractDeployment, DeploymentError, parseDeployment } from '../chain/deployment.ts'
import type { Broker, Inbox } from '../connect/inbox.ts'
import { connectOutsideBroker } from '../connect/outside-broker.ts'
import { createLedgerChanges, type LedgerChanges } from '../ledger-changes.ts'
import { createMeasures, type Measures } from '../measures.ts'
import { createPipeline, type Pipeline, type PipelineOptions } from '../pipeline.ts'
import { readDeployment } from '../store/deployment.ts'
import { type AgreementMessage, type Agreements, createAgreements } from '../transact/agreements.ts'
import type { Metering } from '../transact/metering.ts'
import { type Evidence, openEvidence } from '../trust/evidence.ts'
import { createIdentity, type Identity } from '../trust/identity.ts'
import { createQuotas } from '../trust/quotas.ts'
import type { Site } from './site.ts'

/** The ledger and what stands on it, for a process without keys: it reads, and asks others to sign. */
export interface Keyless {
  deployment: ContractDeployment
  /** Account that signs and anchors the log. */
  log: Hex
  client: PublicClient
  identity: Identity
  agreements: Agreements
  evidence: Evidence
  measures: Measures
}

const LOOK_MS = 250
const SAY_AFTER_LOOKS = 8
const NEVER_MS = 2 ** 31 - 1

/** Waits until a process with keys has told where the contracts are, and opens what needs no keys. */
export async function openKeyless(site: Site): Promise<Keyless> {
  const { config, database, started } = site
  const { clock, logger } = config
  const { contracts, log } = await knownDeployment(site)
  const deployment = parseDeployment(contracts)
  const rpcUrl = String(config.rpcUrl)
  const chainId = await outsideChainId(rpcUrl)
  if (chainId !== deployment.chainId) {
    throw new DeploymentError(
      `RPC_URL leads to chain ${chainId}; this database follows chain ${deployment.chainId}.`,
    )
  }
  const identity = createIdentity({
    database: database.pool,
    chainId,
    registry: deployment.registry,
  })
  const agreements = createAgreements({ database, deployment })
  await agreements.refresh()
  const evidence = await openEvidence({
    database,
    clock,
    chainId,
    evidenceAnchor: deployment.evidenceAnchor,
    logAccount: { address: log, publicKey: '0x', sign: cannotSign, signTypedData: cannotSign },
    anchorIntervalMs: NEVER_MS,
    logger,
  })
  started.push(() => evidence.close())
  const client = ledgerClient(rpcUrl, chainId, RPC_POLL_MS)
  return { deployment, log, client, identity, agreements, evidence, measures: createMeasures() }
}

const RPC_POLL_MS = 2_000

async function knownDeployment({ database, config }: Site) {
  for (let look = 1; ; look += 1) {
    const known = await readDeployment(database.pool)
    if (known) return known
    if (look === SAY_AFTER_LOOKS) {
      config.logger.warn(
        'waiting for a process with the role settle: it tells where the contracts are',
      )
    }
    await sleep(LOOK_MS)
  }
}

function cannotSign(): Promise<never> {
  throw new LiquefyError('KEY_MISSING', 'Only a process with the role settle signs log heads.')
}

/** Follows what other processes tell of the ledger and of rules. */
export function followBulletins(
  site: Site,
  { identity, agreements }: Keyless,
  parts: {
    metering?: Pick<Metering, 'kickAgreements' | 'kickSigners'>
    announce?: (machineId: bigint, message: AgreementMessage) => Promise<void>
  },
): LedgerChanges {
  const { config, database, bulletins, started } = site
  const { clock, logger } = config
  const changes = createLedgerChanges({ database, clock, identity, agreements, logger, ...parts })
  const stopListening = bulletins.on((bulletin) => {
    if (bulletin.kind === 'missed') changes.applyAll()
    else if (bulletin.kind === 'rules') changes.rulesKnown().catch(() => undefined)
    else if (bulletin.kind === 'ledger') {
      const machineIds = bulletin.machineIds.map(BigInt)
      changes.apply({ machineIds, agreementIds: bulletin.agreementIds, toBlock: -1 })
    }
  })
  started.push(async () => {
    stopListening()
    await changes.idle()
  })
  return changes
}

/** The pipeline of a process without keys, and its way to the machines. */
export async function openIntake(
  site: Site,
  { log, identity, agreements, evidence, measures }: Keyless,
  parts: Pick<PipelineOptions, 'metering'> & {
    workers: number
    takes: readonly ('envelope' | 'meter')[]
    connections: number
  },
): Promise<{ pipeline: Pipeline; broker: Broker }> {
  const { config, database, events, started, holder } = site
  const { clock, logger } = config
  let broker: Broker | undefined
  const pipeline = createPipeline({
    database,
    clock,
    identity,
    evidence,
    metering: parts.metering,
    events,
    publish: async (topic, payload) => broker?.publish(topic, payload),
    quotas: createQuotas({
      limits: config.quotas,
      sendersAreKnown: false,
      ownerOf: (machineId) => identity.ownerOf(machineId),
      nowMs: () => clock.nowMs(),
    }),
    observer: measures.pipeline,
    workers: parts.workers,
    logger,
  })
  started.push(() => pipeline.close())
  const inbox: Inbox = pipeline
  const running = await connectOutsideBroker({
    url: String(config.mqttUrl),
    inbox,
    // A node that did everything may have left sessions under its own name, which the broker would go on serving.
    clientId: `liquefy-roles-${log}`,
    process: holder,
    takes: parts.takes,
    connections: parts.connections,
    agreementsOf: async (machineId) => agreements.agreementsOf(machineId),
    logger,
  })
  broker = running
  started.push(() => running.close())
  return { pipeline, broker: running }
}

/** For a process that folds nothing. */
export const noMetering: PipelineOptions['metering'] = {
  kick: () => undefined,
  acceptMeterValue: () =>
    Promise.reject(
      new LiquefyError('ROLE_WRONG', 'Meter values go to processes with the role meter.'),
    ),
}
