import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createClient } from '@liquefy/client'
import { createKey, type Machine, type saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { type Hex, type MeterRule, tariffContracts } from '@liquefy/protocol'
import { eachBounded } from '../bounded.ts'
import { CliError } from '../failure.ts'
import { quietLogger } from '../logger.ts'
import { registerMachines } from '../machine-registration.ts'
import type { Output } from '../output.ts'
import { type Ledger, openLedger, type Signer } from '../transactions.ts'
import { type SettableClock, settableClock } from './settable-clock.ts'

/** A machine of a replay, driven by the rows of the data set. */
export interface ReplayMachine {
  machine: Machine
  /** The first reading of its counters. */
  begin(): Promise<void>
}

/** What one machine is in the data set. */
export interface ReplaySite {
  name: string
  /** Where the machine keeps its key and spool. */
  folder: string
}

/** What must be known to open the agreements. */
export interface ReplayFounding {
  node: RunningNode
  ledger: Ledger
  /** In the order of the sites. */
  machineIds: readonly bigint[]
  startMs: number
  onDone: (done: number) => void
}

/** What happens in one stretch of time: signed at its end, each with its own time; the next begins when all have receipts. */
export interface ReplayStretch<Player> {
  endMs: number
  /** How many steps of the replay it holds, for whoever watches. */
  steps: number
  /** By index of the site. */
  work: ReadonlyMap<number, (player: Player) => Promise<void>>
}

/** A business as the replay needs it. */
export interface ReplayBusiness<Player extends ReplayMachine> {
  firstMs: number
  lastMs: number
  sites: readonly ReplaySite[]
  rules: readonly MeterRule[]
  /** Who owns the machines; has coin for gas. */
  owner: (dataDir: string) => Signer
  /** Opens and funds an agreement a site; answers their ids. */
  open(founding: ReplayFounding): Promise<Hex[]>
  connect(options: {
    folder: string
    identity: Parameters<typeof saveIdentity>[1]
    clock: SettableClock
  }): Promise<Player>
  /** In order of time. */
  stretches: readonly ReplayStretch<Player>[]
  /** What the accepted rows come to, by register: what is settled must be exactly that. */
  registers: readonly bigint[]
}

/** Sums over the audits of all agreements; amounts are decimal strings. */
export interface ReplaySums {
  /** By register, in the order of the terms. */
  registers: bigint[]
  owedMinor: string
  settledMinor: string
  auditDifferenceMinor: string
  /** The first audit that found a fault, or what the money lacks of the rows; null if all is well. */
  firstFault: AuditReport['firstFault'] | ReplayFault
  seconds: number
}

/** Rows that were accepted, but not billed as they are, or not paid: `ROWS_UNBILLED`, `OWED_UNSETTLED`. */
interface ReplayFault {
  code: 'ROWS_UNBILLED' | 'OWED_UNSETTLED'
  message: string
  expected: string
  found: string
}

const HOUR_MS = 3_600_000
/** Nothing settles or anchors by itself while the clock jumps; the replay says when. */
const NEVER_MS = Number.MAX_SAFE_INTEGER
const BLOCK_MS = 100
const AT_ONCE = 64
const AUDITS_AT_ONCE = 4
const PATIENCE_MS = 120_000
/** Settings of the user's own node: a replay must touch nothing of it. */
const FOREIGN = [
  'DATABASE_URL',
  'RPC_URL',
  'MQTT_URL',
  'LIQUEFY_DEPLOYMENT',
  'LIQUEFY_ASSET',
  'LIQUEFY_URL',
]

/**
 * Runs a public data set through the whole path, on a node, ledger and clock of its own: signed, logged, metered, settled and audited.
 * The data folder must be empty.
 *
 * @param stopped resolves if somebody wants it to end early.
 */
export async function runReplay<Player extends ReplayMachine>(
  business: ReplayBusiness<Player>,
  dataDir: string,
  out: Output,
  stopped: Promise<string>,
): Promise<ReplaySums> {
  const startedMs = performance.now()
  const genesisMs = beginningOf(business.firstMs)
  const clock = settableClock(genesisMs)
  for (const name of FOREIGN) delete process.env[name]
  const node = await startNode({
    dataDir,
    host: '127.0.0.1',
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    clock,
    genesisTimestampMs: genesisMs,
    blockMs: BLOCK_MS,
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
    logger: quietLogger(),
  })
  const players: Player[] = []
  const play = async (): Promise<ReplaySums> => {
    const founded = await found(node, business, clock, dataDir, out)
    players.push(...(await connect(node, business, founded.machineIds, clock, out)))
    await playAll(business, players, clock, out)
    clock.advanceTo(business.lastMs + HOUR_MS)
    await settle(node, players, out)
    return sumUp(await auditAll(node, founded.agreementIds, out), business.registers, startedMs)
  }
  try {
    return await Promise.race([play(), stopped.then(refuse)])
  } finally {
    await eachBounded(players, AT_ONCE, ({ machine }) => machine.close())
    await node.stop()
  }
}

/** When ledger and agreements begin, ms: machines must be registered an hour before the first row. */
export function beginningOf(firstMs: number): number {
  return Math.floor((firstMs - HOUR_MS) / 1000) * 1000
}

/** Groups what is in order of time by whole days, UTC. */
export function daysOf<Item>(
  items: readonly Item[],
  timeOf: (item: Item) => number,
): { endMs: number; items: Item[] }[] {
  const DAY_MS = 24 * HOUR_MS
  const days = Map.groupBy(items, (item) => Math.floor(timeOf(item) / DAY_MS))
  return [...days.values()].map((day) => ({ endMs: Math.max(...day.map(timeOf)), items: day }))
}

function refuse(signal: string): never {
  throw new CliError(
    'REPLAY_STOPPED',
    `Stopped by ${signal} before its end; nothing can be said of it.`,
  )
}

/** Keys, registrations, and an agreement a site. */
async function found<Player extends ReplayMachine>(
  node: RunningNode,
  business: ReplayBusiness<Player>,
  clock: SettableClock,
  dataDir: string,
  out: Output,
): Promise<{ machineIds: bigint[]; agreementIds: Hex[] }> {
  const { sites } = business
  const ledger = await openLedger(node.rpcUrl)
  const keys = sites.map(({ folder }) => createKey(folder))
  const owner = business.owner(dataDir)
  const machineIds = await registerMachines(ledger, node.deployment.registry, owner, keys, (done) =>
    out.progress.show('registering machines', done, 2 * sites.length),
  )
  await createClient({ url: node.url }).submitRules([...business.rules])
  const agreementIds = await business.open({
    node,
    ledger,
    machineIds,
    startMs: clock.nowMs(),
    onDone: (done) => out.progress.show('opening agreements', done, 2 * sites.length),
  })
  // Blocks are at least a second apart, so that many of them have run ahead of a clock that stands still.
  const { timestamp } = await ledger.client.getBlock()
  clock.advanceTo(Number(timestamp) * 1000)
  await eachBounded(sites, AT_ONCE, ({ name }, index) =>
    node.nameMachine(machineIds[index] ?? 0n, name),
  )
  return { machineIds, agreementIds }
}

async function connect<Player extends ReplayMachine>(
  node: RunningNode,
  business: ReplayBusiness<Player>,
  machineIds: readonly bigint[],
  clock: SettableClock,
  out: Output,
): Promise<Player[]> {
  const { chainId, registry, clearingHouse } = node.deployment
  let done = 0
  return eachBounded(business.sites, AT_ONCE, async ({ folder }, index) => {
    const machineId = machineIds[index] ?? 0n
    const { mqttUrl } = node
    const tariffs = tariffContracts(node.deployment)
    const identity = { machineId, chainId, registry, clearingHouse, mqttUrl, tariffs }
    const player = await business.connect({ folder, identity, clock })
    await player.begin()
    await player.machine.flushed(PATIENCE_MS)
    out.progress.show('connecting machines', ++done, business.sites.length)
    return player
  })
}

async function playAll<Player extends ReplayMachine>(
  { stretches }: ReplayBusiness<Player>,
  players: readonly Player[],
  clock: SettableClock,
  out: Output,
): Promise<void> {
  const all = stretches.reduce((sum, { steps }) => sum + steps, 0)
  let done = 0
  for (const { endMs, steps, work } of stretches) {
    clock.advanceTo(endMs)
    await eachBounded([...work], AT_ONCE, async ([index, play]) => {
      const player = players[index]
      if (!player) throw new RangeError(`Site ${index} has no machine.`)
      await play(player)
      await player.machine.flushed(PATIENCE_MS)
    })
    done += steps
    out.progress.show('replaying', done, all)
  }
}

async function settle(
  node: RunningNode,
  players: readonly ReplayMachine[],
  out: Output,
): Promise<void> {
  let done = 0
  await node.idle()
  await eachBounded(players, AT_ONCE, async ({ machine }) => {
    const answers = await machine.meterNow(PATIENCE_MS)
    const bad = answers.find(({ kind }) => kind === 'refused' || kind === 'mismatch')
    if (bad) {
      const why = bad.kind === 'refused' ? bad.code : 'METER_MISMATCH'
      throw new CliError('METER_REFUSED', `The node did not accept a meter value: ${why}.`)
    }
    out.progress.show('signing meter values', ++done, players.length)
  })
  out.progress.show('settling', 0)
  await node.settleNow()
  await node.anchorNow()
  await node.idle()
}

async function auditAll(
  node: RunningNode,
  ids: readonly Hex[],
  out: Output,
): Promise<AuditReport[]> {
  const client = createClient({ url: node.url })
  const { chainId, registry, clearingHouse, evidenceAnchor } = node.deployment
  const ledger = viemLedgerReader({ rpcUrl: node.rpcUrl, tariffs: node.deployment })
  let done = 0
  return eachBounded(ids, AUDITS_AT_ONCE, async (agreementId) => {
    const report = await auditBundle({
      lines: client.bundle(agreementId),
      ledger,
      expected: { agreementId, chainId, registry, clearingHouse, evidenceAnchor },
    })
    out.progress.show('auditing agreements', ++done, ids.length)
    return report
  })
}

function sumUp(
  audits: readonly AuditReport[],
  expected: readonly bigint[],
  startedMs: number,
): ReplaySums {
  const sum = (amounts: string[]) => amounts.reduce((total, amount) => total + BigInt(amount), 0n)
  const periods = audits.flatMap((audit) => audit.periods)
  const registers = expected.map((_, index) =>
    sum(periods.map((period) => period.registers[index] ?? '0')),
  )
  const owedMinor = sum(audits.map((audit) => audit.owedMinor)).toString()
  const settledMinor = sum(audits.map((audit) => audit.settledMinor)).toString()
  return {
    registers,
    owedMinor,
    settledMinor,
    auditDifferenceMinor: sum(audits.map(({ differenceMinor }) => differenceMinor)).toString(),
    firstFault:
      audits.find(({ firstFault }) => firstFault)?.firstFault ??
      lackOf(expected, { registers, owedMinor, settledMinor }),
    seconds: Math.round((performance.now() - startedMs) / 100) / 10,
  }
}

/** What audits cannot know: whether every accepted row is in the registers, and all that is owed is paid. */
function lackOf(
  expected: readonly bigint[],
  {
    registers,
    owedMinor,
    settledMinor,
  }: Pick<ReplaySums, 'registers' | 'owedMinor' | 'settledMinor'>,
): ReplayFault | null {
  const index = expected.findIndex((value, at) => value !== registers[at])
  if (index >= 0) {
    return {
      code: 'ROWS_UNBILLED',
      message: `Register ${index + 1} is not what the accepted rows come to: the meter rule did not believe some of them.`,
      expected: String(expected[index]),
      found: String(registers[index]),
    }
  }
  if (owedMinor === settledMinor) return null
  return {
    code: 'OWED_UNSETTLED',
    message: 'Not all that is owed was settled.',
    expected: owedMinor,
    found: settledMinor,
  }
}
