import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ZERO_DIGEST } from '@liquefy/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MAX_BODY_BYTES, MAX_BODY_ENVELOPES } from '../../src/connect/http-ingest.ts'
import type { Database } from '../../src/store/database.ts'
import { countEnvelopes, readStream } from '../../src/store/envelopes.ts'
import { readRefusalCounts } from '../../src/store/refusals.ts'
import { createQuotas } from '../../src/trust/quotas.ts'
import {
  connectDevice,
  freshDatabase,
  type Ingest,
  newKey,
  registerMachine,
  seal,
  sealChain,
  startIngest,
  tempDatabase,
  tempFolder,
  tokenOf,
  until,
} from '../ingest-fixture.ts'
import { type Answer, openHttpDoor } from './http-door.ts'

type Door = Awaited<ReturnType<typeof openHttpDoor>>
type Machine = Awaited<ReturnType<typeof registerMachine>>

const SIGN1 = { 'content-type': 'application/cose; cose-type="cose-sign1"' }
const BROKEN = `0x${'ab'.repeat(32)}` as const
const codesOf = (answer: Answer) => answer.entries.map(({ code }) => code)
const concat = (frames: readonly { bytes: Uint8Array }[]) =>
  Buffer.concat(frames.map(({ bytes }) => bytes))

let server: Database
let database: Database
let ingest: Ingest
let door: Door

beforeAll(async () => {
  server = await tempDatabase()
  database = await freshDatabase(server)
  ingest = await startIngest({ database })
  door = await openHttpDoor(ingest)
}, 60_000)
afterAll(async () => {
  await door.close()
  await ingest.stop()
  await database.close()
  await server.close()
})

describe('many envelopes a request', () => {
  test('each has its receipt in the order sent, and a repetition has the same', async () => {
    const machine = await registerMachine(database)
    const chain = sealChain(machine, 100)
    const answer = await door.post(machine, concat(chain))
    expect(answer.status).toBe(200)
    expect(answer.entries.map(({ seq, digest, code }) => [seq, digest, code])).toEqual(
      chain.map(({ digest }, index) => [String(index + 1), digest, 'OK']),
    )
    const again = await door.post(machine, concat(chain))
    expect(again.entries).toEqual(answer.entries)
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({ OK: 100 })
  })

  test('curl sends a file, as a sequence and as one envelope', async () => {
    const machine = await registerMachine(database)
    const folder = await tempFolder()
    const chain = sealChain(machine, 3)
    const file = join(folder.path, 'spool.cborseq')
    const one = join(folder.path, 'level.cbor')
    await writeFile(file, concat(chain))
    await writeFile(one, chain[2]?.bytes ?? '')
    const curl = async (path: string, type: string) => {
      const { stdout } = await promisify(execFile)('curl', [
        '--silent',
        '--fail-with-body',
        '-H',
        `Authorization: Bearer ${tokenOf(machine)}`,
        '-H',
        `Content-Type: ${type}`,
        '--data-binary',
        `@${path}`,
        door.urlOf(machine.machineId),
      ])
      return (JSON.parse(stdout) as Answer).entries
    }
    const entries = await curl(file, 'application/cbor-seq')
    expect(entries.map(({ digest, code }) => [digest, code])).toEqual(
      chain.map(({ digest }) => [digest, 'OK']),
    )
    expect(await curl(one, 'application/cose; cose-type="cose-sign1"')).toEqual([entries[2]])
    await folder.remove()
  })

  test('what is not well-formed but has borders is refused alone', async () => {
    const machine = await registerMachine(database)
    const [first, second] = sealChain(machine, 2)
    const body = Buffer.concat([
      first?.bytes ?? Buffer.of(),
      Buffer.of(0x83, 1, 2, 3),
      // An array in an array, 60 deep: it has an end, and is nobody's envelope.
      Buffer.concat([Buffer.alloc(60, 0x81), Buffer.of(0)]),
      second?.bytes ?? Buffer.of(),
    ])
    expect(codesOf(await door.post(machine, body))).toEqual([
      'OK',
      'ENVELOPE_MALFORMED',
      'TOO_LARGE',
      'OK',
    ])
  })
})

describe('a body that is not taken leaves nothing', () => {
  const untouched = async (machine: Machine) => {
    await ingest.pipeline.idle()
    expect(await countEnvelopes(database.pool, machine.machineId)).toEqual({})
  }

  test.each([
    ['cut off', (whole: Buffer) => whole.subarray(0, -1)],
    ['of indefinite length', (whole: Buffer) => Buffer.concat([whole, Buffer.of(0x9f, 1, 0xff)])],
    [
      'a length beyond the body',
      (whole: Buffer) =>
        Buffer.concat([whole, Buffer.of(0x5b, 255, 255, 255, 255, 255, 255, 255, 255)]),
    ],
    [
      'more items announced than bytes',
      (whole: Buffer) => Buffer.concat([whole, Buffer.of(0xba, 255, 255, 255, 255)]),
    ],
    ['a reserved head', (whole: Buffer) => Buffer.concat([whole, Buffer.of(0x1c)])],
  ])('%s', async (_name, spoil) => {
    const machine = await registerMachine(database)
    const answer = await door.post(machine, spoil(concat(sealChain(machine, 3))))
    expect(answer).toMatchObject({ status: 400, code: 'SEQUENCE_MALFORMED' })
    await untouched(machine)
  })

  test('too many envelopes, too many bytes told or not told: 413 says what is allowed', async () => {
    const machine = await registerMachine(database)
    const { bytes } = seal(machine)
    const many = Buffer.concat([bytes, Buffer.alloc(MAX_BODY_ENVELOPES, 1)])
    const large = Buffer.alloc(MAX_BODY_BYTES + 1, 1)
    for (const body of [many, large]) {
      const answer = await door.post(machine, body)
      expect(answer).toMatchObject({ status: 413, code: 'TOO_LARGE' })
      expect(answer.message).toContain(String(MAX_BODY_BYTES))
    }
    const untold = await fetch(door.urlOf(machine.machineId), {
      method: 'POST',
      duplex: 'half',
      headers: {
        authorization: `Bearer ${tokenOf(machine)}`,
        'content-type': 'application/cbor-seq',
      },
      body: new Blob([large]).stream(),
    } as RequestInit)
    expect(untold.status).toBe(413)
    expect(((await untold.json()) as Answer).message).toContain(String(MAX_BODY_BYTES))
    await untouched(machine)
  })

  test("no token, another machine's, another key's: 401, counted as MQTT counts it", async () => {
    const machine = await registerMachine(database)
    const other = await registerMachine(database)
    const { bytes } = seal(machine)
    const tokens = ['', 'Bearer x', `Bearer ${tokenOf(other)}`]
    tokens.push(`Bearer ${tokenOf({ ...machine, key: newKey() })}`)
    for (const authorization of tokens) {
      const answer = await door.post(machine, bytes, { authorization })
      expect(answer).toMatchObject({ status: 401, code: 'TOKEN_INVALID' })
    }
    const stranger = { machineId: 99n, key: machine.key }
    expect(await door.post(stranger, bytes)).toMatchObject({ status: 401, code: 'DEVICE_UNKNOWN' })
    await untouched(machine)
    const [count] = await readRefusalCounts(database.pool, machine.machineId)
    expect(count).toMatchObject({ code: 'TOKEN_INVALID', count: BigInt(tokens.length) })
  })

  test('another media type: 415', async () => {
    const machine = await registerMachine(database)
    const answer = await door.post(machine, Buffer.from('[]'), {
      'content-type': 'application/json',
    })
    expect(answer.status).toBe(415)
  })
})

describe('back-pressure', () => {
  test('a full inbox answers 503 before it reads, and takes again when there is room', async () => {
    const machine = await registerMachine(database)
    const chain = sealChain(machine, 30)
    const tight = await startIngest({ database, limits: { heldFrames: 10 } })
    const tightDoor = await openHttpDoor(tight)
    const held = await database.pool.connect()
    try {
      // Nothing commits, so all that is taken is held.
      await held.query('BEGIN')
      await held.query('LOCK TABLE envelopes IN ACCESS EXCLUSIVE MODE')
      const first = tightDoor.post(machine, concat(chain.slice(0, 15)))
      await expect.poll(() => tight.pipeline.counts().held).toBe(10)
      const words = await rawHead(tightDoor, machine, MAX_BODY_BYTES)
      expect(words).toMatch(/^HTTP\/1.1 503 /)
      expect(words.toLowerCase()).toContain('retry-after: 1')
      expect(tight.pipeline.counts()).toMatchObject({ received: 10, held: 10 })
      await held.query('ROLLBACK')
      expect(codesOf(await first)).toEqual(Array.from({ length: 15 }, () => 'OK'))
      const rest = await tightDoor.post(machine, concat(chain.slice(15)))
      expect(codesOf(rest)).toEqual(Array.from({ length: 15 }, () => 'OK'))
    } finally {
      held.release()
      await tightDoor.close()
      await tight.stop()
    }
  })

  test('who announces bodies and sends none holds only his own places', async () => {
    const slow = await registerMachine(database)
    const quick = await registerMachine(database)
    const sockets: Socket[] = []
    const { bytes } = seal(slow)
    const authorization = `Bearer ${tokenOf(slow)}`
    const oneMore = async () => {
      sockets.push(openRequest(door, slow, 1_000))
      const place = door.ingest.admit({ machineId: slow.machineId, authorization, bytes: 1_000 })
      return place.then((release) => release()).catch(({ code }) => code)
    }
    await expect.poll(oneMore, { timeout: 10_000 }).toBe('OVERLOADED')
    const turnedAway = await door.post(slow, bytes)
    expect(turnedAway).toMatchObject({ status: 503, code: 'OVERLOADED', retryAfter: '1' })
    expect(codesOf(await door.post(quick, seal(quick).bytes))).toEqual(['OK'])
    for (const socket of sockets) socket.destroy()
    await expect
      .poll(async () => codesOf(await door.post(slow, bytes)), { timeout: 10_000 })
      .toEqual(['OK'])
  })
})

/** A request whose body never comes. */
function openRequest({ port, urlOf }: Door, machine: Machine, bytes: number) {
  const socket = connect(port, '127.0.0.1')
  const lines = [
    `POST ${new URL(urlOf(machine.machineId)).pathname} HTTP/1.1`,
    'Host: 127.0.0.1',
    `Authorization: Bearer ${tokenOf(machine)}`,
    'Content-Type: application/cbor-seq',
    `Content-Length: ${bytes}`,
  ]
  socket.write(`${lines.join('\r\n')}\r\n\r\n`)
  return socket
}

/** What is answered to a header alone. */
async function rawHead(at: Door, machine: Machine, bytes: number): Promise<string> {
  const socket = openRequest(at, machine, bytes)
  let words = ''
  socket.on('data', (chunk) => {
    words += chunk.toString()
  })
  await until(() => words.includes('OVERLOADED') || undefined)
  socket.destroy()
  return words
}

describe('quotas', () => {
  test('beyond an owner’s quota nothing is logged, over MQTT and HTTP, and all of it later', async () => {
    let nowMs = Date.now()
    const quotas = createQuotas({
      limits: { envelopesPerSecond: 1, machines: 1 },
      sendersAreKnown: true,
      ownerOf: () => `0x${'01'.repeat(20)}`,
      nowMs: () => nowMs,
    })
    const limited = await startIngest({ database: await freshDatabase(server), quotas })
    const limitedDoor = await openHttpDoor(limited)
    const machine = await registerMachine(limited.database)
    const second = await registerMachine(limited.database)
    const chain = sealChain(machine, 100)
    try {
      const device = await connectDevice(limited.broker.port, machine)
      await expect(connectDevice(limited.broker.port, second)).rejects.toThrow()
      for (const { bytes } of chain.slice(0, 50)) await device.send(bytes)
      const codes = codesOf(await limitedDoor.post(machine, concat(chain)))
      expect(codes).toEqual([
        ...Array.from({ length: 10 }, () => 'OK'),
        ...Array.from({ length: 90 }, () => 'QUOTA_EXCEEDED'),
      ])
      await device.send(chain[60]?.bytes ?? Buffer.of())
      expect(await device.refusal('QUOTA_EXCEEDED')).toMatchObject({ code: 'QUOTA_EXCEEDED' })
      await limited.pipeline.idle()
      const { pool } = limited.database
      expect(await countEnvelopes(pool, machine.machineId)).toEqual({ OK: 50 })
      expect(await readRefusalCounts(pool, machine.machineId)).toContainEqual({
        machineId: machine.machineId,
        code: 'QUOTA_EXCEEDED',
        count: 91n,
      })
      expect(limited.pipeline.counts()).toMatchObject({ logged: 50, duplicate: 10, refused: 91 })
      nowMs += 60_000
      expect(codesOf(await limitedDoor.post(machine, concat(chain.slice(50))))).toEqual(
        Array.from({ length: 50 }, () => 'OK'),
      )
      await device.close()
      await until(async () => {
        const other = await connectDevice(limited.broker.port, second).catch(() => undefined)
        await other?.close()
        return other
      })
    } finally {
      await limitedDoor.close()
      await limited.stop()
      await limited.database.close()
    }
  })
})

describe('the same frames over MQTT to one node and over HTTP to another', () => {
  const nowMs = Date.now()
  const clock = { nowMs: () => nowMs, now: () => nowMs }
  let byMqtt: Ingest
  let byHttp: Ingest
  let httpDoor: Door

  beforeAll(async () => {
    byMqtt = await startIngest({ database: await freshDatabase(server), clock })
    byHttp = await startIngest({ database: await freshDatabase(server), clock })
    httpDoor = await openHttpDoor(byHttp, clock.nowMs)
  })
  afterAll(async () => {
    await httpDoor.close()
    for (const one of [byMqtt, byHttp]) {
      await one.stop()
      await one.database.close()
    }
  })

  interface Sent {
    bytes: Uint8Array
    /** Has no borders in a sequence: goes alone. */
    isAlone?: boolean
  }

  const kinds = [
    'next',
    'gap',
    'duplicate',
    'equivocation',
    'broken',
    'wrong key',
    'tampered',
    "other machine's",
    'future',
    'cut off',
    'not an envelope',
    'too large',
  ] as const

  /** Frames of a machine, each by its kind. */
  function framesOf(machine: Machine, other: Machine, plan: (typeof kinds)[number][]): Sent[] {
    const timeMs = nowMs - 1_000
    let seq = 0n
    let head = seal(machine, { timeMs })
    const sent: Sent[] = []
    const next = (skip: bigint) => {
      const prev = seq === 0n && skip === 0n ? ZERO_DIGEST : head.digest
      seq += 1n + skip
      head = seal(machine, { timeMs, seq, prev })
      return head
    }
    for (const [index, kind] of plan.entries()) {
      const values = [BigInt(index)]
      // A first envelope has no predecessor: one beyond it may be anything.
      const at = { timeMs, seq: seq + 1n, prev: seq === 0n ? ZERO_DIGEST : head.digest, values }
      const make: Record<(typeof kinds)[number], () => Sent> = {
        next: () => next(0n),
        gap: () => next(2n),
        duplicate: () => sent[index % Math.max(sent.length, 1)] ?? next(0n),
        equivocation: () => (seq < 2n ? next(1n) : seal(machine, { ...at, seq })),
        broken: () => (seq === 0n ? next(0n) : seal(machine, { ...at, prev: BROKEN })),
        'wrong key': () => seal({ ...machine, key: newKey() }, at),
        tampered: () => {
          const { bytes } = seal(machine, at)
          return { bytes: Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8, 7)]) }
        },
        "other machine's": () => seal(other, { timeMs, values }),
        future: () => seal(machine, { ...at, stream: 'later', timeMs: nowMs + 600_000 }),
        'cut off': () => ({ bytes: seal(machine, at).bytes.subarray(0, -3), isAlone: true }),
        'not an envelope': () => ({ bytes: Buffer.of(0x82, 1, index % 24) }),
        'too large': () => ({
          bytes: Buffer.concat([Buffer.of(0x5a, 0, 1, 0, 16), Buffer.alloc(65_552)]),
        }),
      }
      sent.push(make[kind]())
    }
    return sent
  }

  async function overMqtt(machine: Machine, frames: readonly Sent[]): Promise<string[]> {
    const device = await connectDevice(byMqtt.broker.port, machine)
    await Promise.all(frames.map(({ bytes }) => device.send(bytes)))
    const heard = () => [
      ...device.receipts.flatMap(({ entries }) => entries.map(said)),
      ...device.refused.map(said),
    ]
    const all = await until(() => (heard().length >= frames.length ? heard() : undefined))
    await device.close()
    return all
  }

  async function overHttp(machine: Machine, frames: readonly Sent[], cut: number) {
    const heard: string[] = []
    let together: Sent[] = []
    const flush = async () => {
      if (together.length === 0) return
      heard.push(...(await httpDoor.post(machine, concat(together))).entries.map(said))
      together = []
    }
    for (const frame of frames) {
      if (frame.isAlone) {
        await flush()
        heard.push(...(await httpDoor.post(machine, frame.bytes, SIGN1)).entries.map(said))
        continue
      }
      together.push(frame)
      if (together.length >= cut) await flush()
    }
    await flush()
    return heard
  }

  const said = ({ code, digest, ...rest }: { code: string; digest?: string; logIndex?: string }) =>
    `${code} ${digest ?? ''} ${rest.logIndex ?? ''}`

  async function traceOf(ingested: Ingest, machine: Machine) {
    await ingested.pipeline.idle()
    const pool = ingested.database.pool
    const rows = await Promise.all(
      ['level', 'later'].map((stream) =>
        readStream(pool, { machineId: machine.machineId, stream, afterIndex: -1n, limit: 100 }),
      ),
    )
    const refusals = await readRefusalCounts(pool, machine.machineId)
    const { root, size } = await ingested.evidence.head()
    return {
      log: rows.flat().map(({ logIndex, digest, code }) => [logIndex, digest, code]),
      counts: await countEnvelopes(pool, machine.machineId),
      refusals: Object.fromEntries(refusals.map(({ code, count }) => [code, count])),
      root,
      size,
    }
  }

  test('same codes, counts and log, to its root', async () => {
    const seen = new Set<string>()
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 1, max: 30 }),
        async (plan, cut) => {
          const machine = await registerMachine(byMqtt.database)
          const other = await registerMachine(byMqtt.database)
          await registerMachine(byHttp.database, machine)
          await registerMachine(byHttp.database, other)
          const frames = framesOf(machine, other, plan)
          const [heardByMqtt, heardByHttp] = [
            await overMqtt(machine, frames),
            await overHttp(machine, frames, cut),
          ]
          expect(heardByHttp.toSorted()).toEqual(heardByMqtt.toSorted())
          expect(await traceOf(byHttp, machine)).toEqual(await traceOf(byMqtt, machine))
          for (const words of heardByHttp) seen.add(words.split(' ')[0] ?? '')
        },
      ),
      { numRuns: 25 },
    )
    // A property that met only good frames would prove nothing.
    expect([...seen].sort()).toEqual(
      expect.arrayContaining([
        'CHAIN_BROKEN',
        'CLOCK_SKEW',
        'ENVELOPE_MALFORMED',
        'EQUIVOCATION',
        'KEY_UNKNOWN',
        'OK',
        'SIGNATURE_INVALID',
        'TOO_LARGE',
        'TOPIC_MISMATCH',
      ]),
    )
  }, 120_000)
})
