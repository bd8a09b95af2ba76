import { type Hex, parseAbi, toHex } from 'viem'
import {
  type CallContext,
  type CallEffect,
  callWords,
  decodeCall,
  grave,
  usual,
  type VaultCall,
} from './call-words.ts'

/** What a vault may call of Seaport 1.6. */
const MARKET = parseAbi([
  'struct OfferItem { uint8 itemType; address token; uint256 identifierOrCriteria; uint256 startAmount; uint256 endAmount; }',
  'struct ConsiderationItem { uint8 itemType; address token; uint256 identifierOrCriteria; uint256 startAmount; uint256 endAmount; address recipient; }',
  'struct OrderParameters { address offerer; address zone; OfferItem[] offer; ConsiderationItem[] consideration; uint8 orderType; uint256 startTime; uint256 endTime; bytes32 zoneHash; uint256 salt; bytes32 conduitKey; uint256 totalOriginalConsiderationItems; }',
  'struct OrderComponents { address offerer; address zone; OfferItem[] offer; ConsiderationItem[] consideration; uint8 orderType; uint256 startTime; uint256 endTime; bytes32 zoneHash; uint256 salt; bytes32 conduitKey; uint256 counter; }',
  'struct Order { OrderParameters parameters; bytes signature; }',
  'struct AdvancedOrder { OrderParameters parameters; uint120 numerator; uint120 denominator; bytes signature; bytes extraData; }',
  'struct CriteriaResolver { uint256 orderIndex; uint8 side; uint256 index; uint256 identifier; bytes32[] criteriaProof; }',
  'function validate(Order[] orders)',
  'function cancel(OrderComponents[] orders)',
  'function incrementCounter()',
  'function fulfillOrder(Order order, bytes32 fulfillerConduitKey)',
  'function fulfillAdvancedOrder(AdvancedOrder advancedOrder, CriteriaResolver[] criteriaResolvers, bytes32 fulfillerConduitKey, address recipient)',
])

interface Item {
  itemType: number
  token: Hex
  identifierOrCriteria: bigint
  startAmount: bigint
  endAmount: bigint
}

interface OrderText {
  offerer: Hex
  offer: readonly Item[]
  consideration: readonly (Item & { recipient: Hex })[]
  endTime: bigint
}

/** A call of the market in words. Undefined: none that can be said in full, say one which leaves open what is given. */
export function explainMarketCall(call: VaultCall, context: CallContext): CallEffect | undefined {
  const decoded = call.value === 0n ? decodeCall(MARKET, call.data) : undefined
  if (!decoded) return undefined
  const words = callWords(context)
  switch (decoded.functionName) {
    case 'incrementCounter':
      return usual('market', 'Cancels all that the vault has offered on the market.')
    case 'cancel':
      return usual(
        'market',
        `Cancels ${decoded.args[0].length} of the vault's orders on the market.`,
      )
    case 'validate': {
      const told = decoded.args[0].map(({ parameters }) => {
        const items = orderItems(parameters, context)
        const mine = words.isSame(parameters.offerer, context.vault)
        if (!items || !mine) return undefined
        return `Offers on the market, until ${words.time(parameters.endTime)}: ${items.gives} for ${items.asks}.`
      })
      return told.some((one) => one === undefined) ? undefined : grave('market', told.join(' '))
    }
    case 'fulfillOrder':
      return accepted(decoded.args[0].parameters, context)
    case 'fulfillAdvancedOrder': {
      const [{ parameters, numerator, denominator, extraData }, resolvers, , recipient] =
        decoded.args
      const whole = numerator === denominator && extraData === '0x' && resolvers.length === 0
      const toVault = words.isSame(recipient, context.vault) || /^0x0{40}$/.test(recipient)
      return whole && toVault ? accepted(parameters, context) : undefined
    }
  }
}

function accepted(order: OrderText, context: CallContext): CallEffect | undefined {
  const items = orderItems(order, context)
  if (!items) return undefined
  const { who } = callWords(context)
  return grave(
    'market',
    `Accepts the offer of ${who(order.offerer)} on the market: the vault gets ${items.gives} and gives ${items.asks}.`,
  )
}

/** What an order gives and asks, each item in words; undefined where an amount or a thing is left open. */
function orderItems(
  { offer, consideration }: OrderText,
  context: CallContext,
): { gives: string; asks: string } | undefined {
  const { who, isSame } = callWords(context)
  const gives = offer.map((item) => itemWords(item, context))
  const asks = consideration.map((item) => {
    const text = itemWords(item, context)
    return (
      text && (isSame(item.recipient, context.vault) ? text : `${text} to ${who(item.recipient)}`)
    )
  })
  if ([...gives, ...asks].some((text) => text === undefined)) return undefined
  return { gives: listed(gives), asks: listed(asks) }
}

const listed = (items: readonly (string | undefined)[]) => items.join(' and ') || 'nothing'

const [ERC20, ERC721] = [1, 2]

function itemWords(item: Item, context: CallContext): string | undefined {
  const { itemType, token, identifierOrCriteria: id, startAmount, endAmount } = item
  if (startAmount !== endAmount) return undefined
  const { isSame, money, machine } = callWords(context)
  if (itemType === ERC20) {
    if (isSame(token, context.asset.address)) return money(startAmount)
    return isSame(token, context.vault)
      ? `${startAmount} shares of the vault`
      : `${startAmount} smallest units of the token ${token}`
  }
  if (itemType !== ERC721) return undefined
  if (isSame(token, context.registry)) return machine(id)
  if (isSame(token, context.clearingHouse)) {
    return `what agreement ${toHex(id, { size: 32 })} will earn`
  }
  return isSame(token, context.usageRights) ? `usage right ${id}` : `token ${id} of ${token}`
}
