import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readSessions } from '../../src/charging/read-sessions.ts'

const folder = mkdtempSync(join(tmpdir(), 'liquefy-charging-'))
afterAll(() => rmSync(folder, { recursive: true }))

const HEADING = '_id,CP ID,Connector,Start Date,Start Time,End Date,End Time,Total kWh,Site,Model'
const shared = process.env.LIQUEFY_SHARED ?? resolve(import.meta.dirname, '../../../../../shared')
const yearly = (name: string) => join(shared, 'data/ev-charging', name)
const PERTH = 'Broxden Park & Ride'

function file(...rows: string[]): string {
  const path = join(folder, `${Math.random()}.csv`)
  writeFileSync(path, [HEADING, ...rows].join('\n'))
  return path
}

/** A row at charge point 51519, with dates as the public files write them. */
const row = (
  id: number,
  [startDate, startTime]: [string, string],
  [endDate, endTime]: [string, string],
  kWh: string,
  { connector = '1', point = '51519', site = PERTH } = {},
) =>
  `${id},${point},${connector},${startDate}T00:00:00,${startTime},${endDate}T00:00:00,${endTime},${kWh},${site},Rapid`

describe('DATE_DAY_MONTH_SWAPPED is declared, undone and counted', () => {
  test('where the day is 12 or less, day and month change places', async () => {
    const sessions = await readSessions(
      file(row(1, ['2017-08-03', '10:00'], ['2017-08-03', '11:00'], '1')),
    )
    // The file says the 3rd of August; it was the 8th of March.
    expect(sessions.sessions[0]?.startMs).toBe(Date.parse('2017-03-08T10:00:00Z'))
    expect(sessions.transformed.DATE_DAY_MONTH_SWAPPED).toBe(2)
  })

  test('a day above 12 stands as it is; so does a day equal to its month', async () => {
    const { sessions, transformed } = await readSessions(
      file(
        row(1, ['2017-08-31', '22:12'], ['2017-08-31', '23:11'], '18.27'),
        row(2, ['2017-05-05', '10:00'], ['2017-05-05', '11:00'], '1'),
      ),
    )
    expect(sessions.map(({ startMs }) => startMs)).toEqual([
      Date.parse('2017-05-05T09:00:00Z'),
      Date.parse('2017-08-31T21:12:00Z'),
    ])
    expect(transformed.DATE_DAY_MONTH_SWAPPED).toBe(0)
  })
})

describe('Europe/London to UTC', () => {
  test('the hour that comes twice in autumn is the first', async () => {
    const { sessions } = await readSessions(
      file(row(1, ['2016-10-30', '01:30'], ['2016-10-30', '03:00'], '5')),
    )
    expect(sessions[0]).toMatchObject({
      startMs: Date.parse('2016-10-30T00:30:00Z'),
      endMs: Date.parse('2016-10-30T03:00:00Z'),
    })
  })

  test('the hour that never was in spring is TIME_INVALID', async () => {
    const { quarantined } = await readSessions(
      file(row(1, ['2017-03-26', '01:30'], ['2017-03-26', '03:00'], '5')),
    )
    expect(quarantined).toEqual({ TIME_INVALID: 1 })
  })
})

describe('what is not billed is quarantined with its reason', () => {
  const at: [string, string] = ['2017-08-31', '10:00']
  const until: [string, string] = ['2017-08-31', '11:00']
  test.each([
    ['END_MISSING', '1,51519,1,2017-08-31T00:00:00,10:00,,,5,Broxden Park & Ride,Rapid'],
    ['ENERGY_MISSING', row(1, at, until, '')],
    ['ENERGY_NEGATIVE', row(1, at, until, '-1394.711')],
    ['NUMBER_INVALID', row(1, at, until, '1e3')],
    ['CONNECTOR_UNKNOWN', row(1, at, until, '5', { connector: '4' })],
    ['SITE_UNKNOWN', row(1, at, until, '5', { site: 'Elsewhere' })],
    ['TIME_INVALID', row(1, ['2017-13-31', '10:00'], until, '5')],
    ['TIME_INVALID', row(1, ['2017-08-31', '25:00'], until, '5')],
    ['END_BEFORE_START', row(1, until, at, '5')],
    ['CHARGE_POINT_UNKNOWN', row(1, at, until, '5', { point: '99999' })],
    ['IMPLAUSIBLE', row(1, at, until, '500.001')],
    ['FIELD_MISSING', row(1, at, until, '5', { site: '' })],
    ['ROW_MALFORMED', '1,51519,1'],
  ])('%s: %s', async (code, line) => {
    const sessions = await readSessions(file(line))
    expect(sessions).toMatchObject({ rows: 1, sessions: [], quarantined: { [code]: 1 } })
  })

  test('zero kWh and zero minutes are good', async () => {
    const { sessions, quarantined } = await readSessions(
      file(row(1, at, until, '0'), row(2, until, until, '1.5')),
    )
    expect(quarantined).toEqual({})
    expect(sessions.map(({ energyWh }) => energyWh)).toEqual([0n, 1_500n])
  })

  test('ROUNDED_TO_UNIT: finer than a watt hour is rounded half-even and counted', async () => {
    const { sessions, transformed } = await readSessions(
      file(row(1, at, until, '1.2345'), row(2, until, until, '1.2355')),
    )
    expect(sessions.map(({ energyWh }) => energyWh)).toEqual([1_234n, 1_236n])
    expect(transformed.ROUNDED_TO_UNIT).toBe(2)
  })

  test('DUPLICATE_ID: the first stays', async () => {
    const sessions = await readSessions(
      file(row(1, at, until, '5'), row(1, at, until, '6', { connector: '2' })),
    )
    expect(sessions.quarantined).toEqual({ DUPLICATE_ID: 1 })
    expect(sessions.sessions.map(({ energyWh }) => energyWh)).toEqual([5_000n])
  })
})

describe('OVERLAP on one connector: half-open, the later start goes, then the later row', () => {
  const day = '2017-08-31'
  const session = (id: number, from: string, to: string, connector = '1') =>
    row(id, [day, from], [day, to], String(id), { connector })
  const idsOf = async (...lines: string[]) => {
    const { sessions, quarantined } = await readSessions(file(...lines))
    return { kept: sessions.map(({ energyWh }) => energyWh / 1000n), quarantined }
  }

  test('the later start goes, wherever its row stands', async () => {
    expect(await idsOf(session(1, '10:30', '11:30'), session(2, '10:00', '11:00'))).toEqual({
      kept: [2n],
      quarantined: { OVERLAP: 1 },
    })
  })

  test('of two that start together the later row goes', async () => {
    expect(await idsOf(session(1, '10:00', '10:10'), session(2, '10:00', '11:00'))).toEqual({
      kept: [1n],
      quarantined: { OVERLAP: 1 },
    })
  })

  test('one may begin in the minute in which another ends, and on another connector at any time', async () => {
    const lines = [
      session(1, '10:00', '11:00'),
      session(2, '11:00', '12:00'),
      session(3, '10:30', '11:30', '2'),
    ]
    expect(await idsOf(...lines)).toEqual({ kept: [1n, 3n, 2n], quarantined: {} })
  })

  test('what was quarantined bars nobody', async () => {
    const lines = [
      session(1, '10:00', '11:00'),
      session(2, '10:30', '13:00'),
      session(3, '12:00', '12:30'),
    ]
    expect(await idsOf(...lines)).toEqual({ kept: [1n, 3n], quarantined: { OVERLAP: 1 } })
  })
})

test('a site that is spelled in another way is counted; the table decides', async () => {
  const { sessions, transformed } = await readSessions(
    file(row(1, ['2017-08-31', '10:00'], ['2017-08-31', '11:00'], '5')),
  )
  expect(sessions[0]?.site).toBe('Broxden Park & Ride, Perth')
  expect(transformed.SITE_BY_TABLE).toBe(1)
})

test('a row of the test site is paid by the site of its charge point, and counted', async () => {
  const site = '***TEST SITE*** Charge Your Car HQ'
  const { sessions, transformed } = await readSessions(
    file(row(1, ['2017-08-31', '10:00'], ['2017-08-31', '11:00'], '5', { site })),
  )
  expect(sessions[0]?.site).toBe('Broxden Park & Ride, Perth')
  expect(transformed.TEST_SITE_BY_TABLE).toBe(1)
})

test('a column that the profile does not know stops the import', async () => {
  const path = join(folder, 'more.csv')
  writeFileSync(path, `${HEADING},Discount\n`)
  await expect(readSessions(path)).rejects.toMatchObject({ code: 'COLUMNS_UNKNOWN' })
})

test('an empty file and one without its columns say what to do', async () => {
  await expect(readSessions(file())).rejects.toMatchObject({ code: 'FILE_UNREADABLE' })
  const path = join(folder, 'other.csv')
  writeFileSync(path, 'a,b\n1,2\n')
  await expect(readSessions(path)).rejects.toMatchObject({ code: 'COLUMNS_MISSING' })
})

describe.runIf(existsSync(yearly('')) || process.env.CI)(
  'Perth & Kinross, both public years',
  () => {
    test.each([
      [
        '2016-09_2017-08.csv',
        13_676,
        { END_MISSING: 37, END_BEFORE_START: 1 },
        '2016-09',
        '2017-08',
      ],
      [
        '2017-09_2018-08.csv',
        20_277,
        { END_MISSING: 43, ENERGY_NEGATIVE: 1 },
        '2017-09',
        '2018-08',
      ],
    ])('%s: every row is accounted for', async (name, rows, quarantined, first, last) => {
      const read = await readSessions(yearly(name))
      expect(read.rows).toBe(rows)
      expect(read.quarantined).toEqual(quarantined)
      const lost = Object.values(read.quarantined).reduce((sum, count) => sum + count, 0)
      expect(read.sessions.length + lost).toBe(rows)
      // With the swap undone every start lies in the year that the file is of, and nothing overlaps.
      const months = read.sessions.map(({ startMs }) => new Date(startMs).toISOString().slice(0, 7))
      expect([months[0], months.at(-1)]).toEqual([first, last])
      expect(new Set(read.sessions.map(({ chargePoint }) => chargePoint)).size).toBe(33)
    })
  },
)
