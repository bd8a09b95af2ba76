import type {
  CalendarWeek,
  Hex,
  HoursOffer,
  MachineCalendar,
  MachineRights,
  UsageRightView,
} from '@liquefy/client'
import {
  bitsToHex,
  countHours,
  heldHours,
  hourSeconds,
  isTimeZone,
  MAX_RIGHTS_KNOWN,
  mondayOf,
  rightText,
  spansOfBits,
  userAt,
  wallHourAt,
  weekSpans,
} from '@liquefy/protocol'
import type { FastifyInstance } from 'fastify'
import type { Queryable } from '../store/database.ts'
import type { OfferRow, RightRow } from '../store/rights.ts'
import { readHourOffer, readRights, readZone } from '../store/rights.ts'
import type { ApiContext } from './context.ts'
import { knownMachine } from './machine-view.ts'
import { unknown } from './problem.ts'
import * as rightsSchemas from './rights-schemas.ts'
import { route } from './route.ts'
import * as schemas from './schemas.ts'

const MOST_OF_A_PERSON = 500
const NO_WEEK = { occupied: 0n, promised: 0 }

/** Hours of machines: who holds them, and what is on sale. */
export function addRightsRoutes(app: FastifyInstance, context: ApiContext): void {
  const db = context.database.pool
  app.get<{ Params: { id: string } }>(
    '/v1/machines/:id/rights',
    route('Rights to use a machine that are not over', rightsSchemas.machineRights, {
      params: schemas.machineParams,
    }),
    ({ params: { id } }) => machineRights(context, BigInt(id)),
  )
  app.get<{ Params: { id: string }; Querystring: { fromWeek?: number; weeks: number } }>(
    '/v1/machines/:id/calendar',
    route('Weeks of a machine: who holds which hours', rightsSchemas.machineCalendar, {
      params: schemas.machineParams,
      querystring: rightsSchemas.calendarQuery,
    }),
    ({ params: { id }, query: { fromWeek, weeks } }) =>
      machineCalendar(context, BigInt(id), fromWeek, weeks),
  )
  app.get<{ Querystring: { owner: Hex } }>(
    '/v1/rights',
    route(
      'Rights that somebody owns or has borrowed, the newest first',
      rightsSchemas.usageRights,
      {
        querystring: rightsSchemas.rightsQuery,
      },
    ),
    async ({ query: { owner } }) => {
      const person = owner.toLowerCase() as Hex
      return (await readRights(db, { person }, MOST_OF_A_PERSON)).map(rightView)
    },
  )
  app.get<{ Params: { rightId: string } }>(
    '/v1/rights/:rightId',
    route('One right to use a machine', rightsSchemas.usageRight, {
      params: rightsSchemas.rightParams,
    }),
    async ({ params: { rightId } }) => {
      const [right] = await readRights(db, { rightId: BigInt(rightId) }, 1)
      if (!right) throw unknown('RIGHT_UNKNOWN', `Right ${rightId}`)
      return rightView(right)
    },
  )
}

function rightView(right: RightRow): UsageRightView {
  const { rightId, machineId, firstWeek, weeksCount, hoursPerWeek, owner, user, sale } = right
  return {
    rightId: String(rightId),
    machineId: String(machineId),
    firstWeek,
    weeksCount,
    bits: bitsToHex(right.bits),
    hoursPerWeek,
    changes: [...right.changes]
      .filter(([, bits]) => bits !== 0n)
      .sort(([a], [b]) => a - b)
      .map(([week, bits]) => ({ week, bits: bitsToHex(bits) })),
    owner,
    user: user ?? null,
    userUntilMs: user ? right.userUntilMs : null,
    words: rightText(right),
    issuedMs: right.issuedMs,
    txHash: right.txHash,
    sale: sale ? { asset: sale.asset, amountMinor: String(sale.amount) } : null,
  }
}

/** The contract takes any name that looks like one: a zone that nobody knows is no calendar. */
async function knownZone(db: Queryable, machineId: bigint): Promise<string | undefined> {
  const zone = await readZone(db, machineId)
  return zone !== undefined && isTimeZone(zone) ? zone : undefined
}

async function machineRights(context: ApiContext, machineId: bigint): Promise<MachineRights> {
  const db = context.database.pool
  const { state } = await knownMachine(context, machineId)
  const zone = await knownZone(db, machineId)
  // A week that has just ended still says whether somebody came.
  const endAfterWeek = zone ? wallHourAt(zone, context.clock.nowMs()).week - 1 : 0
  const rights = await readRights(db, { machineId, endAfterWeek }, MAX_RIGHTS_KNOWN)
  return {
    machineId: String(machineId),
    zone: zone ?? null,
    state,
    rights: rights.map(rightView),
  }
}

async function machineCalendar(
  context: ApiContext,
  machineId: bigint,
  fromWeek: number | undefined,
  count: number,
): Promise<MachineCalendar> {
  const db = context.database.pool
  const { owner } = await knownMachine(context, machineId)
  const [zone, offer] = await Promise.all([knownZone(db, machineId), readHourOffer(db, machineId)])
  const base = { machineId: String(machineId), owner, offer: offerView(offer) }
  if (!zone) return { ...base, zone: null, thisWeek: null, weeks: [] }
  const nowMs = context.clock.nowMs()
  const thisWeek = wallHourAt(zone, nowMs).week
  const first = fromWeek ?? thisWeek
  // Of rights that end behind the first week.
  const rights = (
    await readRights(db, { machineId, endAfterWeek: first }, MAX_RIGHTS_KNOWN)
  ).filter(({ firstWeek }) => firstWeek < first + count)
  const weeks = Array.from({ length: count }, (_, index) =>
    weekView(zone, first + index, rights, nowMs),
  )
  return { ...base, zone, thisWeek, weeks }
}

function offerView(offer: OfferRow | undefined): HoursOffer | null {
  if (!offer) return null
  const { asset, pricePerHour, openBits, untilWeek } = offer
  return {
    asset,
    pricePerHourMinor: String(pricePerHour),
    openBits: bitsToHex(openBits),
    untilWeek,
  }
}

function weekView(
  zone: string,
  week: number,
  rights: readonly RightRow[],
  nowMs: number,
): CalendarWeek {
  const spans = weekSpans(zone, week)
  const lengths = hourSeconds(zone, week)
  const covering = rights.filter(
    ({ firstWeek, weeksCount }) => firstWeek <= week && week < firstWeek + weeksCount,
  )
  const { occupied, promised } = covering.reduce((sum, right) => {
    const held = heldHours(right, week)
    const open = right.hoursPerWeek === 0 ? 0 : right.hoursPerWeek - countHours(held)
    return { occupied: sum.occupied | held, promised: sum.promised + open }
  }, NO_WEEK)
  return {
    week,
    monday: mondayOf(week),
    startsMs: spans[0]?.fromMs ?? 0,
    endsMs: spans.at(-1)?.toMs ?? 0,
    seconds: lengths.reduce((sum, seconds) => sum + seconds, 0),
    occupied: bitsToHex(occupied),
    promisedHours: promised,
    oddHours: lengths.flatMap((seconds, hour) => (seconds === 3_600 ? [] : [{ hour, seconds }])),
    holders: covering
      .map((right) => ({ right, bits: heldHours(right, week) }))
      .filter(({ bits }) => bits !== 0n)
      .map(({ right, bits }) => ({
        rightId: String(right.rightId),
        holder: userAt(right, nowMs),
        bits: bitsToHex(bits),
        spans: spansOfBits(zone, week, bits),
      })),
  }
}
