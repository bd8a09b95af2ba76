import { issueRight, lendRight, setCalendarZone, signStart, usageRightsOf } from '@liquefy/client'
import { type Machine, nodeRights, openUsageGuard, type StartAnswer } from '@liquefy/machine'
import { bitsOfHours, LiquefyError, spansOfBits, wallHourAt } from '@liquefy/protocol'
import { createRandom } from '@liquefy/simulator'
import type { Harbour } from './harbour.ts'
import { FOUNDER, FRIENDS, type Friend } from './people.ts'

/** A half Saturday: whose, and the right on the ledger that says so. */
export interface HalfSaturday {
  friend: Friend
  rightId: bigint
  /** Weeks after Monday 1970-01-05, by the harbour's wall clock. */
  week: number
  half: Half
}

/** What the boat said to those who wanted to start it on the first Saturday morning. */
export interface SaturdayStart {
  lender: Friend
  borrower: Friend
  /** To the friend who has lent the morning away, and to him who has it. */
  toLender: StartAnswer
  toBorrower: StartAnswer
}

type Half = keyof typeof HALVES

/** The wall clock that Saturdays are read from. */
const ZONE = 'Europe/Helsinki'
const HALVES = { morning: saturday(8, 14), evening: saturday(14, 20) }
const LOT = 40
const HOUR_MS = 3_600_000

function saturday(from: number, to: number): bigint {
  const hours = Array.from({ length: to - from }, (_, index) => 5 * 24 + from + index)
  return bitsOfHours(hours)
}

/**
 * The operator gives each friend a half Saturday, twenty Saturdays from the week of `startMs` on: who has which is drawn by lot, the same on
 * every run. That no hour is given twice, the ledger sees to.
 */
export async function allotSaturdays(
  { deployment, senderOf, addressOf }: Harbour,
  machineId: bigint,
  startMs: number,
): Promise<HalfSaturday[]> {
  const operator = { ...senderOf(FOUNDER), deployment, machineId }
  await setCalendarZone({ ...operator, zone: ZONE })
  const firstWeek = wallHourAt(ZONE, startMs).week
  const halves: HalfSaturday[] = []
  for (const [index, friend] of drawLots().entries()) {
    const half = index % 2 === 0 ? 'morning' : 'evening'
    const week = firstWeek + Math.floor(index / 2)
    const hours = { firstWeek: week, weeksCount: 1, bits: HALVES[half] }
    const rightId = await issueRight({ ...operator, hours, to: addressOf(friend) })
    halves.push({ friend, rightId, week, half })
  }
  return halves
}

function drawLots(): Friend[] {
  const random = createRandom(LOT)
  const lots = FRIENDS.map((friend) => ({ friend, lot: random.next() }))
  return lots.sort((a, b) => a.lot - b.lot).map(({ friend }) => friend)
}

/**
 * Who has the first morning lends it to who has the second. On the day both want to start the boat, which knows what its node told it of its
 * rights, and asks nobody.
 */
export async function lendFirstMorning(
  harbour: Harbour,
  boat: Machine,
  folder: string,
  halves: readonly HalfSaturday[],
): Promise<SaturdayStart> {
  const { deployment, clock, senderOf, addressOf } = harbour
  const [lent, , own] = halves
  if (!lent || !own) throw new RangeError('There are no Saturdays.')
  const [span] = spansOfBits(ZONE, lent.week, HALVES[lent.half])
  if (!span) throw new RangeError('The first morning has no time.')
  await lendRight({
    ...senderOf(lent.friend),
    deployment,
    rightId: lent.rightId,
    user: addressOf(own.friend),
    untilSeconds: BigInt(span.toMs / 1_000),
  })
  await harbour.idle()
  const { machineId } = boat
  const { url } = harbour
  const guard = openUsageGuard({
    folder,
    machineId,
    chainId: deployment.chainId,
    usageRights: usageRightsOf(deployment),
    streams: boat,
    nowMs: () => boat.nowMs(),
    askNode: nodeRights({ url, machineId }),
  })
  if (!(await guard.refresh())) {
    throw new LiquefyError('RIGHTS_UNHEARD', 'The boat could not hear of its rights.')
  }
  clock.until(span.fromMs + HOUR_MS)
  const start = async (friend: Friend) => {
    const use = {
      machineId,
      rightId: lent.rightId,
      challenge: guard.challenge(),
      deadline: BigInt(span.toMs / 1_000),
    }
    const signature = await signStart({ ...senderOf(friend), deployment }, use)
    return guard.start({ ...use, signature })
  }
  const toLender = await start(lent.friend)
  const toBorrower = await start(own.friend)
  clock.until(span.toMs - HOUR_MS)
  // Its readings are in packs, which `flushed` closes.
  await Promise.all([guard.stop(), boat.flushed()])
  await guard.close()
  return { lender: lent.friend, borrower: own.friend, toLender, toBorrower }
}
