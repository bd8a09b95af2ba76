import mqtt from 'mqtt'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Broker, Inbox } from '../../src/connect/inbox.ts'
import { connectOutsideBroker } from '../../src/connect/outside-broker.ts'
import type { Database } from '../../src/store/database.ts'
import { countEnvelopes } from '../../src/store/envelopes.ts'
import { readRefusalCounts } from '../../src/store/refusals.ts'
import {
  type Ingest,
  type Receipt,
  registerMachine,
  seal,
  sealChain,
  silent,
  startIngest,
  tempDatabase,
  tempFolder,
  until,
} from '../ingest-fixture.ts'
import { freePort, hasMosquitto, sayIfNoMosquitto, startMosquitto } from '../mosquitto.ts'

sayIfNoMosquitto('an outside MQTT 5 broker')

describe.runIf(hasMosquitto)('an outside MQTT 5 broker (mosquitto)', () => {
  let database: Database
  let ingest: Ingest
  let broker: Broker
  let port: number
  let folder: Awaited<ReturnType<typeof tempFolder>>
  let stopBroker: () => Promise<void>

  /** The node's pipeline behind this broker instead of the embedded one. */
  function joinBroker(inbox: Inbox, clientId = 'node-1'): Promise<Broker> {
    return connectOutsideBroker({
      url: `mqtt://127.0.0.1:${port}`,
      inbox,
      clientId,
      connections: 4,
      agreementsOf: async (machineId) => [{ agreementId: '0x01', machineId: String(machineId) }],
      logger: silent,
    })
  }

  beforeAll(async () => {
    folder = await tempFolder()
    port = await freePort()
    stopBroker = await startMosquitto(folder.path, port)
    database = await tempDatabase()
    ingest = await startIngest({ database, publishThrough: () => broker })
    broker = await joinBroker(ingest.pipeline)
  })
  afterAll(async () => {
    await broker.close()
    await ingest.stop()
    await database.close()
    await stopBroker()
    await folder.remove()
  })

  async function listen(machineId: bigint) {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 100 })
    const heard: { name: string; message: unknown }[] = []
    const prefix = `liquefy/v1/${machineId}/`
    client.on('message', (topic, payload) => {
      heard.push({ name: topic.slice(prefix.length), message: JSON.parse(payload.toString()) })
    })
    await client.subscribeAsync(
      ['receipt', 'refused', 'agreement'].map((name) => prefix + name),
      { qos: 1 },
    )
    const digests = () =>
      heard.flatMap(({ name, message }) =>
        name === 'receipt' ? (message as Receipt).entries.map(({ digest }) => digest) : [],
      )
    const send = (bytes: Uint8Array) =>
      client.publishAsync(`${prefix}envelope`, Buffer.from(bytes), { qos: 1 })
    return { client, heard, digests, send }
  }

  test('readings arrive through the shared subscription, receipts and agreements go back', async () => {
    const machine = await registerMachine(database)
    const device = await listen(machine.machineId)
    const chain = sealChain(machine, 10)
    await Promise.all(chain.map(({ bytes }) => device.send(bytes)))
    await until(() => chain.every(({ digest }) => device.digests().includes(digest)) || undefined)
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 10 })
    expect(device.heard).toContainEqual({
      name: 'agreement',
      message: { agreementId: '0x01', machineId: String(machine.machineId) },
    })
    await device.client.endAsync(true)
  })

  test('ATK on a topic that the broker let pass: TOPIC_MISMATCH, told and counted', async () => {
    const machine = await registerMachine(database)
    const thief = await registerMachine(database)
    const device = await listen(thief.machineId)
    await device.send(seal(machine).bytes)
    await until(() => device.heard.find(({ name }) => name === 'refused'))
    const counts = await readRefusalCounts(database.pool, thief.machineId)
    expect(counts.map(({ code, count }) => [code, count])).toEqual([['TOPIC_MISMATCH', 1n]])
    await device.client.endAsync(true)
  })

  test('what was not committed is delivered again: to the next node that joins', async () => {
    const machine = await registerMachine(database)
    const device = await listen(machine.machineId)
    const { bytes, digest } = seal(machine)
    await broker.close()
    let taken = 0
    const dead = await joinBroker({
      envelope: () => {
        taken += 1
        return new Promise(() => undefined)
      },
      meterValue: () => new Promise(() => undefined),
      deny: () => undefined,
      whenRoom: () => undefined,
    })
    await device.send(bytes)
    await until(() => taken > 0 || undefined)
    await dead.close()
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({})
    broker = await joinBroker(ingest.pipeline)
    await until(() => device.digests().includes(digest) || undefined)
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 1 })
    await device.client.endAsync(true)
  })

  test('another node at the same broker hears every message too, and neither ends the other', async () => {
    const machine = await registerMachine(database)
    const device = await listen(machine.machineId)
    const overheard: bigint[] = []
    const other = await joinBroker(
      {
        envelope: async (senderId) => {
          overheard.push(senderId)
          return { kind: 'refused', code: 'DEVICE_UNKNOWN', message: 'of another node' }
        },
        meterValue: async () => undefined,
        deny: () => undefined,
        whenRoom: () => undefined,
      },
      'node-2',
    )
    const chain = sealChain(machine, 20)
    for (const { bytes } of chain) await device.send(bytes)
    await until(() => chain.every(({ digest }) => device.digests().includes(digest)) || undefined)
    await until(() => overheard.length === chain.length || undefined)
    expect(new Set(overheard)).toEqual(new Set([machine.machineId]))
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 20 })
    await other.close()
    await device.client.endAsync(true)
  })

  test('after the broker was away the node is back without being told', async () => {
    const machine = await registerMachine(database)
    await stopBroker()
    stopBroker = await startMosquitto(folder.path, port)
    const device = await listen(machine.machineId)
    const { bytes, digest } = seal(machine)
    // Until the shared subscription stands again the broker has nobody to deliver to: a machine repeats what has no receipt.
    const repeat = setInterval(() => void device.send(bytes), 300)
    await until(() => device.digests().includes(digest) || undefined)
    clearInterval(repeat)
    await device.client.endAsync(true)
  })

  test('a broker that is not there: BROKER_UNREACHABLE', async () => {
    const nobody = await freePort()
    await expect(
      connectOutsideBroker({
        url: `mqtt://127.0.0.1:${nobody}`,
        inbox: ingest.pipeline,
        clientId: 'node-3',
        connections: 1,
        logger: silent,
      }),
    ).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' })
  })
})
