import type { Hex } from '@liquefy/protocol'
import type { AgreementHappening, LedgerEvent } from '../chain/events.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import { recordIncome } from './vault-income.ts'
import { saveVaultEvent } from './vaults.ts'

/** A block as the node has it. */
export interface BlockRow {
  number: number
  hash: Hex
  timeMs: number
  hasEvents: boolean
}

/** Known blocks at or below `number`, the highest first. */
export async function readBlocksDown(
  db: Queryable,
  number: number,
  limit: number,
): Promise<BlockRow[]> {
  const { rows } = await db.query(
    'SELECT * FROM blocks WHERE number <= $1 ORDER BY number DESC LIMIT $2',
    [number, limit],
  )
  return rows.map((row) => ({
    number: Number(row.number),
    hash: hexOf(row.hash),
    timeMs: Number(row.time_ms),
    hasEvents: row.has_events,
  }))
}

/** Time of the newest known block; 0 before the first. */
export async function readNewestBlockMs(db: Queryable): Promise<number> {
  const { rows } = await db.query('SELECT time_ms FROM blocks ORDER BY number DESC LIMIT 1')
  return Number(rows[0]?.time_ms ?? 0)
}

/** Machines and agreements that a part of the ledger speaks of. */
export interface Touched {
  machineIds: bigint[]
  agreementIds: Hex[]
}

/**
 * Forgets every block above `number` with all that came from it, and says whom that touched. Outbox entries that
 * were included there count as sent again.
 */
export async function forgetAbove(db: Queryable, number: number, nowMs: number): Promise<Touched> {
  const machines = await db.query(
    `SELECT machine_id FROM machines WHERE block > $1
     UNION SELECT machine_id FROM machine_owners WHERE block > $1
     UNION SELECT machine_id FROM machine_states WHERE block > $1
     UNION SELECT machine_id FROM machine_keys WHERE block > $1`,
    [number],
  )
  const agreements = await db.query(
    `SELECT agreement_id FROM agreements WHERE block > $1
     UNION SELECT agreement_id FROM agreement_events WHERE block > $1`,
    [number],
  )
  await db.query(
    `UPDATE outbox SET status = 'sent', block = NULL, error = NULL, updated_ms = $2
     WHERE block > $1 AND status IN ('included', 'final', 'reverted')`,
    [number, nowMs],
  )
  await db.query('DELETE FROM blocks WHERE number > $1', [number])
  return {
    machineIds: machines.rows.map((row) => row.machine_id),
    agreementIds: agreements.rows.map((row) => hexOf(row.agreement_id)),
  }
}

/** Stores blocks and their events. Blocks that are known already stay. */
export async function saveBlocks(
  db: Queryable,
  blocks: readonly BlockRow[],
  events: readonly LedgerEvent[],
): Promise<void> {
  for (const { number, hash, timeMs, hasEvents } of blocks) {
    await db.query('INSERT INTO blocks VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING', [
      number,
      bytesOf(hash),
      timeMs,
      hasEvents,
    ])
  }
  for (const ofBlock of Map.groupBy(events, ({ block }) => block).values()) {
    for (const event of ofBlock) await saveEvent(db, event)
    await recordIncome(
      db,
      ofBlock.filter((event) => event.kind === 'vault'),
    )
  }
}

/** Drops the marks of empty blocks below `number`, which no reorganisation will ask for. */
export async function dropEmptyBlocksBelow(db: Queryable, number: number): Promise<void> {
  await db.query('DELETE FROM blocks WHERE number < $1 AND NOT has_events', [number])
}

async function saveEvent(db: Queryable, event: LedgerEvent): Promise<void> {
  const { block, logIndex, txHash, atMs } = event
  switch (event.kind) {
    case 'machine':
      await db.query('INSERT INTO machines VALUES ($1, $2, $3, $4)', [
        event.machineId,
        event.controller,
        block,
        atMs,
      ])
      return
    case 'machine-owner':
      await db.query('INSERT INTO machine_owners VALUES ($1, $2, $3, $4, $5)', [
        event.machineId,
        bytesOf(event.owner),
        block,
        logIndex,
        atMs,
      ])
      return forgetWordsOfFormerOwner(db, event.machineId)
    case 'machine-state':
      await db.query('INSERT INTO machine_states VALUES ($1, $2, $3, $4, $5)', [
        event.machineId,
        event.state,
        block,
        logIndex,
        atMs,
      ])
      return
    case 'machine-suspension':
      await db.query('INSERT INTO suspension_reasons VALUES ($1, $2, $3, $4)', [
        event.machineId,
        event.reason,
        block,
        logIndex,
      ])
      return
    case 'machine-key':
      return saveKey(db, event)
    case 'agreement':
      await db.query('INSERT INTO agreements VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
        bytesOf(event.agreementId),
        event.machineId,
        bytesOf(event.payer),
        bytesOf(event.payee),
        bytesOf(event.asset),
        JSON.stringify(event.terms),
        block,
        bytesOf(txHash),
        atMs,
      ])
      return
    case 'agreement-event':
      return saveHappening(db, event)
    case 'withdrawal':
      await db.query('INSERT INTO withdrawals VALUES ($1, $2, $3, $4, $5, $6, $7)', [
        block,
        logIndex,
        bytesOf(txHash),
        bytesOf(event.account),
        bytesOf(event.asset),
        event.amount,
        atMs,
      ])
      return
    case 'anchor':
      await db.query('INSERT INTO anchors VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING', [
        bytesOf(event.log),
        event.size,
        bytesOf(event.root),
        block,
        bytesOf(txHash),
        atMs,
      ])
      return
    case 'vault':
      return saveVaultEvent(db, event)
  }
}

/** Name and place are what the owner said: where another one had the machine before, they go with him. */
async function forgetWordsOfFormerOwner(db: Queryable, machineId: bigint): Promise<void> {
  const hadAnother = '(SELECT count(DISTINCT owner) FROM machine_owners WHERE machine_id = $1) > 1'
  for (const table of ['machine_names', 'machine_places']) {
    await db.query(`DELETE FROM ${table} WHERE machine_id = $1 AND ${hadAnother}`, [machineId])
  }
}

async function saveKey(
  db: Queryable,
  event: Extract<LedgerEvent, { kind: 'machine-key' }>,
): Promise<void> {
  const { key } = event
  await db.query('INSERT INTO machine_keys VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)', [
    event.machineId,
    event.epoch,
    key ? bytesOf(key.keyId) : null,
    key?.curve ?? null,
    key ? bytesOf(key.verifier) : null,
    key ? bytesOf(key.x) : null,
    key ? bytesOf(key.y) : null,
    JSON.stringify(event.heads),
    event.block,
    event.logIndex,
    event.atMs,
  ])
}

/** The largest number that a column of type int holds. */
const MAX_INT = 2 ** 31 - 1

async function saveHappening(
  db: Queryable,
  event: LedgerEvent & AgreementHappening,
): Promise<void> {
  // Anybody may open an agreement of more periods than the column counts; no node meters it.
  const fits = event.period === undefined || event.period <= MAX_INT
  const detail = fits ? event.detail : { ...event.detail, period: String(event.period) }
  // Anybody may have nonsense skipped: what names no agreement tells nothing.
  const known =
    event.event === 'skipped' ? 'WHERE EXISTS (SELECT FROM agreements WHERE agreement_id = $4)' : ''
  await db.query(
    `INSERT INTO agreement_events
       SELECT $1::bigint, $2::int, $3::bytea, $4::bytea, $5::text, $6::int, $7::bigint, $8::numeric, $9::jsonb, $10::bigint ${known}`,
    [
      event.block,
      event.logIndex,
      bytesOf(event.txHash),
      bytesOf(event.agreementId),
      event.event,
      fits ? (event.period ?? null) : null,
      event.asOf ?? null,
      event.amount ?? null,
      JSON.stringify(detail ?? {}),
      event.atMs,
    ],
  )
}
