import { bitsFromHex, bitsToHex, type HeldRight, type Hex } from '@liquefy/protocol'
import type { RightsHappening } from '../chain/rights-events.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** Where on the ledger an event stands. */
interface Place {
  block: number
  logIndex: number
  txHash: Hex
  atMs: number
}

const NOBODY = `0x${'00'.repeat(20)}`
const bitsBytes = (bits: bigint) => bytesOf(bitsToHex(bits))
const bitsOf = (bytes: Buffer) => bitsFromHex(hexOf(bytes)) ?? 0n

/** Keeps what happened to the hours of a machine. */
export async function saveRightsHappening(
  db: Queryable,
  event: RightsHappening,
  { block, logIndex, txHash, atMs }: Place,
): Promise<void> {
  switch (event.what) {
    case 'zone':
      await db.query('INSERT INTO calendar_zones VALUES ($1, $2, $3, $4)', [
        event.machineId,
        event.zone,
        block,
        logIndex,
      ])
      return
    case 'offer':
      await db.query('INSERT INTO hour_offers VALUES ($1, $2, $3, $4, $5, $6, $7)', [
        event.machineId,
        bytesOf(event.asset),
        event.pricePerHour,
        bitsBytes(event.openBits),
        event.untilWeek,
        block,
        logIndex,
      ])
      return
    case 'issued':
      await db.query('INSERT INTO usage_rights VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
        event.rightId,
        event.machineId,
        event.firstWeek,
        event.weeksCount,
        event.hoursPerWeek,
        bitsBytes(event.bits),
        block,
        bytesOf(txHash),
        atMs,
      ])
      return
    case 'owner':
      await db.query('INSERT INTO right_owners VALUES ($1, $2, $3, $4)', [
        event.rightId,
        bytesOf(event.owner),
        block,
        logIndex,
      ])
      return
    case 'user':
      await db.query('INSERT INTO right_users VALUES ($1, $2, $3, $4, $5)', [
        event.rightId,
        bytesOf(event.user),
        event.expires,
        block,
        logIndex,
      ])
      return
    case 'hours':
      await db.query('INSERT INTO right_hours VALUES ($1, $2, $3, $4, $5, $6)', [
        event.rightId,
        event.week,
        bitsBytes(event.bits),
        event.kind,
        block,
        logIndex,
      ])
      return
    case 'sold':
      await db.query('INSERT INTO right_sales VALUES ($1, $2, $3, $4, $5, $6)', [
        event.rightId,
        bytesOf(event.buyer),
        bytesOf(event.seller),
        bytesOf(event.asset),
        event.amount,
        block,
      ])
  }
}

/** The time zone of a machine's calendar; undefined if it has none. */
export async function readZone(db: Queryable, machineId: bigint): Promise<string | undefined> {
  const { rows } = await db.query(
    'SELECT zone FROM calendar_zones WHERE machine_id = $1 ORDER BY block DESC, log_index DESC LIMIT 1',
    [machineId],
  )
  return rows[0]?.zone
}

/** What is on sale of a machine's hours. */
export interface OfferRow {
  asset: Hex
  pricePerHour: bigint
  openBits: bigint
  untilWeek: number
}

/** Undefined if nothing is on sale, also after the machine has changed hands. */
export async function readHourOffer(
  db: Queryable,
  machineId: bigint,
): Promise<OfferRow | undefined> {
  const { rows } = await db.query(
    `SELECT o.* FROM hour_offers o WHERE o.machine_id = $1
       AND NOT EXISTS (SELECT FROM machine_owners m WHERE m.machine_id = $1 AND (m.block, m.log_index) > (o.block, o.log_index))
     ORDER BY o.block DESC, o.log_index DESC LIMIT 1`,
    [machineId],
  )
  const [row] = rows
  if (!row || BigInt(row.price_per_hour) === 0n) return undefined
  return {
    asset: hexOf(row.asset),
    pricePerHour: BigInt(row.price_per_hour),
    openBits: bitsOf(row.open_bits),
    untilWeek: Number(row.until_week),
  }
}

/** A right with what was paid for it, if the contract sold it. */
export type RightRow = HeldRight & {
  issuedMs: number
  txHash: Hex
  sale: { asset: Hex; amount: bigint } | undefined
}

/** Which rights are asked for: those of a machine that end after a week, those that somebody owns or has borrowed, or one. */
export type RightsQuery =
  | { machineId: bigint; endAfterWeek: number }
  | { person: Hex }
  | { rightId: bigint }

const NEWEST_OWNER = `JOIN LATERAL (SELECT owner FROM right_owners o WHERE o.right_id = r.right_id
  ORDER BY o.block DESC, o.log_index DESC LIMIT 1) o ON true`
const NEWEST_USER = `LEFT JOIN LATERAL (SELECT borrower, expires FROM right_users u WHERE u.right_id = r.right_id
  ORDER BY u.block DESC, u.log_index DESC LIMIT 1) u ON true`

function conditionOf(query: RightsQuery): { where: string; values: unknown[] } {
  if ('rightId' in query) return { where: 'r.right_id = $2', values: [query.rightId] }
  if ('person' in query) {
    return {
      where: `(o.owner = $2 OR u.borrower = $2) AND r.right_id IN (
        SELECT right_id FROM right_owners WHERE owner = $2 UNION SELECT right_id FROM right_users WHERE borrower = $2)`,
      values: [bytesOf(query.person)],
    }
  }
  return {
    where: 'r.machine_id = $2 AND r.first_week + r.weeks_count > $3',
    values: [query.machineId, query.endAfterWeek],
  }
}

/** Rights, the newest first, at most `limit`. */
export async function readRights(
  db: Queryable,
  query: RightsQuery,
  limit: number,
): Promise<RightRow[]> {
  const { where, values } = conditionOf(query)
  const { rows } = await db.query(
    `SELECT r.*, o.owner, u.borrower, u.expires, s.asset, s.amount
     FROM usage_rights r ${NEWEST_OWNER} ${NEWEST_USER} LEFT JOIN right_sales s ON s.right_id = r.right_id
     WHERE ${where} ORDER BY r.right_id DESC LIMIT $1`,
    [limit, ...values],
  )
  const changes = await readChanges(
    db,
    rows.map((row) => row.right_id),
  )
  return rows.map((row): RightRow => {
    const rightId = BigInt(row.right_id)
    const user =
      row.borrower === null || hexOf(row.borrower) === NOBODY ? undefined : hexOf(row.borrower)
    return {
      rightId,
      machineId: BigInt(row.machine_id),
      firstWeek: Number(row.first_week),
      weeksCount: row.weeks_count,
      hoursPerWeek: row.hours_per_week,
      bits: bitsOf(row.bits),
      changes: changes.get(rightId) ?? new Map(),
      owner: hexOf(row.owner),
      user,
      // Somebody may lend until the end of all time, which JSON could not say.
      userUntilMs: user ? Math.min(Number(row.expires) * 1_000, Number.MAX_SAFE_INTEGER) : 0,
      issuedMs: Number(row.at_ms),
      txHash: hexOf(row.tx_hash),
      sale: row.asset ? { asset: hexOf(row.asset), amount: BigInt(row.amount) } : undefined,
    }
  })
}

/** How many rights to use the machine were ever issued. */
export async function countRightsIssued(db: Queryable, machineId: bigint): Promise<number> {
  const { rows } = await db.query('SELECT count(*) FROM usage_rights WHERE machine_id = $1', [
    machineId,
  ])
  return Number(rows[0].count)
}

async function readChanges(
  db: Queryable,
  rightIds: readonly unknown[],
): Promise<Map<bigint, Map<number, bigint>>> {
  const { rows } = await db.query(
    'SELECT right_id, week, bits FROM right_hours WHERE right_id = ANY($1::numeric[])',
    [rightIds],
  )
  const changes = new Map<bigint, Map<number, bigint>>()
  for (const row of rows) {
    const [rightId, week] = [BigInt(row.right_id), Number(row.week)]
    const own = changes.get(rightId) ?? new Map<number, bigint>()
    own.set(week, (own.get(week) ?? 0n) ^ bitsOf(row.bits))
    changes.set(rightId, own)
  }
  return changes
}
