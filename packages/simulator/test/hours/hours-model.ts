import {
  countHours,
  type HourBits,
  heldHours,
  hoursBegun,
  hoursOver,
  MAX_RIGHT_WEEKS,
  openWeek,
  type UsageRight,
} from '@liquefy/protocol'

/** One thing that somebody tries. */
export type Action =
  | {
      kind: 'issue'
      by: string
      firstWeek: number
      weeksCount: number
      bits: HourBits
      hoursPerWeek: number
      to: string
    }
  | {
      kind: 'buy'
      by: string
      firstWeek: number
      weeksCount: number
      bits: HourBits
      maxTotal: bigint
      to: string
    }
  | {
      kind: 'buyHours'
      by: string
      firstWeek: number
      weeksCount: number
      hoursPerWeek: number
      maxTotal: bigint
      to: string
    }
  | { kind: 'book' | 'cancel'; by: string; rightId: number; week: number; bits: HourBits }
  | { kind: 'setUser'; by: string; rightId: number; user: string; expires: number }
  | { kind: 'transferFrom'; by: string; rightId: number; to: string }

type Right = UsageRight & {
  changes: Map<number, HourBits>
  owner: string
  user: string | undefined
  expires: number
  restsUntil: number
}

const HOURS = 168
const REST_SECONDS = 3_600

/** What `UsageRights` must do with the hours of one machine, from docs/protocol/rights.md: the name of the error, or `OK`. */
export class HoursModel {
  readonly rights: Right[] = []
  readonly weeks = new Map<number, { occupied: HourBits; promised: number }>()
  readonly options: {
    owner: string
    pricePerHour: bigint
    openBits: HourBits
    untilWeek: number
  }

  constructor(options: HoursModel['options']) {
    this.options = options
  }

  /** Tries an action at a time of the ledger, in seconds. */
  apply(action: Action, now: number): string {
    switch (action.kind) {
      case 'issue':
        if (action.by !== this.options.owner) return 'NotIssuer'
        return this.#issue(action, now)
      case 'buy': {
        const { openBits } = this.options
        if (this.#isOffSale(action) || (action.bits & ~openBits) !== 0n) return 'NotOnSale'
        return this.#sell({ ...action, hoursPerWeek: 0 }, now)
      }
      case 'buyHours':
        if (this.#isOffSale(action)) return 'NotOnSale'
        return this.#sell({ ...action, bits: 0n }, now)
      case 'book':
        return this.#book(action, now)
      case 'cancel':
        return this.#cancel(action, now)
      case 'setUser':
        return this.#lend(action)
      case 'transferFrom':
        return this.#transfer(action, now)
    }
  }

  week(week: number) {
    const known = this.weeks.get(week) ?? { occupied: 0n, promised: 0 }
    this.weeks.set(week, known)
    return known
  }

  /** Who holds a right at a time. */
  holder(right: Right, now: number): string {
    return right.user !== undefined && right.expires >= now ? right.user : right.owner
  }

  #isOffSale({ firstWeek, weeksCount }: { firstWeek: number; weeksCount: number }): boolean {
    return firstWeek + weeksCount > this.options.untilWeek
  }

  #sell(
    order: Omit<
      Right,
      'rightId' | 'machineId' | 'changes' | 'owner' | 'user' | 'expires' | 'restsUntil'
    > & {
      maxTotal: bigint
      to: string
    },
    now: number,
  ): string {
    const refusal = this.#refusalOf(order, now)
    if (refusal !== 'OK') return refusal
    const hours = (countHours(order.bits) + order.hoursPerWeek) * order.weeksCount
    if (BigInt(hours) * this.options.pricePerHour > order.maxTotal) return 'PriceAbove'
    return this.#issue(order, now)
  }

  #refusalOf(
    order: { firstWeek: number; weeksCount: number; bits: HourBits; hoursPerWeek: number },
    now: number,
  ): string {
    const { firstWeek, weeksCount, bits, hoursPerWeek } = order
    const open = openWeek(now)
    if (weeksCount < 1 || weeksCount > MAX_RIGHT_WEEKS) return 'WeeksRefused'
    if (firstWeek < open || firstWeek > open + MAX_RIGHT_WEEKS) return 'WeeksRefused'
    if (bits === 0n && hoursPerWeek === 0) return 'HoursEmpty'
    if (bits !== 0n && hoursPerWeek !== 0) return 'HoursInvalid'
    if ((bits & hoursOver(firstWeek, now)) !== 0n) return 'HoursOver'
    for (let week = firstWeek; week < firstWeek + weeksCount; week += 1) {
      const { occupied, promised } = this.week(week)
      if ((bits & occupied) !== 0n) return 'HoursTaken'
      if (countHours(occupied | bits) + promised + hoursPerWeek > HOURS) return 'HoursPromised'
    }
    return 'OK'
  }

  #issue(
    order: {
      firstWeek: number
      weeksCount: number
      bits: HourBits
      hoursPerWeek: number
      to: string
    },
    now: number,
  ): string {
    const refusal = this.#refusalOf(order, now)
    if (refusal !== 'OK') return refusal
    const { firstWeek, weeksCount, bits, hoursPerWeek, to } = order
    for (let week = firstWeek; week < firstWeek + weeksCount; week += 1) {
      const own = this.week(week)
      own.occupied |= bits
      own.promised += hoursPerWeek
    }
    this.rights.push({
      rightId: BigInt(this.rights.length + 1),
      machineId: 1n,
      firstWeek,
      weeksCount,
      bits,
      hoursPerWeek,
      changes: new Map(),
      owner: to,
      user: undefined,
      expires: 0,
      restsUntil: 0,
    })
    return 'OK'
  }

  #find({
    rightId,
    week,
    bits,
  }: {
    rightId: number
    week: number
    bits: HourBits
  }): Right | string {
    const right = this.rights[rightId - 1]
    if (!right) return 'ERC721NonexistentToken'
    if (bits === 0n) return 'HoursEmpty'
    if (week < right.firstWeek || week >= right.firstWeek + right.weeksCount) return 'WeekOutside'
    return right
  }

  #book(action: Extract<Action, { kind: 'book' | 'cancel' }>, now: number): string {
    const right = this.#find(action)
    if (typeof right === 'string') return right
    const { week, bits, by } = action
    if (right.hoursPerWeek === 0) return 'RightIsSlot'
    if (by !== this.holder(right, now)) return 'NotHolder'
    if ((bits & hoursOver(week, now)) !== 0n) return 'HoursOver'
    const own = this.week(week)
    if ((bits & own.occupied) !== 0n) return 'HoursTaken'
    const booked = (right.changes.get(week) ?? 0n) | bits
    if (countHours(booked) > right.hoursPerWeek) return 'QuotaSpent'
    right.changes.set(week, booked)
    own.occupied |= bits
    own.promised -= countHours(bits)
    return 'OK'
  }

  #cancel(action: Extract<Action, { kind: 'book' | 'cancel' }>, now: number): string {
    const right = this.#find(action)
    if (typeof right === 'string') return right
    const { week, bits, by } = action
    const isSlot = right.hoursPerWeek === 0
    if (by !== (isSlot ? right.owner : this.holder(right, now))) return 'NotHolder'
    if ((bits & hoursBegun(week, now)) !== 0n) return 'HoursBegun'
    if ((bits & ~heldHours(right, week)) !== 0n) return 'HoursNotHeld'
    const own = this.week(week)
    right.changes.set(week, (right.changes.get(week) ?? 0n) ^ bits)
    own.occupied ^= bits
    if (isSlot) right.restsUntil = now + REST_SECONDS
    else own.promised += countHours(bits)
    return 'OK'
  }

  #lend(action: Extract<Action, { kind: 'setUser' }>): string {
    const right = this.rights[action.rightId - 1]
    if (!right) return 'ERC721NonexistentToken'
    if (right.owner !== action.by) return 'ERC721InsufficientApproval'
    right.user = action.user
    right.expires = action.expires
    return 'OK'
  }

  #transfer(action: Extract<Action, { kind: 'transferFrom' }>, now: number): string {
    const right = this.rights[action.rightId - 1]
    if (!right) return 'ERC721NonexistentToken'
    if (right.owner !== action.by) return 'ERC721InsufficientApproval'
    if (now < right.restsUntil) return 'RightRests'
    right.owner = action.to
    if (right.user !== undefined) {
      right.user = undefined
      right.expires = 0
      right.restsUntil = 0
    }
    return 'OK'
  }
}
