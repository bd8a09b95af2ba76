import { join } from 'node:path'
import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { type Agreement, type AgreementDraft, createClient, termsOf } from '@liquefy/client'
import { createKey, type Machine, openMachine, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { type Hex, LiquefyError, ZERO_DIGEST } from '@liquefy/protocol'
import {
  createVirtualClock,
  type Observation,
  tell,
  type VirtualClock,
  walletLedger,
} from '@liquefy/simulator'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { DAYS, freight, penalty } from './agreements.ts'
import { tour } from './tour.ts'
import { drivenMetres, trailerProcess } from './tracker.ts'

/** An agreement as the node shows it, and recomputed by somebody who trusts nobody, from evidence and ledger. */
export interface Bill {
  agreement: Agreement
  audit: AuditReport
}

/** What a whole tour came to. */
export interface Trip {
  people: { shipper: Hex; carrier: Hex }
  freight: Bill
  penalty: Bill
  /** All that the tracker said, in its order. */
  observations: Observation[]
  /** The truth of the physics, by day. */
  drivenMetres: number[]
}

/** Pays the freight, owns the tracker. */
const SHIPPER = 'Nordmühle GmbH'
/** Drives, and answers for the temperature. */
const CARRIER = 'Collector Ltd'

const SEED = 7
/** The tour's first midnight, ms since 1970. */
export const START_MS = Date.UTC(2026, 2, 2)
const SECOND_MS = 1_000
const HOUR_MS = 3_600 * SECOND_MS
const READ_EVERY_MS = 30 * SECOND_MS
/** Readings travel in packs of ten minutes, and meter values are settled four times a day. */
const PACK_MS = 600 * SECOND_MS
const SETTLE_EVERY_MS = 6 * HOUR_MS
/** Nothing settles or anchors by itself while the clock jumps. */
const NEVER_MS = Number.MAX_SAFE_INTEGER
const PATIENCE_MS = 120_000
const LOOK_MS = 50

/** Runs the tour on a node, ledger and clock of its own in an empty folder: registered, agreed, driven, settled and audited. */
export async function runTrip(dataDir: string): Promise<Trip> {
  const genesisMs = START_MS - HOUR_MS
  const clock = createVirtualClock(genesisMs)
  const node = await startNode({
    dataDir,
    host: '127.0.0.1',
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    clock,
    genesisTimestampMs: genesisMs,
    blockMs: 100,
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
  })
  let tracker: Machine | undefined
  try {
    const founded = await found(node, join(dataDir, 'tracker'))
    clock.advance(START_MS - genesisMs)
    tracker = await connect(node, clock, join(dataDir, 'tracker'), founded.machineId)
    const driven = await drive(node, tracker, clock)
    return {
      people: founded.people,
      freight: await billOf(node, founded.freightId),
      penalty: await billOf(node, founded.penaltyId),
      ...driven,
    }
  } finally {
    await tracker?.close()
    await node.stop()
  }
}

/** The shipper registers the tracker; both open the freight, and the penalty that is linked to it. */
async function found(node: RunningNode, folder: string) {
  const { deployment } = node
  const client = createClient({ url: node.url })
  const ledger = walletLedger({
    deployment,
    publicClient: node.chain.publicClient,
    walletOf: (name) => {
      const person = node.keys.people.find((one) => one.name === name)
      if (!person) throw new LiquefyError('PERSON_UNKNOWN', `Nobody here is called ${name}.`)
      return createWalletClient({ account: person.account, transport: http(node.rpcUrl) })
    },
  })
  const machineId = await ledger.registerMachine({ key: createKey(folder), owner: SHIPPER })
  await node.nameMachine(machineId, 'Trailer tracker')

  async function open(draft: AgreementDraft, payer: string, payee: string, salt: Hex) {
    await client.submitRules(draft.meters.map(({ rule }) => rule))
    const terms = termsOf(draft, {
      deployment,
      machineId,
      payer: ledger.addressOf(payer),
      payee: ledger.addressOf(payee),
      startSeconds: BigInt(START_MS / SECOND_MS),
      salt,
    })
    const agreementId = await ledger.openAgreement({ terms, payer, payee })
    const amountMinor = draft.capMinor * BigInt(draft.periods)
    await ledger.fund({ agreementId, person: payer, amountMinor })
    return agreementId
  }
  const freightId = await open(freight, SHIPPER, CARRIER, ZERO_DIGEST)
  // An agreement is linked to another by its salt.
  const penaltyId = await open(penalty, CARRIER, SHIPPER, freightId)
  await node.idle()
  const people = { shipper: ledger.addressOf(SHIPPER), carrier: ledger.addressOf(CARRIER) }
  return { machineId, people, freightId, penaltyId }
}

async function connect(
  node: RunningNode,
  clock: VirtualClock,
  folder: string,
  machineId: bigint,
): Promise<Machine> {
  const { chainId, registry, clearingHouse } = node.deployment
  saveIdentity(folder, { machineId, chainId, registry, clearingHouse, mqttUrl: node.mqttUrl })
  const packEvery = { ageMs: PACK_MS }
  const tracker = await openMachine({ folder, clock, packEvery, signEveryMs: NEVER_MS })
  const patienceEndsMs = Date.now() + PATIENCE_MS
  while (tracker.agreements().length < 2) {
    if (Date.now() > patienceEndsMs) {
      await tracker.close()
      throw new LiquefyError('TIMEOUT', 'The tracker was not told of its agreements.')
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return tracker
}

/** All days: read, send, and settle what it came to. */
async function drive(
  node: RunningNode,
  tracker: Machine,
  clock: VirtualClock,
): Promise<Pick<Trip, 'observations' | 'drivenMetres'>> {
  const trailer = trailerProcess(tour)(SEED)
  const observations: Observation[] = []
  const driven: number[] = []
  const endMs = START_MS + DAYS * 24 * HOUR_MS
  for (let nowMs = START_MS + READ_EVERY_MS; nowMs < endMs; nowMs += READ_EVERY_MS) {
    clock.advance(nowMs - clock.nowMs())
    const told = trailer.step(READ_EVERY_MS, nowMs)
    observations.push(...told)
    // On disk once the pack is full; `flushed` waits for that.
    for (const one of told) tell(tracker, one).catch(() => undefined)
    const isLast = nowMs + READ_EVERY_MS >= endMs
    if (isLast || nowMs % PACK_MS === 0) await tracker.flushed(PATIENCE_MS)
    if (isLast || nowMs % SETTLE_EVERY_MS === 0) await settle(node, tracker)
    const day = Math.floor((nowMs - START_MS) / (24 * HOUR_MS))
    driven[day] = drivenMetres(trailer)
  }
  await node.anchorNow()
  await node.idle()
  return {
    observations,
    drivenMetres: driven.map((metres, day) => metres - (driven[day - 1] ?? 0)),
  }
}

async function settle(node: RunningNode, tracker: Machine): Promise<void> {
  await node.idle()
  const answers = await tracker.meterNow(PATIENCE_MS)
  const bad = answers.find(({ kind }) => kind === 'refused' || kind === 'mismatch')
  if (bad) throw new LiquefyError('METER_REFUSED', `The node said ${bad.kind} to a meter value.`)
  await node.settleNow()
}

async function billOf(node: RunningNode, agreementId: Hex): Promise<Bill> {
  const { chainId, registry, clearingHouse, evidenceAnchor } = node.deployment
  const client = createClient({ url: node.url })
  const audit = await auditBundle({
    lines: client.bundle(agreementId),
    ledger: viemLedgerReader({ rpcUrl: node.rpcUrl, tariffs: node.deployment }),
    expected: { agreementId, chainId, registry, clearingHouse, evidenceAnchor },
  })
  return { agreement: await client.agreement(agreementId), audit }
}
