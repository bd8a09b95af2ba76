import type { HeldHours } from '@liquefy/client'
import {
  countHours,
  HOURS_A_WEEK,
  heldHours,
  heldText,
  isTimeZone,
  MAX_RIGHTS_KNOWN,
  wallHourAt,
} from '@liquefy/protocol'
import { countRightsIssued, type RightRow, readRights, readZone } from '../store/rights.ts'
import type { ApiContext } from './context.ts'

const COMING_WEEKS = 4
const MOST_WORDS = 12

/** Hours of a machine that others hold, for who thinks of buying it. Null: the ledger has no usage rights. */
export async function heldHoursOf(
  { database: { pool }, deployment, clock }: ApiContext,
  machineId: bigint,
): Promise<HeldHours | null> {
  if (!deployment.cooperation) return null
  const [zone = 'UTC', rightsIssued] = await Promise.all([
    readZone(pool, machineId),
    countRightsIssued(pool, machineId),
  ])
  const { week } = wallHourAt(isTimeZone(zone) ? zone : 'UTC', clock.nowMs())
  const rights = await readRights(pool, { machineId, endAfterWeek: week }, MAX_RIGHTS_KNOWN)
  const words = heldText(rights, week)
  const more = words.length - MOST_WORDS
  return {
    rightsIssued: String(rightsIssued),
    heldHours: Array.from({ length: COMING_WEEKS }, (_, index) =>
      rights.reduce((sum, right) => sum + hoursHeld(right, week + index), 0),
    ).reduce((sum, hours) => sum + hours, 0),
    ofHours: COMING_WEEKS * HOURS_A_WEEK,
    words: more > 0 ? [...words.slice(0, MOST_WORDS), `and ${more} more`] : words,
  }
}

/** Of a quota all that it may still book. */
function hoursHeld(right: RightRow, week: number): number {
  const { firstWeek, weeksCount, hoursPerWeek } = right
  const isIn = week >= firstWeek && week < firstWeek + weeksCount
  return hoursPerWeek > 0 && isIn ? hoursPerWeek : countHours(heldHours(right, week))
}
