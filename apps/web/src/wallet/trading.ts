import {
  acceptOffer,
  buy,
  cancelOrders,
  type GoodKind,
  type Hex,
  listForSale,
  type MarketOrder,
  makeOffer,
  marketOf,
  type OrderSide,
  replacedOrders,
  seenGood,
} from '@liquefy/client'
import { formatDecimal, type Good, parseDecimal } from '@liquefy/protocol'
import { erc20Abi } from 'viem'
import { node } from '../api.ts'
import type { Wallets } from './wallets.ts'

/** What somebody wants to sell, or to have, as he wrote it. `amount` of shares, in whole ones. */
export interface DraftOrder {
  side: OrderSide
  kind: GoodKind
  /** The machine's id, the agreement's, the right's, or the vault's address. */
  of: string
  amount: string
  priceMinor: bigint
  days: number
}

const daySeconds = 86_400n
const myOrders = 50

/** Approves, signs and posts an order. Answers its title. `say` is told of each step. */
export const postOrder = async (
  wallets: Wallets,
  draft: DraftOrder,
  say: (step: string) => void,
): Promise<string> => {
  const action = await wallets.sender()
  const { publicClient, deployment, wallet } = action
  const good = await goodOf(draft, (token) =>
    publicClient.readContract({ address: token, abi: erc20Abi, functionName: 'decimals' }),
  )
  const { priceMinor, side } = draft
  const order = { good, priceMinor, lastsSeconds: BigInt(draft.days) * daySeconds }
  say('1 of 2: let the market take it when the order is filled, and sign the order')
  const maker = wallet.account.address
  const mine = await node.marketOrders({ maker, kind: good.kind, all: true, limit: myOrders })
  const replaced = replacedOrders(mine.orders, marketOf(deployment), good)
  const signed =
    side === 'sale'
      ? await listForSale({ ...action, ...order, replaced })
      : await makeOffer({ ...action, ...order })
  say('2 of 2: post the order')
  const { title } = await postSoon(signed)
  return side === 'sale' ? `${title} is for sale.` : `Your offer for ${title} stands.`
}

const postTries = 10
const postPauseMs = 500

/** The node asks the ledger, which has just taken the approval: a replica may be a moment behind. */
const postSoon = async (signed: Parameters<typeof node.postOrder>[0]): Promise<MarketOrder> => {
  for (let tries = 1; ; tries += 1) {
    try {
      return await node.postOrder(signed)
    } catch (error) {
      const isBehind = (error as { code?: string }).code === 'ORDER_UNFUNDED'
      if (!isBehind || tries === postTries) throw error
      await new Promise((resolve) => setTimeout(resolve, postPauseMs))
    }
  }
}

const goodOf = async (
  { kind, of, amount }: DraftOrder,
  decimalsOf: (token: Hex) => Promise<number>,
): Promise<Good> => {
  if (kind === 'machine') return { kind, machineId: BigInt(of) }
  if (kind === 'receivable') return { kind, agreementId: of as Hex }
  if (kind === 'right') return { kind, rightId: BigInt(of) }
  const token = of.toLowerCase() as Hex
  return { kind, token, amount: parseDecimal(amount.trim(), await decimalsOf(token)) }
}

/** Fills an order: buys what is for sale, or gives what is wanted. `part` of shares, smallest units. */
export const fillOrder = async (
  wallets: Wallets,
  order: MarketOrder,
  part: bigint | undefined,
  say: (step: string) => void,
): Promise<string> => {
  const action = await wallets.sender()
  const { asset } = action.deployment
  const minor =
    part === undefined
      ? BigInt(order.priceMinor)
      : (BigInt(order.priceMinor) * part) / BigInt(order.amount)
  const price = `${formatDecimal(minor, asset.decimals, { grouping: true })} ${asset.symbol}`
  if (order.side === 'offer') {
    say('Let the market take what is wanted, and give it')
    await acceptOffer({ ...action, ...order, part })
    return `Sold for ${price}.`
  }
  say('Let the market take the price, and pay it')
  await buy({ ...action, ...order, part, seen: seenGood(order) })
  return `Bought for ${price}.`
}

/** Takes an order back, for ever. */
export const cancelOrder = async (
  wallets: Wallets,
  { order }: MarketOrder,
  say: (step: string) => void,
): Promise<string> => {
  const action = await wallets.sender()
  say('Cancel it on the ledger')
  await cancelOrders({ ...action, orders: [order] })
  return 'It is cancelled, for ever.'
}
