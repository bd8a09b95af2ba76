/** JSON Schemas of what the API takes and answers about the market. */

import {
  address,
  anyObject,
  boolean,
  digits,
  hex,
  integer,
  list,
  machineState,
  number,
  object,
  objectOrNull,
  orNull,
  placeFields,
  placeOrNull,
  text,
} from './schemas.ts'

const goodKind = { type: 'string', enum: ['machine', 'receivable', 'right', 'share'] } as const
const orderSide = { type: 'string', enum: ['sale', 'offer'] } as const

export const marketOrder = object({
  orderId: hex,
  side: orderSide,
  kind: goodKind,
  maker: hex,
  token: hex,
  tokenId: orNull(text),
  title: text,
  decimals: integer,
  amount: digits,
  remaining: digits,
  partSize: digits,
  priceMinor: digits,
  remainingMinor: digits,
  startMs: integer,
  endMs: integer,
  postedMs: integer,
  state: {
    type: 'string',
    enum: ['open', 'not-begun', 'unfunded', 'filled', 'cancelled', 'expired'],
  },
  problem: orNull(text),
  figures: object({
    machines: list(
      object({
        machineId: digits,
        name: text,
        state: machineState,
        registeredMs: integer,
        place: placeOrNull,
        uptimePpm: integer,
      }),
    ),
    income: list(object({ month: text, minor: text })),
    yearMinor: text,
    lookBackDays: integer,
    payers: integer,
    yieldPpm: orNull(number),
    reserveMinor: orNull(text),
    account: objectOrNull({ address: hex, balanceMinor: digits }),
    hours: objectOrNull({
      rightsIssued: digits,
      heldHours: integer,
      ofHours: integer,
      words: list(text),
    }),
    rightInWords: orNull(text),
    receivable: objectOrNull({
      agreementId: hex,
      payer: hex,
      open: boolean,
      escrowMinor: digits,
      unpaidMinor: digits,
      accruedMinor: digits,
      capMinor: orNull(text),
      endsMs: orNull(number),
      tariffInWords: text,
    }),
  }),
  order: { type: 'object', additionalProperties: true },
  signature: hex,
})
export const marketPage = object({ orders: list(marketOrder), nextOffset: orNull(integer) })
export const marketOrderBody = object({ order: anyObject, signature: hex })
export const marketOrderParams = object({
  id: { type: 'string', pattern: '^0x[0-9a-fA-F]{64}$' },
})
export const marketQuery = object(
  {
    side: orderSide,
    kind: goodKind,
    machineId: digits,
    maker: address,
    token: address,
    all: boolean,
    text: { type: 'string', maxLength: 100 },
    minPriceMinor: digits,
    maxPriceMinor: digits,
    minYieldPpm: { type: 'integer', minimum: 0 },
    ...placeFields,
    withinKm: { type: 'integer', minimum: 1, maximum: 20_000 },
    sort: { type: 'string', enum: ['newest', 'price', 'yield'] },
    offset: { type: 'integer', minimum: 0, maximum: 5_000 },
    limit: { type: 'integer', minimum: 1, maximum: 50 },
  },
  [
    'side',
    'kind',
    'machineId',
    'maker',
    'token',
    'all',
    'text',
    'minPriceMinor',
    'maxPriceMinor',
    'minYieldPpm',
    'latitudeE7',
    'longitudeE7',
    'withinKm',
    'sort',
    'offset',
    'limit',
  ],
)
export const marketTrades = list(
  object({
    orderId: hex,
    maker: hex,
    taker: hex,
    kind: goodKind,
    token: hex,
    tokenId: orNull(text),
    amount: digits,
    priceMinor: digits,
    atMs: integer,
    txHash: hex,
  }),
)
export const marketTradesQuery = object({ token: address, tokenId: digits }, ['token', 'tokenId'])
