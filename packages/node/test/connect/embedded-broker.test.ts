import { spawn } from 'node:child_process'
import { connect, type Socket } from 'node:net'
import type { IClientOptions } from 'mqtt'
import mqtt from 'mqtt'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { readRefusalCounts, readRefusals } from '../../src/store/refusals.ts'
import {
  addKey,
  connectDevice,
  type Ingest,
  newKey,
  registerMachine,
  seal,
  sealChain,
  startIngest,
  tempDatabase,
  tokenOf,
  until,
} from '../ingest-fixture.ts'

/** Publishes 10 MB, says what it was told, and ends when it is disconnected. */
const ATTACKER = `
import mqtt from 'mqtt'
const [port, password] = process.argv.slice(1)
const id = process.env.ID
const client = await mqtt.connectAsync('mqtt://127.0.0.1:' + port, { clientId: id, username: id, password, reconnectPeriod: 0 })
client.on('message', (_topic, payload) => process.stdout.write(payload))
client.on('error', () => undefined)
client.on('close', () => process.exit())
await client.subscribeAsync('liquefy/v1/' + id + '/refused')
client.publish('liquefy/v1/' + id + '/envelope', Buffer.alloc(10 * 1024 * 1024, 0x81), { qos: 1 })
`

let database: Database
let ingest: Ingest

beforeAll(async () => {
  database = await tempDatabase()
  ingest = await startIngest({
    database,
    agreementsOf: async (machineId) => [{ agreementId: '0x01', machineId: String(machineId) }],
  })
})
afterAll(async () => {
  await ingest.stop()
  await database.close()
})

async function refusalsOf(machineId: bigint): Promise<Record<string, number>> {
  await ingest.pipeline.idle()
  const counts = await readRefusalCounts(database.pool, machineId)
  return Object.fromEntries(counts.map(({ code, count }) => [code, Number(count)]))
}

function closeOf(client: mqtt.MqttClient): Promise<void> {
  return new Promise((resolve) => {
    client.once('close', () => resolve())
  })
}

describe('log-in', () => {
  const attempt = async (options: IClientOptions) => {
    const client = mqtt.connect(`mqtt://127.0.0.1:${ingest.broker.port}`, {
      reconnectPeriod: 0,
      ...options,
    })
    try {
      return await new Promise<string>((resolve) => {
        client.once('connect', () => resolve('connected'))
        client.once('error', (error) => resolve(error.message))
        client.once('close', () => resolve('closed'))
      })
    } finally {
      await client.endAsync(true)
    }
  }
  type Machine = Awaited<ReturnType<typeof registerMachine>>
  const now = () => Math.floor(Date.now() / 1_000)
  const wrong: Record<string, (machine: Machine, other: Machine) => IClientOptions> = {
    'no password': () => ({}),
    'a password that is no token': () => ({ password: 'secret' }),
    "another machine's token": (_machine, other) => ({ password: tokenOf(other) }),
    'a token by another key': (machine) => ({ password: tokenOf({ ...machine, key: newKey() }) }),
    'a token of another registry': (machine) => ({
      password: tokenOf(machine, { audience: 'eip155:1/erc721:0x00' }),
    }),
    'an expired token': (machine) => ({
      password: tokenOf(machine, { issuedAt: now() - 3_700, expiresAt: now() - 100 }),
    }),
    'a token for longer than an hour': (machine) => ({
      password: tokenOf(machine, { expiresAt: now() + 3_601 }),
    }),
  }
  for (const [name, options] of Object.entries(wrong)) {
    test(`ATK ${name}: TOKEN_INVALID, and the machine itself still gets in`, async () => {
      const machine = await registerMachine(database)
      const other = await registerMachine(database)
      const id = String(machine.machineId)
      const answer = await attempt({ clientId: id, username: id, ...options(machine, other) })
      expect(answer).toContain('Bad username or password')
      expect(await refusalsOf(machine.machineId)).toEqual({ TOKEN_INVALID: 1 })
      const device = await connectDevice(ingest.broker.port, machine)
      const good = seal(machine)
      await device.send(good.bytes)
      expect((await device.receipt(good.digest)).code).toBe('OK')
      await device.close()
    })
  }

  test('a machine that nobody registered: DEVICE_UNKNOWN', async () => {
    const before = (await refusalsOf(0n)).DEVICE_UNKNOWN ?? 0
    const machine = { machineId: 99n, key: newKey() }
    const options = { clientId: '99', username: '99', password: tokenOf(machine) }
    expect(await attempt(options)).toContain('Not authorized')
    expect((await refusalsOf(0n)).DEVICE_UNKNOWN).toBe(before + 1)
  })

  test('strangers who come together are each told of by the name that they gave', async () => {
    const names = ['4711', '4712', 'Silo "A"']
    await Promise.all(names.map((name) => attempt({ clientId: name, username: name })))
    await ingest.pipeline.idle()
    const messages = (await readRefusals(database.pool, 0n, 200)).map(({ message }) => message)
    expect(messages).toEqual(
      expect.arrayContaining([
        'machine 4711 is not registered',
        'machine 4712 is not registered',
        expect.stringMatching(/^client id "Silo \\"A\\"" .* must both be the machine id$/),
      ]),
    )
  })

  test('user name or client id other than the machine id: TOKEN_INVALID', async () => {
    const machine = await registerMachine(database)
    const id = String(machine.machineId)
    const password = tokenOf(machine)
    const before = (await refusalsOf(0n)).TOKEN_INVALID ?? 0
    expect(await attempt({ clientId: id, username: 'x', password })).not.toBe('connected')
    expect(await attempt({ clientId: 'x', username: id, password })).not.toBe('connected')
    expect(await attempt({ clientId: `0${id}`, username: `0${id}`, password })).not.toBe(
      'connected',
    )
    expect((await refusalsOf(0n)).TOKEN_INVALID).toBe(before + 3)
  })

  test('ATK client id takeover without the token is refused, and the machine stays connected', async () => {
    const machine = await registerMachine(database)
    const thief = await registerMachine(database)
    const device = await connectDevice(ingest.broker.port, machine)
    const id = String(machine.machineId)
    await attempt({ clientId: id, username: id, password: tokenOf(thief) })
    const good = seal(machine)
    await device.send(good.bytes)
    expect((await device.receipt(good.digest)).code).toBe('OK')
    await device.close()
  })

  test('a reconnect of the same machine replaces its old connection', async () => {
    const machine = await registerMachine(database)
    const old = await connectDevice(ingest.broker.port, machine)
    const closed = closeOf(old.client)
    const device = await connectDevice(ingest.broker.port, machine)
    await closed
    const good = seal(machine)
    await device.send(good.bytes)
    await device.receipt(good.digest)
    expect(ingest.broker.connectedMachines()).toContain(machine.machineId)
    await device.close()
    await until(() => !ingest.broker.connectedMachines().includes(machine.machineId) || undefined)
  })

  test('a connection ends when its key is revoked or rotated away', async () => {
    const machine = await registerMachine(database)
    const device = await connectDevice(ingest.broker.port, machine)
    ingest.identity.refresh([machine.machineId])
    await device.send(seal(machine).bytes)
    const closed = closeOf(device.client)
    await addKey(database, machine.machineId, 1n, undefined)
    ingest.identity.refresh([machine.machineId])
    await closed
    const id = String(machine.machineId)
    const answer = await attempt({ clientId: id, username: id, password: tokenOf(machine) })
    expect(answer).toContain('Bad username or password')
    await device.close()
  })

  test('ATK will message: refused', async () => {
    const machine = await registerMachine(database)
    const id = String(machine.machineId)
    const will = { topic: `liquefy/v1/${id}/receipt`, payload: Buffer.from('x'), qos: 1 as const }
    const answer = await attempt({ clientId: id, username: id, password: tokenOf(machine), will })
    expect(answer).toContain('Not authorized')
    expect(await refusalsOf(machine.machineId)).toEqual({ TOPIC_FORBIDDEN: 1 })
  })
})

describe('INV-24 topics', () => {
  const filters = ['#', '+/v1/+/receipt', '$SYS/#', '$share/liquefy/liquefy/v1/+/envelope']
  for (const filter of filters) {
    test(`ATK subscribe to ${filter}: TOPIC_FORBIDDEN, and nothing of others arrives`, async () => {
      const machine = await registerMachine(database)
      const other = await registerMachine(database)
      const spy = await connectDevice(ingest.broker.port, machine)
      const heard: string[] = []
      spy.client.on('message', (topic) => heard.push(topic))
      await expect(spy.client.subscribeAsync(filter, { qos: 1 })).rejects.toThrow()
      const device = await connectDevice(ingest.broker.port, other)
      const { bytes, digest } = seal(other)
      await device.send(bytes)
      await device.receipt(digest)
      expect(await refusalsOf(machine.machineId)).toEqual({ TOPIC_FORBIDDEN: 1 })
      expect(heard.filter((topic) => !topic.includes(String(machine.machineId)))).toEqual([])
      await device.close()
      await spy.close()
    })
  }

  test("ATK another machine's receipts: TOPIC_FORBIDDEN", async () => {
    const machine = await registerMachine(database)
    const other = await registerMachine(database)
    const spy = await connectDevice(ingest.broker.port, machine)
    const topic = `liquefy/v1/${other.machineId}/receipt`
    await expect(spy.client.subscribeAsync(topic, { qos: 1 })).rejects.toThrow()
    expect(await refusalsOf(machine.machineId)).toEqual({ TOPIC_FORBIDDEN: 1 })
    await spy.close()
  })

  type Publish = (id: string, other: string) => { topic: string; retain?: boolean }
  const forbidden: Record<string, Publish> = {
    "another machine's topic": (_id, other) => ({ topic: `liquefy/v1/${other}/envelope` }),
    'a topic that the node writes': (id) => ({ topic: `liquefy/v1/${id}/receipt` }),
    $SYS: () => ({ topic: '$SYS/broker' }),
    'no topic of ours': () => ({ topic: 'liquefy/v2/1/envelope' }),
    'a retained message': (id) => ({ topic: `liquefy/v1/${id}/envelope`, retain: true }),
  }
  for (const [name, choose] of Object.entries(forbidden)) {
    test(`ATK publish to ${name}: told, not delivered, connection ends; after a reconnect all is well`, async () => {
      const machine = await registerMachine(database)
      const other = await registerMachine(database)
      const victim = await connectDevice(ingest.broker.port, other)
      const device = await connectDevice(ingest.broker.port, machine)
      const closed = closeOf(device.client)
      const { topic, retain } = choose(String(machine.machineId), String(other.machineId))
      const { bytes, digest } = seal(machine)
      device.client.publish(topic, Buffer.from(bytes), { qos: 1, retain: retain === true })
      await device.refusal('TOPIC_FORBIDDEN')
      await closed
      expect(await refusalsOf(machine.machineId)).toEqual({ TOPIC_FORBIDDEN: 1 })
      const again = await connectDevice(ingest.broker.port, machine)
      await again.send(bytes)
      expect((await again.receipt(digest)).code).toBe('OK')
      expect(victim.receipts).toEqual([])
      await device.close()
      await again.close()
      await victim.close()
    })
  }

  test('agreements are sent when a machine subscribes to them', async () => {
    const machine = await registerMachine(database)
    const device = await connectDevice(ingest.broker.port, machine)
    await until(() => device.agreements[0] ?? undefined)
    expect(device.agreements).toEqual([
      { agreementId: '0x01', machineId: String(machine.machineId) },
    ])
    await device.close()
  })
})

describe('more than it can take', () => {
  const MACHINES = 20
  const FRAMES = 200
  const HELD = 64

  /** Machines that have sent all they have at once, to a node that holds few frames. */
  async function flood() {
    const small = await startIngest({
      database,
      limits: { heldFrames: HELD, batchFrames: HELD / 2 },
    })
    const devices: Awaited<ReturnType<typeof connectDevice>>[] = []
    const sendings: (() => void)[] = []
    for (let count = 0; count < MACHINES; count += 1) {
      const machine = await registerMachine(database)
      const device = await connectDevice(small.broker.port, machine)
      devices.push(device)
      const topic = `liquefy/v1/${machine.machineId}/envelope`
      const payloads = sealChain(machine, FRAMES).map(({ bytes }) => Buffer.from(bytes))
      sendings.push(() => {
        for (const payload of payloads) device.client.publish(topic, payload, { qos: 1 })
      })
    }
    for (const send of sendings) send()
    await until(() => small.pipeline.counts().held >= HELD || undefined)
    return { small, devices }
  }

  test('a machine with one envelope does not wait for those that send hundreds', async () => {
    const modest = await registerMachine(database)
    const { small, devices } = await flood()
    const device = await connectDevice(small.broker.port, modest)
    const { bytes, digest } = seal(modest)
    const before = small.pipeline.counts().received
    await device.send(bytes)
    const passed = small.pipeline.counts().received - before
    expect((await device.receipt(digest)).code).toBe('OK')
    expect(passed).toBeLessThan((MACHINES * FRAMES) / 4)
    await Promise.all([...devices, device].map((one) => one.close()))
    await small.stop()
  })

  test('what machines left behind that went away is not worked through', async () => {
    const { small, devices } = await flood()
    await Promise.all(devices.map((one) => one.close()))
    await expect.poll(() => small.broker.connectedMachines(), { timeout: 15_000 }).toEqual([])
    await small.pipeline.idle()
    const { received, held } = small.pipeline.counts()
    expect(held).toBe(0)
    expect(received).toBeLessThan((MACHINES * FRAMES) / 4)
    await small.stop()
  })
})

describe('who does not read', () => {
  const MESSAGE = 'x'.repeat(65_536)
  const MANY = 1_024
  /** What kernels hold of a connection on their own is several times the 1 MiB that the node does. */
  const LEAST = 16

  /** Publishes on a machine's topic while it is connected; answers how many messages. */
  async function publishTo(machineId: bigint, most: number): Promise<number> {
    let published = 0
    while (published < most && ingest.broker.connectedMachines().includes(machineId)) {
      await ingest.broker.publish(`liquefy/v1/${machineId}/receipt`, MESSAGE)
      published += 1
    }
    return published
  }

  test('ATK a reader that stopped is cut off, nobody else waits for it, and it is told when it comes again', async () => {
    const machine = await registerMachine(database)
    const other = await registerMachine(database)
    const [first, second] = sealChain(other, 2)
    if (!first || !second) throw new Error('two')
    const deaf = await connectDevice(ingest.broker.port, machine)
    const device = await connectDevice(ingest.broker.port, other)
    deaf.client.stream.unpipe()
    deaf.client.stream.pause()
    expect(await publishTo(machine.machineId, LEAST)).toBe(LEAST)
    await device.send(first.bytes)
    expect((await device.receipt(first.digest)).code).toBe('OK')
    expect(await publishTo(machine.machineId, MANY)).toBeLessThan(MANY)
    expect(ingest.broker.connectedMachines()).not.toContain(machine.machineId)
    await device.send(second.bytes)
    expect((await device.receipt(second.digest)).code).toBe('OK')
    const again = await connectDevice(ingest.broker.port, machine)
    const { bytes, digest } = seal(machine)
    await again.send(bytes)
    expect((await again.receipt(digest)).code).toBe('OK')
    await again.close()
    await device.close()
    await deaf.client.endAsync(true)
  })

  test('a reader that goes on reading stays, however much it is sent', async () => {
    const machine = await registerMachine(database)
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${ingest.broker.port}`, {
      clientId: String(machine.machineId),
      username: String(machine.machineId),
      password: tokenOf(machine),
      reconnectPeriod: 0,
    })
    let bytes = 0
    client.on('message', (_topic, payload) => {
      bytes += payload.length
    })
    await client.subscribeAsync(`liquefy/v1/${machine.machineId}/receipt`, { qos: 1 })
    expect(await publishTo(machine.machineId, 4 * LEAST)).toBe(4 * LEAST)
    await expect.poll(() => bytes).toBe(4 * LEAST * MESSAGE.length)
    expect(ingest.broker.connectedMachines()).toContain(machine.machineId)
    await client.endAsync(true)
  })
})

describe('frames at the socket', () => {
  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })

  test('ATK huge payload of 10 MB: TOO_LARGE, heap flat, the next good reading is accepted', async () => {
    const machine = await registerMachine(database)
    const device = await connectDevice(ingest.broker.port, machine)
    const [first, second] = sealChain(machine, 2)
    if (!first || !second) throw new Error('two')
    await device.send(first.bytes)
    await device.close()
    // The sender's own copies of its payload are not the node's: it runs in a process of its own.
    const attacker = spawn(
      process.execPath,
      ['--input-type=module', '--eval', ATTACKER, String(ingest.broker.port), tokenOf(machine)],
      { cwd: import.meta.dirname, env: { ...process.env, ID: String(machine.machineId) } },
    )
    let said = ''
    attacker.stdout.on('data', (chunk) => {
      said += chunk
    })
    const before = process.memoryUsage()
    let peak = 0
    const watch = setInterval(() => {
      const { heapUsed, arrayBuffers } = process.memoryUsage()
      peak = Math.max(peak, heapUsed - before.heapUsed + arrayBuffers - before.arrayBuffers)
    }, 1)
    await new Promise((resolve) => attacker.once('exit', resolve))
    clearInterval(watch)
    expect(JSON.parse(said)).toMatchObject({ code: 'TOO_LARGE' })
    expect(peak).toBeLessThan(4 * 1_024 * 1_024)
    expect(await refusalsOf(machine.machineId)).toEqual({ TOO_LARGE: 1 })
    const again = await connectDevice(ingest.broker.port, machine)
    await again.send(second.bytes)
    expect((await again.receipt(second.digest)).code).toBe('OK')
    await again.close()
  })

  test('ATK a header that declares 256 MB, one byte at a time, before log-in: cut off and counted to nobody', async () => {
    const before = (await refusalsOf(0n)).TOO_LARGE ?? 0
    const socket = connect(ingest.broker.port, '127.0.0.1')
    sockets.push(socket)
    await new Promise((resolve) => socket.once('connect', resolve))
    const closed = new Promise((resolve) => socket.once('close', resolve))
    socket.on('error', () => undefined)
    for (const byte of [0x30, 0xff, 0xff, 0xff, 0x7f]) {
      socket.write(Uint8Array.of(byte))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    socket.resume()
    await closed
    expect((await refusalsOf(0n)).TOO_LARGE).toBe(before + 1)
  })

  test('an envelope of exactly the largest size passes the socket and is judged by its content', async () => {
    const machine = await registerMachine(database)
    const device = await connectDevice(ingest.broker.port, machine)
    await device.send(new Uint8Array(65_536).fill(0xff))
    expect((await device.refusal('ENVELOPE_MALFORMED')).code).toBe('ENVELOPE_MALFORMED')
    expect(await refusalsOf(machine.machineId)).toEqual({ ENVELOPE_MALFORMED: 1 })
    await device.close()
  })
})
