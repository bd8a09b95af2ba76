import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createClient, type NodeEvent } from '../src/index.ts'

let server: Server | undefined

afterEach(() => {
  server?.closeAllConnections()
  server?.close()
})

/** A node that answers as told; gives its origin. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const started = createServer(answer)
  server = started
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`
}

describe('requests', () => {
  test('ask for the path of the route, and leave out what is not given', async () => {
    const paths: string[] = []
    const url = await serve((request, response) => {
      paths.push(request.url ?? '')
      response.end('[]')
    })
    const client = createClient({ url })
    await client.envelopes('7', { stream: 'level', limit: 5 })
    await client.readings('7', { stream: 'level', fromMs: 1, toMs: 2, points: 3 })
    await client.consistency('1', '2')
    expect(paths).toEqual([
      '/v1/machines/7/envelopes?stream=level&limit=5',
      '/v1/machines/7/readings?stream=level&fromMs=1&toMs=2&points=3',
      '/v1/log/consistency?from=1&to=2',
    ])
  })

  test("an answer that is not 2xx is an ApiError with the node's code", async () => {
    const url = await serve((_, response) => {
      response.writeHead(404).end('{"code":"MACHINE_UNKNOWN","message":"Machine 7 is not known."}')
    })
    await expect(createClient({ url }).machine('7')).rejects.toMatchObject({
      name: 'ApiError',
      status: 404,
      code: 'MACHINE_UNKNOWN',
    })
  })

  test("a proxy's own words are kept; no node at all says how to start one", async () => {
    const url = await serve((_, response) => response.writeHead(502).end('Bad gateway'))
    await expect(createClient({ url }).status()).rejects.toMatchObject({
      code: 'HTTP_502',
      message: 'Bad gateway',
    })
    const nobody = createClient({ url: 'http://127.0.0.1:1' })
    await expect(nobody.status()).rejects.toMatchObject({ status: 0, code: 'NODE_UNREACHABLE' })
  })

  test('a bundle comes line by line, however it is cut on the way', async () => {
    const url = await serve((_, response) => {
      response.write('{"type":"hea')
      setTimeout(() => response.end('der"}\n{"type":"end","lines":2}\n'), 20)
    })
    const lines: string[] = []
    for await (const line of createClient({ url }).bundle('0x00')) lines.push(line)
    expect(lines).toEqual(['{"type":"header"}', '{"type":"end","lines":2}'])
  })
})

describe('events', () => {
  test('after a cut it resumes behind the last event seen', async () => {
    const asked: (string | undefined)[] = []
    const event = (seq: string): NodeEvent => ({
      type: 'logged',
      machineId: '7',
      stream: 'level',
      seq,
      atMs: 0,
    })
    const url = await serve((request, response) => {
      asked.push(request.headers['last-event-id'] as string | undefined)
      const id = asked.length
      response.end(`id: ${id}\ndata: ${JSON.stringify(event(String(id)))}\n\n`)
    })
    const stop = new AbortController()
    const seqs: string[] = []
    const states: boolean[] = []
    await createClient({ url }).events({
      signal: stop.signal,
      onState: (connected) => states.push(connected),
      onEvent: (told) => {
        if (told.type === 'logged') seqs.push(told.seq)
        if (seqs.length === 2) stop.abort()
      },
    })
    expect(seqs).toEqual(['1', '2'])
    expect(asked).toEqual([undefined, '1'])
    expect(states.slice(0, 3)).toEqual([true, false, true])
  })
  test('a node that has fallen silent is given up, and asked again', async () => {
    let asked = 0
    const url = await serve((_request, response) => {
      asked += 1
      response.write(': still here\n\n')
    })
    const stop = new AbortController()
    const states: boolean[] = []
    // Forty seconds of silence are not waited for.
    const realTimer = globalThis.setTimeout
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(((
      work: () => void,
      ms: number,
      ...rest: []
    ) => realTimer(work, ms === 40_000 ? 50 : ms, ...rest)) as typeof setTimeout)
    await createClient({ url }).events({
      signal: stop.signal,
      onState: (connected) => {
        states.push(connected)
        if (states.length === 3) stop.abort()
      },
      onEvent: () => undefined,
    })
    vi.restoreAllMocks()
    expect(asked).toBe(2)
    expect(states.slice(0, 3)).toEqual([true, false, true])
  })
})
