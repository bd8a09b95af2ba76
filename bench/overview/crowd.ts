import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeToken, registryAudience } from '@liquefy/protocol'
import { connectAsync, type MqttClient } from 'mqtt'
import type { NodeHost } from '../load/node-host.ts'
import { writeSignedLoad } from '../load/signed-load.ts'

/** Many machines, each of which sends an envelope of one reading every second, at a moment of its own. */
export interface Crowd {
  /** Begins; resolves when all of it is acknowledged. */
  send(): Promise<void>
  stop(): Promise<void>
}

const SECOND_MS = 1_000
const TICK_MS = 5
const TOKEN_SECONDS = 3_000
const CONNECTING_AT_ONCE = 50

/** Signs `seconds` envelopes for each machine of the node and connects them. */
export async function gatherCrowd(node: NodeHost, seconds: number): Promise<Crowd> {
  const folder = await mkdtemp(join(tmpdir(), 'liquefy-crowd-'))
  const load = { envelopes: seconds, readings: 1, stream: 'energy', fromMs: Date.now() }
  const envelopes = await writeSignedLoad(join(folder, 'load'), node, node.machines, load)
  await rm(folder, { recursive: true, force: true })
  const clients: MqttClient[] = []
  for (let at = 0; at < node.machines.length; at += CONNECTING_AT_ONCE) {
    const some = node.machines.slice(at, at + CONNECTING_AT_ONCE)
    clients.push(...(await Promise.all(some.map((machine) => connect(node, machine)))))
  }
  const count = clients.length
  return {
    async send() {
      const startMs = performance.now()
      const underWay: Promise<unknown>[] = []
      // Number `turn` is due when `turn / count` seconds have passed: the machines take turns within each second.
      for (let turn = 0; turn < count * seconds; ) {
        const dueTurns = ((performance.now() - startMs) * count) / SECOND_MS
        for (; turn < count * seconds && turn <= dueTurns; turn += 1) {
          const index = turn % count
          const payload = Buffer.from(envelopes[index]?.[Math.floor(turn / count)] ?? [])
          const topic = `liquefy/v1/${node.machines[index]?.machineId}/envelope`
          underWay.push(
            clients[index]?.publishAsync(topic, payload, { qos: 1 }) ?? Promise.reject(),
          )
        }
        await sleep(TICK_MS)
      }
      await Promise.all(underWay)
    },
    async stop() {
      await Promise.all(clients.map((client) => client.endAsync(true)))
    },
  }
}

function connect(
  { mqttUrl, chainId, registry }: NodeHost,
  { machineId, key }: NodeHost['machines'][number],
): Promise<MqttClient> {
  const issuedAt = Math.floor(Date.now() / SECOND_MS)
  const audience = registryAudience(chainId, registry)
  const expiresAt = issuedAt + TOKEN_SECONDS
  return connectAsync(mqttUrl, {
    clientId: String(machineId),
    username: String(machineId),
    password: encodeToken({ key, machineId, audience, issuedAt, expiresAt }),
    protocolVersion: 4,
    reconnectPeriod: 0,
  })
}
