import { from as copyFrom } from 'pg-copy-streams'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { keepLease } from '../../src/roles/keep-lease.ts'
import { partitionOf, sharePartitions } from '../../src/roles/share-partitions.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import {
  acquireLeases,
  fence,
  fencedDatabase,
  type Lease,
  releaseLeases,
  renewLeases,
} from '../../src/store/leases.ts'
import { lockLogHead } from '../../src/store/log.ts'
import { insertIntent, readIntent, saveSigned } from '../../src/store/outbox.ts'
import { endStuckCopies } from '../../src/store/stuck.ts'
import { silent, tempDatabase } from '../ingest-fixture.ts'

let database: Awaited<ReturnType<typeof tempDatabase>>
beforeAll(async () => {
  database = await tempDatabase()
})
afterAll(() => database.close())

const take = async (name: string, holder: string, ms = 60_000): Promise<Lease | undefined> =>
  (await acquireLeases(database.pool, { names: [name], holder, ms }))[0]

/** Lets a lease run out by the database's clock, as if its holder had been stopped. */
const expire = (name: string) =>
  database.pool.query(
    `UPDATE leases SET expires_at = clock_timestamp() - interval '1 ms' WHERE name = $1`,
    [name],
  )

/** An empty database on the same server. */
async function newDatabase(name: string): Promise<string> {
  await database.pool.query(`CREATE DATABASE ${name}`)
  const url = new URL(database.url)
  url.pathname = `/${name}`
  return url.href
}

const openShared = (databaseUrl: string, role: string | undefined): Promise<Database> =>
  openDatabase({ dataDir: database.folder, databaseUrl, role, logger: silent })

async function required(lease: Promise<Lease | undefined>): Promise<Lease> {
  const taken = await lease
  if (!taken) throw new Error('the lease is not free')
  return taken
}

describe('a lease', () => {
  test('has one holder; each change of holder raises its token', async () => {
    const first = await required(take('a', 'one'))
    expect(await take('a', 'two')).toBeUndefined()
    expect(await renewLeases(database.pool, [first], 60_000)).toEqual([first])
    await expire('a')
    const second = await required(take('a', 'two'))
    expect(second.token).toBe(first.token + 1n)
    expect(await renewLeases(database.pool, [first], 60_000)).toEqual([])
    await releaseLeases(database.pool, [first])
    expect(await take('a', 'three')).toBeUndefined()
    await releaseLeases(database.pool, [second])
    expect((await take('a', 'three'))?.token).toBe(second.token + 1n)
  })

  test('wanted by ten at once goes to one of them', async () => {
    const takers = Array.from({ length: 10 }, (_, index) => take('race', `taker ${index}`))
    expect((await Promise.all(takers)).filter((lease) => lease !== undefined)).toHaveLength(1)
  })
})

describe('fencing', () => {
  test('who has lost the lease writes nothing: not in a transaction, not by a statement', async () => {
    const old = await required(take('ledger', 'old'))
    const stale = fencedDatabase(database, old)
    const intent = { intentId: 'pay', kind: 'settle', data: '0x01' } as const
    expect(await insertIntent(stale.pool, intent, 0)).toBe(true)
    await expire('ledger')
    // Not taken over yet: still the newest.
    expect(await insertIntent(stale.pool, { ...intent, intentId: 'pay 2' }, 0)).toBe(true)
    const current = fencedDatabase(database, await required(take('ledger', 'new')))
    const signed = { nonce: 7, raw: '0x02', txHash: '0x03' } as const
    await expect(saveSigned(stale.pool, 'pay', signed, 1)).rejects.toMatchObject({
      code: 'LEASE_LOST',
    })
    await expect(
      stale.transaction((client) => insertIntent(client, { ...intent, intentId: 'late' }, 1)),
    ).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(await readIntent(stale.pool, 'late')).toBeUndefined()
    expect(await readIntent(stale.pool, 'pay')).toMatchObject({
      status: 'queued',
      nonce: undefined,
    })
    await saveSigned(current.pool, 'pay', { ...signed, nonce: 8 }, 1)
    expect(await readIntent(database.pool, 'pay')).toMatchObject({ status: 'sent', nonce: 8 })
  })

  test('a transaction under way is waited for; renewing does not wait for it', async () => {
    const held = await required(take('busy', 'one'))
    const steps: string[] = []
    const under = Promise.withResolvers<void>()
    const mayEnd = Promise.withResolvers<void>()
    const work = database
      .transaction(async (client) => {
        await fence(client, [held])
        under.resolve()
        await mayEnd.promise
        steps.push('work ended')
      })
      .then(() => undefined)
    await under.promise
    expect(await renewLeases(database.pool, [held], 60_000)).toEqual([held])
    await expire('busy')
    const taken = take('busy', 'two').then((lease) => {
      steps.push('taken over')
      return lease
    })
    await expect
      .poll(async () => {
        const { rows } = await database.pool.query(
          `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'`,
        )
        return rows[0].waiting
      })
      .toBeGreaterThan(0)
    mayEnd.resolve()
    await work
    expect((await taken)?.token).toBe(held.token + 1n)
    expect(steps).toEqual(['work ended', 'taken over'])
  })

  test('a transaction that stands still gives up its locks, so that others can take over', async () => {
    const url = await newDatabase('stuck')
    const [shared, other] = [await openShared(url, 'meter'), await openShared(url, 'meter')]
    const takeThere = async (db: Database, holder: string) =>
      (await acquireLeases(db.pool, { names: ['stuck'], holder, ms: 1 }))[0]
    const held = await required(takeThere(shared, 'one'))
    const client = await shared.pool.connect()
    client.on('error', () => undefined)
    await client.query('BEGIN')
    await fence(client, [held])
    const begun = performance.now()
    // Waits until the server ends the transaction that nobody goes on with.
    expect((await takeThere(other, 'two'))?.token).toBe(held.token + 1n)
    expect(performance.now() - begun).toBeLessThan(8_000)
    await expect(client.query('COMMIT')).rejects.toThrow()
    client.release(true)
    await shared.close()
    await other.close()
  }, 20_000)
})

test('a process that stands still in the middle of a COPY does not keep the log locked', async () => {
  const url = await newDatabase('copying')
  const [ingest, other] = [await openShared(url, 'ingest'), await openShared(url, 'ingest')]
  const client = await ingest.pool.connect()
  const died = new Promise((resolve) => client.once('error', resolve))
  await client.query('BEGIN')
  await lockLogHead(client)
  const copy = client.query(copyFrom('COPY log_nodes FROM STDIN'))
  copy.on('error', () => undefined)
  const locked = other.transaction(lockLogHead)
  let ended = 0
  await expect
    .poll(
      async () => {
        ended += await endStuckCopies(other.pool)
        return ended
      },
      { timeout: 8_000, interval: 500 },
    )
    .toBe(1)
  expect(await locked).toEqual({ size: 0n, lastLoggedAt: 0, isSplit: false })
  await died
  client.release(true)
  await ingest.close()
  await other.close()
}, 20_000)

describe('work under a lease', () => {
  test('is done by one, and by the next when that one ends or loses it', async () => {
    const active: string[] = []
    const start = (holder: string) =>
      keepLease({
        database,
        name: 'work',
        holder,
        logger: silent,
        begin: async () => {
          active.push(holder)
          return async () => {
            active.splice(active.indexOf(holder), 1)
          }
        },
      })
    const one = await start('one')
    const two = await start('two')
    expect(active).toEqual(['one'])
    await one.stop()
    await expect.poll(() => active, { timeout: 5_000 }).toEqual(['two'])
    // Taken over as if `two` had been stopped for long: it learns of it and stands by.
    await expire('work')
    const thief = await required(take('work', 'thief'))
    await expect.poll(() => active, { timeout: 5_000 }).toEqual([])
    await releaseLeases(database.pool, [thief])
    await expect.poll(() => active, { timeout: 5_000 }).toEqual(['two'])
    await two.stop()
    expect(active).toEqual([])
  }, 20_000)

  test('that cannot begin is an error of the first to try, and the lease is free again', async () => {
    const failing = keepLease({
      database,
      name: 'broken',
      holder: 'one',
      logger: silent,
      begin: () => Promise.reject(new Error('no gas')),
    })
    await expect(failing).rejects.toThrow('no gas')
    expect(await take('broken', 'two')).toBeDefined()
  })
})

describe('partitions', () => {
  test('machines that follow one another fall evenly into 64', () => {
    const counts = Array.from({ length: 64 }, () => 0)
    for (let id = 1n; id <= 6_400n; id += 1n) {
      const partition = partitionOf(id)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    expect(Math.min(...counts)).toBeGreaterThan(80)
    expect(Math.max(...counts)).toBeLessThan(120)
  })

  test('are shared evenly, given back, and fenced', async () => {
    const join = (holder: string, gained: ((machineId: bigint) => boolean)[] = []) =>
      sharePartitions({
        database,
        group: 'share',
        holder,
        onGained: (isGained) => void gained.push(isGained),
        logger: silent,
      })
    const gained: ((machineId: bigint) => boolean)[] = []
    const one = await join('one', gained)
    expect(one.held()).toBe(64)
    const two = await join('two')
    await expect.poll(() => [one.held(), two.held()], { timeout: 8_000 }).toEqual([32, 32])
    const ids = Array.from({ length: 200 }, (_, index) => BigInt(index + 1))
    for (const id of ids) expect(one.owns(id)).not.toBe(two.owns(id))
    const ofTwo = ids.find((id) => two.owns(id)) ?? 0n
    await expect(
      database.transaction((client) => one.fence(client, [ofTwo])),
    ).rejects.toMatchObject({ code: 'LEASE_LOST' })
    await database.transaction((client) => two.fence(client, [ofTwo]))
    await two.close()
    await expect.poll(() => one.held(), { timeout: 8_000 }).toBe(64)
    expect(gained.at(-1)?.(ofTwo)).toBe(true)
    await one.close()
  }, 30_000)
})

test('processes with roles share a database; one that does everything is kept out, and keeps them out', async () => {
  await expect(openShared(database.url, 'ingest')).rejects.toMatchObject({
    code: 'DATABASE_IN_USE',
  })
  const url = await newDatabase('shared')
  const [ingest, meter] = [await openShared(url, 'ingest'), await openShared(url, 'meter')]
  await expect(openShared(url, undefined)).rejects.toMatchObject({ code: 'DATABASE_IN_USE' })
  await ingest.close()
  await meter.close()
  await (await openShared(url, undefined)).close()
}, 40_000)
