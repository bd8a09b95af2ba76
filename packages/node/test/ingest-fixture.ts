import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { NodeEvent } from '@liquefy/client'
import {
  CURVE_NUMBER,
  type Curve,
  type EnvelopeInput,
  encodeEnvelope,
  encodeToken,
  keyId,
  type PrivateKey,
  privateKeyFromBytes,
  registryAudience,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { pino } from 'pino'
import { privateKeyToAccount } from 'viem/accounts'
import { type Clock, systemClock } from '../src/clock.ts'
import { startEmbeddedBroker } from '../src/connect/embedded-broker.ts'
import type { Broker } from '../src/connect/inbox.ts'
import { createEvents } from '../src/events.ts'
import { createPipeline, type Pipeline, type PipelineOptions } from '../src/pipeline.ts'
import { type Database, openDatabase } from '../src/store/database.ts'
import { type AnchorOutbox, type Evidence, openEvidence } from '../src/trust/evidence.ts'
import { createIdentity, type Identity } from '../src/trust/identity.ts'
import type { Quotas } from '../src/trust/quotas.ts'

type Hex = `0x${string}`

export const CHAIN_ID = 31_337
export const REGISTRY: Hex = `0x${'11'.repeat(20)}`
export const ANCHOR: Hex = `0x${'22'.repeat(20)}`
export const LOG_ACCOUNT = privateKeyToAccount(`0x${'33'.repeat(32)}`)
export const silent = pino({ level: 'silent' })

export interface Receipt {
  machineId: string
  stream: string
  entries: { seq: string; digest: Hex; loggedAt: number; code: string; logIndex: string }[]
}

interface Refused {
  code: string
  message: string
  digest?: Hex
}

/** Ingest of a node: everything up to the commit, over a real database and broker. */
export interface Ingest {
  database: Database
  identity: Identity
  evidence: Evidence
  pipeline: Pipeline
  broker: Broker
  events: NodeEvent[]
  kicked: { machineId: bigint; stream: string }[]
  stop(): Promise<void>
}

export interface IngestOptions {
  database: Database
  clock?: Clock
  outbox?: AnchorOutbox
  limits?: PipelineOptions['limits']
  quotas?: Quotas
  acceptMeterValue?: (senderId: bigint, payload: Uint8Array) => Promise<unknown>
  agreementsOf?: (machineId: bigint) => Promise<object[]>
  port?: number
  /** Sends receipts through another broker than the embedded one. */
  publishThrough?: () => Broker
}

export async function tempFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'liquefy-node-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** An embedded database in a folder of its own, removed when closed. */
export async function tempDatabase(): Promise<Database & { folder: string }> {
  const folder = await tempFolder()
  const database = await openDatabase({ dataDir: folder.path, logger: silent })
  return {
    ...database,
    folder: folder.path,
    async close() {
      await database.close()
      await folder.remove()
    },
  }
}

let freshDatabases = 0

/** An empty database on a server that runs already: much quicker than a server of its own. */
export async function freshDatabase(server: Database): Promise<Database> {
  freshDatabases += 1
  const name = `fresh_${freshDatabases}`
  await server.pool.query(`CREATE DATABASE ${name}`)
  const url = new URL(server.url)
  url.pathname = `/${name}`
  return openDatabase({ dataDir: '', databaseUrl: url.href, logger: silent })
}

export async function startIngest(options: IngestOptions): Promise<Ingest> {
  const { database } = options
  const clock = options.clock ?? systemClock
  const identity = createIdentity({
    database: database.pool,
    chainId: CHAIN_ID,
    registry: REGISTRY,
  })
  const evidence = await openEvidence({
    database,
    clock,
    chainId: CHAIN_ID,
    evidenceAnchor: ANCHOR,
    logAccount: LOG_ACCOUNT,
    outbox: options.outbox,
    anchorIntervalMs: 3_600_000,
    logger: silent,
  })
  const heard: NodeEvent[] = []
  const kicked: { machineId: bigint; stream: string }[] = []
  const events = createEvents(() => undefined)
  events.on((event) => heard.push(event))
  const pipeline = createPipeline({
    workers: 1,
    database,
    clock,
    identity,
    evidence,
    events,
    metering: {
      kick: (streams) => void kicked.push(...streams),
      acceptMeterValue: options.acceptMeterValue ?? (async () => ({ code: 'AGREEMENT_UNKNOWN' })),
    },
    publish: (topic, payload) => (options.publishThrough?.() ?? broker).publish(topic, payload),
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    ...(options.quotas === undefined ? {} : { quotas: options.quotas }),
    logger: silent,
  })
  const broker = await startEmbeddedBroker({
    host: '127.0.0.1',
    port: options.port ?? 0,
    identity,
    inbox: pipeline,
    quotas: options.quotas,
    clock,
    ...(options.agreementsOf === undefined ? {} : { agreementsOf: options.agreementsOf }),
    logger: silent,
  })
  return {
    database,
    identity,
    evidence,
    pipeline,
    broker,
    events: heard,
    kicked,
    async stop() {
      await pipeline.close()
      await broker.close()
      await evidence.close()
    },
  }
}

export function newKey(curve: Curve = 'P-256'): PrivateKey {
  return privateKeyFromBytes(curve, createHash('sha256').update(randomBytes(32)).digest())
}

let block = 0n

/** A block of the ledger to hang events on. */
export async function newBlock(database: Database): Promise<bigint> {
  const answer = await database.pool.query(
    'SELECT coalesce(max(number), 0) + 1 AS next FROM blocks',
  )
  block = answer.rows[0].next
  await database.pool.query(
    'INSERT INTO blocks (number, hash, time_ms, has_events) VALUES ($1, $2, $3, true)',
    [block, randomBytes(32), Date.now()],
  )
  return block
}

let nextMachineId = BigInt(Date.now())

/** Registers a machine as the ledger's follower would have: with a key, or with a controller. */
export async function registerMachine(
  database: Database,
  options: { machineId?: bigint; key?: PrivateKey; controller?: bigint; state?: string } = {},
): Promise<{ machineId: bigint; key: PrivateKey }> {
  nextMachineId += 1n
  const machineId = options.machineId ?? nextMachineId
  const key = options.key ?? newKey()
  const number = await newBlock(database)
  await database.pool.query('INSERT INTO machines VALUES ($1, $2, $3, $4)', [
    machineId,
    options.controller ?? 0n,
    number,
    Date.now(),
  ])
  if (options.controller === undefined) await addKey(database, machineId, 1n, key)
  await setState(database, machineId, options.state ?? 'active')
  return { machineId, key }
}

export async function setState(
  database: Database,
  machineId: bigint,
  state: string,
): Promise<void> {
  await database.pool.query('INSERT INTO machine_states VALUES ($1, $2, $3, 0, $4)', [
    machineId,
    state,
    await newBlock(database),
    Date.now(),
  ])
}

/** A key row; without a key, the revocation of the epoch's key. */
export async function addKey(
  database: Database,
  machineId: bigint,
  epoch: bigint,
  key: PrivateKey | undefined,
  heads: { stream: string; seq: string; digest: string }[] = [],
): Promise<void> {
  const number = await newBlock(database)
  const bytes = (hex: Hex) => Buffer.from(hex.slice(2), 'hex')
  await database.pool.query(
    'INSERT INTO machine_keys VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10)',
    [
      machineId,
      epoch,
      key === undefined ? null : bytes(keyId(key.publicKey)),
      key === undefined ? null : CURVE_NUMBER[key.curve],
      key === undefined ? null : Buffer.alloc(20),
      key === undefined ? null : bytes(key.publicKey.x),
      key === undefined ? null : bytes(key.publicKey.y),
      JSON.stringify(heads),
      number,
      Date.now(),
    ],
  )
}

/** A signed envelope of the machine's stream `level`; anything may be overridden. */
export function seal(
  machine: { machineId: bigint; key: PrivateKey },
  overrides: Partial<EnvelopeInput> & { values?: bigint[]; timeMs?: number } = {},
): { bytes: Uint8Array; digest: Hex } {
  const timeMs = overrides.timeMs ?? Date.now() - 1_000
  const { values = [100n], timeMs: _timeMs, ...input } = overrides
  return encodeEnvelope({
    signer: machine.key,
    iss: { chainId: CHAIN_ID, registry: REGISTRY, machineId: machine.machineId },
    machineId: machine.machineId,
    stream: 'level',
    iat: Math.floor(timeMs / 1_000),
    seq: 1n,
    prev: ZERO_DIGEST,
    content: {
      kind: 'readings',
      readings: values.map((value, index) => ({
        unit: 'kg',
        timeMs: timeMs + index - values.length,
        value,
      })),
    },
    ...input,
  })
}

/** A chain of `count` envelopes from seq 1. */
export function sealChain(
  machine: { machineId: bigint; key: PrivateKey },
  count: number,
  overrides: Partial<EnvelopeInput> = {},
): { bytes: Uint8Array; digest: Hex }[] {
  const chain: { bytes: Uint8Array; digest: Hex }[] = []
  for (let seq = 1; seq <= count; seq += 1) {
    const prev = chain.at(-1)?.digest ?? ZERO_DIGEST
    chain.push(seal(machine, { ...overrides, seq: BigInt(seq), prev, values: [BigInt(seq)] }))
  }
  return chain
}

export function tokenOf(
  machine: { machineId: bigint; key: PrivateKey },
  overrides: Partial<Parameters<typeof encodeToken>[0]> = {},
): string {
  const now = Math.floor(Date.now() / 1_000)
  return encodeToken({
    key: machine.key,
    machineId: machine.machineId,
    audience: registryAudience(CHAIN_ID, REGISTRY),
    issuedAt: now,
    expiresAt: now + 3_600,
    ...overrides,
  })
}

/** A machine's MQTT side: what it hears, and how it speaks. */
export interface Device {
  client: MqttClient
  receipts: Receipt[]
  refused: Refused[]
  answers: unknown[]
  agreements: unknown[]
  /** Publishes an envelope; resolves at PUBACK. */
  send(bytes: Uint8Array): Promise<void>
  /** The receipt entry that names this digest. */
  receipt(digest: Hex): Promise<Receipt['entries'][number]>
  refusal(code: string): Promise<Refused>
  close(): Promise<void>
}

export async function connectDevice(
  port: number,
  machine: { machineId: bigint; key: PrivateKey },
  options: IClientOptions = {},
): Promise<Device> {
  const id = String(machine.machineId)
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
    clientId: id,
    username: id,
    password: tokenOf(machine),
    reconnectPeriod: 0,
    clean: true,
    ...options,
  })
  client.on('error', () => undefined)
  const device: Device = {
    client,
    receipts: [],
    refused: [],
    answers: [],
    agreements: [],
    async send(bytes) {
      await client.publishAsync(`liquefy/v1/${id}/envelope`, Buffer.from(bytes), { qos: 1 })
    },
    receipt: (digest) =>
      until(() =>
        device.receipts.flatMap(({ entries }) => entries).find((one) => one.digest === digest),
      ),
    refusal: (code) => until(() => device.refused.find((one) => one.code === code)),
    async close() {
      await client.endAsync(true)
    },
  }
  const topics: Record<string, unknown[]> = {
    receipt: device.receipts,
    refused: device.refused,
    'meter/answer': device.answers,
    agreement: device.agreements,
  }
  client.on('message', (topic, payload) => {
    topics[topic.slice(`liquefy/v1/${id}/`.length)]?.push(JSON.parse(payload.toString()))
  })
  await client.subscribeAsync(
    Object.keys(topics).map((name) => `liquefy/v1/${id}/${name}`),
    { qos: 1 },
  )
  return device
}

/** Waits for a value, at most 15 s. */
export async function until<T>(read: () => T | undefined | Promise<T | undefined>): Promise<T> {
  const deadline = Date.now() + 15_000
  for (;;) {
    const value = await read()
    if (value !== undefined && value !== false) return value
    if (Date.now() > deadline) throw new Error('it did not happen in 15 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
