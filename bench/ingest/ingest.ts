import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Loader, startLoader } from '../load/loader-host.ts'
import { type NodeHost, startNodeProcess } from '../load/node-host.ts'
import { signatureLimit } from '../load/signature-limit.ts'
import { writeSignedLoad } from '../load/signed-load.ts'

const MACHINES = 64
const READINGS = 60
/** Envelopes of each machine in a round. */
const ROUND = 400
const WARM_UP = 200
const ROUNDS = 5
const WINDOW = 40
const LIMIT_SECONDS = 2
const SAMPLE = 8

/**
 * Envelopes of 60 readings, P-256, verified, chained, committed and acknowledged in a second, over MQTT, and what part that is of the
 * signature limit measured before and after each round. The loader runs on the same cores.
 */
export async function benchIngest(say: (line: string) => void): Promise<Record<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'liquefy-load-'))
  const node = await startNodeProcess(MACHINES)
  try {
    const path = join(folder, 'load')
    const envelopes = WARM_UP + ROUNDS * ROUND
    say(`signing ${envelopes * MACHINES} envelopes`)
    const fromMs = Date.now() - 3_600_000
    const load = { envelopes, readings: READINGS, stream: 'energy', fromMs }
    const signed = await writeSignedLoad(path, node, node.machines, load)
    const sample = node.machines.flatMap(({ key }, index) =>
      (signed[index] ?? []).slice(0, SAMPLE).map((bytes) => ({ bytes, key: key.publicKey })),
    )
    const loader = await startLoader(node, node.machines, { path, window: WINDOW })
    const figures = await measure(node, loader, sample, say)
    await loader.stop()
    return figures
  } finally {
    await node.stop()
    await rm(folder, { recursive: true, force: true })
  }
}

async function measure(
  node: NodeHost,
  loader: Loader,
  sample: Parameters<typeof signatureLimit>[0],
  say: (line: string) => void,
): Promise<Record<string, number>> {
  await loader.round(WARM_UP)
  const { rssBytes: rssBefore } = await node.usage()
  const rounds: {
    rate: number
    limit: number
    nodeMicros: number
    databaseMicros: number
    loaderMicros: number
  }[] = []
  let limit = await signatureLimit(sample, LIMIT_SECONDS)
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = await node.usage()
    const { acknowledged, seconds, cpuMicros } = await loader.round(ROUND)
    const after = await node.usage()
    const limitAfter = await signatureLimit(sample, LIMIT_SECONDS)
    rounds.push({
      rate: acknowledged / seconds,
      limit: (limit + limitAfter) / 2,
      nodeMicros: (after.cpuMicros - before.cpuMicros) / acknowledged,
      databaseMicros: (after.databaseMicros - before.databaseMicros) / acknowledged,
      loaderMicros: cpuMicros / acknowledged,
    })
    limit = limitAfter
    say(
      `round ${round + 1}: ${Math.round(acknowledged / seconds)}/s, limit ${limit}/s, node ${rounds.at(-1)?.nodeMicros.toFixed(0)} us, database ${rounds.at(-1)?.databaseMicros.toFixed(0)} us, loader ${rounds.at(-1)?.loaderMicros.toFixed(0)} us`,
    )
  }
  const { rssBytes } = await node.usage()
  return {
    envelopesPerSecond: Math.round(median(rounds.map(({ rate }) => rate))),
    signatureLimitPerSecond: Math.round(median(rounds.map(({ limit }) => limit))),
    ratioToSignatureLimit: thousandths(median(rounds.map(({ rate, limit }) => rate / limit))),
    nodeMicrosPerEnvelope: Math.round(median(rounds.map(({ nodeMicros }) => nodeMicros))),
    databaseMicrosPerEnvelope: Math.round(
      median(rounds.map(({ databaseMicros }) => databaseMicros)),
    ),
    loaderMicrosPerEnvelope: Math.round(median(rounds.map(({ loaderMicros }) => loaderMicros))),
    peakRssMb: node.peakRssMb(),
    rssGrowthMb: Math.round((rssBytes - rssBefore) / 2 ** 20),
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0
}

function thousandths(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
