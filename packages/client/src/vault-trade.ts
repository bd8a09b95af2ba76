import { machineVaultAbi, seaportAbi } from '@liquefy/abi'
import {
  goodToken,
  goodTokenId,
  LiquefyError,
  type Order,
  type OrderJson,
  orderComponents,
  orderToJson,
  parseOrder,
} from '@liquefy/protocol'
import {
  type Abi,
  decodeFunctionData,
  encodeFunctionData,
  erc721Abi,
  type PublicClient,
} from 'viem'
import type { MarketOrder } from './market.ts'
import {
  fillArguments,
  type MarketPlace,
  marketOf,
  readOrder,
  readSide,
  type SignedOrder,
} from './market-ledger.ts'
import type { Hex } from './types.ts'
import type { Vault, VaultProposal } from './vault.ts'

/**
 * What a vault trades by vote. `accept-offer`: gives a machine, or what an agreement will pay, to whoever offers for it. `sell-machine`: offers a
 * machine on the market, `until` in seconds since 1970; `replaced` are the vault's earlier sales of it, which are cancelled. The price comes to
 * the vault as income, in smallest units of the market's asset.
 */
export type TradeAction =
  | { kind: 'accept-offer'; offer: SignedOrder }
  | {
      kind: 'sell-machine'
      machineId: bigint
      priceMinor: bigint
      until: bigint
      replaced?: readonly OrderJson[]
    }

const DAY_SECONDS = 86_400
/** Whoever voted for it needs time to have it done. */
const SLACK_SECONDS = DAY_SECONDS
/** A node's list takes no longer ones. */
const MOST_DAYS = 366

/**
 * What the vault calls to trade, in order. One transaction does all of it, or nothing.
 *
 * @throws LiquefyError `TRADE_REFUSED` for an offer of another kind of good, `ORDER_OTHER_SIDE`, `MARKET_MISSING`, and of `parseOrder`.
 */
export function tradeCalls(
  deployment: MarketPlace,
  vault: Hex,
  action: TradeAction,
): { target: Hex; data: Hex }[] {
  const market = marketOf(deployment)
  const onMarket = (functionName: string, args: readonly unknown[]) => ({
    target: market.market,
    data: encodeFunctionData({ abi: seaportAbi as Abi, functionName, args }),
  })
  const approval = (order: Order) => ({
    target: goodToken(market, order.good),
    data: encodeFunctionData({
      abi: erc721Abi,
      functionName: 'approve',
      args: [market.market, goodTokenId(order.good) ?? 0n],
    }),
  })
  if (action.kind === 'accept-offer') {
    const { order: json, signature } = action.offer
    const order = readOffer(deployment, json)
    const filling = fillArguments(market, order, signature)
    return [approval(order), onMarket('fulfillAdvancedOrder', filling)]
  }
  const { machineId, priceMinor, until, replaced = [] } = action
  const json = orderToJson(market, {
    side: 'sale',
    maker: vault.toLowerCase() as Hex,
    good: { kind: 'machine', machineId },
    priceMinor,
    startTime: 0n,
    endTime: until,
    salt: 0n,
    // Not part of what is validated: the market takes the vault's own.
    counter: 0n,
  })
  const order = readOrder(market, json)
  const { counter: _, ...components } = orderComponents(market, order)
  const parameters = { ...components, totalOriginalConsiderationItems: 1n }
  const cancelled = replaced.map((one) => orderComponents(market, readOrder(market, one)))
  return [
    ...(cancelled.length === 0 ? [] : [onMarket('cancel', [cancelled])]),
    approval(order),
    onMarket('validate', [[{ parameters, signature: '0x' }]]),
  ]
}

/**
 * Why owners should not be asked for this trade, and what to do; undefined: they may be. What ends before they can have decided is refused: voting
 * delay, voting period, timelock, and a day to have it done.
 */
export function tradeProblem(
  action: TradeAction,
  vault: Pick<Vault, 'asset' | 'machines' | 'governance'>,
  { deployment, nowMs }: { deployment: MarketPlace; nowMs: number },
): string | undefined {
  if (vault.asset.toLowerCase() !== deployment.asset.address.toLowerCase()) {
    return `The market pays in ${deployment.asset.symbol}, and this vault's owners are paid in another token: nothing of it can be traded there.`
  }
  const { good, endTime } = partsOf(action, deployment)
  const isHeld = ({ held, machineId }: Vault['machines'][number]) =>
    held && good.kind === 'machine' && BigInt(machineId) === good.machineId
  if (good.kind === 'machine' && !vault.machines.some(isHeld)) {
    return `The vault does not hold machine ${good.machineId}: choose one that it holds.`
  }
  const lastsMs = Number(endTime) * 1_000 - nowMs
  if (action.kind === 'sell-machine' && lastsMs > MOST_DAYS * DAY_SECONDS * 1_000) {
    return `A sale lasts at most ${MOST_DAYS} days: let it end sooner.`
  }
  const { votingDelaySeconds, votingPeriodSeconds, timelockSeconds } = vault.governance
  const neededSeconds = votingDelaySeconds + votingPeriodSeconds + timelockSeconds + SLACK_SECONDS
  const neededMs = nowMs + neededSeconds * 1_000
  if (endTime * 1_000n > BigInt(Math.ceil(neededMs))) return undefined
  const what =
    action.kind === 'accept-offer'
      ? { it: 'The offer', todo: 'ask whoever made it for one that lasts longer' }
      : { it: 'The sale', todo: 'let it last longer' }
  return `${what.it} ends ${momentWords(Number(endTime) * 1_000)}, while the vote runs: the owners and their timelock may need until ${momentWords(neededMs)}, so ${what.todo}.`
}

/** Those of the market's offers that ask for what the vault holds and can be filled. `positions`: the agreements that pay the vault. */
export function offersForVault(
  orders: readonly MarketOrder[],
  { vault, machines }: Pick<Vault, 'vault' | 'machines'>,
  positions: readonly Hex[],
): MarketOrder[] {
  const held = machines.filter((one) => one.held).map(({ machineId }) => machineId)
  return orders.filter(({ side, kind, tokenId, state, maker }) => {
    const isHeld =
      (kind === 'machine' && held.some((one) => one === tokenId)) ||
      (kind === 'receivable' && positions.some((one) => one === tokenId))
    return side === 'offer' && state === 'open' && maker !== vault.toLowerCase() && isHeld
  })
}

/**
 * The sales that a proposal puts on the market, as a node's list takes them once it is executed: the vault cannot sign, so that the ledger
 * answers for it.
 */
export async function validatedSales({
  publicClient,
  deployment,
  proposal: { calls, vault },
}: {
  publicClient: PublicClient
  deployment: MarketPlace
  proposal: Pick<VaultProposal, 'vault' | 'calls'>
}): Promise<SignedOrder[]> {
  const sales = votedSales(deployment, { calls, vault })
  if (sales.length === 0) return []
  const counter = await publicClient.readContract({
    address: marketOf(deployment).market,
    abi: seaportAbi,
    functionName: 'getCounter',
    args: [vault],
  })
  return sales.map((order) => ({ order: { ...order, counter: String(counter) }, signature: '0x' }))
}

/** The sales that a proposal puts on the market, whether it was executed or not; the counter of them is not known. */
export function votedSales(
  deployment: MarketPlace,
  { calls, vault }: Pick<VaultProposal, 'vault' | 'calls'>,
): OrderJson[] {
  if (!deployment.cooperation) return []
  const market = marketOf(deployment)
  return calls.flatMap(({ target, data }) => {
    const executed = argsOf(machineVaultAbi, 'execute', target === vault ? data : '0x')
    const [to, , inner] = (executed ?? ['0x', 0n, '0x']) as [Hex, bigint, Hex]
    if (to.toLowerCase() !== market.market) return []
    const [orders] = (argsOf(seaportAbi, 'validate', inner) ?? [[]]) as [{ parameters: object }[]]
    return orders.flatMap(({ parameters }) => {
      const read = parseOrder(market, orderJson(parameters))
      const isSale = read.ok && read.order.side === 'sale' && read.order.maker === vault
      return isSale ? [orderToJson(market, read.order)] : []
    })
  })
}

function partsOf(action: TradeAction, deployment: MarketPlace): Pick<Order, 'good' | 'endTime'> {
  if (action.kind === 'accept-offer') return readOffer(deployment, action.offer.order)
  return { good: { kind: 'machine', machineId: action.machineId }, endTime: action.until }
}

function readOffer(deployment: MarketPlace, json: OrderJson): Order {
  const order = readSide(deployment, json, 'offer')
  if (order.good.kind === 'machine' || order.good.kind === 'receivable') return order
  throw new LiquefyError(
    'TRADE_REFUSED',
    'Owners vote on offers for a machine, or for what an agreement will pay: choose one of those.',
  )
}

function argsOf(abi: Abi, name: string, data: Hex): readonly unknown[] | undefined {
  try {
    const { functionName, args } = decodeFunctionData({ abi, data })
    return functionName === name ? args : undefined
  } catch {
    // Another contract's call.
    return undefined
  }
}

/** An order's parameters as JSON has them: numbers as text, bytes in lower case. */
function orderJson(parameters: object): unknown {
  const text = JSON.stringify({ ...parameters, counter: 0n }, (name, value) => {
    if (name === 'totalOriginalConsiderationItems') return Number(value)
    if (typeof value === 'bigint') return String(value)
    return typeof value === 'string' ? value.toLowerCase() : value
  })
  return JSON.parse(text)
}

/** The last millisecond that a date can name. */
const LAST_MS = 8.64e15

const momentWords = (ms: number) =>
  `${new Date(Math.min(ms, LAST_MS)).toISOString().slice(0, 16)} UTC`
