import type {
  GoodFigures,
  Hex,
  MachineFigures,
  MarketOrder,
  MarketPage,
  MarketQuery,
  ReceivableFigures,
} from '@liquefy/client'
import {
  countHours,
  explainTariff,
  formatDecimal,
  LiquefyError,
  orderParts,
  rightText,
  tariffUnits,
} from '@liquefy/protocol'
import { type OrderBook, orderOf, type Standing } from '../cooperate/order-book.ts'
import { noMoney, readMoney } from '../store/agreements.ts'
import {
  type MachineTrade,
  type MonthIncome,
  readAgreementIncome,
  readMachineIncome,
  readMachineTrade,
  readMeasuredHours,
} from '../store/good-figures.ts'
import type { StoredOrder } from '../store/market.ts'
import { readOwedTotals } from '../store/metering.ts'
import { type MachineOverview, readMachineOverview } from '../store/overview.ts'
import { readPlaces } from '../store/places.ts'
import { readRights } from '../store/rights.ts'
import { readReserve } from '../store/vault-income.ts'
import type { ApiContext } from './context.ts'
import { heldHoursOf } from './held-hours.ts'
import { identityOf } from './machine-view.ts'

const PAGE = 20
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const YEAR_DAYS = 365
const UPTIME_MS = 30 * DAY_MS
const MONTHS = 12
/** An income of fewer days says nothing of a year. */
const MIN_LOOK_BACK_DAYS = 30
const PPM = 1_000_000n
const KM_PER_DEGREE = 111.32

/** What figures are made of, read at once for all orders that are looked through. */
interface Known {
  nowMs: number
  machines: ReadonlyMap<bigint, MachineOverview>
  places: Awaited<ReturnType<typeof readPlaces>>
  income: ReadonlyMap<string, MonthIncome[]>
  trade: ReadonlyMap<bigint, MachineTrade>
  shares: ReadonlyMap<Hex, Awaited<ReturnType<OrderBook['share']>>>
}

/** An order with what is known of its good without asking the ledger. */
interface Found {
  stored: StoredOrder
  title: string
  remainingMinor: bigint
  earnings: Pick<GoodFigures, 'income' | 'yearMinor' | 'lookBackDays' | 'payers' | 'yieldPpm'>
}

/** Orders that can be had now, with all that a buyer needs to know. A page may be short: what turned out not to be had is left out. */
export async function marketPage(
  context: ApiContext,
  book: OrderBook,
  query: MarketQuery,
): Promise<MarketPage> {
  const { side, kind, maker, token, all, offset = 0, limit = PAGE } = query
  const nowMs = context.clock.nowMs()
  const stored = await book.find({
    side,
    kind,
    maker: lower(maker),
    token: lower(token),
    openAtSeconds: all && maker ? undefined : Math.floor(nowMs / 1_000),
  })
  const known = await readKnown(context, book, stored, nowMs)
  const found = stored
    .map((one) => foundOf(context, known, one))
    .filter((one) => matches(known, one, query))
    .sort(ORDER_BY[query.sort ?? 'newest'])
  const shown = found.slice(offset, offset + limit)
  const views = await Promise.all(shown.map((one) => viewOf(context, book, known, one)))
  return {
    orders: all && maker ? views : views.filter(({ state }) => state === 'open'),
    nextOffset: offset + limit < found.length ? offset + limit : null,
  }
}

/** One order, whatever became of it. */
export async function orderView(
  context: ApiContext,
  book: OrderBook,
  stored: StoredOrder,
): Promise<MarketOrder> {
  const known = await readKnown(context, book, [stored], context.clock.nowMs())
  return viewOf(context, book, known, foundOf(context, known, stored))
}

async function readKnown(
  context: ApiContext,
  book: OrderBook,
  orders: readonly StoredOrder[],
  nowMs: number,
): Promise<Known> {
  const db = context.database.pool
  const { asset } = context.deployment
  const sinceMs = nowMs - YEAR_DAYS * DAY_MS
  const machineIds = [...new Set(orders.flatMap((one) => one.machineIds))]
  const agreementIds = orders.flatMap(({ agreementId }) => agreementId ?? [])
  const tokens = [...new Set(orders.flatMap((one) => (one.kind === 'share' ? one.token : [])))]
  const only = machineIds.length === 1 ? machineIds[0] : undefined
  const [machines, places, ofMachines, ofAgreements, trade, shares] = await Promise.all([
    readMachineOverview(db, only),
    readPlaces(db, only),
    readMachineIncome(db, { machineIds, asset: asset.address, sinceMs }),
    readAgreementIncome(db, { agreementIds, sinceMs }),
    readMachineTrade(db, machineIds, asset.address),
    Promise.all(tokens.map((token) => shareOf(book, token))),
  ])
  return {
    nowMs,
    machines: new Map(machines.map((one) => [one.machineId, one])),
    places,
    income: Map.groupBy([...ofMachines, ...ofAgreements], ({ of }) => of),
    trade,
    shares: new Map(shares.flatMap((one) => (one ? [one] : []))),
  }
}

/** A token may say one thing when its order is posted and another thing later: that must not take the others' list away. */
async function shareOf(book: OrderBook, token: Hex) {
  try {
    return [token, await book.share(token)] as const
  } catch (error) {
    if (error instanceof LiquefyError && error.code === 'SHARE_UNKNOWN') return undefined
    throw error
  }
}

function foundOf(context: ApiContext, known: Known, stored: StoredOrder): Found {
  const left = stored.amount - stored.filled
  const remainingMinor = (stored.priceMinor * left) / stored.amount
  return {
    stored,
    title: titleOf(known, stored),
    remainingMinor,
    earnings: earningsOf(context, known, stored),
  }
}

function titleOf(
  { machines, shares }: Known,
  { kind, tokenId, token, ...one }: StoredOrder,
): string {
  const names = one.machineIds.map((id) => machines.get(id)?.name ?? `machine ${id}`)
  if (kind === 'machine') return names[0] ?? `machine ${tokenId}`
  if (kind === 'receivable') {
    const id = one.agreementId?.slice(0, 10)
    return `Income of agreement ${id}…${names[0] ? ` (${names[0]})` : ''}`
  }
  if (kind === 'right') return `Usage right ${tokenId}${names[0] ? ` (${names[0]})` : ''}`
  const share = shares.get(token)
  const exact = formatDecimal(one.amount, share?.decimals ?? 0, { grouping: true })
  const amount = exact.includes('.') ? exact.replace(/\.?0+$/, '') : exact
  return `${amount} ${share?.symbol ?? 'shares'}${names[0] ? ` (${names.join(', ')})` : ''}`
}

/** What the part on sale earned, by month and in a year. */
function earningsOf(
  context: ApiContext,
  { nowMs, income, trade, shares }: Known,
  stored: StoredOrder,
): Found['earnings'] {
  const { kind, agreementId, machineIds, amount, priceMinor, token } = stored
  const agreement = agreementId && context.agreements.get(agreementId)
  // A usage right earns its owner nothing: the machine's income goes to the machine's owner.
  const sources =
    kind === 'right' ? [] : kind === 'receivable' ? [agreementId ?? ''] : machineIds.map(String)
  const part = (minor: bigint): bigint => {
    if (kind !== 'share') return minor
    const supply = shares.get(token)?.supply ?? 0n
    return supply === 0n ? 0n : (minor * amount) / supply
  }
  const byMonth = Map.groupBy(
    sources.flatMap((of) => income.get(of) ?? []),
    ({ month }) => month,
  )
  const minorOf = (month: string) =>
    part((byMonth.get(month) ?? []).reduce((sum, { minor }) => sum + minor, 0n))
  const yearMinor = [...byMonth.keys()].reduce((sum, month) => sum + minorOf(month), 0n)
  const trades = machineIds.flatMap((id) => trade.get(id) ?? [])
  const sinceMs = agreement
    ? agreement.openedMs
    : Math.min(nowMs, ...trades.map((one) => one.sinceMs))
  const days = Math.ceil((nowMs - sinceMs) / DAY_MS)
  const lookBackDays = Math.min(YEAR_DAYS, Math.max(1, days))
  const perYear = (yearMinor * BigInt(YEAR_DAYS)) / BigInt(lookBackDays)
  const payers = agreement ? [agreement.payer] : trades.flatMap((one) => one.payers)
  return {
    income: monthsUpTo(nowMs).map((month) => ({ month, minor: String(minorOf(month)) })),
    yearMinor: String(yearMinor),
    lookBackDays,
    payers: kind === 'right' ? 0 : new Set(payers).size,
    // What an agreement still pays ends with it: no yield to go on for ever.
    yieldPpm:
      yearMinor > 0n && kind !== 'receivable' && lookBackDays >= MIN_LOOK_BACK_DAYS
        ? Number((perYear * PPM) / priceMinor)
        : null,
  }
}

/** The twelve months up to now, UTC, the oldest first: "2026-11". */
function monthsUpTo(nowMs: number): string[] {
  const now = new Date(nowMs)
  return Array.from({ length: MONTHS }, (_, index) => {
    const month = now.getUTCMonth() - (MONTHS - 1) + index
    return new Date(Date.UTC(now.getUTCFullYear(), month)).toISOString().slice(0, 7)
  })
}

function matches(known: Known, found: Found, query: MarketQuery): boolean {
  const { stored, remainingMinor, earnings, title } = found
  const { machineId, minPriceMinor, maxPriceMinor, minYieldPpm, text } = query
  if (machineId !== undefined && !stored.machineIds.includes(BigInt(machineId))) return false
  if (minPriceMinor !== undefined && remainingMinor < BigInt(minPriceMinor)) return false
  if (maxPriceMinor !== undefined && remainingMinor > BigInt(maxPriceMinor)) return false
  if (minYieldPpm !== undefined && (earnings.yieldPpm ?? 0) < minYieldPpm) return false
  if (text !== undefined && !words(stored, title).includes(text.trim().toLowerCase())) return false
  return isNear(known, stored, query)
}

const words = ({ orderId, agreementId, token, tokenId, machineIds }: StoredOrder, title: string) =>
  [title, orderId, agreementId, token, tokenId, ...machineIds].join(' ').toLowerCase()

function isNear(
  { places }: Known,
  { machineIds }: StoredOrder,
  { latitudeE7, longitudeE7, withinKm }: MarketQuery,
): boolean {
  if (latitudeE7 === undefined || longitudeE7 === undefined || withinKm === undefined) return true
  return machineIds.some((id) => {
    const place = places.get(id)
    if (!place) return false
    const north = (place.latitudeE7 - latitudeE7) / 1e7
    // The shorter way round, where the date line lies between.
    const east = (((place.longitudeE7 - longitudeE7) / 1e7 + 540) % 360) - 180
    const shrunk = east * Math.cos((latitudeE7 / 1e7 / 180) * Math.PI)
    return Math.hypot(north, shrunk) * KM_PER_DEGREE <= withinKm
  })
}

const ORDER_BY: Record<NonNullable<MarketQuery['sort']>, (a: Found, b: Found) => number> = {
  newest: () => 0,
  price: (a, b) => (a.remainingMinor < b.remainingMinor ? -1 : 1),
  yield: (a, b) => (b.earnings.yieldPpm ?? -1) - (a.earnings.yieldPpm ?? -1),
}

async function viewOf(
  context: ApiContext,
  book: OrderBook,
  known: Known,
  { stored, title, earnings }: Found,
): Promise<MarketOrder> {
  const [standing, figures] = await Promise.all([
    book.standing(stored),
    figuresOf(context, known, stored, earnings),
  ])
  const order = orderOf(book.market, stored)
  return {
    orderId: stored.orderId,
    side: stored.side,
    kind: stored.kind,
    maker: stored.maker,
    token: stored.token,
    tokenId: stored.agreementId ?? (stored.tokenId === undefined ? null : String(stored.tokenId)),
    title,
    decimals: known.shares.get(stored.token)?.decimals ?? 0,
    amount: String(stored.amount),
    partSize: String(stored.amount / orderParts(order)),
    priceMinor: String(stored.priceMinor),
    ...standingView(stored, standing),
    startMs: stored.startSeconds * 1_000,
    endMs: stored.endSeconds * 1_000,
    postedMs: stored.postedMs,
    figures,
    order: stored.orderJson as MarketOrder['order'],
    signature: stored.signature,
  }
}

function standingView(
  { amount, priceMinor }: StoredOrder,
  { state, remaining, problem }: Standing,
): Pick<MarketOrder, 'state' | 'problem' | 'remaining' | 'remainingMinor'> {
  return {
    state,
    problem,
    remaining: String(remaining),
    remainingMinor: String((priceMinor * remaining) / amount),
  }
}

async function figuresOf(
  context: ApiContext,
  known: Known,
  stored: StoredOrder,
  earnings: Found['earnings'],
): Promise<GoodFigures> {
  const isMachine = stored.kind === 'machine'
  const [machines, reserve, account, hours, rightInWords, receivable] = await Promise.all([
    machineFigures(context, known, stored.machineIds),
    stored.kind === 'share' ? readReserve(context.database.pool, stored.token) : null,
    isMachine ? accountOf(context, stored.tokenId ?? 0n) : null,
    isMachine ? heldHoursOf(context, stored.tokenId ?? 0n) : null,
    stored.kind === 'right' ? rightWords(context, stored.tokenId ?? 0n) : null,
    stored.agreementId ? receivableOf(context, stored.agreementId) : null,
  ])
  return {
    machines,
    ...earnings,
    reserveMinor: reserve === null ? null : String(reserve),
    account,
    hours,
    rightInWords,
    receivable,
  }
}

/** Machines shown of one good: a vault may hold many. */
const MACHINES_SHOWN = 20

async function machineFigures(
  context: ApiContext,
  { nowMs, machines, places }: Known,
  machineIds: readonly bigint[],
): Promise<MachineFigures[]> {
  const shown = machineIds.slice(0, MACHINES_SHOWN)
  const hours = await readMeasuredHours(context.database.pool, shown, nowMs - UPTIME_MS)
  return shown.flatMap((machineId) => {
    const machine = machines.get(machineId)
    if (!machine) return []
    const { name, state, registeredMs } = machine
    const possible = Math.max(1, Math.ceil(Math.min(UPTIME_MS, nowMs - registeredMs) / HOUR_MS))
    const measured = Math.min(possible, hours.get(machineId) ?? 0)
    return {
      machineId: String(machineId),
      name: name ?? String(machineId),
      state,
      registeredMs,
      place: places.get(machineId) ?? null,
      uptimePpm: Math.floor((measured / possible) * Number(PPM)),
    }
  })
}

async function accountOf(context: ApiContext, machineId: bigint): Promise<GoodFigures['account']> {
  const { account } = identityOf(context, machineId)
  if (account === null) return null
  const { balanceMinor } = await context.readAccount(account)
  return { address: account, balanceMinor: String(balanceMinor) }
}

async function rightWords(context: ApiContext, rightId: bigint): Promise<string | null> {
  const [right] = await readRights(context.database.pool, { rightId }, 1)
  if (!right) return null
  const given = [...right.changes.values()].reduce((sum, bits) => sum + countHours(bits), 0)
  // Of a quota these are hours booked: whoever buys it has them booked.
  const less = given > 0 && right.hoursPerWeek === 0
  return less ? `${rightText(right)}, less ${given} hours that were given up` : rightText(right)
}

async function receivableOf(
  context: ApiContext,
  agreementId: Hex,
): Promise<ReceivableFigures | null> {
  const agreement = context.agreements.get(agreementId)
  if (!agreement) return null
  const db = context.database.pool
  const [money, owed] = await Promise.all([
    readMoney(db, context.block().final, [agreementId]),
    readOwedTotals(db),
  ])
  const { escrowMinor, accruedMinor, paidMinor } = money.get(agreementId) ?? noMoney()
  const unpaid = (owed.get(agreementId) ?? 0n) - paidMinor
  const { terms, tariff, rules, payer, open } = agreement
  return {
    agreementId,
    payer,
    open,
    escrowMinor: String(escrowMinor),
    unpaidMinor: String(unpaid > 0n ? unpaid : 0n),
    accruedMinor: String(accruedMinor),
    capMinor: terms ? String(terms.capMinor) : null,
    endsMs: terms ? (Number(terms.start) + terms.periodSeconds * terms.periods) * 1_000 : null,
    tariffInWords:
      tariff && terms
        ? explainTariff(tariff, {
            units: tariffUnits(terms, rules),
            asset: context.deployment.asset,
          })
        : 'A tariff contract that this node does not know.',
  }
}

const lower = (hex: Hex | undefined): Hex | undefined => hex?.toLowerCase() as Hex | undefined
