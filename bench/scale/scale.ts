import type { ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Loader, startLoader } from '../load/loader-host.ts'
import { type NodeHost, startNodeProcess } from '../load/node-host.ts'
import { writeSignedLoad } from '../load/signed-load.ts'
import { type Deployment, microsOf, startDeployment } from './deployment.ts'

const MACHINES = 64
const READINGS = 60
/** Envelopes of each machine in a round. */
const ROUND = 150
const WARM_UP = 50
/** Pairs of a round with one ingest process and one with two. */
const PAIRS = 3
const WINDOW = 20

interface Round {
  perSecond: number
  /** Cores that were busy: ingest, database, broker and loader together. */
  busyCores: number
  /** Cores that had nothing to do; what is missing was taken by others. */
  idleCores: number
  micros: { ingest: number; database: number; broker: number; loader: number }
}

/**
 * Envelopes of 60 readings that one ingest process, and two, take in a second from a mosquitto through a shared subscription, each with one
 * verifying thread: from the first sent to the last receipt. Loader, broker and database run on the same cores.
 */
export async function benchScale(say: (line: string) => void): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'liquefy-scale-'))
  const host = await startNodeProcess(MACHINES)
  let deployment: Deployment | undefined
  try {
    deployment = await startDeployment(host, folder)
    await deployment.start('settle')
    const path = join(folder, 'load')
    const envelopes = PAIRS * 2 * (WARM_UP + ROUND)
    say(`signing ${envelopes * MACHINES} envelopes`)
    const load = { envelopes, readings: READINGS, stream: 'energy', fromMs: Date.now() - 3_600_000 }
    await writeSignedLoad(path, host, host.machines, load)
    const loader = await startLoader({ ...host, mqttUrl: deployment.mqttUrl }, host.machines, {
      path,
      window: WINDOW,
      byReceipt: true,
    })
    const figures = await measure(host, deployment, loader, say)
    await loader.stop()
    return figures
  } finally {
    await deployment?.stop()
    await host.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(
  host: NodeHost,
  deployment: Deployment,
  loader: Loader,
  say: (line: string) => void,
): Promise<Record<string, number>> {
  const rounds: { one: Round; two: Round }[] = []
  const first = await deployment.start('ingest')
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const one = await roundOf([first], host, deployment, loader)
    const second = await deployment.start('ingest')
    const two = await roundOf([first, second], host, deployment, loader)
    second.kill()
    await new Promise((resolve) => second.once('exit', resolve))
    rounds.push({ one, two })
    say(`one: ${textOf(one)}; two: ${textOf(two)}`)
  }
  const medianOf = (read: (round: { one: Round; two: Round }) => number) => median(rounds.map(read))
  return {
    cores: availableParallelism(),
    oneIngestPerSecond: Math.round(medianOf(({ one }) => one.perSecond)),
    twoIngestPerSecond: Math.round(medianOf(({ two }) => two.perSecond)),
    twoToOne: thousandths(medianOf(({ one, two }) => two.perSecond / one.perSecond)),
    oneIdleCores: thousandths(medianOf(({ one }) => one.idleCores)),
    twoIdleCores: thousandths(medianOf(({ two }) => two.idleCores)),
    oneBusyCores: thousandths(medianOf(({ one }) => one.busyCores)),
    twoBusyCores: thousandths(medianOf(({ two }) => two.busyCores)),
    ingestMicrosPerEnvelope: Math.round(medianOf(({ two }) => two.micros.ingest)),
    databaseMicrosPerEnvelope: Math.round(medianOf(({ two }) => two.micros.database)),
    brokerMicrosPerEnvelope: Math.round(medianOf(({ two }) => two.micros.broker)),
    loaderMicrosPerEnvelope: Math.round(medianOf(({ two }) => two.micros.loader)),
  }
}

async function roundOf(
  processes: readonly ChildProcess[],
  host: NodeHost,
  deployment: Deployment,
  loader: Loader,
): Promise<Round> {
  await loader.round(WARM_UP)
  const used = async () => ({
    ingest: processes.reduce((sum, child) => sum + microsOf(child), 0),
    database: (await host.usage()).databaseMicros,
    broker: deployment.brokerMicros(),
  })
  const before = await used()
  const idleBefore = idleMs()
  const { acknowledged, seconds, cpuMicros } = await loader.round(ROUND)
  const idleCores = (idleMs() - idleBefore) / 1_000 / seconds
  const after = await used()
  const micros = {
    ingest: (after.ingest - before.ingest) / acknowledged,
    database: (after.database - before.database) / acknowledged,
    broker: (after.broker - before.broker) / acknowledged,
    loader: cpuMicros / acknowledged,
  }
  const perSecond = acknowledged / seconds
  const total = Object.values(micros).reduce((sum, part) => sum + part, 0)
  return { perSecond, micros, busyCores: (total * perSecond) / 1_000_000, idleCores }
}

/** Time that all cores together have been idle. */
function idleMs(): number {
  return cpus().reduce((sum, { times }) => sum + times.idle, 0)
}

function textOf({ perSecond, busyCores, idleCores, micros }: Round): string {
  const parts = Object.entries(micros).map(([name, value]) => `${name} ${Math.round(value)} us`)
  return `${Math.round(perSecond)}/s on ${busyCores.toFixed(2)} cores, ${idleCores.toFixed(2)} idle (${parts.join(', ')})`
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
