import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { type CounterReading, counterReadings } from '../charging/minutes.ts'
import type { SessionFile } from '../charging/read-sessions.ts'
import type { Session, SessionTransformations } from '../charging/session.ts'
import { CliError } from '../failure.ts'
import type { Output } from '../output.ts'
import type { Signer } from '../transactions.ts'
import { personOf } from '../wallet.ts'
import { type ChargePoint, openChargePoint } from './charge-point.ts'
import {
  CHARGING_METERS,
  chargingTerms,
  openRelayed,
  PERIOD_SECONDS,
  priceOf,
} from './charging-business.ts'
import {
  beginningOf,
  daysOf,
  type ReplayBusiness,
  type ReplayFounding,
  type ReplaySite,
  type ReplayStretch,
  type ReplaySums,
  runReplay,
} from './run-replay.ts'

/** What the replay says at its end; amounts and registers are decimal strings. */
export interface ChargingResult extends Omit<ReplaySums, 'registers'> {
  rows: number
  accepted: number
  quarantined: Partial<Record<string, number>>
  transformed: SessionTransformations
  /** Sums over all charge points, as the ledger settled them. */
  registers: { peakWh: string; offPeakWh: string; minutes: string }
  /** Energy of the accepted rows. */
  acceptedWh: string
  /** Peak and off peak together: exactly the same. */
  billedWh: string
  chargePoints: number
  /** Parties that pay. */
  sites: number
}

interface Site extends ReplaySite {
  chargePoint: string
  site: string
  sessions: Session[]
  readings: CounterReading[]
}

/** Who owns the charge points and is paid. */
const OPERATOR = 'City council'

/**
 * Charge points of a public data set as machines, each with three counters: watt hours at peak and off peak, and minutes. One payer a
 * site.
 */
export async function replayCharging(
  file: SessionFile,
  dataDir: string,
  out: Output,
  stopped: Promise<string>,
): Promise<ChargingResult> {
  const business = businessOf(file, dataDir)
  const { registers, ...sums } = await runReplay(business, dataDir, out, stopped)
  const [peakWh = 0n, offPeakWh = 0n, minutes = 0n] = registers
  return {
    rows: file.rows,
    accepted: file.sessions.length,
    quarantined: file.quarantined,
    transformed: file.transformed,
    registers: {
      peakWh: peakWh.toString(),
      offPeakWh: offPeakWh.toString(),
      minutes: minutes.toString(),
    },
    acceptedWh: file.sessions.reduce((sum, { energyWh }) => sum + energyWh, 0n).toString(),
    billedWh: (peakWh + offPeakWh).toString(),
    chargePoints: business.sites.length,
    sites: new Set(file.sessions.map(({ site }) => site)).size,
    ...sums,
  }
}

function businessOf({ sessions }: SessionFile, dataDir: string): ReplayBusiness<ChargePoint> {
  const [first] = sessions
  if (!first) throw new CliError('NOTHING_TO_REPLAY', 'Not one row of the file could be accepted.')
  const startMs = beginningOf(first.startMs)
  const isBorder = (timeMs: number) => (timeMs - startMs) % (PERIOD_SECONDS * 1000) === 0
  const sites = sitesOf(sessions, dataDir, isBorder)
  const lastMs = Math.max(...sites.map(({ readings }) => readings.at(-1)?.timeMs ?? 0))
  return {
    firstMs: first.startMs,
    lastMs,
    sites,
    rules: [...new Set(CHARGING_METERS.map(({ rule }) => rule))],
    owner: (folder) => personOf(folder, OPERATOR),
    open: (founding) => open(founding, sites, dataDir, lastMs),
    connect: openChargePoint,
    stretches: stretchesOf(sites),
    registers: registersOf(sites),
  }
}

function sitesOf(
  sessions: readonly Session[],
  dataDir: string,
  isBorder: (timeMs: number) => boolean,
): Site[] {
  const byPoint = Map.groupBy(sessions, ({ chargePoint }) => chargePoint)
  return [...byPoint].map(([chargePoint, mine]) => {
    const site = mine[0]?.site ?? ''
    return {
      chargePoint,
      site,
      name: `${chargePoint} ${site}`,
      folder: join(dataDir, 'machines', chargePoint),
      sessions: mine,
      readings: counterReadings(mine, isBorder),
    }
  })
}

/** What the counters show at their end, in the order of the registers. */
function usedBy(readings: readonly CounterReading[]): bigint[] {
  const { peakWh = 0n, offPeakWh = 0n, minutes = 0n } = readings.at(-1) ?? {}
  return [peakWh, offPeakWh, minutes]
}

function registersOf(sites: readonly Site[]): bigint[] {
  const used = sites.map(({ readings }) => usedBy(readings))
  return CHARGING_METERS.map((_, index) =>
    used.reduce((sum, registers) => sum + (registers[index] ?? 0n), 0n),
  )
}

function open(
  { node, ledger, machineIds, startMs, onDone }: ReplayFounding,
  sites: readonly Site[],
  dataDir: string,
  endMs: number,
) {
  const operator = personOf(dataDir, OPERATOR)
  const payers = payersOf(sites, dataDir)
  const offers = sites.map(({ site, chargePoint, readings }, index) => {
    const payer = payers.get(site)
    if (!payer) throw new RangeError(`${site} has no account.`)
    const terms = chargingTerms({
      contracts: node.deployment,
      payer: payer.address,
      payee: operator.address,
      machineId: machineIds[index] ?? 0n,
      chargePoint,
      startMs,
      endMs,
    })
    return { payer, terms, fundMinor: priceOf(usedBy(readings)) + 1n }
  })
  return openRelayed(ledger, node.deployment, operator, offers, onDone)
}

/** An account a site, kept beside the other people's keys: it holds no coin, and signs only. */
function payersOf(sites: readonly Site[], dataDir: string): Map<string, Signer> {
  const keys = join(dataDir, 'keys')
  mkdirSync(keys, { recursive: true, mode: 0o700 })
  const names = [...new Set(sites.map(({ site }) => site))].sort()
  return new Map(
    names.map((name, index) => {
      const privateKey = generatePrivateKey()
      const account = privateKeyToAccount(privateKey)
      const content = { name, address: account.address, privateKey }
      const path = join(keys, `site-${index + 1}.json`)
      writeFileSync(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 })
      return [name, account]
    }),
  )
}

/** Day by day what each charge point has to show. */
function stretchesOf(sites: readonly Site[]): ReplayStretch<ChargePoint>[] {
  const readings = sites
    .flatMap((site, index) => site.readings.map((reading) => ({ index, reading })))
    .sort((a, b) => a.reading.timeMs - b.reading.timeMs)
  return daysOf(readings, ({ reading }) => reading.timeMs).map(({ endMs, items }) => {
    const bySite = Map.groupBy(items, ({ index }) => index)
    const work = [...bySite].map(
      ([index, mine]) =>
        [index, (point: ChargePoint) => point.show(mine.map(({ reading }) => reading))] as const,
    )
    return { endMs, steps: items.length, work: new Map(work) }
  })
}
