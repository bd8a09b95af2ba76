import type { Hex, MarketQuery } from '@liquefy/client'
import type { FastifyInstance } from 'fastify'
import { type OrderBook, OrderBookError, type OrderBookRefusal } from '../cooperate/order-book.ts'
import { readTrades } from '../store/market.ts'
import type { ApiContext } from './context.ts'
import * as schemas from './market-schemas.ts'
import { marketPage, orderView } from './market-view.ts'
import { ProblemError } from './problem.ts'
import { idOf, route } from './route.ts'

const ORDER_BODY_BYTES = 32_768
const TRADES_SHOWN = 50

/** Refusals that are not about what the request says (422). */
const STATUS: Partial<Record<OrderBookRefusal, number>> = {
  MARKET_MISSING: 404,
  ORDER_UNKNOWN: 404,
  ORDER_CANCELLED: 409,
  ORDER_FILLED: 409,
  ORDER_UNFUNDED: 409,
  ORDER_BOOK_FULL: 429,
}

/** The book of signed orders: anybody reads it, and posts what is signed and can be filled. */
export function addMarketRoutes(app: FastifyInstance, context: ApiContext): void {
  const book = (): OrderBook => {
    if (context.orderBook) return context.orderBook
    throw new ProblemError(
      404,
      'MARKET_MISSING',
      'This ledger has no market: an earlier version deployed its contracts. A new ledger has one.',
    )
  }
  app.get<{ Querystring: MarketQuery }>(
    '/v1/market/orders',
    route(
      'Orders that can be had now; with `maker` and `all` those of one maker',
      schemas.marketPage,
      {
        querystring: schemas.marketQuery,
      },
    ),
    ({ query }) => told(marketPage(context, book(), query)),
  )
  app.post<{ Body: { order: unknown; signature: Hex } }>(
    '/v1/market/orders',
    {
      ...route('Takes a signed order of Seaport', schemas.marketOrder, {
        body: schemas.marketOrderBody,
      }),
      bodyLimit: ORDER_BODY_BYTES,
    },
    async ({ body }) => {
      const stored = await told(book().post(body.order, body.signature))
      return orderView(context, book(), stored)
    },
  )
  app.get<{ Params: { id: Hex } }>(
    '/v1/market/orders/:id',
    route('One order, whatever became of it', schemas.marketOrder, {
      params: schemas.marketOrderParams,
    }),
    async ({ params }) => {
      const stored = await told(book().get(idOf(params.id)))
      return orderView(context, book(), stored)
    },
  )
  app.get<{ Querystring: { token?: Hex; tokenId?: string } }>(
    '/v1/market/trades',
    route('What was traded, newest first', schemas.marketTrades, {
      querystring: schemas.marketTradesQuery,
    }),
    ({ query: { token, tokenId } }) =>
      readTrades(context.database.pool, {
        token: token && idOf(token),
        tokenId: tokenId === undefined ? undefined : BigInt(tokenId),
        limit: TRADES_SHOWN,
      }),
  )
}

const told = <T>(work: Promise<T>): Promise<T> =>
  work.catch((error: unknown) => {
    if (!(error instanceof OrderBookError)) throw error
    throw new ProblemError(STATUS[error.code] ?? 422, error.code, error.message)
  })
