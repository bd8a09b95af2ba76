import type { Agreement, NewVault } from '@liquefy/client'
import type { Observation } from '@liquefy/simulator'
import type { Decision, Vote } from './engine-vote.ts'
import type { Income } from './income.ts'
import type { Logbook } from './logbook.ts'
import type { Friend } from './people.ts'
import type { HalfSaturday, SaturdayStart } from './saturdays.ts'

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

/** One of the forty, when all is over. */
interface Owner {
  friend: Friend
  shares: bigint
  half: HalfSaturday
  vote: Vote
  claimedMinor: bigint
}

/** What the whole story came to; amounts in smallest units of the test euro. */
export interface Season {
  /** The Monday's midnight on which the charter began, ms since 1970. */
  startMs: number
  logbook: Logbook
  machineId: bigint
  company: NewVault
  /** What the founder had for the shares that were sold. */
  proceedsMinor: bigint
  charter: Bill
  /** All that the boat said until Friday, in its order. */
  observations: Observation[]
  /** On Wednesday night, and on Friday night. */
  incomes: Income[]
  /** In the order of the friends. */
  owners: Owner[]
  saturday: SaturdayStart
  decision: Decision
  /** Left on the vault when everybody has claimed and the engine is paid. */
  leftMinor: bigint
}
