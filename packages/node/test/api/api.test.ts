import { mkdtemp, rm } from 'node:fs/promises'
import http from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type NodeEvent } from '@liquefy/client'
import { ruleHash } from '@liquefy/protocol'
import { Validator } from '@seriousme/openapi-schema-validator'
import mqtt from 'mqtt'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { RULE } from '../transact/fixture.ts'

let dataDir: string
let node: RunningNode
const unknownId = `0x${'77'.repeat(32)}`

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-api-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    logger: pino({ level: 'silent' }),
  })
}, 300_000)

afterAll(async () => {
  await node.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const ask = (path: string, init?: RequestInit) => fetch(new URL(path, node.url), init)
interface OpenApi {
  openapi: string
  paths: Record<string, unknown>
}
const problemOf = async (response: Response) => {
  const { code } = (await response.json()) as { code: string }
  return [response.status, code]
}
const post = (body: string) =>
  ask('/v1/rules', { method: 'POST', headers: { 'content-type': 'application/json' }, body })

describe('OpenAPI', () => {
  test('the document is valid 3.1 and has every route', async () => {
    const document = (await (await ask('/docs/json')).json()) as OpenApi
    const result = await new Validator().validate({ ...document })
    expect(result).toMatchObject({ valid: true })
    expect(document.openapi).toBe('3.1.0')
    expect(Object.keys(document.paths).sort()).toEqual([
      '/.well-known/scitt-keys',
      '/.well-known/scitt-keys/{kid}',
      '/.well-known/wot',
      '/healthz',
      '/v1/agreements',
      '/v1/agreements/{id}',
      '/v1/agreements/{id}/bundle',
      '/v1/agreements/{id}/escrow',
      '/v1/agreements/{id}/invoice.xml',
      '/v1/agreements/{id}/meter-values',
      '/v1/agreements/{id}/money',
      '/v1/agreements/{id}/periods',
      '/v1/agreements/{id}/settlements',
      '/v1/agreements/{id}/settlements/{place}',
      '/v1/agreements/{id}/statement.csv',
      '/v1/agreements/{id}/statement.pdf',
      '/v1/attestations',
      '/v1/deployment',
      '/v1/envelopes/{logIndex}',
      '/v1/envelopes/{logIndex}/leaf',
      '/v1/envelopes/{logIndex}/payments',
      '/v1/envelopes/{logIndex}/receipt',
      '/v1/envelopes/{logIndex}/statement',
      '/v1/events',
      '/v1/issuers',
      '/v1/log/checkpoints',
      '/v1/log/consistency',
      '/v1/log/consistency/receipt',
      '/v1/log/head',
      '/v1/log/key',
      '/v1/log/roots/{size}',
      '/v1/log/split-view',
      '/v1/machines',
      '/v1/machines/{id}',
      '/v1/machines/{id}/aas',
      '/v1/machines/{id}/account',
      '/v1/machines/{id}/calendar',
      '/v1/machines/{id}/credential',
      '/v1/machines/{id}/envelopes',
      '/v1/machines/{id}/erasure',
      '/v1/machines/{id}/erasures',
      '/v1/machines/{id}/life',
      '/v1/machines/{id}/name',
      '/v1/machines/{id}/parts',
      '/v1/machines/{id}/place',
      '/v1/machines/{id}/properties/{stream}',
      '/v1/machines/{id}/properties/{stream}/changes',
      '/v1/machines/{id}/readings',
      '/v1/machines/{id}/records',
      '/v1/machines/{id}/records/{recordId}',
      '/v1/machines/{id}/refusals',
      '/v1/machines/{id}/rights',
      '/v1/machines/{id}/streams/{stream}/statements',
      '/v1/machines/{id}/thing-description',
      '/v1/machines/{id}/timeline',
      '/v1/machines/{id}/unpriced',
      '/v1/market/orders',
      '/v1/market/orders/{id}',
      '/v1/market/trades',
      '/v1/notices',
      '/v1/operation',
      '/v1/parties/me',
      '/v1/people/{address}/wallet',
      '/v1/portfolio/{account}',
      '/v1/proposals',
      '/v1/proposals/{id}',
      '/v1/proposals/{id}/decline',
      '/v1/proposals/{id}/withdraw',
      '/v1/rights',
      '/v1/rights/{rightId}',
      '/v1/rules',
      '/v1/session',
      '/v1/sessions',
      '/v1/sessions/nonce',
      '/v1/status',
      '/v1/status-lists',
      '/v1/things',
      '/v1/vaults',
      '/v1/vaults/{vault}',
      '/v1/vaults/{vault}/allowed',
      '/v1/vaults/{vault}/income',
      '/v1/vaults/{vault}/income/months',
      '/v1/vaults/{vault}/owners',
      '/v1/vaults/{vault}/proposals',
      '/v1/vaults/{vault}/proposals/{id}',
      '/v1/vaults/{vault}/statement/{account}',
      '/v1/vaults/{vault}/statement/{account}.csv',
    ])
  })
})

describe('bad input', () => {
  test.each([
    ['/v1/machines/0', 400, 'REQUEST_INVALID'],
    ['/v1/machines/1e3', 400, 'REQUEST_INVALID'],
    [`/v1/machines/${'9'.repeat(90)}`, 400, 'REQUEST_INVALID'],
    ['/v1/machines/99', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/99/timeline', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/99/life', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/99/erasures', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/99/records', 404, 'MACHINE_UNKNOWN'],
    ['/v1/machines/99/records/0x12', 400, 'REQUEST_INVALID'],
    [`/v1/machines/99/records/0x${'0'.repeat(64)}`, 404, 'RECORD_UNKNOWN'],
    ['/v1/envelopes/99/leaf', 404, 'ENVELOPE_UNKNOWN'],
    ['/v1/machines/99/readings?stream=weight&fromMs=5&toMs=5', 400, 'REQUEST_INVALID'],
    ['/v1/machines/99/readings?stream=WEIGHT&fromMs=1&toMs=5', 400, 'REQUEST_INVALID'],
    ['/v1/machines/99/readings?stream=weight&fromMs=NaN&toMs=5', 400, 'REQUEST_INVALID'],
    ['/v1/machines/99/envelopes?limit=501', 400, 'REQUEST_INVALID'],
    ['/v1/machines/99/envelopes?beforeIndex=-1', 400, 'REQUEST_INVALID'],
    ['/v1/agreements/0x12', 400, 'REQUEST_INVALID'],
    ['/v1/notices?party=0x12', 400, 'REQUEST_INVALID'],
    [`/v1/agreements/${unknownId}`, 404, 'AGREEMENT_UNKNOWN'],
    [`/v1/agreements/${unknownId}/bundle`, 404, 'AGREEMENT_UNKNOWN'],
    [`/v1/agreements/${unknownId}/money`, 404, 'AGREEMENT_UNKNOWN'],
    [`/v1/agreements/${unknownId}/money?points=1001`, 400, 'REQUEST_INVALID'],
    [`/v1/agreements/${unknownId}/money?fromMs=-1`, 400, 'REQUEST_INVALID'],
    [`/v1/agreements/${unknownId}/escrow`, 404, 'AGREEMENT_UNKNOWN'],
    [`/v1/agreements/${unknownId}/periods`, 404, 'AGREEMENT_UNKNOWN'],
    [`/v1/agreements/${unknownId}/periods?limit=101`, 400, 'REQUEST_INVALID'],
    [`/v1/agreements/${unknownId}/settlements`, 404, 'AGREEMENT_UNKNOWN'],
    [`/v1/agreements/${unknownId}/settlements?before=7`, 400, 'REQUEST_INVALID'],
    [`/v1/agreements/${unknownId}/settlements/7-0`, 404, 'AGREEMENT_UNKNOWN'],
    [`/v1/agreements/${unknownId}/settlements/-7-0`, 400, 'REQUEST_INVALID'],
    ['/v1/envelopes/-1/payments', 400, 'REQUEST_INVALID'],
    ['/v1/envelopes/7', 404, 'ENVELOPE_UNKNOWN'],
    ['/v1/envelopes/99999999999999999999', 400, 'REQUEST_INVALID'],
    ['/v1/log/consistency?from=3&to=2', 400, 'REQUEST_INVALID'],
    ['/v1/nothing', 404, 'NOT_FOUND'],
    ['/v1/../../etc/passwd', 404, 'NOT_FOUND'],
  ])('%s is %i %s', async (path, status, code) => {
    expect(await problemOf(await ask(path))).toEqual([status, code])
  })

  test.each([
    ['no JSON', '{', 400, 'REQUEST_INVALID'],
    ['no list', '{}', 400, 'REQUEST_INVALID'],
    ['too many', JSON.stringify(Array(101).fill(RULE)), 400, 'REQUEST_INVALID'],
    ['a negative factor', JSON.stringify([{ ...RULE, scale: -1 }]), 422, 'RULE_INVALID'],
    ['an unknown field', JSON.stringify([{ ...RULE, owner: 'me' }]), 422, 'RULE_INVALID'],
    ['ATK __proto__', '[{"__proto__":{"x":1}}]', 422, 'RULE_INVALID'],
    ['ATK a huge body', `["${'x'.repeat(300_000)}"]`, 413, 'TOO_LARGE'],
  ])('rules: %s', async (_, body, status, code) => {
    expect(await problemOf(await post(body))).toEqual([status, code])
  })

  test('a good rule is known by its hash, and again', async () => {
    for (let time = 0; time < 2; time += 1) {
      const response = await post(JSON.stringify([RULE]))
      expect(await response.json()).toEqual({ ruleHashes: [ruleHash(RULE)] })
    }
  })
})

describe('who is answered', () => {
  const askAs = (host: string, path = '/v1/status') =>
    new Promise<[number | undefined, string]>((resolve, reject) => {
      const options = { headers: { host }, agent: false }
      const request = http.get(new URL(path, node.url), options, (response) => {
        let text = ''
        response.on('data', (chunk) => {
          text += chunk
        })
        response.on('end', () => resolve([response.statusCode, text]))
      })
      request.on('error', reject)
    })

  test.each([
    'localhost',
    'localhost:4280',
    'LOCALHOST:1',
    '127.0.0.1:4280',
    '127.9.9.9',
    '[::1]:1',
  ])('who asks for %s', async (host) => {
    expect((await askAs(host))[0]).toBe(200)
  })

  test.each([
    'evil.example',
    'evil.example:4280',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '192.168.0.7:4280',
  ])('ATK DNS rebinding: not who asks for "%s"', async (host) => {
    for (const path of ['/v1/status', '/v1/events', '/', '/v1/nothing']) {
      const [status, text] = await askAs(host, path)
      expect(status).toBe(403)
      expect(JSON.parse(text)).toMatchObject({ code: 'HOST_FORBIDDEN' })
    }
  })

  test('a device that the ledger does not know is found under machine 0', async () => {
    const client = mqtt.connect(node.mqttUrl, {
      clientId: '4711',
      username: '4711',
      reconnectPeriod: 0,
    })
    await new Promise((resolve) => client.once('error', resolve))
    await client.endAsync(true)
    await node.idle()
    expect(await createClient({ url: node.url }).refusals('0')).toMatchObject([
      { code: 'DEVICE_UNKNOWN', message: 'machine 4711 is not registered' },
    ])
  })
})

describe('what else is served', () => {
  test('security headers, with the ledger as the only other origin', async () => {
    const { headers } = await ask('/')
    expect(headers.get('content-security-policy')).toContain(
      `connect-src 'self' ${new URL(node.rpcUrl).origin};`,
    )
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('x-content-type-options')).toBe('nosniff')
  })

  test('metrics in the format of Prometheus', async () => {
    const text = await (await ask('/metrics')).text()
    expect(text).toContain('liquefy_envelopes{verdict="priced",code="OK"} 0')
    expect(text).toMatch(/# HELP liquefy_frames_total .* is no frame/)
    expect(text).toContain('liquefy_log_anchored_leaves 0')
  })

  test('health: log and money', async () => {
    const response = await ask('/healthz')
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ ok: true, log: 'running', money: { ok: true } })
  })

  test('without the built page, how to build it', async () => {
    const response = await ask('/machines/7', { headers: { accept: 'text/html' } })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('npm run build')
  })

  test('the log of nothing has the empty root', async () => {
    expect(await createClient({ url: node.url }).logHead()).toMatchObject({
      size: '0',
      root: '0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      anchored: null,
    })
  })
})

describe('events', () => {
  const event = (seq: number, stream = 'weight'): NodeEvent => ({
    type: 'logged',
    machineId: '1',
    stream,
    seq: String(seq),
    atMs: seq,
  })

  /** Reads until `count` events of type logged or missed have come; answers the types, each `seq` and the last id. */
  const read = async (count: number, lastId?: string) => {
    const abort = new AbortController()
    const response = await ask('/v1/events', {
      signal: abort.signal,
      headers: lastId === undefined ? {} : { 'last-event-id': lastId },
    })
    const seqs: string[] = []
    const types: string[] = []
    let id = ''
    let text = ''
    const chunks = response.body?.pipeThrough(new TextDecoderStream()) ?? []
    for await (const chunk of chunks) {
      text += chunk
      for (const block of text.split('\n\n').slice(0, -1)) {
        const data = /^data: (.*)$/m.exec(block)?.[1]
        if (data === undefined || types.length === count) continue
        const told = JSON.parse(data) as NodeEvent
        if (told.type !== 'logged' && told.type !== 'missed') continue
        id = /^id: (\S+)$/m.exec(block)?.[1] ?? ''
        types.push(told.type)
        if (told.type === 'logged') seqs.push(told.seq)
      }
      text = text.slice(text.lastIndexOf('\n\n') + 2)
      if (types.length === count) break
    }
    abort.abort()
    return { seqs, types, id }
  }

  test('come in order, and Last-Event-ID resumes behind the last one seen', async () => {
    const first = read(2)
    await new Promise((resolve) => setTimeout(resolve, 300))
    node.events.emit(event(1))
    node.events.emit(event(2))
    const seen = await first
    expect(seen.seqs).toEqual(['1', '2'])
    node.events.emit(event(3))
    node.events.emit(event(4))
    expect((await read(2, seen.id)).seqs).toEqual(['3', '4'])
  })

  test('who was away for longer than events are kept, or comes from another process, is told so', async () => {
    const listening = read(1)
    await new Promise((resolve) => setTimeout(resolve, 300))
    node.events.emit(event(30))
    const seen = await listening
    const other = seen.id.replace(/^./, (letter) => (letter === 'f' ? '0' : 'f'))
    for (const lastId of [other, '17', `${seen.id}9`, 'x.y']) {
      expect((await read(1, lastId)).types).toEqual(['missed'])
    }
    // More than is kept: the first is gone when the last has come.
    for (let seq = 0; seq < 300; seq += 1) {
      node.events.emit(event(seq, 'x'.repeat(32_768)))
    }
    const told = await read(1, seen.id)
    expect(told.types).toEqual(['missed'])
    node.events.emit(event(31))
    expect((await read(1, told.id)).seqs).toEqual(['31'])
  })

  test('a client that hangs up harms nobody', async () => {
    const { port, hostname } = new URL(node.url)
    const socket = connect(Number(port), hostname)
    socket.write('GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    socket.destroy()
    for (let seq = 10; seq < 20; seq += 1) node.events.emit(event(seq))
    expect((await ask('/v1/status')).status).toBe(200)
  })
})
