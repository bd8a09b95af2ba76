import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PublicKey } from '@liquefy/protocol'
import { type Loader, startLoader } from '../load/loader-host.ts'
import { type NodeHost, startNodeProcess } from '../load/node-host.ts'
import { writeSignedLoad } from '../load/signed-load.ts'

const MACHINES = 64
const READINGS = 60
/** Envelopes of each machine in a round, and before the first. */
const ROUND = 400
const WARM_UP = 200
const WINDOW = 40
const SAMPLE = 8

/** A node in a process of its own, warm, and a loader in another with envelopes of 60 readings for so many rounds. */
export interface UnderLoad {
  node: NodeHost
  /** Sends the next round, as fast as it is acknowledged. */
  round(): ReturnType<Loader['round']>
  /** Some of the envelopes. */
  sample: { bytes: Uint8Array; key: PublicKey }[]
}

/** Starts node and loader, lets `work` use them, and removes all that they wrote. */
export async function underLoad<T>(
  rounds: number,
  say: (line: string) => void,
  work: (load: UnderLoad) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'liquefy-load-'))
  const node = await startNodeProcess(MACHINES)
  try {
    const path = join(folder, 'load')
    const envelopes = WARM_UP + rounds * ROUND
    say(`signing ${envelopes * MACHINES} envelopes`)
    const fromMs = Date.now() - envelopes * READINGS * 1_000
    const load = { envelopes, readings: READINGS, stream: 'energy', fromMs }
    const signed = await writeSignedLoad(path, node, node.machines, load)
    const sample = node.machines.flatMap(({ key }, index) =>
      (signed[index] ?? []).slice(0, SAMPLE).map((bytes) => ({ bytes, key: key.publicKey })),
    )
    const loader = await startLoader(node, node.machines, { path, window: WINDOW })
    await loader.round(WARM_UP)
    const answer = await work({ node, sample, round: () => loader.round(ROUND) })
    await loader.stop()
    return answer
  } finally {
    await node.stop()
    await rm(folder, { recursive: true, force: true })
  }
}
