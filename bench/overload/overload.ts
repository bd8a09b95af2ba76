import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { type Loader, startLoader } from '../load/loader-host.ts'
import { type LoadMachine, type NodeHost, startNodeProcess } from '../load/node-host.ts'
import { writeSignedLoad } from '../load/signed-load.ts'
import { type FloodKind, type FloodReport, runFlood } from './flood-host.ts'

/** How long the overload lasts, and the parts before and after it. */
export interface OverloadPlan {
  floodSeconds: number
  /** Well-behaved machines, whose speed is compared. */
  steadyMachines: number
  kinds: Record<FloodKind, number>
  /** Envelopes signed for each machine of the flood, before it repeats them. */
  floodEnvelopes: number
  /** A cold node is slow: what is compared with it would flatter. */
  warmUpRounds: number
  /** Rounds before, and three times as many after, and envelopes of each machine in one. */
  rounds: number
  round: number
}

/** What was seen. */
export interface OverloadFigures {
  beforePerSecond: number
  /** Envelopes a second handed to the wire by the flood, and those of them that were logged or repeated. */
  offeredPerSecond: number
  takenPerSecond: number
  /** How many times more was offered than was taken. */
  offeredRatio: number
  refusedPerSecond: number
  /** Digests that a receipt or an answer named, and those of them that the log lacks. */
  acknowledged: number
  acknowledgedMissing: number
  peakRssMb: number
  /** Median of the last third of the flood less that of the second: what grows without bound shows here. */
  rssGrowthMb: number
  /** Best round that ended within 5 s after the flood, as a part of the median before. */
  afterRatio: number
  /** Median of the last third of the rounds after, as a part of the median before: a flood must leave nothing behind that slows. */
  settledRatio: number
  /**
   * From the end of the flood to the end of the first round at 0.9 of full speed; -1: none. Full speed is the median before, or of the last
   * third after if that is less: what else a computer has to do meanwhile is not the flood's, and slows those rounds too.
   */
  recoverySeconds: number
}

const READINGS = 10
const WINDOW = 40
const SAMPLE_MS = 100
const RECOVERY_SECONDS = 5
const FULL_SPEED = 0.9

const FULL: OverloadPlan = {
  floodSeconds: 60,
  steadyMachines: 32,
  kinds: { mqtt: 64, 'mqtt-deaf': 8, 'mqtt-silent': 8, http: 32 },
  floodEnvelopes: 600,
  warmUpRounds: 30,
  rounds: 7,
  round: 60,
}

/** The benchmark: 60 s of more than a node can take. */
export async function benchOverload(say: (line: string) => void): Promise<Record<string, number>> {
  return { ...(await runOverload(FULL, say)) }
}

/** Floods a node of its own, and measures it before, during and after. */
export async function runOverload(
  plan: OverloadPlan,
  say: (line: string) => void,
): Promise<OverloadFigures> {
  const kinds = Object.entries(plan.kinds).flatMap(([kind, count]) =>
    Array.from({ length: count }, () => kind as FloodKind),
  )
  const folder = await mkdtemp(join(tmpdir(), 'liquefy-overload-'))
  const node = await startNodeProcess(plan.steadyMachines + kinds.length)
  try {
    const steady = node.machines.slice(0, plan.steadyMachines)
    const flooding = node.machines
      .slice(plan.steadyMachines)
      .map((machine, index) => ({ ...machine, kind: kinds[index] ?? 'mqtt' }))
    const steadyPath = join(folder, 'steady')
    const files = { path: join(folder, 'flood'), acknowledgedPath: join(folder, 'acknowledged') }
    const load = { readings: READINGS, stream: 'energy', fromMs: Date.now() - 3_600_000 }
    const envelopes = (plan.warmUpRounds + 4 * plan.rounds) * plan.round
    say(`signing for ${node.machines.length} machines`)
    await writeSignedLoad(steadyPath, node, steady, { ...load, envelopes })
    await writeSignedLoad(files.path, node, flooding, { ...load, envelopes: plan.floodEnvelopes })

    const loader = await startLoader(node, steady, { path: steadyPath, window: WINDOW })
    await loader.round(plan.warmUpRounds * plan.round)
    const logged = await loggedBy(node, steady)
    const quiet = await roundsOf(loader, logged, plan.rounds, plan.round)
    const before = median(quiet.map(({ rate }) => rate))
    say(`before: ${Math.round(before)}/s`)
    const rss = sampleRss(node)
    const report = await runFlood(node, flooding, files, plan.floodSeconds)
    const endedMs = performance.now()
    const samples = rss.stop()
    say(`flood: ${JSON.stringify(report)}`)
    say(`MB each second: ${samples.filter((_, index) => index % 10 === 0).join(' ')}`)
    const after = await roundsOf(loader, logged, 3 * plan.rounds, plan.round, endedMs)
    await loader.stop()
    say(
      `after: ${after.map(({ rate, endSeconds }) => `${Math.round(rate)}/s at ${endSeconds.toFixed(1)}`).join(', ')}`,
    )
    await logged.close()
    return {
      ...speedsOf(report, plan.floodSeconds, before),
      ...memoryOf(samples),
      ...recoveryOf(after, before),
      ...(await acknowledgedOf(node, files.acknowledgedPath)),
    }
  } finally {
    await node.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

/** How many envelopes of these machines the log holds: what was refused was acknowledged too, and counts for nothing. */
async function loggedBy({ databaseUrl }: NodeHost, machines: readonly LoadMachine[]) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const ids = machines.map(({ machineId }) => machineId)
  return {
    async count(): Promise<number> {
      const { rows } = await client.query(
        'SELECT count(*) AS logged FROM envelopes WHERE machine_id = ANY($1::numeric[])',
        [ids],
      )
      return Number(rows[0].logged)
    },
    close: () => client.end(),
  }
}

/** Rounds one after the other; when each ended is counted from `sinceMs`. */
async function roundsOf(
  loader: Loader,
  logged: { count(): Promise<number> },
  rounds: number,
  count: number,
  sinceMs = performance.now(),
): Promise<{ rate: number; endSeconds: number }[]> {
  const done: { rate: number; endSeconds: number }[] = []
  let before = await logged.count()
  for (let round = 0; round < rounds; round += 1) {
    const { seconds } = await loader.round(count)
    const endSeconds = (performance.now() - sinceMs) / 1_000
    const after = await logged.count()
    done.push({ rate: (after - before) / seconds, endSeconds })
    before = after
  }
  return done
}

function sampleRss(node: NodeHost): { stop(): number[] } {
  const samples: number[] = []
  const timer = setInterval(() => samples.push(node.rssMb()), SAMPLE_MS)
  return {
    stop() {
      clearInterval(timer)
      return samples
    },
  }
}

function speedsOf({ offered, receipted, refused }: FloodReport, seconds: number, before: number) {
  const refusals = Object.values(refused).reduce((sum, count) => sum + count, 0)
  return {
    beforePerSecond: Math.round(before),
    offeredPerSecond: Math.round(offered / seconds),
    takenPerSecond: Math.round(receipted / seconds),
    offeredRatio: hundredths(offered / Math.max(receipted, 1)),
    refusedPerSecond: Math.round(refusals / seconds),
  }
}

function memoryOf(samples: readonly number[]) {
  const third = Math.floor(samples.length / 3)
  const growth = median(samples.slice(2 * third)) - median(samples.slice(third, 2 * third))
  return { peakRssMb: Math.max(...samples), rssGrowthMb: Math.round(growth) }
}

function recoveryOf(after: readonly { rate: number; endSeconds: number }[], before: number) {
  const soon = after.filter(({ endSeconds }) => endSeconds <= RECOVERY_SECONDS)
  const settled = median(after.slice(-Math.floor(after.length / 3)).map(({ rate }) => rate))
  const full = after.find(({ rate }) => rate >= FULL_SPEED * Math.min(before, settled))
  return {
    afterRatio: hundredths(Math.max(0, ...soon.map(({ rate }) => rate)) / before),
    settledRatio: hundredths(settled / before),
    recoverySeconds: full === undefined ? -1 : hundredths(full.endSeconds),
  }
}

async function acknowledgedOf({ databaseUrl }: NodeHost, path: string) {
  const bytes = readFileSync(path)
  const digests = Array.from({ length: bytes.length / 32 }, (_, index) =>
    bytes.subarray(index * 32, index * 32 + 32),
  )
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client.query(
    'SELECT count(DISTINCT digest) AS found FROM envelopes WHERE digest = ANY($1::bytea[])',
    [digests],
  )
  await client.end()
  return {
    acknowledged: digests.length,
    acknowledgedMissing: digests.length - Number(rows[0].found),
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

function hundredths(value: number): number {
  return Math.round(value * 100) / 100
}
