import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { testEuroAbi } from '@liquefy/abi'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createClient } from '@liquefy/client'
import { createKey, type Machine } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { type Hex, LiquefyError } from '@liquefy/protocol'
import { walletLedger } from '@liquefy/simulator'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { DAY_SECONDS } from './charter.ts'
import { openCharter } from './charter-opening.ts'
import { connectBoat, sailWeek } from './charter-week.ts'
import { decideEngine, voteOf } from './engine-vote.ts'
import { foundCompany, sellShares } from './founding.ts'
import type { Harbour } from './harbour.ts'
import { claimAll, giveShare, type Income, sharesHeld, takeIncome } from './income.ts'
import { openLogbook } from './logbook.ts'
import { FOUNDER, FRIENDS, PEOPLE } from './people.ts'
import { allotSaturdays, lendFirstMorning } from './saturdays.ts'
import type { Bill, Season } from './season.ts'
import { createStoryClock, type StoryClock } from './story-clock.ts'

/** The story when it is over; node and boat are still there. */
export interface PlayedSeason {
  season: Season
  /** Origin of API and page. */
  url: string
  rpcUrl: string
  /** Whether the page was built, and is there to look at. */
  hasPage: boolean
  /** Lets time run on from now, for people to look around and act. */
  stay(): void
  stop(): Promise<void>
}

export interface SeasonOptions {
  /** Empty. */
  dataDir: string
  logPath: string
  /** A Monday's midnight, UTC, on which the charter begins; two weeks before and two after it belong to the story. */
  startMs: number
  /** Of API and page; any free one by default. */
  port?: number
}

const SECOND_MS = 1_000
const DAY_MS = DAY_SECONDS * SECOND_MS
/** Shares are sold, and Saturdays allotted, before the charter. */
const FOUNDING_MS = 14 * DAY_MS
/** Nothing settles or anchors by itself while the clock jumps. */
const NEVER_MS = Number.MAX_SAFE_INTEGER
const WEB_ROOT = join(import.meta.dirname, '../../apps/web/dist')

/** Plays the story on a node, ledger and clock of its own. */
export async function playSeason(options: SeasonOptions): Promise<PlayedSeason> {
  const { dataDir, startMs } = options
  const genesisMs = startMs - FOUNDING_MS
  const clock = createStoryClock(genesisMs)
  const node = await startNode({
    dataDir,
    host: '127.0.0.1',
    port: options.port ?? 0,
    mqttPort: 0,
    rpcPort: 0,
    clock,
    genesisTimestampMs: genesisMs,
    blockMs: 100,
    people: PEOPLE,
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
    ...(existsSync(WEB_ROOT) ? { webRoot: WEB_ROOT } : {}),
  })
  let boat: Machine | undefined
  const stop = async () => {
    await boat?.close()
    await node.stop()
  }
  try {
    const harbour = harbourOf(node, clock)
    const season = await play(node, harbour, options, (connected) => {
      boat = connected
    })
    const stay = () => {
      clock.until(Date.now())
      clock.run()
    }
    return { season, url: node.url, rpcUrl: node.rpcUrl, hasPage: existsSync(WEB_ROOT), stay, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function play(
  node: RunningNode,
  harbour: Harbour,
  { dataDir, logPath, startMs }: SeasonOptions,
  onConnected: (boat: Machine) => void,
): Promise<Season> {
  const logbook = openLogbook(logPath)
  const { ledger, clock } = harbour
  const folder = join(dataDir, 'boat')
  const machineId = await ledger.registerMachine({ key: createKey(folder), owner: FOUNDER })
  const company = await foundCompany(harbour, machineId)
  // What a machine is called, its owner says: the name ends with a handover.
  await node.idle()
  await node.nameMachine(machineId, 'Boat Plaka')
  const proceedsMinor = await sellShares(harbour, company.vault)
  const halves = await allotSaturdays(harbour, machineId, startMs)
  const agreementId = await openCharter(harbour, company.vault, machineId, startMs)
  await node.idle()
  clock.until(startMs)
  const boat = await connectBoat(harbour, folder, machineId)
  onConnected(boat)
  const incomes: Income[] = []
  const observations = await sailWeek(harbour, boat, logbook.fixes, startMs, async (day) => {
    if (day === 3) await giveShare(harbour, company.vault)
    if (day === 2 || day === 4) incomes.push(await takeIncome(harbour, company.vault, agreementId))
  })
  const claimed = await claimAll(harbour, company.vault)
  const saturday = await lendFirstMorning(harbour, boat, folder, halves)
  const decision = await decideEngine(harbour, company)
  const shares = await sharesHeld(harbour, company.vault)
  const owners = FRIENDS.map((friend, index) => {
    const half = halves.find((one) => one.friend === friend)
    if (!half) throw new TypeError(`${friend} has no Saturday.`)
    const claimedMinor = claimed.get(friend) ?? 0n
    return { friend, shares: shares[index] ?? 0n, half, vote: voteOf(friend), claimedMinor }
  })
  await node.idle()
  return {
    startMs,
    logbook,
    machineId,
    company,
    proceedsMinor,
    charter: await billOf(node, agreementId),
    observations,
    incomes,
    owners,
    saturday,
    decision,
    leftMinor: await node.chain.publicClient.readContract({
      address: node.deployment.asset.address,
      abi: testEuroAbi,
      functionName: 'balanceOf',
      args: [company.vault],
    }),
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
    url: node.url,
    mqttUrl: node.mqttUrl,
    clock,
    ledger: walletLedger({ deployment, publicClient, walletOf }),
    senderOf: (person) => ({ publicClient, wallet: walletOf(person) }),
    addressOf: (person) => walletOf(person).account.address,
    idle: () => node.idle(),
    settleNow: () => node.settleNow(),
    anchorNow: () => node.anchorNow(),
  }
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
