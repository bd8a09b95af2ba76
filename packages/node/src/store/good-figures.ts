import type { Hex } from '@liquefy/client'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** What a machine's owners, or an agreement's, were paid in a month (UTC), smallest units; what they gave back is taken off. */
export interface MonthIncome {
  of: string
  /** "2026-11". */
  month: string
  minor: bigint
}

const PAID = `e.kind IN ('settled', 'collected', 'adjusted', 'refunded')`
const SIGNED = `CASE WHEN e.kind = 'refunded' THEN -e.amount ELSE e.amount END`
const MONTH = `to_char(to_timestamp(e.at_ms / 1000) AT TIME ZONE 'UTC', 'YYYY-MM')`
/** What is paid to whoever has owned the machine is its income; what its owners paid with it is not. */
const EARNS = 'a.payee IN (SELECT o.owner FROM machine_owners o WHERE o.machine_id = a.machine_id)'

/** Income of machines by month since a time, keyed by the machine's id. */
export async function readMachineIncome(
  db: Queryable,
  { machineIds, asset, sinceMs }: { machineIds: readonly bigint[]; asset: Hex; sinceMs: number },
): Promise<MonthIncome[]> {
  const { rows } = await db.query(
    `SELECT a.machine_id::text AS of, ${MONTH} AS month, sum(${SIGNED}) AS minor
     FROM agreements a JOIN agreement_events e USING (agreement_id)
     WHERE a.machine_id = ANY ($1::numeric[]) AND a.asset = $2 AND e.at_ms >= $3 AND ${PAID} AND ${EARNS}
     GROUP BY 1, 2`,
    [machineIds, bytesOf(asset), sinceMs],
  )
  return rows.map(({ of, month, minor }) => ({ of, month, minor }))
}

/** Income of agreements by month since a time, keyed by their ids. */
export async function readAgreementIncome(
  db: Queryable,
  { agreementIds, sinceMs }: { agreementIds: readonly Hex[]; sinceMs: number },
): Promise<MonthIncome[]> {
  const { rows } = await db.query(
    `SELECT '0x' || encode(e.agreement_id, 'hex') AS of, ${MONTH} AS month, sum(${SIGNED}) AS minor
     FROM agreement_events e
     WHERE e.agreement_id = ANY ($1) AND e.at_ms >= $2 AND ${PAID} GROUP BY 1, 2`,
    [agreementIds.map(bytesOf), sinceMs],
  )
  return rows.map(({ of, month, minor }) => ({ of, month, minor }))
}

/** Who pays for machines, and when the first of their agreements began. */
export interface MachineTrade {
  payers: Hex[]
  sinceMs: number
}

/** Of machines that ever earned something by an agreement. */
export async function readMachineTrade(
  db: Queryable,
  machineIds: readonly bigint[],
  asset: Hex,
): Promise<Map<bigint, MachineTrade>> {
  const { rows } = await db.query(
    `SELECT a.machine_id, array_agg(DISTINCT a.payer) AS payers, min(a.opened_ms) AS since_ms FROM agreements a
     WHERE a.machine_id = ANY ($1::numeric[]) AND a.asset = $2 AND ${EARNS} GROUP BY 1`,
    [machineIds, bytesOf(asset)],
  )
  return new Map(
    rows.map((row): [bigint, MachineTrade] => [
      BigInt(row.machine_id),
      { payers: row.payers.map(hexOf), sinceMs: Number(row.since_ms) },
    ]),
  )
}

/** In how many hours since a time each machine measured something. */
export async function readMeasuredHours(
  db: Queryable,
  machineIds: readonly bigint[],
  sinceMs: number,
): Promise<Map<bigint, number>> {
  const { rows } = await db.query(
    `SELECT machine_id, count(DISTINCT hour_ms) AS hours FROM hour_rollups
     WHERE machine_id = ANY ($1::numeric[]) AND hour_ms >= $2 GROUP BY 1`,
    [machineIds, sinceMs],
  )
  return new Map(rows.map((row) => [BigInt(row.machine_id), Number(row.hours)]))
}
