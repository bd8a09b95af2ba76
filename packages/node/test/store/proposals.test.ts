import type { Hex } from '@liquefy/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { readProposalsOf } from '../../src/store/proposals.ts'
import { freshDatabase, silent, tempDatabase } from '../ingest-fixture.ts'

let database: Database

beforeAll(async () => {
  database = await tempDatabase()
})
afterAll(() => database.close())

test('proposals of before are listed with payer and machine after the migration', async () => {
  const older = await freshDatabase(database)
  const { pool } = older
  await pool.query('ALTER TABLE proposals DROP payer, DROP machine_id, DROP tariff_words')
  await pool.query('DROP INDEX proposals_by_end, agreements_by_payer, agreements_by_payee')
  const [payer, payee]: Hex[] = [`0x${'0a'.repeat(20)}`, `0x${'0b'.repeat(20)}`]
  await pool.query(
    `INSERT INTO proposals (proposal_id, proposer, counterparty, terms, rules, signature, fund_minor, message, created_ms, open_by_ms)
     VALUES ('\\x01', decode($2, 'hex'), decode($3, 'hex'), $1, '[]', '\\x', 0, '', 1, 3)`,
    [
      JSON.stringify({ payer: payer?.toUpperCase().replace('0X', '0x'), payee, machineId: '7' }),
      payee?.slice(2),
      payer?.slice(2),
    ],
  )
  await pool.query("DELETE FROM schema_migrations WHERE name = '0019_proposal_summaries.sql'")
  await older.close()
  const upgraded = await openDatabase({ dataDir: '', databaseUrl: older.url, logger: silent })
  const listed = await readProposalsOf(upgraded.pool, payer as Hex, { limit: 5, nowMs: 2 })
  expect(listed).toMatchObject([
    { proposer: payee, payer, machineId: 7n, tariffWords: 'price in the proposal' },
  ])
  await upgraded.close()
})
