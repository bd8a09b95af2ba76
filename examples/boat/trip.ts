import { join } from 'node:path'
import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { type Agreement, createClient, termsOf } from '@liquefy/client'
import { createKey, type Machine, openMachine, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { type Hex, LiquefyError, ZERO_DIGEST } from '@liquefy/protocol'
import {
  createVirtualClock,
  type Observation,
  type PartyLedger,
  tell,
  type VirtualClock,
  walletLedger,
} from '@liquefy/simulator'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { boatProcess } from './boat.ts'
import { CHARTER_DAYS, charter, DAY_SECONDS } from './charter.ts'
import { LOG_PATH, type Logbook, openLogbook } from './logbook.ts'
import { CHARTERER, FOUNDER, PEOPLE } from './people.ts'

/** An agreement as the node shows it, and recomputed by somebody who trusts nobody, from evidence and ledger. */
export interface Bill {
  agreement: Agreement
  audit: AuditReport
}

/** What the whole story came to. */
export interface Season {
  /** The Monday's midnight on which the charter began, ms since 1970. */
  startMs: number
  logbook: Logbook
  charter: Bill
  /** All that the boat said, in its order. */
  observations: Observation[]
}

/** A Monday's midnight, UTC: the charter begins, ms since 1970. */
const START_MS = Date.UTC(2026, 5, 1)
const SECOND_MS = 1_000
const DAY_MS = DAY_SECONDS * SECOND_MS
/** Out on Monday and Wednesday, home on Tuesday and Thursday: 10:00 in Helsinki. */
const DEPARTURES = [0, 1, 2, 3].map((day) => day * DAY_SECONDS + 7 * 3_600)
const READ_EVERY_MS = 60 * SECOND_MS
/** Readings travel in packs of an hour, and a day is settled when it is over. */
const PACK_MS = 3_600 * SECOND_MS
/** Nothing settles or anchors by itself while the clock jumps. */
const NEVER_MS = Number.MAX_SAFE_INTEGER
const PATIENCE_MS = 120_000
const LOOK_MS = 50

/** Runs the story on a node, ledger and clock of its own in an empty folder. */
export async function runSeason(dataDir: string, logPath = LOG_PATH): Promise<Season> {
  const logbook = openLogbook(logPath)
  const genesisMs = START_MS - DAY_MS
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
    people: PEOPLE,
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
  })
  let boat: Machine | undefined
  try {
    const folder = join(dataDir, 'boat')
    const ledger = ledgerOf(node)
    const machineId = await ledger.registerMachine({ key: createKey(folder), owner: FOUNDER })
    await node.nameMachine(machineId, 'Boat Plaka')
    const agreementId = await openCharter(node, ledger, machineId)
    await node.idle()
    clock.advance(START_MS - clock.nowMs())
    boat = await connect(node, clock, folder, machineId)
    const observations = await sailWeek(node, boat, clock, logbook)
    return { startMs: START_MS, logbook, charter: await billOf(node, agreementId), observations }
  } finally {
    await boat?.close()
    await node.stop()
  }
}

function ledgerOf(node: RunningNode): PartyLedger {
  return walletLedger({
    deployment: node.deployment,
    publicClient: node.chain.publicClient,
    walletOf: (name) => {
      const person = node.keys.people.find((one) => one.name === name)
      if (!person) throw new LiquefyError('PERSON_UNKNOWN', `Nobody here is called ${name}.`)
      return createWalletClient({ account: person.account, transport: http(node.rpcUrl) })
    },
  })
}

/** The charterer pays whoever owns the boat, and puts five days at the highest price into escrow. */
async function openCharter(node: RunningNode, ledger: PartyLedger, machineId: bigint) {
  await createClient({ url: node.url }).submitRules(charter.meters.map(({ rule }) => rule))
  const terms = termsOf(charter, {
    deployment: node.deployment,
    machineId,
    payer: ledger.addressOf(CHARTERER),
    payee: ledger.addressOf(FOUNDER),
    startSeconds: BigInt(START_MS / SECOND_MS),
    salt: ZERO_DIGEST,
  })
  const agreementId = await ledger.openAgreement({ terms, payer: CHARTERER, payee: FOUNDER })
  const amountMinor = charter.capMinor * BigInt(CHARTER_DAYS)
  await ledger.fund({ agreementId, person: CHARTERER, amountMinor })
  return agreementId
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
  const boat = await openMachine({ folder, clock, packEvery, signEveryMs: NEVER_MS })
  const patienceEndsMs = Date.now() + PATIENCE_MS
  while (boat.agreements().length < 1) {
    if (Date.now() > patienceEndsMs) {
      await boat.close()
      throw new LiquefyError('TIMEOUT', 'The boat was not told of its charter.')
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return boat
}

/**
 * Monday to Friday, looked at each minute, settled in the last one of each day. What a day costs from its last reading to midnight is settled
 * with the next; the last day ends with its last reading.
 */
async function sailWeek(
  node: RunningNode,
  boat: Machine,
  clock: VirtualClock,
  { fixes }: Logbook,
): Promise<Observation[]> {
  const process = boatProcess(fixes, { departures: DEPARTURES })(0)
  const observations: Observation[] = []
  const endMs = START_MS + CHARTER_DAYS * DAY_MS
  for (let nowMs = START_MS; nowMs < endMs; nowMs += READ_EVERY_MS) {
    const elapsedMs = nowMs - clock.nowMs()
    clock.advance(elapsedMs)
    const told = process.step(elapsedMs, nowMs)
    observations.push(...told)
    // On disk once the pack is full; `flushed` waits for that.
    for (const one of told) tell(boat, one).catch(() => undefined)
    if ((nowMs - START_MS) % PACK_MS === 0) await boat.flushed(PATIENCE_MS)
    if ((nowMs - START_MS) % DAY_MS === DAY_MS - READ_EVERY_MS) await settle(node, boat)
  }
  await node.anchorNow()
  await node.idle()
  return observations
}

async function settle(node: RunningNode, boat: Machine): Promise<void> {
  await boat.flushed(PATIENCE_MS)
  await node.idle()
  const answers = await boat.meterNow(PATIENCE_MS)
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
