import { join } from 'node:path'
import { openAgreements } from '../agreement-opening.ts'
import type { Collection } from '../bins/collection.ts'
import type { BinFile } from '../bins/read-bins.ts'
import { CliError } from '../failure.ts'
import type { Output } from '../output.ts'
import { personOf } from '../wallet.ts'
import { BIN_RULES, binTerms, priceOf, sumOf } from './bin-business.ts'
import { type BinMachine, openBin } from './bin-machine.ts'
import {
  daysOf,
  type ReplayBusiness,
  type ReplayFounding,
  type ReplaySite,
  type ReplayStretch,
  type ReplaySums,
  runReplay,
} from './run-replay.ts'

/** What the replay says at its end; amounts and registers are decimal strings. */
export interface BinsResult extends Omit<ReplaySums, 'registers'> {
  rows: number
  accepted: number
  quarantined: Partial<Record<string, number>>
  /** Values that were rounded half-even to their unit. */
  transformed: { ROUNDED_TO_UNIT: number }
  /** Sums over all bins: millilitres and grams. */
  registers: { volume: string; mass: string }
}

interface Site extends ReplaySite {
  siteId: string
  collections: Collection[]
}

const PAYER = 'City council'
const PAYEE = 'Collector Ltd'

/** Bins of a public data set as machines: each row is what one emptying adds to two counters. */
export async function replayBins(
  file: BinFile,
  dataDir: string,
  out: Output,
  stopped: Promise<string>,
): Promise<BinsResult> {
  const { registers, ...sums } = await runReplay(businessOf(file, dataDir), dataDir, out, stopped)
  const [volume = 0n, mass = 0n] = registers
  return {
    rows: file.rows,
    accepted: file.collections.length,
    quarantined: file.quarantined,
    transformed: { ROUNDED_TO_UNIT: file.roundedToUnit },
    registers: { volume: volume.toString(), mass: mass.toString() },
    ...sums,
  }
}

function businessOf(file: BinFile, dataDir: string): ReplayBusiness<BinMachine> {
  const [first] = file.collections
  const last = file.collections.at(-1)
  if (!first || !last)
    throw new CliError('NOTHING_TO_REPLAY', 'Not one row of the file could be accepted.')
  const sites = sitesOf(file.collections, dataDir)
  const used = sumOf(file.collections)
  return {
    firstMs: first.collectedMs,
    lastMs: last.collectedMs,
    sites,
    rules: BIN_RULES,
    owner: (folder) => personOf(folder, PAYEE),
    open: (founding) => open(founding, sites, dataDir, last.collectedMs),
    connect: openBin,
    stretches: stretchesOf(file.collections, sites),
    registers: [used.volumeMl, used.massG],
  }
}

function sitesOf(collections: readonly Collection[], dataDir: string): Site[] {
  const bySite = Map.groupBy(collections, ({ siteId }) => siteId)
  return [...bySite].map(([siteId, mine]) => ({
    siteId,
    name: mine[0]?.siteName ?? siteId,
    folder: join(dataDir, 'machines', encodeURIComponent(siteId)),
    collections: mine,
  }))
}

function open(
  { node, ledger, machineIds, startMs, onDone }: ReplayFounding,
  sites: readonly Site[],
  dataDir: string,
  endMs: number,
) {
  const payer = personOf(dataDir, PAYER)
  const payee = personOf(dataDir, PAYEE)
  const offers = sites.map(({ siteId, collections }, index) => ({
    terms: binTerms({
      contracts: node.deployment,
      payer: payer.address,
      payee: payee.address,
      machineId: machineIds[index] ?? 0n,
      siteId,
      startMs,
      endMs,
    }),
    fundMinor: priceOf(sumOf(collections)) + 1n,
  }))
  return openAgreements(ledger, node.deployment.clearingHouse, { payer, payee }, offers, onDone)
}

function stretchesOf(
  collections: readonly Collection[],
  sites: readonly Site[],
): ReplayStretch<BinMachine>[] {
  const indexOf = new Map(sites.map(({ siteId }, index) => [siteId, index]))
  return daysOf(collections, ({ collectedMs }) => collectedMs).map(({ endMs, items }) => {
    const bySite = Map.groupBy(items, ({ siteId }) => siteId)
    const work = [...bySite].map(
      ([siteId, rows]) =>
        [
          indexOf.get(siteId) ?? -1,
          async (bin: BinMachine) => {
            for (const row of rows) await bin.empty(row)
          },
        ] as const,
    )
    return { endMs, steps: items.length, work: new Map(work) }
  })
}
