import { seaportAbi } from '@liquefy/abi'
import type { Market } from '@liquefy/protocol'
import { decodeEventLog, type Hex, type Log } from 'viem'
import type { ContractDeployment } from './deployment.ts'
import { lower } from './ledger-text.ts'

/** A trade in one of our goods. */
interface Fill {
  kind: 'order-filled'
  orderId: Hex
  good: 'machine' | 'receivable' | 'right' | 'share'
  maker: Hex
  taker: Hex
  token: Hex
  /** Undefined: shares. */
  tokenId: bigint | undefined
  amount: bigint
  priceMinor: bigint
}

/** What the market told, as far as it concerns us. */
export type MarketEvent =
  | Fill
  | { kind: 'order-cancelled'; orderId: Hex }
  | { kind: 'market-counter'; maker: Hex; counter: bigint }

/** Where the market of a deployment is and what it trades; undefined on a ledger without one. */
export function marketOf({
  chainId,
  registry,
  clearingHouse,
  cooperation,
  asset,
}: Pick<ContractDeployment, 'chainId' | 'registry' | 'clearingHouse' | 'cooperation' | 'asset'>):
  | Market
  | undefined {
  if (!cooperation) return undefined
  const { market, usageRights } = cooperation
  return { chainId, market, registry, clearingHouse, usageRights, asset: asset.address }
}

interface Item {
  itemType: number
  token: Hex
  identifier: bigint
  amount: bigint
}

const ERC20 = 1
const ERC721 = 2

/** Reads a log of the market; undefined for what is none of ours: anybody may trade anything there. */
export function marketEvent(market: Market, log: Log): MarketEvent | undefined {
  const { eventName, args } = decodeEventLog({ abi: seaportAbi, ...log })
  switch (eventName) {
    case 'OrderFulfilled':
      return fillOf(market, args)
    case 'OrderCancelled':
      return { kind: 'order-cancelled', orderId: args.orderHash }
    case 'CounterIncremented':
      return { kind: 'market-counter', maker: lower(args.offerer), counter: args.newCounter }
    default:
      return undefined
  }
}

function fillOf(
  market: Market,
  args: {
    orderHash: Hex
    offerer: Hex
    recipient: Hex
    offer: readonly Item[]
    consideration: readonly Item[]
  },
): Fill | undefined {
  // What the taker adds of his own stands behind what the maker asked for.
  const [[given], [wanted]] = [args.offer, args.consideration]
  if (!given || !wanted || args.offer.length > 1) return undefined
  const isPaid = ({ itemType, token }: Item) => itemType === ERC20 && lower(token) === market.asset
  const [paid, item] = isPaid(wanted) ? [wanted, given] : [given, wanted]
  const good = goodOf(market, item)
  if (!isPaid(paid) || !good) return undefined
  return {
    kind: 'order-filled',
    orderId: args.orderHash,
    good,
    maker: lower(args.offerer),
    taker: lower(args.recipient),
    token: lower(item.token),
    tokenId: good === 'share' ? undefined : item.identifier,
    amount: item.amount,
    priceMinor: paid.amount,
  }
}

function goodOf(market: Market, { itemType, token }: Item): Fill['good'] | undefined {
  const address = lower(token)
  if (itemType === ERC20) return address === market.asset ? undefined : 'share'
  if (itemType !== ERC721) return undefined
  if (address === market.registry) return 'machine'
  if (address === market.clearingHouse) return 'receivable'
  return address === market.usageRights ? 'right' : undefined
}
