import { spawn } from 'node:child_process'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { migrate } from '../../src/store/migrate.ts'
import { silent, tempDatabase, tempFolder, until } from '../ingest-fixture.ts'

type Folder = Awaited<ReturnType<typeof tempFolder>>

async function postmasterPid(folder: string): Promise<number> {
  const file = await readFile(join(folder, 'postgres', 'postmaster.pid'), 'utf8')
  return Number(file.split('\n')[0])
}

async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => undefined)
  return stat !== undefined && !stat.includes(') Z ')
}

/** A process that opens the database, writes one row, says so, and is killed the hard way. */
async function writeAndDie(folder: string): Promise<void> {
  const database = new URL('../../src/store/database.ts', import.meta.url).href
  const child = spawn(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `const { openDatabase } = await import('${database}')
       const logger = { info() {}, warn() {}, error() {}, debug() {}, fatal() {} }
       const database = await openDatabase({ dataDir: process.argv[1], logger })
       await database.pool.query("INSERT INTO machine_names VALUES (1, 'kept')")
       process.stdout.write('stored')
       setInterval(() => undefined, 1000)`,
      folder,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const exited = new Promise((resolve) => child.once('exit', resolve))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  child.kill('SIGKILL')
  await exited
}

async function expectKept(database: Database): Promise<void> {
  const answer = await database.pool.query('SELECT machine_id, name FROM machine_names')
  expect(answer.rows).toEqual([{ machine_id: 1n, name: 'kept' }])
}

describe('the embedded database', () => {
  let folder: Folder
  beforeAll(async () => {
    folder = await tempFolder()
  })
  afterAll(() => folder.remove())

  test('INV-13 a node killed with -9 leaves a server that the next start takes over', async () => {
    await writeAndDie(folder.path)
    const orphan = await postmasterPid(folder.path)
    expect(await isAlive(orphan)).toBe(true)
    const database = await openDatabase({ dataDir: folder.path, logger: silent })
    expect(await postmasterPid(folder.path)).toBe(orphan)
    await expectKept(database)
    await database.close()
    expect(await isAlive(orphan)).toBe(false)
  })

  test('INV-13 node and server killed with -9: the next start recovers behind the stale pid file', async () => {
    const other = await tempFolder()
    await writeAndDie(other.path)
    process.kill(await postmasterPid(other.path), 'SIGKILL')
    const again = await openDatabase({ dataDir: other.path, logger: silent })
    await expectKept(again)
    await again.close()
    await other.remove()
  })

  test('a server that does not answer is ended by its pid, and replaced', async () => {
    const other = await tempFolder()
    await writeAndDie(other.path)
    const orphan = await postmasterPid(other.path)
    process.kill(orphan, 'SIGSTOP')
    const database = await openDatabase({ dataDir: other.path, logger: silent })
    expect(await isAlive(orphan)).toBe(false)
    await expectKept(database)
    await database.close()
    await other.remove()
  })

  test('another password than that of the database: said so, and no server left behind', async () => {
    const other = await tempFolder()
    await openDatabase({ dataDir: other.path, logger: silent }).then((one) => one.close())
    await writeFile(join(other.path, 'postgres.password'), 'wrong')
    await expect(openDatabase({ dataDir: other.path, logger: silent })).rejects.toMatchObject({
      code: 'POSTGRES_PASSWORD_WRONG',
    })
    await expect(postmasterPid(other.path)).rejects.toThrow('ENOENT')
    await other.remove()
  })

  test('a server that is killed while the node runs is started again', async () => {
    const database = await openDatabase({ dataDir: folder.path, logger: silent })
    const before = await postmasterPid(folder.path)
    process.kill(before, 'SIGKILL')
    await until(async () => {
      const now = await postmasterPid(folder.path).catch(() => before)
      return now !== before || undefined
    })
    await until(async () => {
      const answer = await database.pool.query('SELECT 1 AS one').catch(() => undefined)
      return answer?.rows[0]?.one
    })
    await expectKept(database)
    await database.close()
  })

  test('its password is readable by its owner alone, its commits are durable, it listens on loopback', async () => {
    const database = await openDatabase({ dataDir: folder.path, logger: silent })
    const { mode } = await stat(join(folder.path, 'postgres.password'))
    expect(mode & 0o777).toBe(0o600)
    const settings = await database.pool.query(
      "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes', 'listen_addresses') ORDER BY name",
    )
    expect(settings.rows.map(({ name, setting }) => [name, setting])).toEqual([
      ['fsync', 'on'],
      ['full_page_writes', 'on'],
      ['listen_addresses', '127.0.0.1'],
      ['synchronous_commit', 'on'],
    ])
    await database.close()
  })
})

describe('any database', () => {
  let server: Database
  let byUrl: Database

  beforeAll(async () => {
    server = await tempDatabase()
    await server.pool.query('CREATE DATABASE outside')
    const url = new URL(server.url)
    url.pathname = '/outside'
    byUrl = await openDatabase({ dataDir: '', databaseUrl: url.href, logger: silent })
  })
  afterAll(async () => {
    await byUrl.close()
    await server.close()
  })

  test('DATABASE_URL: migrated and durable like the embedded one, and left running when closed', async () => {
    const answer = await byUrl.pool.query(
      "SELECT (SELECT count(*) FROM envelopes) AS rows, current_setting('synchronous_commit') AS sync",
    )
    expect(answer.rows).toEqual([{ rows: 0n, sync: 'on' }])
  })

  test('one node at a time: DATABASE_IN_USE', async () => {
    await expect(
      openDatabase({ dataDir: '', databaseUrl: byUrl.url, logger: silent }),
    ).rejects.toMatchObject({ code: 'DATABASE_IN_USE' })
    expect((await byUrl.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  test('integers arrive as bigint, alone and in arrays; fractions as text', async () => {
    const answer = await byUrl.pool.query(
      "SELECT 9007199254740993::int8 AS a, ('1' || repeat('0', 77))::numeric AS b, 1.5::numeric AS c, ARRAY[1, NULL]::numeric[] AS d, '{}'::int8[] AS e",
    )
    expect(answer.rows).toEqual([
      { a: 9_007_199_254_740_993n, b: 10n ** 77n, c: '1.5', d: [1n, null], e: [] },
    ])
  })

  test('a transaction that throws leaves nothing behind', async () => {
    await expect(
      byUrl.transaction(async (client) => {
        await client.query("INSERT INTO machine_names VALUES (5, 'gone')")
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    const answer = await byUrl.pool.query('SELECT * FROM machine_names WHERE machine_id = 5')
    expect(answer.rows).toEqual([])
  })

  test('a connection that dies between two queries fails its transaction, and not the process', async () => {
    const died = byUrl.transaction(async (client) => {
      const { rows } = await client.query('SELECT pg_backend_pid() AS pid')
      const ended = new Promise((resolve) => client.once('end', resolve))
      await byUrl.pool.query('SELECT pg_terminate_backend($1)', [rows[0].pid])
      await ended
      await client.query("INSERT INTO machine_names VALUES (6, 'gone')")
    })
    await expect(died).rejects.toThrow('not queryable')
    const answer = await byUrl.pool.query('SELECT * FROM machine_names WHERE machine_id = 6')
    expect(answer.rows).toEqual([])
  })

  test('migrations run once, in order; a changed one and a newer schema are refused', async () => {
    const folder = await tempFolder()
    const at = join(folder.path, 'migrations')
    await mkdir(at)
    const url = pathToFileURL(`${at}/`)
    await writeFile(join(at, '0001_a.sql'), 'CREATE TABLE a (x int); INSERT INTO a VALUES (1)')
    await writeFile(join(at, '0002_b.sql'), 'INSERT INTO a VALUES (2)')
    await server.pool.query('CREATE DATABASE migrated')
    const target = new URL(server.url)
    target.pathname = '/migrated'
    const { default: pg } = await import('pg')
    const pool = new pg.Pool({ connectionString: target.href })
    await Promise.all([migrate(pool, url, 1), migrate(pool, url, 1)])
    expect((await pool.query('SELECT x FROM a ORDER BY x')).rows).toEqual([{ x: 1 }, { x: 2 }])
    await writeFile(join(at, '0002_b.sql'), 'INSERT INTO a VALUES (3)')
    await expect(migrate(pool, url, 1)).rejects.toMatchObject({ code: 'MIGRATION_CHANGED' })
    await writeFile(join(at, '0002_b.sql'), 'INSERT INTO a VALUES (2)')
    await writeFile(join(at, '0003_c.sql'), 'INSERT INTO a VALUES (4); SELECT broken')
    await expect(migrate(pool, url, 1)).rejects.toThrow('broken')
    expect((await pool.query('SELECT count(*)::int AS n FROM a')).rows).toEqual([{ n: 2 }])
    // Another version went on: this one keeps its hands off.
    await writeFile(join(at, '0003_c.sql'), 'INSERT INTO a VALUES (4)')
    await migrate(pool, url, 1)
    await rm(join(at, '0003_c.sql'))
    await writeFile(join(at, '0004_d.sql'), 'DELETE FROM a')
    await expect(migrate(pool, url, 1)).rejects.toMatchObject({
      code: 'SCHEMA_NEWER',
      message: expect.stringContaining('0003_c.sql'),
    })
    expect((await pool.query('SELECT count(*)::int AS n FROM a')).rows).toEqual([{ n: 3 }])
    await pool.end()
    await folder.remove()
  })
})
