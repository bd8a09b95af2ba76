import type { Hex } from 'viem'
import { isTimeZone } from './calendar.ts'
import { bitsFromHex } from './hour-bits.ts'
import { MAX_RIGHT_WEEKS, type UsageRight } from './right.ts'

/** A right with who may use it. Times in ms; `user` until `userUntilMs` where it is lent. */
export type HeldRight = UsageRight & { owner: Hex; user: Hex | undefined; userUntilMs: number }

/** What a node says of a machine's calendar (`GET /v1/machines/{id}/rights`). */
export interface KnownCalendar {
  /** Undefined: the machine has no calendar. */
  zone: string | undefined
  isActive: boolean
  rights: HeldRight[]
}

/** A node is believed so many rights of one machine. */
export const MAX_RIGHTS_KNOWN = 5_000

const ADDRESS = /^0x[0-9a-f]{40}$/
const ID = /^(0|[1-9][0-9]{0,77})$/

/** Who may start the machine by a right at an instant: whom it is lent to, else its owner. */
export function userAt(right: HeldRight, atMs: number): Hex {
  return right.user !== undefined && atMs <= right.userUntilMs ? right.user : right.owner
}

/** Reads a node's answer strictly; undefined for anything else: the machine then goes by what it knew before. */
export function readCalendar(json: unknown, machineId: bigint): KnownCalendar | undefined {
  const { zone, state, rights } = (json ?? {}) as Record<string, unknown>
  if (zone !== null && !(typeof zone === 'string' && isTimeZone(zone))) return undefined
  if (typeof state !== 'string') return undefined
  if (!Array.isArray(rights) || rights.length > MAX_RIGHTS_KNOWN) return undefined
  const read = rights.map((right) => readRight(right, machineId))
  if (!read.every((right) => right !== undefined)) return undefined
  return { zone: zone ?? undefined, isActive: state === 'active', rights: read }
}

function readRight(json: unknown, machineId: bigint): HeldRight | undefined {
  const fields = (json ?? {}) as Record<string, unknown>
  const { rightId, firstWeek, weeksCount, hoursPerWeek, owner, user, userUntilMs } = fields
  const bits = bitsFromHex(fields.bits)
  const changes = readChanges(fields.changes)
  if (fields.machineId !== String(machineId)) return undefined
  if (typeof rightId !== 'string' || !ID.test(rightId) || bits === undefined) return undefined
  if (!isWhole(firstWeek, 2 ** 32) || !isWhole(weeksCount, MAX_RIGHT_WEEKS)) return undefined
  if (!isWhole(hoursPerWeek, 255) || !isAddress(owner) || !changes) return undefined
  const lent = user === null ? undefined : user
  if (lent !== undefined && !isAddress(lent)) return undefined
  const untilMs = userUntilMs === null ? 0 : userUntilMs
  if (!isWhole(untilMs, Number.MAX_SAFE_INTEGER)) return undefined
  return {
    rightId: BigInt(rightId),
    machineId,
    firstWeek,
    weeksCount,
    bits,
    hoursPerWeek,
    changes,
    owner,
    user: lent,
    userUntilMs: untilMs,
  }
}

function readChanges(json: unknown): Map<number, bigint> | undefined {
  if (!Array.isArray(json) || json.length > MAX_RIGHT_WEEKS) return undefined
  const changes = new Map<number, bigint>()
  for (const change of json) {
    const { week, bits } = (change ?? {}) as Record<string, unknown>
    const hours = bitsFromHex(bits)
    if (!isWhole(week, 2 ** 32) || hours === undefined) return undefined
    changes.set(week, hours)
  }
  return changes
}

const isAddress = (value: unknown): value is Hex => typeof value === 'string' && ADDRESS.test(value)

const isWhole = (value: unknown, most: number): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= most
