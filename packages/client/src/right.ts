/** What a node answers of the hours of machines. Hours of a week are `0x` and 42 hex digits, bit 0 being Monday 00:00 (`bitsFromHex`). */

import type { Hex, MachineState } from './types.ts'

/** A right to use a machine, as the ledger has it. A slot has `bits`, a quota `hoursPerWeek`; the other is zero. */
export interface UsageRightView {
  rightId: string
  machineId: string
  /** Weeks since Monday 1970-01-05, of the machine's zone. */
  firstWeek: number
  weeksCount: number
  bits: Hex
  hoursPerWeek: number
  /** Of a quota the hours booked, of a slot the hours given up; weeks without any are absent. */
  changes: { week: number; bits: Hex }[]
  owner: Hex
  /** Whom it is lent to; null if to nobody. */
  user: Hex | null
  /** Until when it is lent; null if it is not. */
  userUntilMs: number | null
  /** In words: `every Saturday 8-12, 12 weeks from 5 Jan 2026`. */
  words: string
  issuedMs: number
  txHash: Hex
  /** What was paid for it; null if its issuer gave it away. */
  sale: { asset: Hex; amountMinor: string } | null
}

/** Rights of a machine that are not over: all that it needs to say who may start it. */
export interface MachineRights {
  machineId: string
  /** Null: the machine has no calendar. */
  zone: string | null
  state: MachineState
  rights: UsageRightView[]
}

/** What is on sale to anybody. */
export interface HoursOffer {
  asset: Hex
  pricePerHourMinor: string
  /** Hours that can be bought as a slot. */
  openBits: Hex
  /** First week that is not on sale. */
  untilWeek: number
}

/** A week of a machine, by the wall clock of its zone. */
export interface CalendarWeek {
  week: number
  /** Its Monday, `YYYY-MM-DD`. */
  monday: string
  startsMs: number
  endsMs: number
  /** 604,800 but for weeks in which the clock changes. */
  seconds: number
  occupied: Hex
  /** Hours that quotas may still book. */
  promisedHours: number
  /** Hours that last other than 3,600 s. */
  oddHours: { hour: number; seconds: number }[]
  holders: {
    rightId: string
    /** Who may use it now. */
    holder: Hex
    bits: Hex
    spans: { fromMs: number; toMs: number }[]
  }[]
}

/** Weeks of a machine's calendar. */
export interface MachineCalendar {
  machineId: string
  /** Null: the machine has no calendar. */
  zone: string | null
  owner: Hex
  /** Null: nothing is on sale. */
  offer: HoursOffer | null
  /** The week that its wall clock reads now; null without a calendar. */
  thisWeek: number | null
  weeks: CalendarWeek[]
}
