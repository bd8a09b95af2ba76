import { randomBytes } from 'node:crypto'
import {
  encodeEnvelope,
  encodeToken,
  evidenceHead,
  type Hex,
  meterValueDigest,
  type PrivateKey,
  privateKeyFromBytes,
  registryAudience,
  signedMeterValueToJson,
  signTypedDigest,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import mqtt, { type MqttClient } from 'mqtt'
import type { RunningNode } from '../src/index.ts'

const PATIENCE_MS = 90_000

export interface Device {
  machineId: bigint
  key: PrivateKey
  digests: Hex[]
  /** Messages that came, by last part of the topic. */
  heard: { name: string; json: Record<string, unknown> }[]
  client: MqttClient
  /** The next envelope of the stream `weight`, not sent. */
  next(value: bigint, options?: { timeMs?: number; key?: PrivateKey; fork?: boolean }): Sent
  send(bytes: Uint8Array): Promise<unknown>
  /** Publishes the next value and waits for its receipt; answers the admission code. */
  publish(value: bigint, timeMs?: number): Promise<string>
  /** Waits for a message on an own topic. */
  hears(
    name: string,
    wanted: (json: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>>
  /** Signs a meter value over all envelopes published, publishes it, and answers what the node says. */
  meter(value: {
    agreementId: Hex
    registers: bigint[]
    asOf: number
    seq?: bigint
    key?: PrivateKey
  }): Promise<Record<string, unknown>>
  close(): Promise<void>
}

interface Sent {
  bytes: Uint8Array
  digest: Hex
  seq: bigint
}

/** A device without any of our SDK's transport: mqtt.js and a P-256 key. `state` continues an earlier one. */
export async function connectDevice(
  node: Pick<RunningNode, 'deployment' | 'mqttUrl'>,
  machineId: bigint,
  key: PrivateKey = privateKeyFromBytes('P-256', randomBytes(32)),
  digests: Hex[] = [],
): Promise<Device> {
  const { chainId, registry, clearingHouse } = node.deployment
  const issuedAt = Math.floor(Date.now() / 1000)
  const client = await mqtt.connectAsync(node.mqttUrl, {
    protocolVersion: 4,
    clientId: String(machineId),
    username: String(machineId),
    password: encodeToken({
      key,
      machineId,
      audience: registryAudience(chainId, registry),
      issuedAt,
      expiresAt: issuedAt + 600,
    }),
    reconnectPeriod: 0,
  })
  const heard: Device['heard'] = []
  client.on('message', (topic, payload) => {
    const name = topic.split('/').slice(3).join('/')
    heard.push({ name, json: JSON.parse(payload.toString()) })
  })
  const topic = (name: string) => `liquefy/v1/${machineId}/${name}`
  await client.subscribeAsync(['receipt', 'refused', 'agreement', 'meter/answer'].map(topic), {
    qos: 1,
  })

  const codeOf = async (digest: Hex): Promise<string> => {
    const entryOf = (json: Record<string, unknown>) =>
      (json.entries as { digest: Hex; code: string }[]).find((entry) => entry.digest === digest)
    const receipt = await device.hears('receipt', (json) => entryOf(json) !== undefined)
    return entryOf(receipt)?.code ?? ''
  }
  const device: Device = {
    machineId,
    key,
    digests,
    heard,
    client,
    next(value, { timeMs = Date.now(), key: signer = key, fork = false } = {}) {
      const seq = BigInt(fork ? digests.length : digests.length + 1)
      const prev = (fork ? digests.at(-2) : digests.at(-1)) ?? ZERO_DIGEST
      const envelope = encodeEnvelope({
        signer,
        iss: { chainId, registry, machineId },
        machineId,
        stream: 'weight',
        iat: Math.floor(timeMs / 1000),
        seq,
        prev,
        content: { kind: 'readings', readings: [{ unit: 'g', timeMs, value }] },
      })
      return { ...envelope, seq }
    },
    send: (bytes) => client.publishAsync(topic('envelope'), Buffer.from(bytes), { qos: 1 }),
    async publish(value, timeMs) {
      const sent = device.next(value, timeMs === undefined ? {} : { timeMs })
      digests.push(sent.digest)
      await device.send(sent.bytes)
      return codeOf(sent.digest)
    },
    async hears(name, wanted) {
      const deadline = Date.now() + PATIENCE_MS
      for (;;) {
        const found = heard.find((one) => one.name === name && wanted(one.json))
        if (found) return found.json
        if (Date.now() > deadline) throw new Error(`nothing of that kind on ${name}`)
        await new Promise((resolve) => setTimeout(resolve, 25))
      }
    },
    async meter({ agreementId, registers, asOf, seq = BigInt(digests.length), key: signer = key }) {
      const value = {
        agreementId,
        period: 0,
        asOf: BigInt(asOf),
        registers,
        evidenceHead: evidenceHead([digests[Number(seq) - 1] ?? ZERO_DIGEST]),
      }
      const digest = meterValueDigest({ chainId, clearingHouse, value })
      const before = heard.length
      const json = signedMeterValueToJson({
        ...value,
        heads: [{ stream: 'weight', seq }],
        signature: signTypedDigest(signer, digest),
      })
      await client.publishAsync(topic('meter'), JSON.stringify(json), { qos: 1 })
      return device.hears('meter/answer', (answer) => {
        return heard.findIndex(({ json }) => json === answer) >= before
      })
    },
    close: () => client.endAsync(true),
  }
  return device
}
