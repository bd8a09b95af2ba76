import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LOG_PATH } from '../logbook.ts'
import type { Season } from '../season.ts'
import { simulatedLog } from '../simulated-log.ts'
import { runSeason } from '../trip.ts'
import { recount } from './recount.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-boat-test-'))
let season: Season

beforeAll(async () => {
  season = await runSeason(dataDir)
}, 600_000)
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

const log = () => (existsSync(LOG_PATH) ? readFileSync(LOG_PATH, 'latin1') : simulatedLog(40))

/** Out, home, out, home, and Friday in harbour. */
function days() {
  const { out, home } = recount(log())
  const harbour = { engineSeconds: 0n, millilitres: 0n, metres: 0n }
  return [out, home, out, home, harbour]
}

/** Whole days; the last one until the boat's last reading, a few minutes before midnight. */
function chargedSeconds(day: number): bigint {
  if (day < 4) return 86_400n
  const last = season.observations.findLast(({ kind }) => kind === 'reading')
  const timeMs = last?.kind === 'reading' ? last.sample.timeMs : 0
  const seconds = (timeMs - season.startMs) / 1_000 - 4 * 86_400
  expect(seconds).toBeGreaterThan(86_400 - 660)
  return BigInt(seconds)
}

test('the charter bills engine and fuel of each day as a count of the log says, and the day', () => {
  const { periods } = season.charter.audit
  expect(periods.map(({ registers }) => registers.map(BigInt))).toEqual(
    days().map(({ engineSeconds, millilitres }) => [engineSeconds, millilitres]),
  )
  expect(periods.map(({ paidMinor }) => BigInt(paidMinor))).toEqual(
    days().map(
      ({ engineSeconds, millilitres }, day) =>
        (320_000_000n * chargedSeconds(day)) / 86_400n +
        engineSeconds * 6_750n +
        millilitres * 2_190n,
    ),
  )
})

test('the bill stands up to an audit: every envelope priced, difference 0', () => {
  const { audit } = season.charter
  expect(audit).toMatchObject({ firstFault: null, differenceMinor: '0', unpriced: {}, waiting: 0 })
  expect(audit.priced).toBe(audit.envelopes)
  // Nobody has signed for the last day's last minutes.
  const unsettled = BigInt(audit.owedMinor) - BigInt(audit.settledMinor)
  expect(unsettled).toBeLessThan(320_000_000n / 100n)
  expect(audit.unanchored).toBe(0)
})
