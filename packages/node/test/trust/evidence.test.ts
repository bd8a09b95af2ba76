import { evidenceAnchorAbi } from '@liquefy/abi'
import {
  leafData,
  leafHash,
  rootAt,
  verifyCheckpoint,
  verifyConsistency,
  verifyInclusion,
} from '@liquefy/protocol'
import { decodeFunctionData } from 'viem'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import type { Database } from '../../src/store/database.ts'
import { readStream } from '../../src/store/envelopes.ts'
import { type AnchorOutbox, type Evidence, openEvidence } from '../../src/trust/evidence.ts'
import {
  ANCHOR,
  CHAIN_ID,
  freshDatabase,
  type Ingest,
  LOG_ACCOUNT,
  newBlock,
  registerMachine,
  sealChain,
  silent,
  startIngest,
  tempDatabase,
} from '../ingest-fixture.ts'

type Hex = `0x${string}`
interface Anchored {
  size: bigint
  root: Hex
  proof: readonly Hex[]
}

let server: Database
let database: Database
let ingest: Ingest
let anchored: Anchored[]
let status: string

/** A ledger that includes what it is given. */
const ledger: AnchorOutbox = {
  async submit({ data, to }) {
    expect(to).toBe(ANCHOR)
    const { args } = decodeFunctionData({ abi: evidenceAnchorAbi, data })
    const [size, root, proof] = args as readonly [bigint, Hex, readonly Hex[]]
    anchored.push({ size, root, proof })
  },
  whenIncluded: async () => ({ status }),
}

beforeAll(async () => {
  server = await tempDatabase()
})
afterAll(() => server.close())
beforeEach(async () => {
  anchored = []
  status = 'included'
  database = await freshDatabase(server)
  ingest = await startIngest({ database, outbox: ledger })
})
afterEach(async () => {
  await ingest.stop()
  await database.close()
})

async function logEnvelopes(count: number): Promise<bigint> {
  const machine = await registerMachine(database)
  for (const { bytes } of sealChain(machine, count)) {
    await ingest.pipeline.envelope(machine.machineId, bytes)
  }
  return machine.machineId
}

function open(): Promise<Evidence> {
  return openEvidence({
    database,
    clock: systemClock,
    chainId: CHAIN_ID,
    evidenceAnchor: ANCHOR,
    logAccount: LOG_ACCOUNT,
    anchorIntervalMs: 3_600_000,
    logger: silent,
  })
}

async function anchorOnLedger(size: bigint, root: Hex): Promise<void> {
  const bytes = (hex: Hex) => Buffer.from(hex.slice(2), 'hex')
  await database.pool.query(
    'INSERT INTO anchors (log, size, root, block, tx_hash, at_ms) VALUES ($1, $2, $3, $4, $5, 0)',
    [bytes(LOG_ACCOUNT.address), size, bytes(root), await newBlock(database), Buffer.alloc(32)],
  )
}

describe('proofs', () => {
  test('INV-21 INV-22 every leaf of every size is proven, every size is consistent with every other', async () => {
    const machineId = await logEnvelopes(13)
    const rows = await readStream(database.pool, {
      machineId,
      stream: 'level',
      afterIndex: -1n,
      limit: 100,
    })
    const leaves = rows.map((row) => leafHash(leafData(row.digest, row.loggedAt, row.code)))
    const roots = new Map<bigint, Hex>()
    for (let size = 1n; size <= 13n; size += 1n) {
      roots.set(size, await ingest.evidence.rootAt(size))
    }
    for (const [size, root] of roots) {
      for (let index = 0n; index < size; index += 1n) {
        const proof = await ingest.evidence.inclusionProof(index, size)
        const leaf = leaves[Number(index)] ?? '0x'
        expect(verifyInclusion({ leafHash: leaf, index, size, proof, root })).toBe(true)
      }
      for (const [size1, root1] of roots) {
        if (size1 > size) continue
        const proof = await ingest.evidence.consistencyProof(size1, size)
        expect(verifyConsistency({ size1, root1, size2: size, root2: root, proof })).toBe(true)
      }
    }
    const fromLeaves = await rootAt(1n, async () => leaves[0] ?? '0x')
    expect(roots.get(1n)).toBe(fromLeaves)
  })

  test('loggedAt never falls, whatever the clock does', async () => {
    let nowMs = Date.now()
    const backwards = await startIngest({
      database,
      clock: {
        nowMs: () => {
          nowMs -= 5_000
          return nowMs
        },
      },
    })
    const machine = await registerMachine(database)
    for (const { bytes } of sealChain(machine, 4)) {
      await backwards.pipeline.envelope(machine.machineId, bytes)
    }
    const rows = await readStream(database.pool, {
      machineId: machine.machineId,
      stream: 'level',
      afterIndex: -1n,
      limit: 10,
    })
    const times = rows.map(({ loggedAt }) => loggedAt)
    expect(times).toEqual(times.toSorted((a, b) => a - b))
    await backwards.stop()
  })

  test('a log that is opened again goes on where it was', async () => {
    await logEnvelopes(5)
    const before = await ingest.evidence.head()
    await ingest.stop()
    ingest = await startIngest({ database, outbox: ledger })
    expect(await ingest.evidence.head()).toEqual(before)
    await logEnvelopes(4)
    const after = await ingest.evidence.head()
    expect(after.size).toBe('9')
    const proof = await ingest.evidence.consistencyProof(5n, 9n)
    expect(
      verifyConsistency({ size1: 5n, root1: before.root, size2: 9n, root2: after.root, proof }),
    ).toBe(true)
  })
})

describe('anchors', () => {
  test('INV-22 each anchored root is consistent with the one before; nothing new is not anchored again', async () => {
    await ingest.evidence.anchorNow()
    expect(anchored).toEqual([])
    for (const count of [3, 2, 6]) {
      await logEnvelopes(count)
      await ingest.evidence.anchorNow()
      await ingest.evidence.anchorNow()
    }
    expect(anchored.map(({ size }) => size)).toEqual([3n, 5n, 11n])
    expect(anchored[0]?.proof).toEqual([])
    for (const [index, second] of anchored.entries()) {
      const first = anchored[index - 1]
      if (first === undefined) continue
      expect(
        verifyConsistency({
          size1: first.size,
          root1: first.root,
          size2: second.size,
          root2: second.root,
          proof: second.proof,
        }),
      ).toBe(true)
    }
  })

  test('the head is signed by the log, and names the newest anchor that the ledger has', async () => {
    await logEnvelopes(2)
    expect((await ingest.evidence.head()).anchored).toBeNull()
    const root = await ingest.evidence.rootAt(2n)
    await anchorOnLedger(2n, root)
    await logEnvelopes(1)
    const head = await ingest.evidence.head()
    expect(head).toMatchObject({ size: '3', anchored: { size: '2', root } })
    const checkpoint = {
      chainId: CHAIN_ID,
      anchor: ANCHOR,
      size: 3n,
      root: head.root,
      timestamp: head.timestamp,
    }
    expect(verifyCheckpoint(checkpoint, head.signature, LOG_ACCOUNT.address)).toBe(true)
  })

  test('one size is signed again when time matters; two statements of it have one root', async () => {
    await logEnvelopes(3)
    const kept = await ingest.evidence.head()
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(await ingest.evidence.head()).toEqual(kept)
    const { anchored: _, ...first } = kept
    const now = await ingest.evidence.headNow()
    expect(now).toMatchObject({ size: first.size, root: first.root })
    expect(now.timestamp).toBeGreaterThan(first.timestamp)
    const { size, root, timestamp } = now
    const stated = { chainId: CHAIN_ID, anchor: ANCHOR, size: BigInt(size), root, timestamp }
    expect(verifyCheckpoint(stated, now.signature, LOG_ACCOUNT.address)).toBe(true)
    const again = await open()
    expect(await again.head()).toMatchObject(now)
    await again.close()
  })

  test('a head that is signed now waits for an anchor under way, and nothing logged later is older', async () => {
    await logEnvelopes(1)
    const steps: string[] = []
    const included = Promise.withResolvers<{ status: string }>()
    const slow = await openEvidence({
      database,
      clock: systemClock,
      chainId: CHAIN_ID,
      evidenceAnchor: ANCHOR,
      logAccount: LOG_ACCOUNT,
      outbox: { submit: async () => undefined, whenIncluded: () => included.promise },
      anchorIntervalMs: 3_600_000,
      logger: silent,
    })
    const anchoring = slow.anchorNow().then(() => steps.push('anchored'))
    const signing = slow.headNow().then((head) => {
      steps.push('signed')
      return head
    })
    await new Promise((resolve) => setTimeout(resolve, 100))
    included.resolve({ status: 'included' })
    await anchoring
    const head = await signing
    expect(steps).toEqual(['anchored', 'signed'])
    const machineId = await logEnvelopes(1)
    const query = { machineId, stream: 'level', afterIndex: -1n, limit: 1 }
    const [row] = await readStream(database.pool, query)
    expect(row?.loggedAt).toBeGreaterThanOrEqual(head.timestamp)
    await slow.close()
  })

  test('a reverted anchor is reported, and tried again from what the ledger has', async () => {
    await logEnvelopes(2)
    status = 'reverted'
    await expect(ingest.evidence.anchorNow()).rejects.toMatchObject({ code: 'ANCHOR_REVERTED' })
    await anchorOnLedger(1n, await ingest.evidence.rootAt(1n))
    status = 'included'
    await ingest.evidence.anchorNow()
    const [, second] = anchored
    expect(second?.proof).toEqual(await ingest.evidence.consistencyProof(1n, 2n))
    expect(ingest.evidence.halted()).toBeUndefined()
  })
})

describe('INV-22 what does not re-compute halts the log', () => {
  const forged = `0x${'66'.repeat(32)}` as const

  test('another root on the ledger for one size: nothing is logged any more', async () => {
    const machineId = await logEnvelopes(3)
    await anchorOnLedger(2n, forged)
    await expect(ingest.evidence.anchorNow()).rejects.toMatchObject({ code: 'LOG_HALTED' })
    expect(ingest.evidence.halted()).toContain('two roots for size 2')
    const machine = await registerMachine(database)
    const pending = ingest.pipeline.envelope(
      machine.machineId,
      sealChain(machine, 1)[0]?.bytes ?? new Uint8Array(),
    )
    const outcome = await Promise.race([
      pending.then(() => 'acknowledged'),
      new Promise((resolve) => setTimeout(() => resolve('pending'), 500)),
    ])
    expect(outcome).toBe('pending')
    await expect(ingest.evidence.head()).rejects.toMatchObject({ code: 'LOG_HALTED' })
    await expect(open()).rejects.toMatchObject({ code: 'LOG_HALTED' })
    expect(machineId).toBeGreaterThan(0n)
  })

  test('a size that its key has signed and it has not reached: its end is lost, in every process', async () => {
    await logEnvelopes(3)
    const other = await open()
    const statement = { form: 'cose' as const, signed: '' }
    const { evidence } = ingest
    const root = await evidence.rootAt(3n)
    expect(await evidence.contradicts({ size: 3n, root, statement })).toBeUndefined()
    expect(await evidence.contradicts({ size: 4n, root: forged, statement })).toMatchObject({
      kind: 'ahead',
      own: { size: '3', root },
    })
    expect(evidence.halted()).toContain('has signed 4 leaves, and it has 3')
    await expect(evidence.signedRoot(2n)).rejects.toMatchObject({ code: 'LOG_HALTED' })
    // One that was open already is told by the database, before it appends or signs.
    expect(other.halted()).toBeUndefined()
    await expect(
      database.transaction((transaction) => other.lockHead(transaction)),
    ).rejects.toMatchObject({ code: 'LOG_HALTED' })
    await other.close()
    const again = await open()
    expect(again.halted()).toContain('has signed 4 leaves')
    await again.close()
  })

  test('a checkpoint signed over another root', async () => {
    await logEnvelopes(3)
    await ingest.evidence.head()
    await database.pool.query('UPDATE checkpoints SET root = $1', [Buffer.alloc(32, 6)])
    await expect(open()).rejects.toMatchObject({ code: 'LOG_HALTED' })
  })

  const damages: Record<string, string> = {
    'a leaf was changed': "UPDATE log_nodes SET hash = '\\x00' WHERE level = 0 AND idx = 6",
    'an inner node was changed': "UPDATE log_nodes SET hash = '\\x00' WHERE level = 2 AND idx = 0",
    'a node is missing': 'DELETE FROM log_nodes WHERE level = 1 AND idx = 2',
    'the last envelope was changed': "UPDATE envelopes SET code = 'CLOCK_SKEW' WHERE log_index = 6",
    'the last envelope is missing': 'DELETE FROM envelopes WHERE log_index = 6',
  }
  for (const [name, sql] of Object.entries(damages)) {
    test(`${name}: found at the start`, async () => {
      await logEnvelopes(7)
      await ingest.evidence.head()
      await open().then((evidence) => evidence.close())
      await database.pool.query(sql)
      await expect(open()).rejects.toMatchObject({ code: 'LOG_HALTED' })
    })
  }
})
