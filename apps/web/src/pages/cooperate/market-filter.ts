import type { GoodKind, MachineSummary, MarketQuery, OrderSide } from '@liquefy/client'

/** What to show of the market. It stands in the address of the page, so that a view can be shared. */
export interface MarketFilter {
  side?: OrderSide | undefined
  kind?: GoodKind | undefined
  /** Part of a name, or an id. */
  find?: string | undefined
  /** In the asset, as it was typed. */
  upTo?: string | undefined
  /** Percent a year, as it was typed. */
  yield?: string | undefined
  /** Around the place of this machine. */
  near?: string | undefined
  order?: NonNullable<MarketQuery['sort']> | undefined
  /** Of who is signed in, with what is over. */
  mine?: true | undefined
}

export const kinds: Record<GoodKind, { words: string; one: string }> = {
  machine: { words: 'Machines', one: 'Machine' },
  share: { words: 'Shares', one: 'Share' },
  right: { words: 'Usage rights', one: 'Usage right' },
  receivable: { words: 'Receivables', one: 'Receivable' },
}

export const sorts = { newest: 'Newest', price: 'Lowest price', yield: 'Highest yield' } as const

const isKind = (kind: unknown): kind is GoodKind =>
  typeof kind === 'string' && Object.hasOwn(kinds, kind)

/** Reads a filter from an address. Every field is answered, so that nothing unread stays in its place. */
export const readMarketFilter = (search: Record<string, unknown>): MarketFilter => {
  const { side, kind, order, mine } = search
  const textOf = (name: string) => (search[name] ? String(search[name]) : undefined)
  return {
    side: side === 'sale' || side === 'offer' ? side : undefined,
    kind: isKind(kind) ? kind : undefined,
    find: textOf('find'),
    upTo: textOf('upTo'),
    yield: textOf('yield'),
    near: textOf('near'),
    order: order === 'price' || order === 'yield' ? order : undefined,
    mine: mine === true ? true : undefined,
  }
}

const nearKm = 50
const ppmOfPercent = 10_000

/** What to ask the node for. What cannot be read of a number is left out: the field says so itself. */
export const queryOf = (
  filter: MarketFilter,
  machines: readonly MachineSummary[],
  upToMinor: bigint | undefined,
): MarketQuery => {
  const { side, kind, find, near, order } = filter
  const place = machines.find(({ machineId }) => machineId === near)?.place
  const percent = Number(filter.yield)
  return {
    ...(side ? { side } : {}),
    ...(kind ? { kind } : {}),
    ...(find ? { text: find } : {}),
    ...(order ? { sort: order } : {}),
    ...(upToMinor === undefined ? {} : { maxPriceMinor: String(upToMinor) }),
    ...(filter.yield && percent > 0 ? { minYieldPpm: Math.round(percent * ppmOfPercent) } : {}),
    ...(place
      ? { latitudeE7: place.latitudeE7, longitudeE7: place.longitudeE7, withinKm: nearKm }
      : {}),
  }
}
