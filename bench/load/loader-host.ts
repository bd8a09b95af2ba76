import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { encodeToken, registryAudience } from '@liquefy/protocol'
import type { LoadMachine, NodeHost } from './node-host.ts'

/** What `loader.ts` is started with. */
export interface LoaderPlan {
  mqttUrl: string
  /** File that `writeSignedLoad` wrote. */
  path: string
  /** Envelopes that a machine has on the way at most. */
  window: number
  /** An outside broker acknowledges what nobody has logged yet: only the receipt says that it is committed. */
  byReceipt: boolean
  machines: { machineId: string; token: string }[]
}

/** One round of the loader: from the first envelope sent to the last acknowledged, and the processor time that it took itself. */
export interface LoaderReport {
  acknowledged: number
  seconds: number
  cpuMicros: number
}

/** A loader in a process of its own. */
export interface Loader {
  /** Sends the next `count` envelopes of each machine. */
  round(count: number): Promise<LoaderReport>
  stop(): Promise<void>
}

const TOKEN_SECONDS = 3_000

/** Starts the loader and logs its machines in. */
export async function startLoader(
  node: Pick<NodeHost, 'mqttUrl' | 'chainId' | 'registry'>,
  machines: readonly LoadMachine[],
  { path, window, byReceipt = false }: { path: string; window: number; byReceipt?: boolean },
): Promise<Loader> {
  const issuedAt = Math.floor(Date.now() / 1_000)
  const audience = registryAudience(node.chainId, node.registry)
  const plan: LoaderPlan = {
    mqttUrl: node.mqttUrl,
    path,
    window,
    byReceipt,
    machines: machines.map(({ machineId, key }) => ({
      machineId: String(machineId),
      token: encodeToken({
        key,
        machineId,
        audience,
        issuedAt,
        expiresAt: issuedAt + TOKEN_SECONDS,
      }),
    })),
  }
  const child = fork(join(import.meta.dirname, 'loader.ts'), [JSON.stringify(plan)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const answer = async () => {
    const ending = new AbortController()
    try {
      const [message] = await Promise.race([
        once(child, 'message', ending),
        once(child, 'exit', ending).then(() => {
          throw new Error('The loader ended by itself.')
        }),
      ])
      return message
    } finally {
      ending.abort()
    }
  }
  await answer()
  return {
    async round(count) {
      const report = answer()
      child.send(count)
      return report as Promise<LoaderReport>
    },
    async stop() {
      const ended = once(child, 'exit')
      child.kill()
      await ended
    },
  }
}
