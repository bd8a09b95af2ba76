import { admit, decodeEnvelope, type Hex, latestReadingMs } from '@liquefy/protocol'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { FrameOutcome } from '../../src/connect/inbox.ts'
import type { Database } from '../../src/store/database.ts'
import { readStream } from '../../src/store/envelopes.ts'
import {
  type Ingest,
  registerMachine,
  seal,
  sealChain,
  startIngest,
  tempDatabase,
} from '../ingest-fixture.ts'

/** Two nodes that append to one log: each learns of the other's envelopes from the database alone. */
let database: Database
let nodes: Ingest[]
beforeAll(async () => {
  database = await tempDatabase()
  nodes = [await startIngest({ database }), await startIngest({ database })]
})
afterAll(async () => {
  for (const node of nodes) await node.stop()
  await database.close()
})

const LENGTH = 8
/** Which envelope comes next, in which form, at which node, and whether it waits for those before it. */
const step = fc.record({
  seq: fc.integer({ min: 1, max: LENGTH }),
  form: fc.constantFrom('own', 'own', 'own', 'twin', 'broken'),
  node: fc.constantFrom(0, 1),
  waits: fc.boolean(),
})

test('INV-14 INV-19 any order, at two nodes: the codes are those of the log read from its start', async () => {
  const seen = new Set<string>()
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 30 }), async (steps) => {
      const machine = await registerMachine(database)
      const chain = sealChain(machine, LENGTH)
      const bytesOf = ({ seq, form }: (typeof steps)[number]) => {
        const own = chain[seq - 1]?.bytes ?? new Uint8Array()
        if (form === 'own') return own
        const prev = chain[seq - 2]?.digest
        if (form === 'twin' || prev === undefined) {
          return seal(machine, { seq: BigInt(seq), ...(prev && { prev }), values: [999n] }).bytes
        }
        const wrong: Hex = `0x${'ab'.repeat(32)}`
        return seal(machine, { seq: BigInt(seq), prev: wrong, values: [BigInt(seq)] }).bytes
      }
      const outcomes: Promise<FrameOutcome>[] = []
      for (const one of steps) {
        const outcome = nodes[one.node]?.pipeline.envelope(machine.machineId, bytesOf(one))
        if (outcome) outcomes.push(outcome)
        if (one.waits) await Promise.all(outcomes)
      }
      const kinds = (await Promise.all(outcomes)).map(({ kind }) => kind)
      const query = { machineId: machine.machineId, stream: 'level', afterIndex: -1n, limit: 100 }
      const logged = await readStream(database.pool, query)

      // Each once, and every repetition is answered as one.
      expect(new Set(logged.map(({ digest }) => digest)).size).toBe(logged.length)
      expect(kinds.filter((kind) => kind === 'logged')).toHaveLength(logged.length)
      expect(kinds.filter((kind) => kind === 'refused')).toEqual([])

      const first = new Map<bigint, { digest: Hex; prev: Hex }>()
      for (const row of logged) {
        const decoded = decodeEnvelope(row.raw ?? new Uint8Array())
        if (!decoded.ok) throw new Error(decoded.message)
        const { envelope } = decoded
        const code = admit({
          envelope,
          latestMs: latestReadingMs(envelope.content),
          loggedAt: row.loggedAt,
          active: true,
          sameSeqDigest: first.get(row.seq)?.digest,
          previousDigest: first.get(row.seq - 1n)?.digest,
          nextPrev: first.get(row.seq + 1n)?.prev,
        })
        expect(row.code).toBe(code)
        seen.add(code)
        if (!first.has(row.seq)) first.set(row.seq, envelope)
      }
    }),
    { numRuns: 60 },
  )
  expect([...seen].sort()).toEqual(['CHAIN_BROKEN', 'EQUIVOCATION', 'OK'])
})
