import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { finished, liquefyAlone, start } from './liquefy.ts'

const folder = mkdtempSync(join(tmpdir(), 'liquefy-replay-test-'))
afterAll(() => rmSync(folder, { recursive: true }))

const shared = process.env.LIQUEFY_SHARED ?? resolve(import.meta.dirname, '../../../../shared')
const EDINBURGH = join(shared, 'data/bins/edinburgh_2016-06.csv')
const HEADING =
  'collection_id,site_id,site_name,collected_at_europe_london,fill_before_pct,fill_after_pct,volume_litres,weight_kg'

test('a few bins over three days: signed, settled, audited; nothing is left behind', async () => {
  const file = join(folder, 'few.csv')
  writeFileSync(
    file,
    [
      HEADING,
      '1,7,"Road, by the bridge",2016-06-03T13:23:26,97,0,87.2126439,6.1048850',
      '2,8,Park,2016-06-03T13:23:26,50,10,40.0005,2.8',
      '3,7,"Road, by the bridge",2016-06-05T08:00:00,80,0,70,4.9',
      '4,8,Park,2016-06-05T08:00:01,0,0,0,0',
      '5,8,Park,2016-06-05T09:00:01,100,0,0,0',
      '5,8,Park,2016-06-05T09:30:00,90,0,60,4',
      '5,8,Park,2016-06-05T09:40:00,90,0,60,4',
      '6,9,Pier,yesterday,90,0,60,4',
    ].join('\n'),
  )
  const TMPDIR = join(folder, 'scratch')
  const run = await liquefyAlone(['replay', 'bins', file, '--json'], { TMPDIR: ensured(TMPDIR) })
  expect(run.code, run.stdout + run.stderr).toBe(0)
  const volume = 87_213n + 40_000n + 70_000n + 60_000n
  const mass = 6_105n + 2_800n + 4_900n + 4_000n
  const money = (2n * volume + 100n * mass).toString()
  expect(run.json()).toEqual({
    rows: 8,
    accepted: 5,
    quarantined: { VOLUME_MISSING: 1, DUPLICATE_ID: 1, TIME_INVALID: 1 },
    transformed: { ROUNDED_TO_UNIT: 3 },
    registers: { volume: volume.toString(), mass: mass.toString() },
    owedMinor: money,
    settledMinor: money,
    auditDifferenceMinor: '0',
    firstFault: null,
    seconds: expect.any(Number),
  })
  expect(readdirSync(TMPDIR)).toEqual([])
})

test('interrupted, it ends what it started and removes what it wrote', async () => {
  const file = join(folder, 'one.csv')
  writeFileSync(file, [HEADING, '1,7,Road,2016-06-03T13:23:26,97,0,87.2,6.1'].join('\n'))
  const TMPDIR = ensured(join(folder, 'interrupted'))
  const child = start(['replay', 'bins', file, '--json'], { TMPDIR })
  const ended = finished(child)
  while (!readdirSync(TMPDIR).some((name) => existsSync(join(TMPDIR, name, 'postgres')))) {
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  child.kill('SIGINT')
  const run = await ended
  expect(run.code).toBe(2)
  expect(run.json()).toMatchObject({ error: { code: 'REPLAY_STOPPED' } })
  expect(readdirSync(TMPDIR)).toEqual([])
})

test.runIf(existsSync(EDINBURGH) || process.env.CI)(
  'Edinburgh, June 2016: all 3,528 rows accounted for, settled = tariff(registers), difference 0',
  { timeout: 600_000 },
  async () => {
    const run = await liquefyAlone(['replay', 'bins', EDINBURGH, '--json'])
    expect(run.code, run.stdout + run.stderr).toBe(0)
    expect(run.json()).toMatchObject({
      rows: 3_528,
      accepted: 3_527,
      quarantined: { VOLUME_MISSING: 1 },
      registers: { volume: '683749910', mass: '47862486' },
      owedMinor: String(2n * 683_749_910n + 100n * 47_862_486n),
      settledMinor: String(2n * 683_749_910n + 100n * 47_862_486n),
      auditDifferenceMinor: '0',
      firstFault: null,
    })
  },
)

const CHARGING = join(shared, 'data/ev-charging')
const SESSIONS = '_id,CP ID,Connector,Start Date,Start Time,End Date,End Time,Total kWh,Site,Model'

test('a few charging sessions over a month border: each site pays its own, by time of use', async () => {
  const file = join(folder, 'sessions.csv')
  const at = 'T00:00:00'
  writeFileSync(
    file,
    [
      SESSIONS,
      // The file says the 1st and 2nd of May where the 5th of January and of February are meant.
      `1,51519,1,2017-05-01${at},08:00,2017-05-01${at},09:00,12.001,Broxden Park & Ride,Rapid`,
      `2,50993,1,2017-01-28${at},22:00,2017-01-29${at},01:00,30,"King Street Car Park, Crieff",Rapid`,
      `3,51519,2,2017-05-01${at},08:30,2017-05-01${at},08:30,0.5,Broxden Park & Ride,Rapid`,
      `4,51519,2,2017-05-01${at},08:15,,,,Broxden Park & Ride,Rapid`,
      `5,51519,1,2017-05-01${at},08:10,2017-05-01${at},08:20,1,Broxden Park & Ride,Rapid`,
      `6,50993,1,2017-05-02${at},06:30,2017-05-02${at},07:30,6,King Street Car Park,Rapid`,
    ].join('\n'),
  )
  const TMPDIR = ensured(join(folder, 'sessions'))
  const run = await liquefyAlone(['replay', 'ev-charging', file, '--json'], { TMPDIR })
  expect(run.code, run.stdout + run.stderr).toBe(0)
  // Thursday the 5th of January 08:00 to 09:00; Sunday night; the 5th of February 2017 is a Sunday too.
  const peakWh = 12_001n + 500n
  const offPeakWh = 30_000n + 6_000n
  const minutes = 60n + 180n + 60n
  const money = (300n * peakWh + 200n * offPeakWh + 10_000n * minutes).toString()
  expect(run.json()).toEqual({
    rows: 6,
    accepted: 4,
    quarantined: { END_MISSING: 1, OVERLAP: 1 },
    transformed: {
      DATE_DAY_MONTH_SWAPPED: 6,
      ROUNDED_TO_UNIT: 0,
      SITE_BY_TABLE: 3,
      TEST_SITE_BY_TABLE: 0,
    },
    registers: {
      peakWh: peakWh.toString(),
      offPeakWh: offPeakWh.toString(),
      minutes: minutes.toString(),
    },
    acceptedWh: (peakWh + offPeakWh).toString(),
    billedWh: (peakWh + offPeakWh).toString(),
    chargePoints: 2,
    sites: 2,
    owedMinor: money,
    settledMinor: money,
    auditDifferenceMinor: '0',
    firstFault: null,
    seconds: expect.any(Number),
  })
  expect(readdirSync(TMPDIR)).toEqual([])
})

describe.runIf(existsSync(CHARGING) || process.env.CI)('Perth & Kinross, charging sessions', () => {
  test.each([
    ['2016-09_2017-08.csv', 13_676, { END_MISSING: 37, END_BEFORE_START: 1 }],
    ['2017-09_2018-08.csv', 20_277, { END_MISSING: 43, ENERGY_NEGATIVE: 1 }],
  ])(
    '%s: every row accounted for, Wh exact, settled = tariff(registers), difference 0',
    { timeout: 900_000 },
    async (name, rows, quarantined) => {
      const run = await liquefyAlone(['replay', 'ev-charging', join(CHARGING, name), '--json'])
      expect(run.code, run.stdout + run.stderr).toBe(0)
      const result = run.json() as {
        accepted: number
        acceptedWh: string
        registers: { peakWh: string; offPeakWh: string; minutes: string }
      }
      const { peakWh, offPeakWh, minutes } = result.registers
      const lost = Object.values(quarantined).reduce((sum, count) => sum + count, 0)
      expect(result.accepted).toBe(rows - lost)
      expect(BigInt(peakWh) + BigInt(offPeakWh)).toBe(BigInt(result.acceptedWh))
      const money = 300n * BigInt(peakWh) + 200n * BigInt(offPeakWh) + 10_000n * BigInt(minutes)
      expect(result).toMatchObject({
        rows,
        quarantined,
        owedMinor: money.toString(),
        settledMinor: money.toString(),
        auditDifferenceMinor: '0',
        firstFault: null,
      })
    },
  )
})

function ensured(path: string): string {
  mkdirSync(path, { recursive: true })
  // As root, the database runs under an account of its own, which has to pass through.
  for (const part of [folder, path]) chmodSync(part, 0o711)
  return path
}
