/** What the address of a new offer says. */
export interface OfferSearch {
  /** About which machine. */
  machine?: string
  /** The proposal that it counters. */
  answers?: string
  /** What is metered of the machine, where it has sent nothing yet that could be chosen from. */
  stream?: string
  unit?: string
  measure?: string
}

const names = ['machine', 'answers', 'stream', 'unit', 'measure'] as const

/** Reads it; what is no text is left out. */
export const offerSearchOf = (search: Record<string, unknown>): OfferSearch =>
  Object.fromEntries(
    names.flatMap((name) => {
      const value = search[name]
      return typeof value === 'string' || typeof value === 'number' ? [[name, String(value)]] : []
    }),
  )
