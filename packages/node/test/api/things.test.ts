import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  createClient,
  type DataSchema,
  type PropertyAffordance,
  registerControlledMachine,
  registerMachine,
  type ThingDescription,
  type ThingForm,
  type Wallet,
} from '@liquefy/client'
import {
  encodeEnvelope,
  encodeToken,
  type Hex,
  type PrivateKey,
  privateKeyFromBytes,
  type ReadingInput,
  registryAudience,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { Ajv } from 'ajv'
import mqtt from 'mqtt'
import pino from 'pino'
import { createWalletClient, http, toHex } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { connectDevice, type Device } from '../device.ts'
import { signIn } from '../sign-in.ts'
import { problemsOf } from '../thing-checks.ts'

let dataDir: string
let node: RunningNode
let owner: Wallet
let key: PrivateKey
let machineId: bigint
let controlledId: bigint
let device: Device
const heads = new Map<string, { seq: bigint; prev: Hex }>()

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-things-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    logger: pino({ level: 'silent' }),
  })
  const { publicClient } = node.chain
  const [person] = node.keys.people
  if (!person) throw new Error('somebody must own it')
  owner = createWalletClient({
    account: person.account,
    chain: publicClient.chain,
    transport: http(node.rpcUrl),
  })
  const by = { deployment: node.deployment, publicClient, wallet: owner }
  key = privateKeyFromBytes('P-256', randomBytes(32))
  machineId = await registerMachine({ ...by, key })
  await activateMachine({ ...by, machineId })
  controlledId = await registerControlledMachine({
    ...by,
    controller: machineId,
    key,
    salt: toHex(randomBytes(32)),
  })
  await activateMachine({ ...by, machineId: controlledId })
  await node.idle()
  device = await connectDevice(node, machineId, key)
  const timeMs = Date.now() - 1_000
  await publish('level', { timeMs, unit: 'kg', value: { mantissa: 12_345n, exponent: -3 } })
  await publish('mode', { timeMs, value: 'filling' })
  await publish('open', { timeMs, value: true })
  await publish('drift', { timeMs, unit: 'furlong', value: 0.25 })
  await publish(
    'position',
    { timeMs, unit: 'lat', value: { mantissa: 535_180_000n, exponent: -7 } },
    { timeMs, unit: 'lon', value: { mantissa: 99_890_000n, exponent: -7 } },
  )
}, 300_000)

afterAll(async () => {
  await device?.close()
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** The next envelope of a stream, not sent. */
function sealed(stream: string, ...readings: ReadingInput[]): { bytes: Uint8Array; digest: Hex } {
  const { seq, prev } = heads.get(stream) ?? { seq: 1n, prev: ZERO_DIGEST }
  const { chainId, registry } = node.deployment
  const envelope = encodeEnvelope({
    signer: key,
    iss: { chainId, registry, machineId },
    machineId,
    stream,
    iat: Math.floor(Date.now() / 1_000),
    seq,
    prev,
    content: { kind: 'readings', readings },
  })
  heads.set(stream, { seq: seq + 1n, prev: envelope.digest })
  return envelope
}

async function publish(stream: string, ...readings: ReadingInput[]): Promise<void> {
  const { bytes, digest } = sealed(stream, ...readings)
  await device.send(bytes)
  await device.hears('receipt', (json) => JSON.stringify(json).includes(digest))
}

const client = () => createClient({ url: node.url })
const describeMachine = () => client().thingDescription(String(machineId))
const urlOf = (thing: ThingDescription, { href }: { href: string }) =>
  new URL(href, thing.base).toString()
const machineToken = () =>
  encodeToken({
    key,
    machineId,
    audience: registryAudience(node.deployment.chainId, node.deployment.registry),
    issuedAt: Math.floor(Date.now() / 1_000),
    expiresAt: Math.floor(Date.now() / 1_000) + 600,
  })

/** What of an answer does not fit the schema of its affordance. */
function misfits(schema: object, answer: unknown): unknown {
  const ajv = new Ajv({ strict: false })
  return ajv.validate(schema, answer) ? [] : ajv.errors
}

function formOf(property: PropertyAffordance | undefined, op: string): ThingForm {
  const form = property?.forms.find((one) => [one.op].flat().includes(op))
  if (!form) throw new Error(`no form for ${op}`)
  return form
}

/** The next message of a stream of server-sent events that `read` keeps open. */
async function observe(url: string, headers: Record<string, string> = {}) {
  const abort = new AbortController()
  const response = await fetch(url, { signal: abort.signal, headers })
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    response,
    async next(): Promise<{ id: string | undefined; data: string }> {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end < 0) {
          const { value, done } = (await reader?.read()) ?? { done: true, value: undefined }
          if (done) throw new Error('the stream ended')
          text += value
          continue
        }
        const block = text.slice(0, end)
        text = text.slice(end + 2)
        const data = /^data: (.*)$/m.exec(block)?.[1]
        if (data !== undefined) return { id: /^id: (\S+)$/m.exec(block)?.[1], data }
      }
    },
    close: () => abort.abort(),
  }
}

describe('Thing Description', () => {
  test('of a machine is one by the schema of W3C, in its own media type', async () => {
    const response = await fetch(`${node.url}/v1/machines/${machineId}/thing-description`)
    expect(response.headers.get('content-type')).toMatch(/^application\/td\+json\b/)
    const thing = (await response.json()) as ThingDescription
    expect(problemsOf(thing)).toEqual([])
    expect(Object.keys(thing.properties ?? {})).toEqual([
      'machineView',
      'drift',
      'level',
      'mode',
      'open',
      'position',
      'readingSeries',
    ])
    expect(thing.properties?.level).toMatchObject({
      type: 'number',
      unit: 'kg',
      'qudt:ucumCode': 'kg',
    })
  })

  test('each form that reads a property answers what its schema says', async () => {
    const thing = await describeMachine()
    const window = `?stream=level&fromMs=${Date.now() - 3_600_000}&toMs=${Date.now()}&points=60`
    const answers: Record<string, unknown> = {}
    for (const [name, property] of Object.entries(thing.properties ?? {})) {
      const form = formOf(property, 'readproperty')
      // RFC 6570, the one level of it that is used here.
      const href = form.href.replace(/\{\?.*\}$/, window)
      const response = await fetch(urlOf(thing, { href }), { method: form['htv:methodName'] ?? '' })
      expect([name, response.status]).toEqual([name, 200])
      expect(response.headers.get('content-type')).toContain(form.contentType)
      answers[name] = await response.json()
      expect([name, misfits(property, answers[name])]).toEqual([name, []])
    }
    expect(answers).toMatchObject({
      level: 12.345,
      mode: 'filling',
      open: true,
      drift: 0.25,
      position: { lat: 53.518, lon: 9.989 },
      readingSeries: [{ stream: 'level', unit: 'kg', buckets: [{ last: 12.345 }] }],
    })
  })

  test('a value comes with its time, and with the envelope that proves it', async () => {
    const response = await fetch(`${node.url}/v1/machines/${machineId}/properties/level`)
    expect(await response.text()).toBe('12.345')
    expect(Date.parse(response.headers.get('last-modified') ?? '')).toBeGreaterThan(
      Date.now() - 600_000,
    )
    const [, path] = /^<(.*)>; rel="urn:liquefy:rel:evidence"$/.exec(
      response.headers.get('link') ?? '',
    ) ?? ['', '']
    const proof = (await (await fetch(new URL(path ?? '', node.url))).json()) as { stream: string }
    expect(proof).toMatchObject({ stream: 'level', machineId: String(machineId), code: 'OK' })
  })

  test('each form that observes a property tells its value now, and every newer one', async () => {
    const thing = await describeMachine()
    const observable = Object.entries(thing.properties ?? {}).filter(([, one]) => one.observable)
    expect(observable).toHaveLength(5)
    for (const [name, property] of observable) {
      const form = formOf(property, 'observeproperty')
      const observed = await observe(urlOf(thing, form))
      expect(observed.response.headers.get('content-type')).toContain(form.contentType)
      expect([name, misfits(property, JSON.parse((await observed.next()).data))]).toEqual([
        name,
        [],
      ])
      observed.close()
    }
    const form = formOf(thing.properties?.level, 'observeproperty')
    const observed = await observe(urlOf(thing, form))
    const first = await observed.next()
    expect(first.data).toBe('12.345')
    await publish('level', { timeMs: Date.now(), unit: 'kg', value: 13n })
    const second = await observed.next()
    expect(second.data).toBe('13')
    observed.close()
    // Who comes back is told only what he has not seen.
    const again = await observe(urlOf(thing, form), { 'last-event-id': second.id ?? '' })
    await publish('level', { timeMs: Date.now(), unit: 'kg', value: 14n })
    expect((await again.next()).data).toBe('14')
    again.close()
  })

  test('each form of an action does what it says, for whom it names and for nobody else', async () => {
    const thing = await describeMachine()
    const tokens: Record<string, string> = {
      session_sc: (await signIn(node, owner.account)).token,
      machine_sc: machineToken(),
    }
    const inputs: Record<string, () => NonNullable<RequestInit['body']> | null> = {
      rename: () => JSON.stringify({ name: 'Silo 7' }),
      place: () => JSON.stringify({ latitudeE7: 1, longitudeE7: 2 }),
      forgetPlace: () => null,
      submitEnvelope: () => sealed('level', { timeMs: Date.now(), unit: 'kg', value: 15n }).bytes,
    }
    expect(Object.keys(thing.actions ?? {})).toEqual(Object.keys(inputs))
    for (const [name, { forms, output }] of Object.entries(thing.actions ?? {})) {
      const form = forms.find(({ href }) => !href.startsWith('mqtt'))
      if (!form) throw new Error(`${name} has no form for HTTP`)
      const input = inputs[name]?.() ?? null
      const ask = (headers: Record<string, string>) =>
        fetch(urlOf(thing, form), {
          method: form['htv:methodName'] ?? '',
          body: input,
          headers: { ...(input === null ? {} : { 'content-type': form.contentType }), ...headers },
        })
      expect([name, (await ask({})).status]).toEqual([name, 401])
      const done = await ask({ authorization: `Bearer ${tokens[String(form.security)]}` })
      const answer: unknown = await done.json()
      expect([name, done.status, answer]).toEqual([name, 200, answer])
      expect([name, misfits(output as DataSchema, answer)]).toEqual([name, []])
    }
    expect((await describeMachine()).title).toBe('Silo 7')
    await expect
      .poll(async () =>
        (await fetch(`${node.url}/v1/machines/${machineId}/properties/level`)).text(),
      )
      .toBe('15')
  })

  test('the forms over MQTT take an envelope, and tell of receipts and of refusals', async () => {
    const thing = await describeMachine()
    const submit = thing.actions?.submitEnvelope?.forms.find(({ href }) => href.startsWith('mqtt'))
    if (!submit) throw new Error('no form for MQTT')
    await device.close()
    const connected = await mqtt.connectAsync(submit.href, {
      protocolVersion: 4,
      clientId: String(machineId),
      username: String(machineId),
      password: machineToken(),
      reconnectPeriod: 0,
    })
    const heard = new Map<string, unknown>()
    connected.on('message', (topic, payload) => heard.set(topic, JSON.parse(payload.toString())))
    for (const { forms } of Object.values(thing.events ?? {})) {
      const filter = forms[0]?.['mqv:filter'] ?? ''
      const [granted] = await connected.subscribeAsync(filter, { qos: 1 })
      expect([filter, granted?.qos]).toEqual([filter, 1])
    }
    const { bytes } = sealed('level', { timeMs: Date.now(), unit: 'kg', value: 16n })
    for (const payload of [Buffer.from(bytes), Buffer.from('no envelope')]) {
      await connected.publishAsync(submit['mqv:topic'] ?? '', payload, { qos: 1 })
    }
    for (const { forms, data } of Object.values(thing.events ?? {})) {
      const filter = forms[0]?.['mqv:filter'] ?? ''
      await expect.poll(() => heard.get(filter)).toBeDefined()
      expect([filter, misfits(data ?? {}, heard.get(filter))]).toEqual([filter, []])
    }
    await connected.endAsync()
    device = await connectDevice(node, machineId, key)
  })

  test('each link leads somewhere, to what it says', async () => {
    for (const id of [machineId, controlledId]) {
      const thing = await client().thingDescription(String(id))
      for (const { href, type } of thing.links ?? []) {
        const response = await fetch(new URL(href, thing.base))
        expect([href, response.status]).toEqual([href, 200])
        expect(response.headers.get('content-type')).toContain(type)
      }
    }
  })

  test('a machine that another signs for says so, and has no stream before its first reading', async () => {
    const thing = await client().thingDescription(String(controlledId))
    expect(problemsOf(thing)).toEqual([])
    expect(thing.links?.find(({ rel }) => rel === 'controlledBy')?.href).toBe(
      `/v1/machines/${machineId}/thing-description`,
    )
    expect(Object.keys(thing.properties ?? {})).toEqual(['machineView'])
    expect(thing.actions).not.toHaveProperty('submitEnvelope')
  })

  test.each([
    ['/v1/machines/99/thing-description', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/0/thing-description', 400, 'REQUEST_INVALID'],
    ['/v1/machines/99/aas', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/99/properties/level', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/1/properties/none', 404, 'VALUE_UNKNOWN'],
    ['/v1/machines/1/properties/none/changes', 404, 'VALUE_UNKNOWN'],
    ['/v1/machines/1/properties/LEVEL', 400, 'REQUEST_INVALID'],
    ['/v1/things?limit=51', 400, 'REQUEST_INVALID'],
    ['/v1/things?offset=-1', 400, 'REQUEST_INVALID'],
  ])('%s is %i %s', async (path, status, code) => {
    const response = await fetch(new URL(path, node.url))
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([
      status,
      code,
    ])
  })
})

describe('the directory', () => {
  test('is found at the well-known address, and its form leads to all things, a page at a time', async () => {
    const response = await fetch(`${node.url}/.well-known/wot`)
    expect(response.headers.get('content-type')).toMatch(/^application\/td\+json\b/)
    const directory = (await response.json()) as ThingDescription
    expect(problemsOf(directory)).toEqual([])
    const form = formOf(directory.properties?.things, 'readproperty')
    const found: string[] = []
    let next: string | undefined = urlOf(directory, {
      href: form.href.replace(/\{\?.*\}$/, '?offset=0&limit=1'),
    })
    let pages = 0
    while (next !== undefined) {
      const page = await fetch(next)
      expect(page.headers.get('content-type')).toContain(form.contentType)
      const things = (await page.json()) as ThingDescription[]
      for (const thing of things) expect(problemsOf(thing)).toEqual([])
      found.push(...things.map(({ id }) => id))
      pages += 1
      const [, path] = /^<(.*)>; rel="next"$/.exec(page.headers.get('link') ?? '') ?? []
      next = path === undefined ? undefined : new URL(path, node.url).toString()
    }
    expect(pages).toBe(2)
    expect(found).toEqual((await client().things()).map(({ id }) => id))
    expect(await client().things({ offset: 2 })).toEqual([])
  })
})

test('the addresses in a description are those by which the node was asked', async () => {
  const { port } = new URL(node.url)
  const response = await fetch(
    `http://localhost:${port}/v1/machines/${machineId}/thing-description`,
  )
  expect(((await response.json()) as ThingDescription).base).toBe(`http://localhost:${port}/`)
})

test('a segment of the shell leads to the readings of its stream', async () => {
  const { submodels } = await client().administrationShell(String(machineId))
  const series = submodels.find(({ idShort }) => idShort === 'TimeSeries')
  const elements = (series?.submodelElements ?? []) as { value: { value: unknown }[] }[]
  const segments = elements[1]?.value ?? []
  expect(segments).toHaveLength(5)
  for (const { value } of segments) {
    const saidIn = (name: string) =>
      (value as { idShort: string; value: string }[]).find(({ idShort }) => idShort === name)?.value
    const response = await fetch(`${saidIn('Endpoint')}?${saidIn('Query')}`)
    expect(response.status).toBe(200)
  }
})
