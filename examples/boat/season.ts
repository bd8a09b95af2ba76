import type { Agreement } from '@liquefy/client'
import type { Observation } from '@liquefy/simulator'
import type { Logbook } from './logbook.ts'

/** What of an audit's report the story tells; amounts are decimal strings. */
interface Audit {
  envelopes: number
  priced: number
  unpriced: Record<string, number>
  waiting: number
  unanchored: number
  periods: { registers: string[]; paidMinor: string }[]
  owedMinor: string
  settledMinor: string
  differenceMinor: string
  firstFault: { code: string } | null
}

/** An agreement as the node shows it, and recomputed by somebody who trusts nobody, from evidence and ledger. */
export interface Bill {
  agreement: Agreement
  audit: Audit
}

/** What the whole story came to. */
export interface Season {
  /** The Monday's midnight on which the charter began, ms since 1970. */
  startMs: number
  logbook: Logbook
  charter: Bill
  /** All that the boat said, in its order. */
  observations: Observation[]
}
