import type { Good, OrderJson } from '@liquefy/protocol'
import type { Hex, MachinePlace, MachineState } from './types.ts'

/** What of an order can be had now. `unfunded`: the maker has not got, or has not approved, what he would give. */
export type OrderState = 'open' | 'not-begun' | 'unfunded' | 'filled' | 'cancelled' | 'expired'

export type OrderSide = 'sale' | 'offer'
export type GoodKind = Good['kind']

/** A signed order of the market with all that whoever answers it has to know. Amounts in smallest units of the share, 1 for all else. */
export interface MarketOrder {
  orderId: Hex
  side: OrderSide
  kind: GoodKind
  maker: Hex
  /** The contract whose token it is; of a receivable `tokenId` is the agreement's id. */
  token: Hex
  tokenId: string | null
  /** What it is, for lists: "Silo 3", "40 SILO". */
  title: string
  /** Decimals of the share; 0 of all else. */
  decimals: number
  amount: string
  /** What of it is left. */
  remaining: string
  /** A part is a multiple of this; the whole amount where it is not divided. */
  partSize: string
  /** For all of it, and for what is left, smallest units of the asset. */
  priceMinor: string
  remainingMinor: string
  startMs: number
  endMs: number
  postedMs: number
  state: OrderState
  /** Why it cannot be had, and what to do; null if it can. */
  problem: string | null
  figures: GoodFigures
  /** As it was signed: all that it takes to fill it without the node. */
  order: OrderJson
  signature: Hex
}

/** What a buyer needs to know of a good: from settled agreements and the log, all of it open to audit. */
export interface GoodFigures {
  /** The machines behind it. */
  machines: MachineFigures[]
  /** What the part on sale earned by month (UTC), the oldest of twelve first, the current one last. Costs are not taken off. */
  income: { month: string; minor: string }[]
  /** The same of the last 365 days, and the days of them that there is something to look back on. */
  yearMinor: string
  lookBackDays: number
  /** Different payers of it: few of them may be friends of the seller. */
  payers: number
  /** Income of 365 days to price, parts in a million; extrapolated if `lookBackDays` are fewer, null if they are fewer than 30, and without income. */
  yieldPpm: number | null
  /** What a vault keeps for repairs; null of all else. */
  reserveMinor: string | null
  /** What the machine's account holds now: its owner can take it out until the very sale. Null of all else. */
  account: { address: Hex; balanceMinor: string } | null
  /** Hours of the machine that others hold and keep when it is sold; null of all else, and where the ledger has no usage rights. */
  hours: HeldHours | null
  /** What a usage right is, "every Saturday 8-12, 12 weeks from 5 Jan 2026, less 4 hours that were given up"; null of all else. */
  rightInWords: string | null
  receivable: ReceivableFigures | null
}

export interface MachineFigures {
  machineId: string
  name: string
  state: MachineState
  registeredMs: number
  place: MachinePlace | null
  /** Share of the hours of the last 30 days, or since it was registered, in which it measured; parts in a million. */
  uptimePpm: number
}

/** Hours of a machine that rights hold. */
export interface HeldHours {
  /** Number of rights ever issued: one more than a buyer has seen, and he is not told all (`seenGood`). */
  rightsIssued: string
  /** Held or promised in the coming four weeks, the present one first, and how many hours these have by the clock on the wall. */
  heldHours: number
  ofHours: number
  /** "Saturdays 8-12 are held until 31 May 2027"; the first twelve lines. */
  words: string[]
}

/** What the owner of an agreement's position may expect. */
export interface ReceivableFigures {
  agreementId: Hex
  payer: Hex
  open: boolean
  escrowMinor: string
  /** Measured and not paid yet: the next settlement pays it to whoever owns the position then. */
  unpaidMinor: string
  /** Paid and not credited: it goes to the seller when the position moves. */
  accruedMinor: string
  /** The most that one period costs; null of terms that the node does not read. */
  capMinor: string | null
  endsMs: number | null
  tariffInWords: string
}

/** A page of orders; `nextOffset` null at the end. */
export interface MarketPage {
  orders: MarketOrder[]
  nextOffset: number | null
}

/** What was traded, newest first. */
export interface MarketTrade {
  orderId: Hex
  maker: Hex
  taker: Hex
  kind: GoodKind
  token: Hex
  tokenId: string | null
  amount: string
  priceMinor: string
  atMs: number
  txHash: Hex
}

/** What to look for; all of it together. Prices of what is left, smallest units. */
export interface MarketQuery {
  side?: OrderSide
  kind?: GoodKind
  machineId?: string
  maker?: Hex
  token?: Hex
  /** With `maker`: those that cannot be had any more, too. */
  all?: boolean
  /** Part of a title, a machine's name or id, an order's or agreement's id. */
  text?: string
  minPriceMinor?: string
  maxPriceMinor?: string
  minYieldPpm?: number
  /** Around a place, degrees of WGS 84 times 10^7. */
  latitudeE7?: number
  longitudeE7?: number
  withinKm?: number
  sort?: 'newest' | 'price' | 'yield'
  offset?: number
  limit?: number
}
