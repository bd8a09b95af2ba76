import { join } from 'node:path'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createClient, termsOf } from '@liquefy/client'
import { createKey, type Machine } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { type Hex, LiquefyError, ZERO_DIGEST } from '@liquefy/protocol'
import { walletLedger } from '@liquefy/simulator'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { CHARTER_DAYS, charter, DAY_SECONDS } from './charter.ts'
import { connectBoat, sailWeek } from './charter-week.ts'
import type { Harbour } from './harbour.ts'
import { LOG_PATH, openLogbook } from './logbook.ts'
import { CHARTERER, FOUNDER, PEOPLE } from './people.ts'
import type { Bill, Season } from './season.ts'
import { createStoryClock, type StoryClock } from './story-clock.ts'

/** A Monday's midnight, UTC: the charter begins, ms since 1970. */
const START_MS = Date.UTC(2026, 5, 1)
const SECOND_MS = 1_000
const DAY_MS = DAY_SECONDS * SECOND_MS
/** Nothing settles or anchors by itself while the clock jumps. */
const NEVER_MS = Number.MAX_SAFE_INTEGER

/** Runs the story on a node, ledger and clock of its own in an empty folder. */
export async function runSeason(dataDir: string, logPath = LOG_PATH): Promise<Season> {
  const logbook = openLogbook(logPath)
  const genesisMs = START_MS - DAY_MS
  const clock = createStoryClock(genesisMs)
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
    const harbour = harbourOf(node, clock)
    const folder = join(dataDir, 'boat')
    const machineId = await harbour.ledger.registerMachine({
      key: createKey(folder),
      owner: FOUNDER,
    })
    await node.nameMachine(machineId, 'Boat Plaka')
    const agreementId = await openCharter(harbour, machineId)
    await node.idle()
    clock.until(START_MS)
    boat = await connectBoat(harbour, folder, machineId)
    const observations = await sailWeek(harbour, boat, logbook.fixes, START_MS, async () => {})
    return { startMs: START_MS, logbook, charter: await billOf(node, agreementId), observations }
  } finally {
    await boat?.close()
    await node.stop()
  }
}

function harbourOf(node: RunningNode, clock: StoryClock): Harbour {
  const { deployment } = node
  const { publicClient } = node.chain
  const accounts = new Map(node.keys.people.map(({ name, account }) => [name, account]))
  const walletOf = (name: string) => {
    const account = accounts.get(name)
    if (!account) throw new LiquefyError('PERSON_UNKNOWN', `Nobody here is called ${name}.`)
    return createWalletClient({ account, transport: http(node.rpcUrl) })
  }
  return {
    client: createClient({ url: node.url }),
    deployment,
    mqttUrl: node.mqttUrl,
    clock,
    ledger: walletLedger({ deployment, publicClient, walletOf }),
    senderOf: (person) => ({ publicClient, wallet: walletOf(person) }),
    addressOf: (person) => walletOf(person).account.address,
    nameMachine: (machineId, name) => node.nameMachine(machineId, name),
    idle: () => node.idle(),
    settleNow: () => node.settleNow(),
    anchorNow: () => node.anchorNow(),
  }
}

/** The charterer pays whoever owns the boat, and puts five days at the highest price into escrow. */
async function openCharter(harbour: Harbour, machineId: bigint) {
  const { client, ledger, deployment } = harbour
  await client.submitRules(charter.meters.map(({ rule }) => rule))
  const terms = termsOf(charter, {
    deployment,
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
