import { randomBytes } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { afterAll, expect, test, vi } from 'vitest'
import { type Examination, examineFrames } from '../../src/trust/examine.ts'
import { createExaminer } from '../../src/trust/examiner.ts'
import { newKey, seal } from '../ingest-fixture.ts'

const FEW = 16
const machines = Array.from({ length: 4 }, (_, index) => ({
  machineId: BigInt(index + 1),
  key: newKey(index % 2 === 0 ? 'P-256' : 'secp256k1'),
}))
const keys = machines.slice(0, 3).map(({ key }) => key.publicKey)
const examiner = createExaminer({ workers: 2 })
afterAll(() => examiner.close())

const frame = fc
  .record({
    machine: fc.constantFrom(...machines),
    values: fc.array(fc.bigInt({ min: 0n, max: 2n ** 62n }), { minLength: 1, maxLength: 5 }),
    change: fc.constantFrom('none', 'flip', 'cut', 'noise'),
    at: fc.nat(),
  })
  .map(({ machine, values, change, at }) => {
    if (change === 'noise') return Uint8Array.from(randomBytes(at % 200))
    const bytes = Uint8Array.from(seal(machine, { values }).bytes)
    if (change === 'cut') return bytes.subarray(0, at % bytes.length)
    const index = at % bytes.length
    if (change === 'flip') bytes[index] = (bytes[index] ?? 0) ^ 1
    return bytes
  })

/** What was found frame by frame, with the columns' bytes in place of where they stand. */
function foundIn(examinations: readonly Examination[]) {
  return examinations.flatMap(({ examined, bytes }) =>
    examined.map((one) =>
      one.ok
        ? {
            ...one,
            span: Buffer.from(bytes.subarray(one.span.start, one.span.end)).toString('hex'),
          }
        : one,
    ),
  )
}

test('workers find what one thread finds, in the same order', async () => {
  const seen = new Set<unknown>()
  await fc.assert(
    fc.asyncProperty(fc.array(frame, { minLength: FEW + 1, maxLength: 80 }), async (frames) => {
      const alone = foundIn([examineFrames(frames, keys)])
      expect(foundIn(await examiner.examine(frames, keys))).toEqual(alone)
      for (const one of alone) seen.add(one.ok ? one.authentic : one.code)
    }),
    { numRuns: 30 },
  )
  // Good, badly signed, by a key that is not at hand, and no envelope at all: each was there.
  expect([...seen]).toEqual(expect.arrayContaining([true, false, undefined, 'ENVELOPE_MALFORMED']))
})

test('a worker that is lost fails its batch, and the next batch has a new one', async () => {
  const frames = Array.from(
    { length: FEW + 1 },
    (_, index) =>
      seal(machines[0] ?? { machineId: 1n, key: newKey() }, { values: [BigInt(index)] }).bytes,
  )
  const own = createExaminer({ workers: 1 })
  const started: Worker[] = []
  const post = vi.spyOn(Worker.prototype, 'postMessage').mockImplementation(function (
    this: Worker,
  ) {
    started.push(this)
  })
  const lost = own.examine(frames, keys)
  post.mockRestore()
  await started[0]?.terminate()
  await expect(lost).rejects.toMatchObject({ code: 'EXAMINER_LOST' })
  expect(foundIn(await own.examine(frames, keys))).toEqual(foundIn([examineFrames(frames, keys)]))
  await own.close()
})
