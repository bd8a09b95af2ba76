import type { Hex, MachineState } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'
import { WITH_REASON } from './machines.ts'

const NOBODY: Hex = `0x${'00'.repeat(20)}`

/**
 * What became of every logged envelope, of all machines or of one: `OK` (priced), `WAITING`, or the code for which it is
 * unpriced. One snapshot, so that the sum is the number logged (INV-16). An envelope that several agreements meter is
 * priced if one of them prices it.
 */
export async function countVerdicts(
  db: Queryable,
  machineId?: bigint,
): Promise<Record<string, number>> {
  const { rows } = await db.query(
    `WITH said AS (
       SELECT digest, bool_or(code = 'OK') AS priced, min(code) AS code FROM metered GROUP BY digest
     ), metered_streams AS (
       SELECT f.machine_id, f.stream, min(f.start_seq) AS start_seq FROM folds f
       WHERE NOT EXISTS (SELECT FROM agreement_events c WHERE c.agreement_id = f.agreement_id AND c.kind = 'closed')
       GROUP BY 1, 2
     )
     SELECT CASE
         WHEN e.code <> 'OK' THEN e.code
         WHEN s.priced THEN 'OK'
         WHEN s.code IS NOT NULL THEN s.code
         WHEN m.start_seq IS NULL THEN 'UNBILLED'
         ELSE 'WAITING' END AS verdict, count(*) AS count
     FROM envelopes e
       LEFT JOIN said s USING (digest)
       LEFT JOIN metered_streams m
         ON m.machine_id = e.machine_id AND m.stream = e.stream AND e.seq >= m.start_seq
     WHERE $1::numeric IS NULL OR e.machine_id = $1
     GROUP BY 1`,
    [machineId ?? null],
  )
  return Object.fromEntries(rows.map((row) => [row.verdict, Number(row.count)]))
}

/** What the rules said of some envelopes: the code of the first agreement that did not price it, or `OK`. */
export async function readFoldCodes(
  db: Queryable,
  digests: readonly Hex[],
): Promise<Map<Hex, string>> {
  const { rows } = await db.query(
    `SELECT digest, CASE WHEN bool_or(code = 'OK') THEN 'OK' ELSE min(code) END AS code
     FROM metered WHERE digest = ANY ($1) GROUP BY digest`,
    [digests.map(bytesOf)],
  )
  return new Map(rows.map((row) => [hexOf(row.digest), row.code]))
}

/** A machine with its figures. */
export interface MachineOverview {
  machineId: bigint
  name: string | undefined
  owner: Hex
  state: MachineState
  controller: bigint
  registeredMs: number
}

/** All machines, or one, with owner, state and name, by id. */
export async function readMachineOverview(
  db: Queryable,
  machineId?: bigint,
): Promise<MachineOverview[]> {
  const { rows } = await db.query(
    `SELECT m.machine_id, m.controller, m.registered_ms, n.name,
       (SELECT o.owner FROM machine_owners o WHERE o.machine_id = m.machine_id
         ORDER BY o.block DESC, o.log_index DESC LIMIT 1) AS owner,
       (SELECT s.state FROM machine_states s WHERE s.machine_id = m.machine_id
         ORDER BY s.block DESC, s.log_index DESC LIMIT 1) AS state
     FROM machines m LEFT JOIN machine_names n USING (machine_id)
     WHERE $1::numeric IS NULL OR m.machine_id = $1 ORDER BY m.machine_id`,
    [machineId ?? null],
  )
  return rows.map((row) => ({
    machineId: BigInt(row.machine_id),
    name: row.name ?? undefined,
    owner: row.owner ? hexOf(row.owner) : NOBODY,
    state: row.state ?? 'registered',
    controller: BigInt(row.controller),
    registeredMs: Number(row.registered_ms),
  }))
}

/** Ids of machines, a page at a time, in ascending order. */
export async function readMachineIds(
  db: Queryable,
  { offset, limit }: { offset: number; limit: number },
): Promise<bigint[]> {
  const { rows } = await db.query(
    'SELECT machine_id FROM machines ORDER BY machine_id OFFSET $1 LIMIT $2',
    [offset, limit],
  )
  return rows.map((row) => BigInt(row.machine_id))
}

/** A change of a machine on the ledger, newest first. */
export interface LedgerChange {
  kind: 'state' | 'key' | 'owner'
  atMs: number
  /** The state, `KEY_CHANGED` or `KEY_REVOKED`, or the new owner. */
  what: string
  /** Who had the machine then. */
  owner: Hex
  /** Of a suspension: why, if its owner said. */
  reason: string | null
}

const STATE_CHANGES = `SELECT 'state' AS kind, s.at_ms, s.state AS what, s.block, s.log_index, r.reason
  FROM machine_states s ${WITH_REASON} WHERE s.machine_id = $1`

const ALL_CHANGES = `${STATE_CHANGES}
  UNION ALL SELECT 'key', at_ms, CASE WHEN key_id IS NULL THEN 'KEY_REVOKED' ELSE 'KEY_CHANGED' END, block, log_index, NULL
    FROM machine_keys WHERE machine_id = $1
  UNION ALL SELECT 'owner', at_ms, '0x' || encode(owner, 'hex'), block, log_index, NULL
    FROM machine_owners WHERE machine_id = $1`

/** A machine's newest changes of state, key and owner. */
export function readLedgerChanges(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<LedgerChange[]> {
  return newestOf(db, ALL_CHANGES, machineId, limit)
}

/** SQL: who owned machine `$1` when the event of a row came. */
export const ownerThen = (row: string) => `(SELECT o.owner FROM machine_owners o
  WHERE o.machine_id = $1 AND (o.block, o.log_index) <= (${row}.block, ${row}.log_index)
  ORDER BY o.block DESC, o.log_index DESC LIMIT 1)`

async function newestOf(
  db: Queryable,
  changes: string,
  machineId: bigint,
  limit: number,
): Promise<LedgerChange[]> {
  const { rows } = await db.query(
    `SELECT c.*, ${ownerThen('c')} AS owner
     FROM (${changes} ORDER BY block DESC, log_index DESC LIMIT $2) c
     ORDER BY block DESC, log_index DESC`,
    [machineId, limit],
  )
  return rows.map((row) => ({
    kind: row.kind,
    atMs: Number(row.at_ms),
    what: row.what,
    owner: row.owner ? hexOf(row.owner) : NOBODY,
    reason: row.reason,
  }))
}

/** A machine's newest change of state; undefined if the ledger has told of none. */
export async function readNewestState(
  db: Queryable,
  machineId: bigint,
): Promise<LedgerChange | undefined> {
  const [newest] = await newestOf(db, STATE_CHANGES, machineId, 1)
  return newest
}

/** When a machine's agreements were closed, newest first. */
export async function readMachineClosings(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<{ agreementId: Hex; atMs: number; txHash: Hex }[]> {
  const { rows } = await db.query(
    `SELECT e.agreement_id, e.at_ms, e.tx_hash FROM agreement_events e JOIN agreements a USING (agreement_id)
     WHERE a.machine_id = $1 AND e.kind = 'closed' ORDER BY e.block DESC, e.log_index DESC LIMIT $2`,
    [machineId, limit],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    atMs: Number(row.at_ms),
    txHash: hexOf(row.tx_hash),
  }))
}

/** Settlements of a machine's agreements that moved money, newest first. */
export async function readMachineSettlements(
  db: Queryable,
  machineId: bigint,
  limit: number,
): Promise<{ agreementId: Hex; atMs: number; paidMinor: bigint; txHash: Hex }[]> {
  const { rows } = await db.query(
    `SELECT e.agreement_id, e.at_ms, e.amount, e.tx_hash FROM agreements a CROSS JOIN LATERAL (
       SELECT * FROM agreement_events
       WHERE agreement_id = a.agreement_id AND kind IN ('settled', 'collected', 'adjusted') AND amount > 0
       ORDER BY block DESC, log_index DESC LIMIT $2
     ) e WHERE a.machine_id = $1 ORDER BY e.block DESC, e.log_index DESC LIMIT $2`,
    [machineId, limit],
  )
  return rows.map((row) => ({
    agreementId: hexOf(row.agreement_id),
    atMs: Number(row.at_ms),
    paidMinor: row.amount,
    txHash: hexOf(row.tx_hash),
  }))
}

/** Smallest units. */
export interface MachineMoney {
  owedMinor: bigint
  settledMinor: bigint
  /** Of what is settled: since the time that was asked for. */
  settledSinceMinor: bigint
}

/** What is owed and what is settled, in all and since a time (ms), by machine; of one machine if given. */
export async function readMoneyByMachine(
  db: Queryable,
  sinceMs: number,
  machineId?: bigint,
): Promise<Map<bigint, MachineMoney>> {
  const { rows } = await db.query(
    `SELECT a.machine_id, coalesce(sum(o.owed), 0) AS owed, coalesce(sum(s.settled), 0) AS settled,
       coalesce(sum(s.since), 0) AS since
     FROM agreements a
       CROSS JOIN LATERAL (SELECT sum(owed_minor) AS owed FROM owed WHERE agreement_id = a.agreement_id) o
       CROSS JOIN LATERAL (SELECT sum(amount) AS settled, sum(amount) FILTER (WHERE at_ms >= $1) AS since
         FROM agreement_events
         WHERE agreement_id = a.agreement_id AND kind IN ('settled', 'collected', 'adjusted')) s
     WHERE $2::numeric IS NULL OR a.machine_id = $2 GROUP BY a.machine_id`,
    [sinceMs, machineId ?? null],
  )
  return new Map(
    rows.map((row) => [
      BigInt(row.machine_id),
      { owedMinor: row.owed, settledMinor: row.settled, settledSinceMinor: row.since },
    ]),
  )
}

/** How many intents are in which state. */
export async function readOutboxCounts(db: Queryable): Promise<Record<string, number>> {
  const { rows } = await db.query('SELECT status, count(*) AS count FROM outbox GROUP BY status')
  return Object.fromEntries(rows.map((row) => [row.status, Number(row.count)]))
}

/** Gives a machine a name for pages; a product definition chooses it. */
export async function saveMachineName(
  db: Queryable,
  machineId: bigint,
  name: string,
): Promise<void> {
  await db.query(
    `INSERT INTO machine_names VALUES ($1, $2)
     ON CONFLICT (machine_id) DO UPDATE SET name = EXCLUDED.name`,
    [machineId, name],
  )
}

/** Names of machines that have one. */
export async function readMachineNames(db: Queryable): Promise<Map<bigint, string>> {
  const { rows } = await db.query('SELECT machine_id, name FROM machine_names')
  return new Map(rows.map((row) => [BigInt(row.machine_id), row.name]))
}

/** The current key of a machine; null if it was revoked, or the machine signs through its controller. */
export async function readCurrentKey(
  db: Queryable,
  machineId: bigint,
): Promise<{ keyId: Hex; curve: 'P-256' | 'secp256k1'; epoch: string; x: Hex; y: Hex } | null> {
  const { rows } = await db.query(
    `SELECT key_id, curve, epoch, x, y FROM machine_keys WHERE machine_id = $1
     ORDER BY block DESC, log_index DESC LIMIT 1`,
    [machineId],
  )
  const [row] = rows
  if (!row?.key_id) return null
  return {
    keyId: hexOf(row.key_id),
    curve: row.curve === 1 ? 'P-256' : 'secp256k1',
    epoch: String(row.epoch),
    x: hexOf(row.x),
    y: hexOf(row.y),
  }
}
