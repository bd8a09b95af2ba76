import type { MachineState, MachineSummary } from '@liquefy/client'
import { attentionOf } from './attention.ts'

/** Which machines a list shows and in which order. It stands in the address of the page, so that a view can be shared. */
export interface MachineFilter {
  /** Part of a name, or an id. */
  find?: string | undefined
  state?: MachineState | undefined
  /** Of who is signed in: his own, which come first, or all. */
  whose?: 'mine' | 'all' | undefined
  /** Only those that somebody should look at. */
  attention?: true | undefined
  order?: MachineOrder | undefined
}

export type MachineOrder = keyof typeof orders

/** Words and order; machines that are equal in it stay as the node gave them, by id. */
export const orders = {
  id: { words: 'Oldest first', compare: () => 0 },
  name: {
    words: 'Name',
    compare: (a: MachineSummary, b: MachineSummary) => names.compare(a.name, b.name),
  },
  income: {
    words: 'Income today',
    compare: (a: MachineSummary, b: MachineSummary) =>
      Number(BigInt(b.settledSinceMinor) - BigInt(a.settledSinceMinor)),
  },
  silence: {
    words: 'Longest silent',
    compare: (a: MachineSummary, b: MachineSummary) =>
      (a.lastReadingMs ?? 0) - (b.lastReadingMs ?? 0),
  },
  refused: {
    words: 'Most refused',
    compare: (a: MachineSummary, b: MachineSummary) => b.refused - a.refused,
  },
} as const

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

export const states = ['registered', 'active', 'suspended', 'decommissioned'] as const

/** Reads a filter from an address. Every field is answered, so that nothing unread stays in its place. */
export const readFilter = (search: Record<string, unknown>): MachineFilter => {
  const { find, state, whose, attention, order } = search
  return {
    find: find === undefined || find === '' ? undefined : String(find),
    state: states.find((each) => each === state),
    whose: whose === 'mine' || whose === 'all' ? whose : undefined,
    attention: attention === true ? true : undefined,
    order: isOrder(order) && order !== 'id' ? order : undefined,
  }
}

const isOrder = (order: unknown): order is MachineOrder =>
  typeof order === 'string' && Object.hasOwn(orders, order)

/** The machines that fit, in the order that was asked for. */
export const matching = (
  machines: MachineSummary[],
  { find = '', state, attention, order = 'id' }: MachineFilter,
  nowMs: number,
): MachineSummary[] => {
  const sought = find.trim().toLowerCase()
  return machines
    .filter(
      (machine) =>
        (sought === '' ||
          machine.machineId === sought ||
          machine.name.toLowerCase().includes(sought)) &&
        (state === undefined || machine.state === state) &&
        (!attention || attentionOf(machine, nowMs).length > 0),
    )
    .sort(orders[order].compare)
}
