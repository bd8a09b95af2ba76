import { type Hex, hashStruct, hashTypedData, numberToHex, zeroAddress, zeroHash } from 'viem'
import {
  FieldRefusal,
  type Fields,
  openFields,
  readArray,
  readBytes,
  readHex,
  readInteger,
  readUnsigned,
} from '../transact/strict-json.ts'

/** Where a market stands, and what is traded on it (docs/protocol/market.md). Addresses in lower case. */
export type Market = {
  chainId: number
  /** The Seaport contract. */
  market: Hex
  /** What is paid. */
  asset: Hex
  /** Its tokens are machines. */
  registry: Hex
  /** Its tokens are what agreements will pay. */
  clearingHouse: Hex
  /** Its tokens are usage rights; undefined where there are none. */
  usageRights: Hex | undefined
}

/** What is bought or sold for the asset. `amount` in smallest units of the share. */
export type Good =
  | { kind: 'machine'; machineId: bigint }
  | { kind: 'receivable'; agreementId: Hex }
  | { kind: 'right'; rightId: bigint }
  | { kind: 'share'; token: Hex; amount: bigint }

export const GOOD_KINDS = ['machine', 'receivable', 'right', 'share'] as const

/** Somebody sells a good for a price, or offers a price for it. */
export type Order = {
  /** `sale`: the maker gives the good. `offer`: the maker pays. */
  side: 'sale' | 'offer'
  maker: Hex
  good: Good
  /** For all of it, smallest units of the asset. */
  priceMinor: bigint
  /** Seconds since 1970: good from `startTime` until before `endTime`. */
  startTime: bigint
  endTime: bigint
  salt: bigint
  /** The maker's on the market when he signed: raising it cancels all that he signed before. */
  counter: bigint
}

/** An order as Seaport has it, for `signTypedData` and its calls. */
export type OrderComponents = {
  offerer: Hex
  zone: Hex
  offer: readonly OfferItem[]
  consideration: readonly (OfferItem & { recipient: Hex })[]
  orderType: number
  startTime: bigint
  endTime: bigint
  zoneHash: Hex
  salt: bigint
  conduitKey: Hex
  counter: bigint
}

type OfferItem = {
  itemType: number
  token: Hex
  identifierOrCriteria: bigint
  startAmount: bigint
  endAmount: bigint
}

type ItemJson = {
  itemType: number
  token: Hex
  identifierOrCriteria: string
  startAmount: string
  endAmount: string
}

/** JSON of an order, as `@opensea/seaport-js` writes it: what a node takes and answers. */
export type OrderJson = {
  offerer: Hex
  zone: Hex
  offer: ItemJson[]
  consideration: (ItemJson & { recipient: Hex })[]
  orderType: number
  startTime: string
  endTime: string
  zoneHash: Hex
  salt: string
  conduitKey: Hex
  counter: string
  totalOriginalConsiderationItems: number
}

export type OrderRefusalCode =
  | 'FIELD_FORBIDDEN'
  | 'ORDER_INVALID'
  | 'ORDER_SHAPE_REFUSED'
  | 'ORDER_ASSET_REFUSED'
  | 'ORDER_RECIPIENT_REFUSED'
  | 'ORDER_PRICE_REFUSED'
  | 'ORDER_GOOD_UNKNOWN'

/** An order that is none of ours, and what to sign instead. */
export type OrderRefusal = { ok: false; code: OrderRefusalCode; message: string }

const ITEM_FIELDS = [
  { name: 'itemType', type: 'uint8' },
  { name: 'token', type: 'address' },
  { name: 'identifierOrCriteria', type: 'uint256' },
  { name: 'startAmount', type: 'uint256' },
  { name: 'endAmount', type: 'uint256' },
] as const

/** EIP-712 types of Seaport 1.6. */
export const ORDER_TYPES = {
  OrderComponents: [
    { name: 'offerer', type: 'address' },
    { name: 'zone', type: 'address' },
    { name: 'offer', type: 'OfferItem[]' },
    { name: 'consideration', type: 'ConsiderationItem[]' },
    { name: 'orderType', type: 'uint8' },
    { name: 'startTime', type: 'uint256' },
    { name: 'endTime', type: 'uint256' },
    { name: 'zoneHash', type: 'bytes32' },
    { name: 'salt', type: 'uint256' },
    { name: 'conduitKey', type: 'bytes32' },
    { name: 'counter', type: 'uint256' },
  ],
  OfferItem: ITEM_FIELDS,
  ConsiderationItem: [...ITEM_FIELDS, { name: 'recipient', type: 'address' }],
} as const

/** Item types of Seaport. */
const ERC20 = 1
const ERC721 = 2
/** Order types of Seaport: filled at once, or in parts. */
const FULL_OPEN = 0
const PARTIAL_OPEN = 1
/** Seaport counts parts in 120 bits, so that no larger order could be filled in all its parts. */
const AMOUNT_BITS = 120

/** The domain that orders of a market are signed in: a signature is good on one chain and for one market. */
export function marketDomain({ chainId, market }: Pick<Market, 'chainId' | 'market'>) {
  return { name: 'Seaport', version: '1.6', chainId, verifyingContract: market } as const
}

/** The order as Seaport takes it. */
export function orderComponents(market: Market, order: Order): OrderComponents {
  const { side, maker, good, priceMinor, startTime, endTime, salt, counter } = order
  const paid = item(ERC20, market.asset, 0n, priceMinor)
  const given = goodItem(market, good)
  const [offered, wanted] = side === 'sale' ? [given, paid] : [paid, given]
  return {
    offerer: maker,
    zone: zeroAddress,
    offer: [offered],
    consideration: [{ ...wanted, recipient: maker }],
    orderType: good.kind === 'share' ? PARTIAL_OPEN : FULL_OPEN,
    startTime,
    endTime,
    zoneHash: zeroHash,
    salt,
    conduitKey: zeroHash,
    counter,
  }
}

/** The typed data that the maker signs. */
export function orderTypedData(market: Market, order: Order) {
  return {
    domain: marketDomain(market),
    types: ORDER_TYPES,
    primaryType: 'OrderComponents',
    message: orderComponents(market, order),
  } as const
}

/** The id of an order: what Seaport's `getOrderHash` answers and its events carry. It says nothing of the chain; the signature does. */
export function orderId(market: Market, order: Order): Hex {
  return hashStruct({
    types: ORDER_TYPES,
    primaryType: 'OrderComponents',
    data: orderComponents(market, order),
  })
}

/** The EIP-712 digest that the maker signs. */
export function orderDigest(market: Market, order: Order): Hex {
  return hashTypedData(orderTypedData(market, order))
}

/** Token contract of a good. @throws RangeError for usage rights where there are none. */
export function goodToken(market: Market, good: Good): Hex {
  return goodItem(market, good).token
}

/** The token's id of a good that is one token; undefined for shares. */
export function goodTokenId(good: Good): bigint | undefined {
  if (good.kind === 'machine') return good.machineId
  if (good.kind === 'right') return good.rightId
  return good.kind === 'receivable' ? BigInt(good.agreementId) : undefined
}

/** How many equal parts an order can be filled in without a remainder: one, but for shares. */
export function orderParts({ good, priceMinor }: Order): bigint {
  return good.kind === 'share' ? greatestCommonDivisor(good.amount, priceMinor) : 1n
}

/** A part of an order as Seaport takes it, and its price. */
export type OrderPart = { numerator: bigint; denominator: bigint; priceMinor: bigint }

/** The part of a share order that is `amount`; undefined if it cannot be filled exactly: take a multiple of `good.amount / orderParts`. */
export function orderPart(order: Order, amount: bigint): OrderPart | undefined {
  const { good, priceMinor } = order
  if (good.kind !== 'share' || amount <= 0n || amount > good.amount) return undefined
  const denominator = orderParts(order)
  const size = good.amount / denominator
  if (amount % size !== 0n) return undefined
  const numerator = amount / size
  return { numerator, denominator, priceMinor: (priceMinor / denominator) * numerator }
}

/** An order as plain JSON. */
export function orderToJson(market: Market, order: Order): OrderJson {
  const { offer, consideration, ...rest } = orderComponents(market, order)
  return {
    offerer: rest.offerer,
    zone: rest.zone,
    offer: offer.map(itemToJson),
    consideration: consideration.map(({ recipient, ...one }) => ({
      ...itemToJson(one),
      recipient,
    })),
    orderType: rest.orderType,
    startTime: String(rest.startTime),
    endTime: String(rest.endTime),
    zoneHash: rest.zoneHash,
    salt: String(rest.salt),
    conduitKey: rest.conduitKey,
    counter: String(rest.counter),
    totalOriginalConsiderationItems: consideration.length,
  }
}

const ORDER_FIELDS = [
  ...ORDER_TYPES.OrderComponents.map(({ name }) => name),
  'totalOriginalConsiderationItems',
]
const OFFER_FIELDS = ITEM_FIELDS.map(({ name }) => name)
/** More would be refused below by what they are, not by how many. */
const MAX_ITEMS = 16

/** Reads an order of a market strictly: what is no plain sale or offer of one good for the asset is refused. The signature is not checked. */
export function parseOrder(
  market: Market,
  json: unknown,
): { ok: true; order: Order } | OrderRefusal {
  try {
    return { ok: true, order: readOrder(market, readComponents(json)) }
  } catch (error) {
    if (error instanceof ShapeRefusal) {
      return { ok: false, code: error.code, message: error.message }
    }
    if (!(error instanceof FieldRefusal)) throw error
    const code = error.forbidden ? 'FIELD_FORBIDDEN' : 'ORDER_INVALID'
    return { ok: false, code, message: error.message }
  }
}

class ShapeRefusal extends Error {
  readonly code: OrderRefusalCode

  constructor(code: OrderRefusalCode, message: string) {
    super(message)
    this.code = code
  }
}

function readComponents(json: unknown): OrderComponents {
  const fields = openFields('order', json, ORDER_FIELDS)
  const offer = readArray(fields, 'offer', MAX_ITEMS).map((one, index) =>
    readItem(openFields(`order.offer[${index}]`, one, OFFER_FIELDS)),
  )
  const consideration = readArray(fields, 'consideration', MAX_ITEMS).map((one, index) => {
    const of = openFields(`order.consideration[${index}]`, one, [...OFFER_FIELDS, 'recipient'])
    return { ...readItem(of), recipient: readHex(of, 'recipient', 20) }
  })
  readInteger(fields, 'totalOriginalConsiderationItems', consideration.length, consideration.length)
  return {
    offerer: readHex(fields, 'offerer', 20),
    zone: readHex(fields, 'zone', 20),
    offer,
    consideration,
    orderType: readInteger(fields, 'orderType', 0, 4),
    startTime: readUnsigned(fields, 'startTime', 64),
    endTime: readUnsigned(fields, 'endTime', 64),
    zoneHash: readBytes(fields, 'zoneHash', 32),
    salt: readUnsigned(fields, 'salt', 256),
    conduitKey: readBytes(fields, 'conduitKey', 32),
    counter: readUnsigned(fields, 'counter', 256),
  }
}

function readItem(fields: Fields): OfferItem {
  return {
    itemType: readInteger(fields, 'itemType', 0, 5),
    token: readHex(fields, 'token', 20),
    identifierOrCriteria: readUnsigned(fields, 'identifierOrCriteria', 256),
    startAmount: readUnsigned(fields, 'startAmount', 256),
    endAmount: readUnsigned(fields, 'endAmount', 256),
  }
}

function readOrder(market: Market, components: OrderComponents): Order {
  const { offerer, offer, consideration, startTime, endTime, salt, counter } = components
  const [offered] = offer
  const [wanted] = consideration
  if (!offered || !wanted || offer.length > 1 || consideration.length > 1) {
    throw new ShapeRefusal(
      'ORDER_SHAPE_REFUSED',
      'An order gives one thing for one other: sign one without fees, tips or bundles.',
    )
  }

  if (wanted.recipient !== offerer) {
    throw new ShapeRefusal(
      'ORDER_RECIPIENT_REFUSED',
      `What is given for it would go to ${wanted.recipient}, not to the maker ${offerer}: name the maker as recipient.`,
    )
  }
  for (const { startAmount, endAmount } of [offered, wanted]) {
    if (startAmount === endAmount) continue
    throw new ShapeRefusal(
      'ORDER_SHAPE_REFUSED',
      'The price or amount would change with time: sign one that stays the same.',
    )
  }
  const paysFor = (given: OfferItem) => given.itemType === ERC20 && given.token === market.asset
  const [side, paid, given] = paysFor(wanted)
    ? (['sale', wanted, offered] as const)
    : (['offer', offered, wanted] as const)
  if (!paysFor(paid) || paid.identifierOrCriteria !== 0n) {
    throw new ShapeRefusal(
      'ORDER_ASSET_REFUSED',
      `Neither side of the order is the asset ${market.asset}: price it in that.`,
    )
  }
  const good = readGood(market, given)
  const order: Order = {
    side,
    maker: offerer,
    good,
    priceMinor: paid.startAmount,
    startTime,
    endTime,
    salt,
    counter,
  }
  requireAmounts(order)
  requirePlain(components, orderComponents(market, order))
  return order
}

function readGood(market: Market, given: OfferItem): Good {
  const { itemType, token, identifierOrCriteria: id, startAmount } = given
  if (itemType === ERC20 && token !== market.asset && id === 0n) {
    return { kind: 'share', token, amount: startAmount }
  }
  if (itemType === ERC721 && startAmount === 1n) {
    if (token === market.registry) return { kind: 'machine', machineId: id }
    if (token === market.usageRights) return { kind: 'right', rightId: id }
    if (token === market.clearingHouse) {
      return { kind: 'receivable', agreementId: numberToHex(id, { size: 32 }) }
    }
  }
  throw new ShapeRefusal(
    'ORDER_GOOD_UNKNOWN',
    `${token} holds no machine, receivable, usage right or share that is traded here.`,
  )
}

function requireAmounts({ good, priceMinor }: Order): void {
  const most = 2n ** BigInt(AMOUNT_BITS)
  const amount = good.kind === 'share' ? good.amount : 1n
  if (priceMinor > 0n && priceMinor < most && amount > 0n && amount < most) return
  throw new ShapeRefusal(
    'ORDER_PRICE_REFUSED',
    `Price and amount must be above zero and below 2^${AMOUNT_BITS}.`,
  )
}

/** All that is left of Seaport's freedom: zones, conduits and other order types. */
function requirePlain(components: OrderComponents, plain: OrderComponents): void {
  const differs = (['zone', 'zoneHash', 'conduitKey', 'orderType'] as const).find(
    (name) => components[name] !== plain[name],
  )
  if (differs === undefined) return
  throw new ShapeRefusal(
    'ORDER_SHAPE_REFUSED',
    `order.${differs} must be ${plain[differs]}: sign a plain order, without zone or conduit; shares may be filled in parts, all else at once.`,
  )
}

function goodItem(market: Market, good: Good): OfferItem {
  if (good.kind === 'share') return item(ERC20, good.token, 0n, good.amount)
  if (good.kind === 'machine') return item(ERC721, market.registry, good.machineId, 1n)
  if (good.kind === 'receivable') {
    return item(ERC721, market.clearingHouse, BigInt(good.agreementId), 1n)
  }
  if (market.usageRights === undefined) {
    throw new RangeError('This ledger has no usage rights: an earlier version deployed it.')
  }
  return item(ERC721, market.usageRights, good.rightId, 1n)
}

function item(itemType: number, token: Hex, id: bigint, amount: bigint): OfferItem {
  return { itemType, token, identifierOrCriteria: id, startAmount: amount, endAmount: amount }
}

function itemToJson({
  itemType,
  token,
  identifierOrCriteria,
  startAmount,
  endAmount,
}: OfferItem): ItemJson {
  return {
    itemType,
    token,
    identifierOrCriteria: String(identifierOrCriteria),
    startAmount: String(startAmount),
    endAmount: String(endAmount),
  }
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [larger, smaller] = [a, b]
  while (smaller !== 0n) [larger, smaller] = [smaller, larger % smaller]
  return larger
}
