import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { encodeToken, registryAudience } from '@liquefy/protocol'
import type { LoadMachine, NodeHost } from '../load/node-host.ts'

/** How a machine of the flood behaves: by MQTT well, reading nothing, or acknowledging nothing; or by HTTP. */
export type FloodKind = 'mqtt' | 'mqtt-deaf' | 'mqtt-silent' | 'http'

/** What `flood.ts` is started with. */
export interface FloodPlan {
  url: string
  mqttUrl: string
  /** File that `writeSignedLoad` wrote. */
  path: string
  /** Where it writes the digests that it was told are logged, 32 bytes each. */
  acknowledgedPath: string
  seconds: number
  machines: { machineId: string; token: string; kind: FloodKind }[]
}

/** What the flood did and was answered. */
export interface FloodReport {
  /** Envelopes handed to the wire, once for each time. */
  offered: number
  /** Of these, those that receipts or answers named as logged, now or before. */
  receipted: number
  /** Refusals of single envelopes by code, and of bodies by status. */
  refused: Record<string, number>
  /** Connections that the node ended. */
  ended: number
}

const TOKEN_SECONDS = 3_000

/** Runs the flood in a process of its own. */
export async function runFlood(
  node: Pick<NodeHost, 'url' | 'mqttUrl' | 'chainId' | 'registry'>,
  machines: readonly (LoadMachine & { kind: FloodKind })[],
  files: { path: string; acknowledgedPath: string },
  seconds: number,
): Promise<FloodReport> {
  const issuedAt = Math.floor(Date.now() / 1_000)
  const audience = registryAudience(node.chainId, node.registry)
  const expiresAt = issuedAt + TOKEN_SECONDS
  const { url, mqttUrl } = node
  const plan: FloodPlan = {
    url,
    mqttUrl,
    ...files,
    seconds,
    machines: machines.map(({ machineId, key, kind }) => ({
      machineId: String(machineId),
      token: encodeToken({ key, machineId, audience, issuedAt, expiresAt }),
      kind,
    })),
  }
  const child = fork(join(import.meta.dirname, 'flood.ts'), [], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`The flood ended with ${code} and no report.`)
  })
  child.send(plan)
  const [report] = await Promise.race([once(child, 'message'), ended])
  ended.catch(() => undefined)
  child.disconnect()
  return report
}
