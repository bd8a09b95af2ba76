import { seaportAbi } from '@liquefy/abi'
import {
  goodToken,
  goodTokenId,
  type Hex,
  LiquefyError,
  type Market,
  type Order,
  orderComponents,
  orderId,
} from '@liquefy/protocol'
import {
  BaseError,
  erc20Abi,
  erc721Abi,
  HttpRequestError,
  type PublicClient,
  TimeoutError,
} from 'viem'

/** What the ledger says of an order. */
interface OrderOnLedger {
  isCancelled: boolean
  /** Of its good. */
  filled: bigint
  /** The maker's now. */
  counter: bigint
}

/** A share as its contract tells it. */
export interface ShareToken {
  symbol: string
  decimals: number
  supply: bigint
}

/** Asks the ledger about orders as it is now. */
export interface MarketReader {
  status(order: Order): Promise<OrderOnLedger>
  /** Whether the market itself takes the signature: of a key, of a contract (ERC-1271), or none where the maker validated the order there. */
  takesSignature(order: Order, signature: Hex): Promise<boolean>
  /** How much the maker could give of what he would give: of an asset or share an amount, else 1 or 0. */
  canGive(order: Order): Promise<bigint>
  /** @throws LiquefyError `SHARE_UNKNOWN` if no share stands there. */
  share(token: Hex): Promise<ShareToken>
}

/** A maker that is a contract may look long at a signature, and no longer. */
const SIGNATURE_GAS = 3_000_000n
const TOKEN_GAS = 300_000n
const MAX_SYMBOL_LENGTH = 16
const MAX_DECIMALS = 36

export function marketReader(client: PublicClient, market: Market): MarketReader {
  const seaport = { address: market.market, abi: seaportAbi } as const

  const amountToGive = async (token: Hex, maker: Hex): Promise<bigint> => {
    const contract = { address: token, abi: erc20Abi, gas: TOKEN_GAS } as const
    const [balance, allowance] = await Promise.all([
      client.readContract({ ...contract, functionName: 'balanceOf', args: [maker] }),
      client.readContract({
        ...contract,
        functionName: 'allowance',
        args: [maker, market.market],
      }),
    ])
    return balance < allowance ? balance : allowance
  }

  const hasToken = async (token: Hex, maker: Hex, id: bigint): Promise<boolean> => {
    const contract = { address: token, abi: erc721Abi, gas: TOKEN_GAS } as const
    const [owner, approved, isOperator] = await Promise.all([
      client.readContract({ ...contract, functionName: 'ownerOf', args: [id] }),
      client.readContract({ ...contract, functionName: 'getApproved', args: [id] }),
      client.readContract({
        ...contract,
        functionName: 'isApprovedForAll',
        args: [maker, market.market],
      }),
    ])
    const isApproved = isOperator || approved.toLowerCase() === market.market
    return owner.toLowerCase() === maker && isApproved
  }

  return {
    async status(order) {
      const [[, isCancelled, filled, size], counter] = await Promise.all([
        client.readContract({
          ...seaport,
          functionName: 'getOrderStatus',
          args: [orderId(market, order)],
        }),
        client.readContract({ ...seaport, functionName: 'getCounter', args: [order.maker] }),
      ])
      const amount = order.good.kind === 'share' ? order.good.amount : 1n
      return { isCancelled, filled: size === 0n ? 0n : (amount * filled) / size, counter }
    },
    async takesSignature(order, signature) {
      const { counter: _, ...parameters } = orderComponents(market, order)
      try {
        const { result } = await client.simulateContract({
          ...seaport,
          functionName: 'validate',
          args: [
            [{ parameters: { ...parameters, totalOriginalConsiderationItems: 1n }, signature }],
          ],
          gas: SIGNATURE_GAS,
        })
        return result
      } catch (error) {
        if (isRefusal(error)) return false
        throw error
      }
    },
    async canGive({ side, maker, good }) {
      try {
        if (side === 'offer') return await amountToGive(market.asset, maker)
        const token = goodToken(market, good)
        const id = goodTokenId(good)
        if (id === undefined) return await amountToGive(token, maker)
        return (await hasToken(token, maker, id)) ? 1n : 0n
      } catch (error) {
        if (isRefusal(error)) return 0n
        throw error
      }
    },
    async share(token) {
      const contract = { address: token, abi: erc20Abi, gas: TOKEN_GAS } as const
      try {
        const [symbol, decimals, supply] = await Promise.all([
          client.readContract({ ...contract, functionName: 'symbol' }),
          client.readContract({ ...contract, functionName: 'decimals' }),
          client.readContract({ ...contract, functionName: 'totalSupply' }),
        ])
        if (decimals <= MAX_DECIMALS) {
          const plain = symbol.replace(/[^\x21-\x7e]/g, '').slice(0, MAX_SYMBOL_LENGTH)
          return { symbol: plain, decimals, supply }
        }
      } catch (error) {
        if (!isRefusal(error)) throw error
      }
      throw new LiquefyError(
        'SHARE_UNKNOWN',
        `${token} is no share: name the vault that issued it.`,
      )
    },
  }
}

/** The contract answered, and said no or nonsense; else the ledger was not reached. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof BaseError)) return false
  const unreached = error.walk(
    (cause) => cause instanceof HttpRequestError || cause instanceof TimeoutError,
  )
  return unreached === null
}
