import { appendFileSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hex, ZERO_DIGEST } from '@liquefy/protocol'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSpool, type Spool, type SpoolEntry, type SpoolLimits } from '../src/spool.ts'
import { scratchFolder } from './folder.ts'

const limits: SpoolLimits = { maxBytes: 1_000_000, segmentBytes: 2_000, historyBytes: 4_000 }

let counter = 0
/** Stands for a signature: each call gives other bytes, even for the same content. */
function envelope(): { bytes: Uint8Array; digest: Hex } {
  counter += 1
  const digest: Hex = `0x${counter.toString(16).padStart(64, '0')}`
  return { bytes: new Uint8Array(100).fill(counter % 251), digest }
}

const open = (folder: string, change: Partial<SpoolLimits> = {}): Spool =>
  openSpool(folder, { ...limits, ...change }, () => {})

const seqOf = ({ seq, digest }: SpoolEntry) => ({ seq, digest })

test('what was appended is there again after opening, in order, with its head', async () => {
  const folder = scratchFolder()
  const spool = open(folder)
  const entries = await Promise.all(
    Array.from({ length: 40 }, (_, index) => spool.append(`7/${index % 2 ? 'a' : 'b'}`, envelope)),
  )
  const bytes = entries.map((entry) => spool.read(entry))
  await spool.close()
  const again = open(folder)
  expect([...again.pending()].map(seqOf)).toEqual(entries.map(seqOf))
  expect([...again.pending()].map((entry) => again.read(entry))).toEqual(bytes)
  expect(again.head('7/a')).toEqual(seqOf(entries[39] as SpoolEntry))
  expect(again.head('7/never')).toEqual({ seq: 0n, digest: ZERO_DIGEST })
  await again.close()
})

test('seq rises by one in each chain, is never used twice, and nothing is lost, whatever happens in between', async () => {
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('append' as const),
        chain: fc.constantFrom('7/a', '7/b'),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('receipt' as const), which: fc.nat(20) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('restart' as const), torn: fc.nat(60) }),
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 120 }), async (steps) => {
      const folder = scratchFolder()
      let spool = open(folder, { segmentBytes: 600, historyBytes: 700 })
      const heads = new Map<string, { seq: bigint; digest: Hex }>()
      const waiting = new Map<Hex, SpoolEntry>()
      for (const step of steps) {
        if (step.kind === 'append') {
          const entry = await spool.append(step.chain, (head) => {
            expect(head).toEqual(heads.get(step.chain) ?? { seq: 0n, digest: ZERO_DIGEST })
            return envelope()
          })
          expect(entry.seq).toBe((heads.get(step.chain)?.seq ?? 0n) + 1n)
          heads.set(step.chain, seqOf(entry))
          waiting.set(entry.digest, entry)
        } else if (step.kind === 'receipt') {
          const digest = [...waiting.keys()][step.which]
          if (!digest) continue
          expect(spool.receipt(digest, { loggedAt: 5, code: 'OK' })?.digest).toBe(digest)
          expect(spool.receipt(digest, { loggedAt: 6, code: 'OK' })).toBeUndefined()
          waiting.delete(digest)
        } else {
          await spool.close()
          const newest = readdirSync(join(folder, 'spool')).sort().at(-1) ?? ''
          appendFileSync(join(folder, 'spool', newest), new Uint8Array(step.torn).fill(7))
          spool = open(folder, { segmentBytes: 600, historyBytes: 700 })
          expect(spool.cutBytes).toBe(step.torn)
        }
        expect([...spool.pending()].map(seqOf)).toEqual([...waiting.values()].map(seqOf))
        for (const chain of ['7/a', '7/b']) {
          const seqs = spool.kept(chain).map(({ seq }) => seq)
          expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0n) + BigInt(index)))
        }
      }
      await spool.close()
    }),
    { numRuns: 25 },
  )
})

test('a record cut short at any byte costs only itself', async () => {
  const folder = scratchFolder()
  const spool = open(folder)
  await spool.append('7/a', envelope)
  const kept = await spool.append('7/a', envelope)
  const file = join(folder, 'spool', '0000000001.spool')
  const whole = readFileSync(file).length
  await spool.append('7/a', envelope)
  await spool.close()
  const full = readFileSync(file)
  for (let cut = full.length - 1; cut >= whole; cut -= 1) {
    writeFileSync(file, full)
    truncateSync(file, cut)
    const again = open(folder)
    expect(again.head('7/a')).toEqual(seqOf(kept))
    expect(again.cutBytes).toBe(cut - whole)
    await again.close()
  }
})

test('damage behind which other segments stand stops the machine', async () => {
  const folder = scratchFolder()
  const spool = open(folder)
  for (let index = 0; index < 40; index += 1) await spool.append('7/a', envelope)
  await spool.close()
  const [first = ''] = readdirSync(join(folder, 'spool')).sort()
  const path = join(folder, 'spool', first)
  const bytes = readFileSync(path)
  bytes[500] = (bytes[500] ?? 0) ^ 1
  writeFileSync(path, bytes)
  expect(() => open(folder)).toThrow(expect.objectContaining({ code: 'SPOOL_CORRUPT' }))
})

test('SPOOL_FULL refuses, loses nothing, and ends with receipts', async () => {
  const folder = scratchFolder()
  const spool = open(folder, { maxBytes: 6_000, segmentBytes: 1_500 })
  const kept: SpoolEntry[] = []
  const full = (async () => {
    for (;;) kept.push(await spool.append('7/a', envelope))
  })()
  await expect(full).rejects.toMatchObject({ code: 'SPOOL_FULL' })
  expect(kept.length).toBeGreaterThan(20)
  expect([...spool.pending()]).toHaveLength(kept.length)
  for (const { digest } of kept) spool.receipt(digest, { loggedAt: 1, code: 'OK' })
  const next = await spool.append('7/a', envelope)
  expect(next.seq).toBe(BigInt(kept.length) + 1n)
  await spool.close()
})

test('receipted segments are dropped beyond the history, after their owner was told', async () => {
  const folder = scratchFolder()
  const dropped: bigint[] = []
  const spool = openSpool(folder, limits, (entries) => {
    for (const { seq } of entries) dropped.push(seq)
  })
  for (let index = 0; index < 200; index += 1) {
    const { digest } = await spool.append('7/a', envelope)
    spool.receipt(digest, { loggedAt: 1, code: 'OK' })
  }
  expect(dropped).toEqual(dropped.map((_, index) => BigInt(index) + 1n))
  expect(dropped.length).toBeGreaterThan(100)
  expect(spool.kept('7/a')[0]?.seq).toBe(BigInt(dropped.length) + 1n)
  const head = spool.head('7/a')
  await spool.close()
  const again = open(folder)
  expect(again.head('7/a')).toEqual(head)
  expect(again.pendingCount()).toBe(0)
  await again.close()
})

test('an envelope that cannot be built takes no seq and hurts no other', async () => {
  const spool = open(scratchFolder())
  const bad = spool.append('7/a', () => {
    throw new Error('no such unit')
  })
  const good = spool.append('7/a', envelope)
  await expect(bad).rejects.toThrow('no such unit')
  expect((await good).seq).toBe(1n)
  await spool.close()
})
