import { machineVaultAbi, seaportAbi, usageRightsAbi } from '@liquefy/abi'
import {
  type Good,
  goodToken,
  goodTokenId,
  LiquefyError,
  type Market,
  type Order,
  type OrderJson,
  orderComponents,
  orderId,
  orderPart,
  orderToJson,
  orderTypedData,
  parseOrder,
} from '@liquefy/protocol'
import { type Abi, bytesToBigInt, erc20Abi, erc721Abi, zeroAddress, zeroHash } from 'viem'
import { allowedMinor } from './allowance.ts'
import type { MarketOrder, OrderSide } from './market.ts'
import { requireUnchanged, type SeenGood } from './seen-good.ts'
import { type Call, type Sender, send } from './transaction.ts'
import type { Deployment, Hex } from './types.ts'

/** Where the market is: `createClient({ url }).deployment()`. */
export type MarketPlace = Pick<
  Deployment,
  'chainId' | 'registry' | 'clearingHouse' | 'cooperation' | 'asset'
>

/** An action on the market. */
export type MarketAction = Sender & { deployment: MarketPlace & Pick<Deployment, 'accounts'> }

/** An order with its maker's signature, as a node takes it; `0x` where the maker is a contract that validated it on the market. */
export interface SignedOrder {
  order: OrderJson
  signature: Hex
}

/** What somebody wants to sell, or to have. */
export interface OrderDraft {
  good: Good
  priceMinor: bigint
  /** From now on, by the ledger's clock. */
  lastsSeconds: bigint
}

const SALT_BYTES = 32
/** What shares and rights refuse comes through the market as it is. */
const ABI: Abi = [
  ...seaportAbi,
  ...[machineVaultAbi, usageRightsAbi].flatMap((one: Abi) =>
    one.filter(({ type }) => type === 'error'),
  ),
]

/**
 * The market of a deployment, for the functions of `@liquefy/protocol`.
 *
 * @throws LiquefyError `MARKET_MISSING` on a ledger whose contracts an earlier version deployed.
 */
export function marketOf(deployment: MarketPlace): Market {
  const { chainId, registry, clearingHouse, cooperation, asset } = deployment
  if (!cooperation) {
    throw new LiquefyError(
      'MARKET_MISSING',
      'This ledger has no market: an earlier version deployed its contracts. A new ledger has one.',
    )
  }
  const { market, usageRights } = cooperation
  return {
    chainId,
    market: lower(market),
    asset: lower(asset.address),
    registry: lower(registry),
    clearingHouse: lower(clearingHouse),
    usageRights: usageRights && lower(usageRights),
  }
}

/**
 * Sells a good: approves it for the market where it is not, and signs the order. Orders of his for the same good that still stand come back to
 * life with the approval, at their old price: `replaced` are cancelled first.
 */
export async function listForSale(
  action: MarketAction & OrderDraft & { replaced?: readonly OrderJson[] },
): Promise<SignedOrder> {
  const { deployment, good, replaced = [] } = action
  if (replaced.length > 0) await cancelOrders({ ...action, orders: replaced })
  await approveGood(action, marketOf(deployment), good)
  return signOrder(action, 'sale')
}

/** Offers a price for a good: lets the market take that much more of the asset, and signs the order. */
export async function makeOffer(action: MarketAction & OrderDraft): Promise<SignedOrder> {
  await approveMore(action, marketOf(action.deployment).asset, action.priceMinor)
  return signOrder(action, 'offer')
}

/**
 * Fills somebody's sale: pays its price, all of it or `part` of its shares, smallest units.
 *
 * @throws LiquefyError `ORDER_SHAPE_REFUSED` and others of `parseOrder`, `PART_INEXACT`, `GOOD_CHANGED` before anything is sent.
 */
export async function buy(
  action: MarketAction & SignedOrder & { part?: bigint | undefined; seen?: SeenGood | undefined },
) {
  const order = readSide(action.deployment, action.order, 'sale')
  const part = partOf(order, action.part)
  await requireUnchanged(action, order.good, action.seen ?? {})
  await approveMore(action, marketOf(action.deployment).asset, part.priceMinor)
  return fill(action, order, part)
}

/** Fills somebody's offer: gives the good that he wants, all of it or `part` of the shares. @throws as `buy` does. */
export async function acceptOffer(
  action: MarketAction & SignedOrder & { part?: bigint | undefined },
) {
  const order = readSide(action.deployment, action.order, 'offer')
  const part = partOf(order, action.part)
  const { good } = order
  const given: Good = good.kind === 'share' ? { ...good, amount: action.part ?? good.amount } : good
  await approveGood(action, marketOf(action.deployment), given)
  return fill(action, order, part)
}

/** Cancels orders on the ledger, for ever. For their maker; at most fifty at once. */
export function cancelOrders(action: MarketAction & { orders: readonly OrderJson[] }) {
  const market = marketOf(action.deployment)
  const orders = action.orders.map((json) => orderComponents(market, readOrder(market, json)))
  return send(action, marketCall(market, 'cancel', [orders]))
}

/** Cancels all that the wallet's account ever signed for this market, posted or not. */
export function cancelAllOrders(action: MarketAction) {
  return send(action, marketCall(marketOf(action.deployment), 'incrementCounter', []))
}

/** Those of a maker's orders that would sell a good which he sells anew: what `listForSale` takes as `replaced`. */
export function replacedOrders(
  orders: readonly MarketOrder[],
  market: Market,
  good: Good,
): OrderJson[] {
  const tokenId = goodTokenId(good)
  // Shares are many: one sale of them does not stand in the way of another.
  if (tokenId === undefined) return []
  const ended = new Set(['filled', 'cancelled', 'expired'])
  return orders
    .filter(({ side, token, tokenId: id, state }) => {
      const isSame = token === goodToken(market, good) && id !== null && BigInt(id) === tokenId
      return side === 'sale' && isSame && !ended.has(state)
    })
    .map(({ order }) => order)
}

/** The id of a signed order, as the node and the market's events name it. */
export function idOfOrder(deployment: MarketPlace, json: OrderJson): Hex {
  const market = marketOf(deployment)
  return orderId(market, readOrder(market, json))
}

async function signOrder(
  { deployment, publicClient, wallet, good, priceMinor, lastsSeconds }: MarketAction & OrderDraft,
  side: OrderSide,
): Promise<SignedOrder> {
  const market = marketOf(deployment)
  const maker = lower(wallet.account.address)
  const [counter, { timestamp }] = await Promise.all([
    publicClient.readContract({
      address: market.market,
      abi: seaportAbi,
      functionName: 'getCounter',
      args: [maker],
    }),
    publicClient.getBlock(),
  ])
  const order: Order = {
    side,
    maker,
    good,
    priceMinor,
    startTime: 0n,
    endTime: timestamp + lastsSeconds,
    salt: bytesToBigInt(crypto.getRandomValues(new Uint8Array(SALT_BYTES))),
    counter,
  }
  const json = orderToJson(market, order)
  // What no node would take is not signed.
  readOrder(market, json)
  const signature = await wallet.signTypedData({
    account: wallet.account,
    ...orderTypedData(market, order),
  })
  return { order: json, signature }
}

/** @throws LiquefyError of `parseOrder`. */
export function readOrder(market: Market, json: OrderJson): Order {
  const read = parseOrder(market, json)
  if (read.ok) return read.order
  throw new LiquefyError(read.code, read.message)
}

/** An order of that side. @throws LiquefyError `ORDER_OTHER_SIDE`, and of `parseOrder`. */
export function readSide(deployment: MarketPlace, json: OrderJson, side: OrderSide): Order {
  const order = readOrder(marketOf(deployment), json)
  if (order.side === side) return order
  const words = { sale: 'sells something: buy it.', offer: 'offers a price: accept it.' }
  throw new LiquefyError('ORDER_OTHER_SIDE', `This order ${words[order.side]}`)
}

interface Part {
  numerator: bigint
  denominator: bigint
  priceMinor: bigint
}

function partOf(order: Order, amount: bigint | undefined): Part {
  const { good, priceMinor } = order
  const whole = good.kind === 'share' ? good.amount : 1n
  if (amount === undefined || amount === whole)
    return { numerator: 1n, denominator: 1n, priceMinor }
  const part = orderPart(order, amount)
  if (part) return part
  throw new LiquefyError(
    'PART_INEXACT',
    `${amount} has no exact share of this order's price: take a multiple of its part size, and no more than there is.`,
  )
}

function fill(action: MarketAction & SignedOrder, order: Order, part: FilledPart) {
  const market = marketOf(action.deployment)
  const args = fillArguments(market, order, action.signature, part)
  return send(action, marketCall(market, 'fulfillAdvancedOrder', args))
}

type FilledPart = Pick<Part, 'numerator' | 'denominator'>

/** Arguments of `fulfillAdvancedOrder`, which fills the order; whoever calls gets what it gives. */
export function fillArguments(
  market: Market,
  order: Order,
  signature: Hex,
  { numerator, denominator }: FilledPart = { numerator: 1n, denominator: 1n },
) {
  const { counter: _, ...components } = orderComponents(market, order)
  const parameters = { ...components, totalOriginalConsiderationItems: 1n }
  const advanced = { parameters, numerator, denominator, signature, extraData: '0x' }
  // No conduit of the taker's, and the taker himself is who gets it.
  return [advanced, [], zeroHash, zeroAddress] as const
}

async function approveGood(action: MarketAction, market: Market, good: Good): Promise<void> {
  const { publicClient, wallet } = action
  const token = goodToken(market, good)
  const id = goodTokenId(good)
  if (good.kind === 'share') return approveMore(action, token, good.amount)
  if (id === undefined) throw new RangeError('Only shares have no id.')
  const contract = { address: token, abi: erc721Abi } as const
  const [approved, isOperator] = await Promise.all([
    publicClient.readContract({ ...contract, functionName: 'getApproved', args: [id] }),
    publicClient.readContract({
      ...contract,
      functionName: 'isApprovedForAll',
      args: [wallet.account.address, market.market],
    }),
  ])
  if (isOperator || lower(approved) === market.market) return
  await send(action, { ...contract, functionName: 'approve', args: [market.market, id] })
}

/** What the account has offered elsewhere on the market must stay covered: the allowance grows by the amount. */
async function approveMore(action: MarketAction, token: Hex, amount: bigint): Promise<void> {
  const { market } = marketOf(action.deployment)
  const allowed = await allowedMinor(action, { asset: token, spender: market })
  const most = 2n ** 256n - 1n
  const args = [market, allowed > most - amount ? most : allowed + amount]
  await send(action, { address: token, abi: erc20Abi, functionName: 'approve', args })
}

function marketCall(market: Market, functionName: string, args: readonly unknown[]): Call {
  return { address: market.market, abi: ABI, functionName, args }
}

const lower = (hex: Hex): Hex => hex.toLowerCase() as Hex
