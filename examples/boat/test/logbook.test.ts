import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { LOG_PATH, openLogbook, readLog } from '../logbook.ts'
import { readSentence, writeSentence } from '../nmea.ts'
import { simulatedLog } from '../simulated-log.ts'
import { homeward, voyageOf } from '../voyage.ts'
import { recount } from './recount.ts'
import { hasLog } from './shared-log.ts'

const said = (line: string) => {
  const read = readSentence(line)
  return read.ok ? read.sentence : read.code
}

describe('sentences of NMEA 0183', () => {
  test('a position in ten-millionths of a degree, south and west negative', () => {
    expect(said('$GPGLL,6005.071,N,02332.346,E,095559,A,D*43')).toEqual({
      kind: 'position',
      secondOfDay: 35_759,
      latitudeE7: 600_845_167,
      longitudeE7: 235_391_000,
    })
    const south = ['GPGLL', '0000.500,S', '17959.999999,W', '235959.00', 'A']
    expect(said(writeSentence(south))).toMatchObject({
      latitudeE7: -83_333,
      longitudeE7: -1_800_000_000,
    })
  })

  test('a speed over ground in hundredths of a knot', () => {
    const line = '$IIVTG,224.44,T,224.44,M,5.81,N,,,D*68'
    expect(said(line)).toEqual({ kind: 'speed', centiknots: 581 })
    expect(said(writeSentence(['GPVTG', ',T,,M,0.5,N']))).toMatchObject({ centiknots: 50 })
  })

  test('what is of no use here is no fault; what cannot be understood is one, never a zero', () => {
    expect(said('$GPZDA,095559,,,,00,*4D')).toEqual({ kind: 'other' })
    expect(said(writeSentence(['GPGLL', ',,,', '', 'V']))).toEqual({ kind: 'no-position' })
    expect(said('$IIVTG,224.44,T,224.44,M,5.91,N,,,D*68')).toBe('CHECKSUM_WRONG')
    expect(said('$IIVTG,224.44,T,224.44,M,5.81,N,,,D')).toBe('LINE_MALFORMED')
    expect(said('')).toBe('LINE_MALFORMED')
    expect(said(writeSentence(['GPTXT', 'x'.repeat(90)]))).toBe('LINE_TOO_LONG')
    const broken = [
      'GPVTG,,T,,M,,N',
      'GPVTG,,T,,M,-1.00,N',
      'GPVTG,,T,,M,1e1,N',
      'GPVTG,,T,,M,5.81,K',
      'GPGLL,9000.001,N,02332.346,E,095559,A',
      'GPGLL,6060.000,N,02332.346,E,095559,A',
      'GPGLL,6005.071,X,02332.346,E,095559,A',
      'GPGLL,6005.071,N,02332.346,E,240000,A',
      'GPGLL,6005.071,N,02332.346,E,095559.50,A',
      'GPGLL,6005.071,N,02332.346,E,095559,',
      'GPGLL',
    ]
    for (const text of broken) {
      expect(said(writeSentence([text])), text).toMatch(/^(FIELD|LINE)_MALFORMED$/)
    }
  })
})

test('each line is a fix, of no use, or counted by what is wrong with it', () => {
  const speed = writeSentence(['GPVTG', ',T,,M,5.00,N'])
  const at = (time: string) => writeSentence(['GPGLL', `6000.000,N,02300.000,E,${time},A`])
  const log = readLog(
    [
      at('100000'),
      speed,
      at('100001'),
      at('100002'),
      speed,
      at('100001'),
      speed,
      at('100004'),
      `${speed}0`,
      writeSentence(['GPGLL', ',,,', '', 'V']),
      'noise',
      '',
    ].join('\r\n'),
  )
  expect(log.fixes.map(({ second }) => second)).toEqual([1, 4])
  expect(log.lines).toBe(11)
  expect(log.refused).toEqual({
    SPEED_MISSING: 2,
    TIME_NOT_RISING: 1,
    NO_POSITION: 1,
    LINE_MALFORMED: 2,
  })
})

test('the simulated log is the same on every run, and read without a fault', () => {
  const text = simulatedLog(40)
  expect(simulatedLog(40)).toBe(text)
  const { fixes, refused } = readLog(text)
  expect(fixes).toHaveLength(7_200)
  expect(refused).toEqual({})
  expect(openLogbook('/nowhere').isReal).toBe(false)
})

test.runIf(hasLog())('the real log is read whole: 7,250 fixes, every checksum right', () => {
  const { isReal, lines, fixes, refused } = openLogbook(LOG_PATH)
  expect({ isReal, lines, fixes: fixes.length, refused }).toEqual({
    isReal: true,
    lines: 116_000,
    fixes: 7_250,
    refused: {},
  })
})

const logs: [string, () => string][] = [['simulated', () => simulatedLog(40)]]
if (hasLog()) logs.push(['real', () => readFileSync(LOG_PATH, 'latin1')])

test.each(logs)(
  'engine, fuel and way of the %s log are what a count by seconds says',
  (_, textOf) => {
    const text = textOf()
    const { fixes } = readLog(text)
    const counted = recount(text)
    expect(fixes).toHaveLength(counted.fixes)
    for (const [way, expected] of [
      [fixes, counted.out],
      [homeward(fixes), counted.home],
    ] as const) {
      const voyage = voyageOf(way)
      const { seconds, millilitres, metres } = voyage.at(voyage.seconds)
      expect({ engineSeconds: BigInt(seconds), millilitres, metres: BigInt(metres) }).toEqual(
        expected,
      )
    }
  },
)

test('what lies between fixes far apart is not counted', () => {
  const fix = (second: number) => ({ second, latitudeE7: 0, longitudeE7: 0, centiknots: 600 })
  const voyage = voyageOf([fix(0), fix(10), fix(21), fix(23)])
  expect(voyage.at(22).seconds).toBe(10)
  expect(voyage.at(23).seconds).toBe(12)
})
