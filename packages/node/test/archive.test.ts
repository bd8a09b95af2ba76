import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DuckDBInstance } from '@duckdb/node-api'
import { type Hex, leafData, leafHash, verifyInclusion } from '@liquefy/protocol'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  archiveEnvelopes,
  archivesIn,
  checkArchived,
  readArchive,
  restoreEnvelopes,
} from '../src/archive.ts'
import { publishArchive, writeDraft } from '../src/archive-file.ts'
import type { Database } from '../src/store/database.ts'
import {
  ANCHOR,
  CHAIN_ID,
  freshDatabase,
  type Ingest,
  LOG_ACCOUNT,
  newBlock,
  REGISTRY,
  registerMachine,
  seal,
  sealChain,
  startIngest,
  tempDatabase,
  tempFolder,
  until,
} from './ingest-fixture.ts'

const COUNT = 1_200
const ORIGIN = {
  chainId: CHAIN_ID,
  registry: REGISTRY,
  evidenceAnchor: ANCHOR,
  log: LOG_ACCOUNT.address,
}
const hexOf = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString('hex')}`

let server: Awaited<ReturnType<typeof tempDatabase>>
let folder: Awaited<ReturnType<typeof tempFolder>>
let database: Database
let ingest: Ingest
let chain: { bytes: Uint8Array; digest: Hex }[]
let machine: Awaited<ReturnType<typeof registerMachine>>
let archive: string
let finalBlock: number
let number = 0

beforeAll(async () => {
  server = await tempDatabase()
  folder = await tempFolder()
})
afterAll(async () => {
  await folder.remove()
  await server.close()
})

beforeEach(async () => {
  database = await freshDatabase(server)
  ingest = await startIngest({ database })
  machine = await registerMachine(database)
  chain = sealChain(machine, COUNT)
  await send(chain)
  await anchor()
  number += 1
  archive = join(folder.path, `archive-${number}`)
  return async () => {
    await ingest.stop()
    await database.close()
  }
})

async function send(envelopes: readonly { bytes: Uint8Array }[]) {
  const { machineId } = machine
  return Promise.all(envelopes.map(({ bytes }) => ingest.pipeline.envelope(machineId, bytes)))
}

/** The ledger has the whole log, in a block that stays. */
async function anchor(): Promise<void> {
  const { size, root } = await ingest.evidence.head()
  const block = await newBlock(database)
  finalBlock = Number(block)
  const bytes = (hex: Hex) => Buffer.from(hex.slice(2), 'hex')
  await database.pool.query('INSERT INTO anchors VALUES ($1, $2, $3, $4, $5, $6)', [
    bytes(LOG_ACCOUNT.address),
    size,
    bytes(root),
    block,
    Buffer.alloc(32),
    Date.now(),
  ])
}

function optionsOf(change: Partial<Parameters<typeof archiveEnvelopes>[0]> = {}) {
  return {
    dataDir: '',
    databaseUrl: database.url,
    folder: archive,
    beforeMs: Date.now() + 1,
    finalBlock,
    origin: ORIGIN,
    onProgress: () => undefined,
    ...change,
  }
}

const restore = () =>
  restoreEnvelopes({
    dataDir: '',
    databaseUrl: database.url,
    folder: archive,
    onProgress: () => undefined,
  })

const rawsLeft = async (): Promise<number> => {
  const { rows } = await database.pool.query('SELECT count(raw) AS count FROM envelopes')
  return Number(rows[0].count)
}

const nothingHeld = { agreement: 0, newest: 1, unanchored: 0 }

describe('archive', () => {
  test('what was anchored leaves, but the newest of a stream; DuckDB reads all of it, and each proof leads to the anchored root', async () => {
    const head = await ingest.evidence.head()
    const result = await archiveEnvelopes(optionsOf())
    expect(result).toMatchObject({ archived: COUNT - 1, held: nothingHeld })
    expect(result.files).toHaveLength(1)
    expect(await rawsLeft()).toBe(1)

    const duck = await (await DuckDBInstance.create()).connect()
    const reader = await duck.runAndReadAll(
      `SELECT * FROM read_parquet('${archive}/*.parquet') ORDER BY log_index`,
    )
    const rows = reader.getRowObjects()
    expect(rows).toHaveLength(COUNT - 1)
    const bytesOf = (cell: unknown) => (cell as { bytes: Uint8Array }).bytes
    for (const [index, row] of rows.entries()) {
      expect(row.log_index).toBe(BigInt(index))
      expect(row.machine_id).toBe(String(machine.machineId))
      expect(Buffer.compare(bytesOf(row.raw), chain[index]?.bytes ?? Buffer.alloc(0))).toBe(0)
      const digest = hexOf(bytesOf(row.digest))
      expect(digest).toBe(chain[index]?.digest)
      const path = Buffer.from(bytesOf(row.proof)).toString('hex')
      const claim = {
        leafHash: leafHash(leafData(digest, Number(row.logged_at), String(row.code))),
        index: BigInt(index),
        size: BigInt(head.size),
        proof: (path.match(/.{64}/g) ?? []).map((hash): Hex => `0x${hash}`),
        root: head.root,
      }
      expect(verifyInclusion(claim)).toBe(true)
      expect(verifyInclusion({ ...claim, index: claim.index + 1n })).toBe(false)
    }
  })

  test('called again it does nothing; a later call takes what has become old since, into a file of its own', async () => {
    const first = await archiveEnvelopes(optionsOf())
    expect(await archiveEnvelopes(optionsOf())).toEqual({
      files: [],
      archived: 0,
      held: nothingHeld,
    })
    const prev = chain.at(-1)?.digest ?? '0x'
    await send([seal(machine, { seq: BigInt(COUNT + 1), prev })])
    // The new one is not anchored; the one before it is no longer the newest.
    expect(await archiveEnvelopes(optionsOf())).toMatchObject({
      archived: 1,
      held: { agreement: 0, newest: 0, unanchored: 1 },
    })
    expect(readdirSync(archive).filter((name) => name.endsWith('.parquet'))).toHaveLength(2)
    expect(first.files).toHaveLength(1)
  })

  test('nothing that is younger than the time leaves, nor anything before an anchor is final', async () => {
    const none = { files: [], archived: 0 }
    expect(await archiveEnvelopes(optionsOf({ beforeMs: 1 }))).toEqual({
      ...none,
      held: { agreement: 0, newest: 0, unanchored: 0 },
    })
    expect(await archiveEnvelopes(optionsOf({ finalBlock: finalBlock - 1 }))).toEqual({
      ...none,
      held: { agreement: 0, newest: 0, unanchored: COUNT },
    })
    expect(await rawsLeft()).toBe(COUNT)
    expect(readdirSync(archive)).toEqual([])
  })

  test('an open agreement keeps its stream from where it begins; a closed one once that is final', async () => {
    const id = Buffer.alloc(32, 7)
    const behind = 400
    const meters = [{ stream: 'level', startHead: chain[behind - 1]?.digest }]
    const opened = await newBlock(database)
    await database.pool.query(`INSERT INTO agreements VALUES ($1, $2, $3, $3, $3, $4, $5, $1, 0)`, [
      id,
      machine.machineId,
      Buffer.alloc(20),
      JSON.stringify({ meters }),
      opened,
    ])
    // Its start is not known yet: all is held.
    expect((await archiveEnvelopes(optionsOf())).held).toMatchObject({ agreement: COUNT })
    await database.pool.query(
      `INSERT INTO folds (agreement_id, meter, machine_id, stream, start_seq, state) VALUES ($1, 0, $2, 'level', $3, '{}')`,
      [id, machine.machineId, behind + 1],
    )
    const open = await archiveEnvelopes(optionsOf())
    // The envelope behind which it begins is in its bundle.
    expect(open).toMatchObject({ archived: behind - 1, held: { agreement: COUNT - behind + 1 } })
    const closed = await newBlock(database)
    await database.pool.query(
      `INSERT INTO agreement_events (block, log_index, tx_hash, agreement_id, kind, at_ms) VALUES ($1, 0, $2, $2, 'closed', 0)`,
      [closed, id],
    )
    expect((await archiveEnvelopes(optionsOf())).archived).toBe(0)
    const after = await archiveEnvelopes(optionsOf({ finalBlock: Number(closed) }))
    expect(after).toMatchObject({ archived: COUNT - behind, held: nothingHeld })
  })

  test('an archived envelope that is delivered again is a duplicate, admission goes on, and the log starts and proves', async () => {
    await archiveEnvelopes(optionsOf())
    const { pipeline } = ingest
    const again = await pipeline.envelope(machine.machineId, chain[5]?.bytes ?? new Uint8Array())
    expect(again.kind).toBe('duplicate')
    const { rows } = await database.pool.query(
      'SELECT count(*) AS count, count(DISTINCT digest) AS digests FROM envelopes',
    )
    expect(rows[0]).toEqual({ count: BigInt(COUNT), digests: BigInt(COUNT) })
    const restarted = await startIngest({ database })
    const head = await restarted.evidence.head()
    const proof = await restarted.evidence.inclusionProof(5n, BigInt(head.size))
    const [path] = await archivesIn(archive)
    const sixth = (await readArchive(path ?? '')).envelopes[5]
    expect(sixth?.digest).toBe(chain[5]?.digest)
    expect(proof).toEqual(sixth?.proof)
    await restarted.stop()
  })

  test('what was archived comes back by its files, and only with its own bytes', async () => {
    await archiveEnvelopes(optionsOf())
    expect(await restore()).toBe(COUNT - 1)
    expect(await restore()).toBe(0)
    const { rows } = await database.pool.query('SELECT raw FROM envelopes ORDER BY log_index')
    for (const [index, row] of rows.entries()) {
      expect(Buffer.compare(row.raw, chain[index]?.bytes ?? Buffer.alloc(0))).toBe(0)
    }
    expect((await archiveEnvelopes(optionsOf())).archived).toBe(COUNT - 1)
  })

  test('a time, a code or a place that was changed with its columns in order is found and named', async () => {
    await archiveEnvelopes(optionsOf())
    const [path = ''] = await archivesIn(archive)
    const { origin, envelopes } = await readArchive(path)
    expect(envelopes.filter((one) => !checkArchived(one, origin).ok)).toEqual([])
    const forged = envelopes.map((one, index) =>
      index === 700 ? { ...one, loggedAt: one.loggedAt + 1 } : one,
    )
    const elsewhere = join(archive, 'forged.parquet')
    await publishArchive(await writeDraft(elsewhere, { origin, envelopes: forged }), elsewhere)
    const found = await readArchive(elsewhere)
    const faulty = found.envelopes.filter((one) => !checkArchived(one, origin).ok)
    expect(faulty.map(({ logIndex }) => logIndex)).toEqual([700n])
    // It is believed neither for taking bytes out nor for putting them back.
    const refused = { code: 'ARCHIVE_CHANGED', message: expect.stringContaining('envelope 700') }
    await expect(archiveEnvelopes(optionsOf())).rejects.toMatchObject(refused)
    await expect(restore()).rejects.toMatchObject(refused)
  })

  test('a signature that was changed, with a new SHA-256 beside it, does not come back', async () => {
    await archiveEnvelopes(optionsOf())
    const [path = ''] = await archivesIn(archive)
    const { origin, envelopes } = await readArchive(path)
    const raw = Uint8Array.from(envelopes[300]?.raw ?? [])
    raw[raw.length - 1] = (raw.at(-1) ?? 0) ^ 1
    const forged = envelopes.map((one, index) => (index === 300 ? { ...one, raw } : one))
    await publishArchive(await writeDraft(path, { origin, envelopes: forged }), path)
    await expect(restore()).rejects.toMatchObject({
      code: 'ARCHIVE_CHANGED',
      message: expect.stringContaining('envelope 300, its signature'),
    })
    expect(await rawsLeft()).toBe(1)
  })

  test('a file of another log, and one whose root was never anchored, take nothing out', async () => {
    await archiveEnvelopes(optionsOf({ folder: join(archive, 'first') }))
    const [path = ''] = await archivesIn(join(archive, 'first'))
    const { origin, envelopes } = await readArchive(path)
    const other = join(archive, 'other.parquet')
    const write = async (change: Partial<typeof origin>) =>
      publishArchive(
        await writeDraft(other, { origin: { ...origin, ...change }, envelopes: [] }),
        other,
      )
    await write({ log: REGISTRY })
    await expect(archiveEnvelopes(optionsOf())).rejects.toMatchObject({ code: 'ARCHIVE_OTHER_LOG' })
    await write({ root: `0x${'ab'.repeat(32)}` })
    await expect(archiveEnvelopes(optionsOf())).rejects.toMatchObject({ code: 'ARCHIVE_CHANGED' })
    expect(envelopes).toHaveLength(COUNT - 1)
  })

  test('two at once: one is refused', async () => {
    const holder = new pg.Client({ connectionString: database.url })
    await holder.connect()
    await holder.query('SELECT pg_advisory_lock(7158204)')
    await expect(archiveEnvelopes(optionsOf())).rejects.toMatchObject({ code: 'ARCHIVE_RUNNING' })
    await holder.end()
  })
})

describe('killed with -9', () => {
  let blocker: pg.Client
  beforeEach(async () => {
    blocker = new pg.Client({ connectionString: database.url })
    await blocker.connect()
    return () => blocker.end()
  })

  function start(): ChildProcess {
    const script = fileURLToPath(new URL('./archive-process.ts', import.meta.url))
    const args = [script, database.url, archive, String(Date.now() + 1), String(finalBlock)]
    return spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] })
  }

  /** Starts it, waits until it waits for a lock that the test holds, and kills it there. */
  async function killAtLock(lock: string): Promise<void> {
    await blocker.query('BEGIN')
    await blocker.query(lock)
    const child = start()
    const gone = once(child, 'exit')
    await until(async () => {
      const { rows } = await database.pool.query(
        `SELECT count(*) AS waiting FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'liquefy archive' AND wait_event_type = 'Lock'`,
      )
      return Number(rows[0].waiting) > 0
    })
    child.kill('SIGKILL')
    await gone
    // Its backend notices only when it writes to the connection, and would go on when it gets the lock.
    await database.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'liquefy archive' AND datname = current_database()`,
    )
    await until(async () => {
      const { rows } = await database.pool.query(
        `SELECT count(*) AS left FROM pg_stat_activity WHERE application_name = 'liquefy archive' AND datname = current_database()`,
      )
      return Number(rows[0].left) === 0
    })
    await blocker.query('ROLLBACK')
  }

  /** Every envelope is in the database or in a file that holds it. */
  async function expectNothingLost(): Promise<void> {
    const inFiles = new Map<bigint, Uint8Array>()
    for (const path of await archivesIn(archive)) {
      const { origin, envelopes } = await readArchive(path)
      for (const one of envelopes) {
        expect(checkArchived(one, origin)).toMatchObject({ ok: true })
        inFiles.set(one.logIndex, one.raw)
      }
    }
    const { rows } = await database.pool.query('SELECT log_index, raw FROM envelopes')
    expect(rows).toHaveLength(COUNT)
    for (const { log_index, raw } of rows) {
      const bytes = raw ?? inFiles.get(log_index)
      expect(Buffer.compare(bytes, chain[Number(log_index)]?.bytes ?? Buffer.alloc(0))).toBe(0)
    }
  }

  test.each([
    ['while it reads', 'LOCK TABLE log_nodes IN ACCESS EXCLUSIVE MODE', COUNT],
    [
      'behind its file, before the database knows of it',
      'LOCK TABLE archives IN EXCLUSIVE MODE',
      COUNT,
    ],
    [
      'in the middle of taking out',
      'SELECT FROM envelopes WHERE log_index = 700 FOR UPDATE',
      COUNT - 500,
    ],
  ])('%s: nothing is lost, and the next call completes it', async (_, lock, left) => {
    await killAtLock(lock)
    expect(await rawsLeft()).toBe(left)
    await mkdir(archive, { recursive: true })
    await expectNothingLost()
    writeFileSync(join(archive, 'envelopes-half.parquet.part'), 'PAR1')
    const result = await archiveEnvelopes(optionsOf())
    expect(result).toMatchObject({ archived: left - 1, held: nothingHeld })
    await expectNothingLost()
    expect(await rawsLeft()).toBe(1)
    const names = readdirSync(archive)
    expect(names.filter((name) => name.endsWith('.parquet'))).toHaveLength(1)
    expect(names.filter((name) => name.endsWith('.part'))).toEqual([])
  })

  test('a file that was changed before its envelopes left takes nothing out', async () => {
    await killAtLock('LOCK TABLE archives IN EXCLUSIVE MODE')
    const [path = ''] = await archivesIn(archive)
    const bytes = await readFile(path)
    // A signature may lie across two blocks of the compression: not every one is found.
    const at = Math.max(...chain.map((sealed) => bytes.indexOf(sealed.bytes.subarray(-16))))
    expect(at).toBeGreaterThan(0)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    await writeFile(path, bytes)
    await expect(archiveEnvelopes(optionsOf())).rejects.toMatchObject({
      code: 'ARCHIVE_CHANGED',
      message: expect.stringContaining('SHA-256'),
    })
    expect(await rawsLeft()).toBe(COUNT)
  })
})
