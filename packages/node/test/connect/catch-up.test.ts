import { fork } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKey, openMachine, saveIdentity } from '../../../machine/src/index.ts'
import type { Database } from '../../src/store/database.ts'
import { countEnvelopes, readStream } from '../../src/store/envelopes.ts'
import { createQuotas } from '../../src/trust/quotas.ts'
import {
  CHAIN_ID,
  freshDatabase,
  type Ingest,
  REGISTRY,
  registerMachine,
  startIngest,
  tempDatabase,
  tempFolder,
} from '../ingest-fixture.ts'
import { openHttpDoor } from './http-door.ts'

const ENVELOPES = 5_000

let server: Database
let ingest: Ingest
let door: Awaited<ReturnType<typeof openHttpDoor>>

beforeAll(async () => {
  server = await tempDatabase()
  ingest = await startIngest({ database: await freshDatabase(server) })
  door = await openHttpDoor(ingest)
})
afterAll(async () => {
  await door.close()
  await ingest.stop()
  await ingest.database.close()
  await server.close()
})

/** A registered machine whose folder holds so many envelopes that nobody has heard of. */
async function offlineMachine(database: Database, envelopes: number) {
  const folder = await tempFolder()
  const { machineId } = await registerMachine(database, { key: createKey(folder.path) })
  saveIdentity(folder.path, { machineId, chainId: CHAIN_ID, registry: REGISTRY })
  const machine = await openMachine({
    folder: folder.path,
    transport: () => ({ publish: () => undefined, close: async () => undefined }),
  })
  const timeMs = Date.now() - 86_400_000
  await Promise.all(
    Array.from({ length: envelopes }, (_, index) =>
      machine.sample('level', { unit: 'mm', value: BigInt(index), timeMs: timeMs + index * 1_000 }),
    ),
  )
  expect(machine.pendingCount()).toBe(envelopes)
  await machine.close()
  return { folder, machineId }
}

test('5,000 envelopes of a device that was offline come by HTTP, each once, with kill -9 in between', async () => {
  const { database } = ingest
  const { folder, machineId } = await offlineMachine(database, ENVELOPES)
  const start = () =>
    fork(new URL('catch-up-child.ts', import.meta.url), [
      folder.path,
      `http://127.0.0.1:${door.port}`,
    ])
  const logged = async () => (await countEnvelopes(database.pool, machineId)).OK ?? 0

  const first = start()
  await expect.poll(logged, { interval: 5 }).toBeGreaterThanOrEqual(500)
  first.kill('SIGKILL')
  await once(first, 'exit')
  await ingest.pipeline.idle()
  const atKill = await logged()
  expect(atKill).toBeLessThan(ENVELOPES)

  const [code] = await once(start(), 'exit')
  expect(code).toBe(0)
  expect(await countEnvelopes(database.pool, machineId)).toEqual({ OK: ENVELOPES })
  const rows = await readStream(database.pool, {
    machineId,
    stream: 'level',
    afterIndex: -1n,
    limit: ENVELOPES + 1,
  })
  expect(rows.map(({ seq }) => Number(seq))).toEqual(
    Array.from({ length: ENVELOPES }, (_, index) => index + 1),
  )
  await folder.remove()
})

test('what a quota refuses stays on disk and is logged later', async () => {
  let nowMs = Date.now()
  const quotas = createQuotas({
    limits: { envelopesPerSecond: 1 },
    sendersAreKnown: true,
    ownerOf: () => `0x${'01'.repeat(20)}`,
    nowMs: () => nowMs,
  })
  const limited = await startIngest({ database: await freshDatabase(server), quotas })
  const limitedDoor = await openHttpDoor(limited)
  const { folder } = await offlineMachine(limited.database, 100)
  const machine = await openMachine({
    folder: folder.path,
    httpUrl: `http://127.0.0.1:${limitedDoor.port}`,
    delivery: { resendMs: 200 },
  })
  const codes: string[] = []
  machine.on('refused', ({ code }) => codes.push(code))
  await expect.poll(() => machine.pendingCount()).toBe(40)
  await expect.poll(() => codes.length).toBeGreaterThanOrEqual(40)
  expect(new Set(codes)).toEqual(new Set(['QUOTA_EXCEEDED']))
  nowMs += 60_000
  await machine.flushed()
  await machine.close()
  await limitedDoor.close()
  await limited.stop()
  await limited.database.close()
  await folder.remove()
})

test('a node that is away: the machine says so, keeps all, and goes on when it is back', async () => {
  const { folder, machineId } = await offlineMachine(ingest.database, 20)
  const own = await openHttpDoor(ingest)
  await own.close()
  const machine = await openMachine({
    folder: folder.path,
    httpUrl: `http://127.0.0.1:${own.port}`,
  })
  const reason = await new Promise<string>((resolve) => machine.on('offline', resolve))
  expect(reason).toContain('ECONNREFUSED')
  expect(machine.pendingCount()).toBe(20)
  const back = await openHttpDoor(ingest, undefined, own.port)
  await machine.flushed()
  expect(await countEnvelopes(ingest.database.pool, machineId)).toEqual({ OK: 20 })
  await machine.close()
  await back.close()
  await folder.remove()
})

test('an unencrypted node beyond loopback is refused', async () => {
  const { folder } = await offlineMachine(ingest.database, 0)
  await expect(
    openMachine({ folder: folder.path, httpUrl: 'http://node.example' }),
  ).rejects.toMatchObject({ code: 'TRANSPORT_PLAIN' })
  await folder.remove()
})
