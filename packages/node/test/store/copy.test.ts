import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { copyRows, TupleWriter } from '../../src/store/copy.ts'
import type { Database } from '../../src/store/database.ts'
import { tempDatabase } from '../ingest-fixture.ts'

let database: Database
beforeAll(async () => {
  database = await tempDatabase()
})
afterAll(() => database.close())

const row = fc.record({
  small: fc.integer({ min: -(2 ** 15), max: 2 ** 15 - 1 }),
  middle: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
  big: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  number: fc.oneof(
    fc.constantFrom(0n, 1n, 9_999n, 10_000n, 10_001n, 100_000_000n, 2n ** 256n - 1n),
    fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }),
  ),
  words: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  bytes: fc.uint8Array({ maxLength: 2_000 }),
  hash: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  flag: fc.boolean(),
})

test('what is written in binary is what the server reads, in the order written', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(row, { maxLength: 20 }), async (rows) => {
      // Smaller than one row: it has to grow.
      const writer = new TupleWriter(8)
      for (const one of rows) {
        writer.tuple(8)
        writer.int2(one.small)
        writer.int4(one.middle)
        writer.int8(one.big)
        writer.numeric(one.number)
        writer.text(one.words)
        writer.bytea(one.bytes)
        writer.hex(`0x${Buffer.from(one.hash).toString('hex')}`)
        writer.bool(one.flag)
      }
      const stored = await database.transaction(async (connection) => {
        await connection.query(
          'CREATE TEMP TABLE copied (at serial, small int2, middle int4, big int8, number numeric(78,0), words text, bytes bytea, hash bytea, flag bool) ON COMMIT DROP',
        )
        await copyRows(
          connection,
          'copied (small, middle, big, number, words, bytes, hash, flag)',
          writer.written(),
        )
        return connection.query('SELECT * FROM copied ORDER BY at')
      })
      expect(stored.rows.map(({ at: _, ...one }) => one)).toEqual(
        rows.map((one) => ({
          ...one,
          bytes: Buffer.from(one.bytes),
          hash: Buffer.from(one.hash),
        })),
      )
    }),
    { numRuns: 100 },
  )
})

test('a row that the table refuses leaves the connection usable', async () => {
  const writer = new TupleWriter(64)
  writer.tuple(1)
  writer.text('not a number')
  const failed = database.transaction((connection) =>
    copyRows(connection, 'log_nodes (idx)', writer.written()),
  )
  await expect(failed).rejects.toThrow()
  expect((await database.pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
})
