import type { GoodKind, MarketTrade, OrderSide } from '@liquefy/client'
import type { Hex } from '@liquefy/protocol'
import type { QueryResultRow } from 'pg'
import type { LedgerEvent } from '../chain/events.ts'
import type { MarketEvent } from '../chain/market-events.ts'
import type { Queryable } from './database.ts'
import { bytesOf, hexOf } from './hex.ts'

/** An order as it was posted. Times in seconds, as signed. */
export interface PostedOrder {
  orderId: Hex
  side: OrderSide
  kind: GoodKind
  maker: Hex
  token: Hex
  tokenId: bigint | undefined
  /** Of a receivable. */
  agreementId: Hex | undefined
  amount: bigint
  priceMinor: bigint
  startSeconds: number
  endSeconds: number
  counter: bigint
  orderJson: unknown
  signature: Hex
  postedMs: number
}

/** With what the ledger says became of it. */
export interface StoredOrder extends PostedOrder {
  filled: bigint
  isCancelled: boolean
  /** The machines behind its good. */
  machineIds: bigint[]
}

/** Keeps what the market told. */
export async function saveMarketEvent(
  db: Queryable,
  event: Extract<LedgerEvent, { kind: MarketEvent['kind'] }>,
): Promise<void> {
  const { block, logIndex } = event
  switch (event.kind) {
    case 'order-filled':
      await db.query(
        'INSERT INTO market_fills VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)',
        [
          block,
          logIndex,
          bytesOf(event.txHash),
          bytesOf(event.orderId),
          event.good,
          bytesOf(event.maker),
          bytesOf(event.taker),
          bytesOf(event.token),
          event.tokenId ?? null,
          event.amount,
          event.priceMinor,
          event.atMs,
        ],
      )
      return
    case 'order-cancelled':
      await db.query('INSERT INTO market_cancellations VALUES ($1, $2, $3)', [
        bytesOf(event.orderId),
        block,
        logIndex,
      ])
      return
    case 'market-counter':
      await db.query('INSERT INTO market_counters VALUES ($1, $2, $3, $4)', [
        bytesOf(event.maker),
        event.counter,
        block,
        logIndex,
      ])
  }
}

/** Lets what is posted happen one after the other, until the transaction ends. */
export async function lockOrderBook(db: Queryable): Promise<void> {
  await db.query("SELECT pg_advisory_xact_lock(hashtextextended('market orders', 0))")
}

/** Stores an order; one that is stored stays as it is. */
export async function saveOrder(db: Queryable, order: PostedOrder): Promise<void> {
  await db.query(
    `INSERT INTO market_orders (order_id, side, kind, maker, token, token_id, agreement_id, amount, price_minor, start_s, end_s, counter, order_json, signature, posted_ms)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (order_id) DO NOTHING`,
    [
      bytesOf(order.orderId),
      order.side,
      order.kind,
      bytesOf(order.maker),
      bytesOf(order.token),
      order.tokenId ?? null,
      order.agreementId ? bytesOf(order.agreementId) : null,
      order.amount,
      order.priceMinor,
      order.startSeconds,
      order.endSeconds,
      order.counter,
      JSON.stringify(order.orderJson),
      bytesOf(order.signature),
      order.postedMs,
    ],
  )
}

/** The maker cancelled it, or all that he signed with its counter. */
const IS_CANCELLED = `(EXISTS (SELECT FROM market_cancellations c WHERE c.order_id = o.order_id)
  OR o.counter <> coalesce((SELECT c.counter FROM market_counters c WHERE c.maker = o.maker
       ORDER BY c.block DESC, c.log_index DESC LIMIT 1), 0))`

/** A vault is the owner of its machines and the token of its shares. */
const MACHINES_BEHIND = `CASE o.kind
  WHEN 'machine' THEN ARRAY[o.token_id]
  WHEN 'receivable' THEN ARRAY(SELECT a.machine_id FROM agreements a
    WHERE a.agreement_id = o.agreement_id AND a.machine_id <> 0)
  WHEN 'right' THEN ARRAY(SELECT machine_id FROM usage_rights WHERE right_id = o.token_id)
  WHEN 'share' THEN ARRAY(SELECT h.machine_id FROM (
      SELECT DISTINCT ON (machine_id) machine_id, owner FROM machine_owners
      WHERE machine_id IN (SELECT machine_id FROM machine_owners WHERE owner = o.token)
      ORDER BY machine_id, block DESC, log_index DESC) h WHERE h.owner = o.token)
  ELSE ARRAY[]::numeric[] END`

const ORDERS = `SELECT o.*, ${MACHINES_BEHIND} AS machine_ids FROM (
  SELECT o.*, ${IS_CANCELLED} AS is_cancelled,
    coalesce((SELECT sum(f.amount) FROM market_fills f WHERE f.order_id = o.order_id), 0) AS filled
  FROM market_orders o) o`

/** What to look for in the book. */
export interface OrderFilter {
  side?: OrderSide | undefined
  kind?: GoodKind | undefined
  maker?: Hex | undefined
  token?: Hex | undefined
  /** Leaves out what the ledger says cannot be had at this time, seconds. */
  openAtSeconds?: number | undefined
}

/** Orders, the newest first. */
export async function readOrders(
  db: Queryable,
  { side, kind, maker, token, openAtSeconds }: OrderFilter,
  limit: number,
): Promise<StoredOrder[]> {
  const { rows } = await db.query(
    `${ORDERS} WHERE ($1::text IS NULL OR side = $1) AND ($2::text IS NULL OR kind = $2)
       AND ($3::bytea IS NULL OR maker = $3) AND ($4::bytea IS NULL OR token = $4)
       AND ($5::bigint IS NULL OR end_s > $5 AND start_s <= $5 AND NOT is_cancelled AND filled < amount)
     ORDER BY position DESC LIMIT $6`,
    [
      side ?? null,
      kind ?? null,
      maker ? bytesOf(maker) : null,
      token ? bytesOf(token) : null,
      openAtSeconds ?? null,
      limit,
    ],
  )
  return rows.map(orderOf)
}

/** One order; undefined if nobody posted it. */
export async function readOrder(db: Queryable, id: Hex): Promise<StoredOrder | undefined> {
  const { rows } = await db.query(`${ORDERS} WHERE o.order_id = $1`, [bytesOf(id)])
  return rows.map(orderOf)[0]
}

/** How many orders are kept that have not ended: in all, and of one maker. */
export async function countOrders(
  db: Queryable,
  maker: Hex,
  nowSeconds: number,
): Promise<{ all: number; ofMaker: number }> {
  const { rows } = await db.query(
    `SELECT count(*) AS of_all, count(*) FILTER (WHERE maker = $1) AS of_maker FROM market_orders o
     WHERE end_s > $2 AND NOT ${IS_CANCELLED}
       AND amount > coalesce((SELECT sum(f.amount) FROM market_fills f WHERE f.order_id = o.order_id), 0)`,
    [bytesOf(maker), nowSeconds],
  )
  return { all: Number(rows[0].of_all), ofMaker: Number(rows[0].of_maker) }
}

/** Forgets orders that ended before a time; what was traded stays. */
export async function forgetOrders(
  db: Queryable,
  beforeSeconds: number,
  limit: number,
): Promise<void> {
  await db.query(
    `DELETE FROM market_orders WHERE order_id IN (
       SELECT order_id FROM market_orders WHERE end_s < $1 ORDER BY end_s LIMIT $2)`,
    [beforeSeconds, limit],
  )
}

/** What was traded, newest first: all, or of one token contract, or of one token. */
export async function readTrades(
  db: Queryable,
  {
    token,
    tokenId,
    limit,
  }: { token?: Hex | undefined; tokenId?: bigint | undefined; limit: number },
): Promise<MarketTrade[]> {
  const { rows } = await db.query(
    `SELECT * FROM market_fills WHERE ($1::bytea IS NULL OR token = $1) AND ($2::numeric IS NULL OR token_id = $2)
     ORDER BY block DESC, log_index DESC LIMIT $3`,
    [token ? bytesOf(token) : null, tokenId ?? null, limit],
  )
  return rows.map((row) => ({
    orderId: hexOf(row.order_id),
    maker: hexOf(row.maker),
    taker: hexOf(row.taker),
    kind: row.kind,
    token: hexOf(row.token),
    tokenId: row.token_id === null ? null : String(row.token_id),
    amount: String(row.amount),
    priceMinor: String(row.price_minor),
    atMs: Number(row.at_ms),
    txHash: hexOf(row.tx_hash),
  }))
}

function orderOf(row: QueryResultRow): StoredOrder {
  return {
    orderId: hexOf(row.order_id),
    side: row.side,
    kind: row.kind,
    maker: hexOf(row.maker),
    token: hexOf(row.token),
    tokenId: row.token_id === null ? undefined : BigInt(row.token_id),
    agreementId: row.agreement_id === null ? undefined : hexOf(row.agreement_id),
    amount: BigInt(row.amount),
    priceMinor: BigInt(row.price_minor),
    startSeconds: Number(row.start_s),
    endSeconds: Number(row.end_s),
    counter: BigInt(row.counter),
    orderJson: row.order_json,
    signature: hexOf(row.signature),
    postedMs: Number(row.posted_ms),
    filled: BigInt(row.filled),
    isCancelled: row.is_cancelled,
    machineIds: row.machine_ids.map((id: unknown) => BigInt(String(id))),
  }
}
