import { type Machine, openMachine, saveIdentity } from '@liquefy/machine'
import { LiquefyError } from '@liquefy/protocol'
import { type Observation, tell } from '@liquefy/simulator'
import { boatProcess } from './boat.ts'
import { CHARTER_DAYS, DAY_SECONDS } from './charter.ts'
import type { Harbour } from './harbour.ts'
import type { Fix } from './logbook.ts'

const SECOND_MS = 1_000
const DAY_MS = DAY_SECONDS * SECOND_MS
/** Out on Monday and Wednesday, home on Tuesday and Thursday: 07:00 UTC. */
const DEPARTURES = [0, 1, 2, 3].map((day) => day * DAY_SECONDS + 7 * 3_600)
const READ_EVERY_MS = 60 * SECOND_MS
/** Readings travel in packs of an hour. */
const PACK_MS = 3_600 * SECOND_MS
/** Meter values are signed when the story says so. */
const NEVER_MS = Number.MAX_SAFE_INTEGER
const PATIENCE_MS = 120_000
const LOOK_MS = 50

/** Puts the boat whose key is in `folder` on the wire; resolves when it has heard of its charter. */
export async function connectBoat(
  { deployment, mqttUrl, clock }: Harbour,
  folder: string,
  machineId: bigint,
): Promise<Machine> {
  const { chainId, registry, clearingHouse } = deployment
  saveIdentity(folder, { machineId, chainId, registry, clearingHouse, mqttUrl })
  const packEvery = { ageMs: PACK_MS }
  const boat = await openMachine({ folder, clock, packEvery, signEveryMs: NEVER_MS })
  const patienceEndsMs = Date.now() + PATIENCE_MS
  while (boat.agreements().length < 1) {
    if (Date.now() > patienceEndsMs) {
      await boat.close()
      throw new LiquefyError('TIMEOUT', 'The boat was not told of its charter.')
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  return boat
}

/**
 * Monday to Friday, looked at each minute, settled in the last one of each day. What a day costs from its last reading to midnight is settled
 * with the next; the last day ends with its last reading.
 *
 * @param onDay what else happens each night, the first one being 0.
 * @returns all that the boat said.
 */
export async function sailWeek(
  harbour: Harbour,
  boat: Machine,
  fixes: readonly Fix[],
  startMs: number,
  onDay: (day: number) => Promise<void>,
): Promise<Observation[]> {
  const { clock } = harbour
  const process = boatProcess(fixes, { departures: DEPARTURES })(0)
  const observations: Observation[] = []
  for (let elapsedMs = 0; elapsedMs < CHARTER_DAYS * DAY_MS; elapsedMs += READ_EVERY_MS) {
    const nowMs = startMs + elapsedMs
    clock.until(nowMs)
    const told = process.step(elapsedMs === 0 ? 0 : READ_EVERY_MS, nowMs)
    observations.push(...told)
    // On disk once the pack is full; `flushed` waits for that.
    for (const one of told) tell(boat, one).catch(() => undefined)
    if (elapsedMs % PACK_MS === 0) await boat.flushed(PATIENCE_MS)
    if (elapsedMs % DAY_MS !== DAY_MS - READ_EVERY_MS) continue
    await settle(harbour, boat)
    await onDay(Math.floor(elapsedMs / DAY_MS))
  }
  await harbour.anchorNow()
  await harbour.idle()
  return observations
}

async function settle(harbour: Harbour, boat: Machine): Promise<void> {
  await boat.flushed(PATIENCE_MS)
  await harbour.idle()
  const answers = await boat.meterNow(PATIENCE_MS)
  const bad = answers.find(({ kind }) => kind === 'refused' || kind === 'mismatch')
  if (bad) throw new LiquefyError('METER_REFUSED', `The node said ${bad.kind} to a meter value.`)
  await harbour.settleNow()
}
