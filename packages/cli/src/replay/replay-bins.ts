import { join } from 'node:path'
import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createClient } from '@liquefy/client'
import { createKey } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import type { Hex } from '@liquefy/protocol'
import { openAgreements } from '../agreement-opening.ts'
import type { Collection } from '../bins/collection.ts'
import type { BinFile } from '../bins/read-bins.ts'
import { eachBounded } from '../bounded.ts'
import { CliError } from '../failure.ts'
import { quietLogger } from '../logger.ts'
import { registerMachines } from '../machine-registration.ts'
import type { Output } from '../output.ts'
import { openLedger } from '../transactions.ts'
import { personOf } from '../wallet.ts'
import { BIN_RULES, binTerms, priceOf, sumOf } from './bin-business.ts'
import { type BinMachine, openBin } from './bin-machine.ts'
import { type SettableClock, settableClock } from './settable-clock.ts'

/** What the replay says at its end; amounts and registers are decimal strings. */
export interface ReplayResult {
  rows: number
  accepted: number
  quarantined: Partial<Record<string, number>>
  /** Values that were rounded half-even to their unit. */
  transformed: { ROUNDED_TO_UNIT: number }
  /** Sums over all bins: millilitres and grams. */
  registers: { volume: string; mass: string }
  owedMinor: string
  settledMinor: string
  auditDifferenceMinor: string
  /** The first audit that found a fault, or null. */
  firstFault: AuditReport['firstFault']
  seconds: number
}

interface Site {
  siteId: string
  siteName: string
  folder: string
  collections: Collection[]
}

const PAYER = 'City council'
const PAYEE = 'Collector Ltd'
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Nothing settles or anchors by itself while the clock jumps; the replay says when. */
const NEVER_MS = Number.MAX_SAFE_INTEGER
const BLOCK_MS = 100
const AT_ONCE = 64
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
 * Bins of a public data set as machines, on a node, ledger and clock of their own: signed, logged, metered, settled and audited. The
 * data folder must be empty.
 */
export async function replayBins(
  file: BinFile,
  dataDir: string,
  out: Output,
  /** Resolves if somebody wants it to end early. */
  stopped: Promise<string>,
): Promise<ReplayResult> {
  const startedMs = performance.now()
  const [first] = file.collections
  const last = file.collections.at(-1)
  if (!first || !last)
    throw new CliError('NOTHING_TO_REPLAY', 'Not one row of the file could be accepted.')
  // Machines must be registered, and agreements open, before the first row: the chain begins an hour earlier.
  const genesisMs = Math.floor((first.collectedMs - HOUR_MS) / 1000) * 1000
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
  const bins: BinMachine[] = []
  const play = async (): Promise<ReplayResult> => {
    const sites = sitesOf(file.collections, dataDir)
    const agreements = await found(node, sites, clock, { dataDir, endMs: last.collectedMs, out })
    bins.push(...(await connect(node, sites, agreements.machineIds, clock, out)))
    await playDays(file.collections, sites, bins, clock, out)
    clock.advanceTo(last.collectedMs + HOUR_MS)
    await settle(node, bins, out)
    const audits = await audit(node, agreements.ids, out)
    return sumUp(file, audits, startedMs)
  }
  try {
    return await Promise.race([play(), stopped.then(refuse)])
  } finally {
    await eachBounded(bins, AT_ONCE, ({ machine }) => machine.close())
    await node.stop()
  }
}

function refuse(signal: string): never {
  throw new CliError(
    'REPLAY_STOPPED',
    `Stopped by ${signal} before its end; nothing can be said of it.`,
  )
}

function sitesOf(collections: readonly Collection[], dataDir: string): Site[] {
  const sites = new Map<string, Site>()
  for (const collection of collections) {
    const { siteId, siteName } = collection
    const folder = join(dataDir, 'machines', encodeURIComponent(siteId))
    const site = sites.get(siteId) ?? { siteId, siteName, folder, collections: [] }
    site.collections.push(collection)
    sites.set(siteId, site)
  }
  return [...sites.values()]
}

/** Keys, registrations, and an agreement a bin. */
async function found(
  node: RunningNode,
  sites: readonly Site[],
  clock: SettableClock,
  { dataDir, endMs, out }: { dataDir: string; endMs: number; out: Output },
): Promise<{ machineIds: bigint[]; ids: Hex[] }> {
  const { deployment } = node
  const ledger = await openLedger(node.rpcUrl)
  const payer = personOf(dataDir, PAYER)
  const payee = personOf(dataDir, PAYEE)
  const keys = sites.map(({ folder }) => createKey(folder))
  const machineIds = await registerMachines(ledger, deployment.registry, payee, keys, (done) =>
    out.progress.show('registering machines', done, 2 * sites.length),
  )
  await createClient({ url: node.url }).submitRules([...BIN_RULES])
  const offers = sites.map(({ siteId, collections }, index) => ({
    terms: binTerms({
      contracts: deployment,
      payer: payer.address,
      payee: payee.address,
      machineId: machineIds[index] ?? 0n,
      siteId,
      startMs: clock.nowMs(),
      endMs,
    }),
    fundMinor: priceOf(sumOf(collections)) + 1n,
  }))
  const ids = await openAgreements(
    ledger,
    deployment.clearingHouse,
    { payer, payee },
    offers,
    (done) => out.progress.show('opening agreements', done, 2 * sites.length),
  )
  // Blocks are at least a second apart, so that many of them have run ahead of a clock that stands still.
  const { timestamp } = await ledger.client.getBlock()
  clock.advanceTo(Number(timestamp) * 1000)
  await eachBounded(sites, AT_ONCE, ({ siteName }, index) =>
    node.nameMachine(machineIds[index] ?? 0n, siteName),
  )
  return { machineIds, ids }
}

async function connect(
  node: RunningNode,
  sites: readonly Site[],
  machineIds: readonly bigint[],
  clock: SettableClock,
  out: Output,
): Promise<BinMachine[]> {
  const { chainId, registry, clearingHouse } = node.deployment
  let done = 0
  return eachBounded(sites, AT_ONCE, async ({ folder }, index) => {
    const bin = await openBin({
      folder,
      identity: {
        machineId: machineIds[index] ?? 0n,
        chainId,
        registry,
        clearingHouse,
        mqttUrl: node.mqttUrl,
      },
      clock,
    })
    await bin.begin()
    await bin.machine.flushed(PATIENCE_MS)
    out.progress.show('connecting machines', ++done, sites.length)
    return bin
  })
}

/** Day by day: all rows of a day are signed at its end, each with its own time, and the next begins when all have receipts. */
async function playDays(
  collections: readonly Collection[],
  sites: readonly Site[],
  bins: readonly BinMachine[],
  clock: SettableClock,
  out: Output,
): Promise<void> {
  const binOf = new Map(sites.map(({ siteId }, index) => [siteId, bins[index]]))
  let done = 0
  for (const day of daysOf(collections)) {
    clock.advanceTo(Math.max(...day.map(({ collectedMs }) => collectedMs)))
    const bySite = Map.groupBy(day, ({ siteId }) => siteId)
    await eachBounded([...bySite], AT_ONCE, async ([siteId, rows]) => {
      const bin = binOf.get(siteId)
      if (!bin) throw new RangeError(`Site ${siteId} has no machine.`)
      for (const row of rows) await bin.empty(row)
      await bin.machine.flushed(PATIENCE_MS)
      done += rows.length
      out.progress.show('replaying rows', done, collections.length)
    })
  }
}

function daysOf(collections: readonly Collection[]): Collection[][] {
  return [
    ...Map.groupBy(collections, ({ collectedMs }) => Math.floor(collectedMs / DAY_MS)).values(),
  ]
}

async function settle(node: RunningNode, bins: readonly BinMachine[], out: Output): Promise<void> {
  let done = 0
  await node.idle()
  await eachBounded(bins, AT_ONCE, async ({ machine }) => {
    const answers = await machine.meterNow(PATIENCE_MS)
    const bad = answers.find(({ kind }) => kind === 'refused' || kind === 'mismatch')
    if (bad) {
      const why = bad.kind === 'refused' ? bad.code : 'METER_MISMATCH'
      throw new CliError('METER_REFUSED', `The node did not accept a meter value: ${why}.`)
    }
    out.progress.show('signing meter values', ++done, bins.length)
  })
  out.progress.show('settling', 0)
  await node.settleNow()
  await node.anchorNow()
  await node.idle()
}

async function audit(node: RunningNode, ids: readonly Hex[], out: Output): Promise<AuditReport[]> {
  const client = createClient({ url: node.url })
  const { linearTariff, tieredTariff, chainId, registry, clearingHouse, evidenceAnchor } =
    node.deployment
  const ledger = viemLedgerReader({
    rpcUrl: node.rpcUrl,
    tariffs: { linear: linearTariff, tiered: tieredTariff },
  })
  let done = 0
  return eachBounded(ids, 4, async (agreementId) => {
    const report = await auditBundle({
      lines: client.bundle(agreementId),
      ledger,
      expected: { agreementId, chainId, registry, clearingHouse, evidenceAnchor },
    })
    out.progress.show('auditing agreements', ++done, ids.length)
    return report
  })
}

function sumUp(file: BinFile, audits: readonly AuditReport[], startedMs: number): ReplayResult {
  const sum = (amounts: string[]) => amounts.reduce((total, amount) => total + BigInt(amount), 0n)
  const register = (index: number) =>
    sum(audits.flatMap(({ periods }) => periods.map(({ registers }) => registers[index] ?? '0')))
  return {
    rows: file.rows,
    accepted: file.collections.length,
    quarantined: file.quarantined,
    transformed: { ROUNDED_TO_UNIT: file.roundedToUnit },
    registers: { volume: register(0).toString(), mass: register(1).toString() },
    owedMinor: sum(audits.map(({ owedMinor }) => owedMinor)).toString(),
    settledMinor: sum(audits.map(({ settledMinor }) => settledMinor)).toString(),
    auditDifferenceMinor: sum(audits.map(({ differenceMinor }) => differenceMinor)).toString(),
    firstFault: audits.find(({ firstFault }) => firstFault)?.firstFault ?? null,
    seconds: Math.round((performance.now() - startedMs) / 100) / 10,
  }
}
