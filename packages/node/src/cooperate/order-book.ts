import type { OrderState } from '@liquefy/client'
import {
  goodToken,
  goodTokenId,
  type Hex,
  LiquefyError,
  type Market,
  type Order,
  type OrderRefusalCode,
  orderId,
  orderParts,
  parseOrder,
} from '@liquefy/protocol'
import type { MarketReader, ShareToken } from '../chain/market-reader.ts'
import type { Clock } from '../clock.ts'
import type { Database, Queryable } from '../store/database.ts'
import {
  countOrders,
  forgetOrders,
  lockOrderBook,
  type OrderFilter,
  readOrder,
  readOrders,
  type StoredOrder,
  saveOrder,
} from '../store/market.ts'

export type OrderBookRefusal =
  | OrderRefusalCode
  | 'MARKET_MISSING'
  | 'ORDER_UNKNOWN'
  | 'ORDER_EXPIRED'
  | 'ORDER_TOO_LONG'
  | 'ORDER_CANCELLED'
  | 'ORDER_FILLED'
  | 'ORDER_UNFUNDED'
  | 'ORDER_BOOK_FULL'
  | 'SHARE_UNKNOWN'
  | 'SIGNATURE_INVALID'

/** An order was not taken, or is not there; the message says why, and what to do. */
export class OrderBookError extends LiquefyError {
  declare readonly code: OrderBookRefusal

  constructor(code: OrderBookRefusal, message: string) {
    super(code, message)
  }
}

/** What of an order can be had now. */
export interface Standing {
  state: OrderState
  /** Of its good, what is left; whole parts only. */
  remaining: bigint
  problem: string | null
}

/** Signed orders that anybody may post and fill. The node holds nothing: whoever has an order can fill it on the ledger without the node. */
export interface OrderBook {
  /** Takes a signed order that can be filled now. The same again: the same answer. @throws OrderBookError */
  post(json: unknown, signature: Hex): Promise<StoredOrder>
  /** The newest first, at most `MAX_OPEN` of them. */
  find(filter: OrderFilter): Promise<StoredOrder[]>
  /** @throws OrderBookError `ORDER_UNKNOWN`. */
  get(id: Hex): Promise<StoredOrder>
  /** As the ledger has it now. */
  standing(stored: StoredOrder): Promise<Standing>
  share(token: Hex): Promise<ShareToken>
  readonly market: Market
}

/** Open orders of one maker, and of all. */
const MAX_OF_MAKER = 50
const MAX_OPEN = 5_000
const MAX_DAYS = 366
const DAY_SECONDS = 86_400
/** What has ended is shown to its maker for so long. */
const KEPT_SECONDS = 90 * DAY_SECONDS
const FORGOTTEN_AT_ONCE = 1_000
/** Whoever counts by another clock is not refused for it. */
const CLOCK_SLACK_SECONDS = 3_600
/** 65 bytes of a key; contracts ask for more. */
const MAX_SIGNATURE_BYTES = 4_096

export function createOrderBook(options: {
  database: Database
  clock: Clock
  market: Market
  reader: MarketReader
  /** Whether a token is a share that may be traded here. */
  isShare(token: Hex): Promise<boolean>
}): OrderBook {
  const { database, clock, market, reader, isShare } = options
  const nowSeconds = () => Math.floor(clock.nowMs() / 1_000)

  const requireTimes = ({ startTime, endTime }: Order): void => {
    const now = BigInt(nowSeconds())
    if (endTime <= now || endTime <= startTime) {
      throw new OrderBookError('ORDER_EXPIRED', 'The order has ended: sign one that lasts longer.')
    }
    if (endTime > now + BigInt(MAX_DAYS * DAY_SECONDS + CLOCK_SLACK_SECONDS)) {
      throw new OrderBookError(
        'ORDER_TOO_LONG',
        `An order lasts at most ${MAX_DAYS} days: sign one that ends sooner.`,
      )
    }
  }

  const requireOpen = async (order: Order): Promise<void> => {
    const { isCancelled, filled, counter } = await reader.status(order)
    if (isCancelled || counter !== order.counter) {
      throw new OrderBookError(
        'ORDER_CANCELLED',
        `The order is cancelled, or signed with the counter ${order.counter} where the ledger has ${counter}: sign it anew.`,
      )
    }
    if (filled === amountOf(order)) {
      throw new OrderBookError('ORDER_FILLED', 'The order is filled already: sign another one.')
    }
  }

  const requireRoom = async (maker: Hex, db: Queryable = database.pool): Promise<void> => {
    const { all, ofMaker } = await countOrders(db, maker, nowSeconds())
    if (ofMaker >= MAX_OF_MAKER || all >= MAX_OPEN) {
      throw new OrderBookError(
        'ORDER_BOOK_FULL',
        `At most ${MAX_OF_MAKER} orders of one maker stand here, and ${MAX_OPEN} of all: cancel one first, or try again when some have ended.`,
      )
    }
  }

  const requireShare = async ({ good }: Order): Promise<void> => {
    if (good.kind !== 'share' || (await isShare(good.token))) return
    throw new OrderBookError(
      'SHARE_UNKNOWN',
      `${good.token} is no share: name the vault that issued it.`,
    )
  }

  const judge = async (order: Order, signature: Hex): Promise<void> => {
    requireTimes(order)
    await requireRoom(order.maker)
    await requireShare(order)
    await requireOpen(order)
    if (!(await reader.takesSignature(order, signature))) {
      throw new OrderBookError(
        'SIGNATURE_INVALID',
        `This is not signed by ${order.maker} for this market and chain ${market.chainId}: sign it there.`,
      )
    }
    const needed = order.side === 'offer' ? order.priceMinor : amountOf(order)
    const has = await reader.canGive(order)
    if (has < needed) throw new OrderBookError('ORDER_UNFUNDED', unfundedWords(order))
  }

  /** Of the good: what is left, and what the maker can give of it, in whole parts. */
  const canBeHad = async (order: Order, left: bigint): Promise<bigint> => {
    const amount = amountOf(order)
    const parts = orderParts(order)
    const [partSize, partPrice] = [amount / parts, order.priceMinor / parts]
    const has = await reader.canGive(order)
    const given =
      order.side === 'offer' ? (has / partPrice) * partSize : (has / partSize) * partSize
    return given < left ? given : left
  }

  return {
    market,
    async post(json, signature) {
      const read = parseOrder(market, json)
      if (!read.ok) throw new OrderBookError(read.code, read.message)
      const { order } = read
      const id = orderId(market, order)
      const known = await readOrder(database.pool, id)
      if (known) return known
      if (signature.length > 2 + 2 * MAX_SIGNATURE_BYTES) {
        throw new OrderBookError(
          'SIGNATURE_INVALID',
          `A signature has at most ${MAX_SIGNATURE_BYTES} bytes.`,
        )
      }
      await judge(order, signature)
      await forgetOrders(database.pool, nowSeconds() - KEPT_SECONDS, FORGOTTEN_AT_ONCE)
      await database.transaction(async (db) => {
        await lockOrderBook(db)
        await requireRoom(order.maker, db)
        await saveOrder(db, {
          orderId: id,
          side: order.side,
          kind: order.good.kind,
          maker: order.maker,
          token: goodToken(market, order.good),
          tokenId: goodTokenId(order.good),
          agreementId: order.good.kind === 'receivable' ? order.good.agreementId : undefined,
          amount: amountOf(order),
          priceMinor: order.priceMinor,
          startSeconds: Number(order.startTime),
          endSeconds: Number(order.endTime),
          counter: order.counter,
          orderJson: json,
          signature,
          postedMs: clock.nowMs(),
        })
      })
      return this.get(id)
    },
    find: (filter) => readOrders(database.pool, filter, MAX_OPEN),
    async get(id) {
      const stored = await readOrder(database.pool, id)
      if (stored) return stored
      throw new OrderBookError(
        'ORDER_UNKNOWN',
        `Nobody has posted the order ${id} here: see what there is with GET /v1/market/orders.`,
      )
    },
    async standing(stored) {
      const { amount, filled, isCancelled, startSeconds, endSeconds } = stored
      const remaining = amount - filled
      const closed = (state: OrderState, problem: string): Standing => {
        return { state, remaining, problem }
      }
      if (remaining <= 0n) return closed('filled', 'It is filled.')
      if (isCancelled) return closed('cancelled', 'Its maker has cancelled it.')
      if (endSeconds <= nowSeconds()) return closed('expired', 'It has ended.')
      if (startSeconds > nowSeconds()) return closed('not-begun', 'It has not begun yet.')
      const order = orderOf(market, stored)
      const left = await canBeHad(order, remaining)
      if (left === 0n) return closed('unfunded', unfundedWords(order))
      return { state: 'open', remaining: left, problem: null }
    },
    share: (token) => reader.share(token),
  }
}

/** The order that was posted. */
export function orderOf(market: Market, { orderId: id, orderJson }: StoredOrder): Order {
  const read = parseOrder(market, orderJson)
  if (!read.ok) throw new Error(`The stored order ${id} is none: ${read.message}`)
  return read.order
}

const amountOf = ({ good }: Order): bigint => (good.kind === 'share' ? good.amount : 1n)

function unfundedWords({ side, maker }: Order): string {
  return side === 'offer'
    ? `${maker} has not got what he offers, or has not approved it for the market: let him approve it.`
    : `${maker} has not got what he sells, or has not approved it for the market: let him approve it.`
}
