import { describe, expect, test } from 'vitest'
import {
  type CounterRule,
  type DrawdownRule,
  foldStream,
  type LoggedEnvelope,
  type MeterRule,
  registerAt,
} from '../../src/index.ts'
import {
  COUNTER,
  DRAWDOWN,
  decimal,
  declaration,
  MINUTE_MS,
  reading,
  readings,
  START_MS,
  series,
  termsOf,
} from './fixtures.ts'

const END_MS = START_MS + 1e9

function fold(rule: MeterRule, envelopes: LoggedEnvelope[], changes = {}) {
  const result = foldStream(termsOf(rule, changes), envelopes, END_MS)
  return {
    ...result,
    codes: result.steps.map(({ code }) => code),
    billed: registerAt(result.state, 0),
  }
}

describe('counter', () => {
  test('bills each rise from the first reading on', () => {
    expect(fold(COUNTER, series(COUNTER, [100, 130, 130, 175]))).toMatchObject({
      codes: ['OK', 'OK', 'OK', 'OK'],
      billed: 75n,
    })
  })

  test('ATK counter falls: 100, 50, 110 bills 10', () => {
    expect(fold(COUNTER, series(COUNTER, [100, 50, 110]))).toMatchObject({
      codes: ['OK', 'COUNTER_ROLLBACK', 'OK'],
      billed: 10n,
    })
  })

  test('a declared replacement makes the next reading the baseline', () => {
    const [first, , last] = series(COUNTER, [1000, 0, 5])
    const replaced = declaration(2, {
      kind: 'replacement',
      atMs: START_MS + 2 * MINUTE_MS,
      reason: 'meter broken',
    })
    const after = readings(4, [reading(COUNTER, 4, 12)])
    expect(fold(COUNTER, [first, replaced, last, after] as LoggedEnvelope[])).toMatchObject({
      codes: ['OK', 'OK', 'OK', 'OK'],
      billed: 7n,
    })
  })

  test('a reading from before the declared replacement is still the old sensor', () => {
    const replaced = declaration(2, {
      kind: 'replacement',
      atMs: START_MS + 4 * MINUTE_MS,
      reason: 'planned',
    })
    const envelopes = [
      readings(1, [reading(COUNTER, 1, 100)]),
      replaced,
      readings(3, [reading(COUNTER, 3, 150)]),
      readings(4, [reading(COUNTER, 4, 0), reading(COUNTER, 5, 9)], {
        loggedAt: START_MS + 5 * MINUTE_MS,
      }),
    ]
    expect(fold(COUNTER, envelopes).billed).toBe(59n)
  })

  test('counts across a gap', () => {
    const [first, second] = series(COUNTER, [100, 130])
    const behind = readings(9, [reading(COUNTER, 500, 400)], {
      loggedAt: START_MS + 500 * MINUTE_MS,
    })
    const result = fold(COUNTER, [first, second, behind] as LoggedEnvelope[])
    expect(result.codes).toEqual(['OK', 'OK', 'OK'])
    expect(registerAt(result.state, 8)).toBe(270n)
  })

  test('ATK impossible rate: the bound is burst + perHour x elapsed, exactly', () => {
    const rule: CounterRule = { ...COUNTER, maxRate: { burst: '7', perHour: '60' } }
    const at = (value: number) => fold(rule, series(rule, [0, 0, 0, value]))
    expect(at(10)).toMatchObject({ codes: ['OK', 'OK', 'OK', 'OK'], billed: 10n })
    expect(at(11)).toMatchObject({ codes: ['OK', 'OK', 'OK', 'IMPLAUSIBLE'], billed: 0n })
  })

  test('an implausible reading does not move the baseline', () => {
    const rule: CounterRule = { ...COUNTER, maxRate: { burst: '10', perHour: '0' } }
    expect(fold(rule, series(rule, [0, 500, 8]))).toMatchObject({
      codes: ['OK', 'IMPLAUSIBLE', 'OK'],
      billed: 8n,
    })
  })
})

describe('exactness', () => {
  test('a period is scaled and floored once', () => {
    const rule: CounterRule = { ...COUNTER, factor: { numerator: 1, denominator: 3 } }
    expect(fold(rule, series(rule, [0, 1, 2, 3, 4, 5])).billed).toBe(1n)
    expect(fold(rule, series(rule, [0, 1, 2, 3, 4, 5, 6])).billed).toBe(2n)
  })

  test('values are counted to the rule’s scale and never rounded', () => {
    const rule: CounterRule = { ...COUNTER, scale: 3 }
    const result = fold(
      rule,
      series(rule, [decimal(12345, -3), decimal(123456, -4), decimal(1234600, -5), decimal(13)]),
    )
    expect(result).toMatchObject({ codes: ['OK', 'VALUE_INVALID', 'OK', 'OK'], billed: 655n })
  })

  test.each([
    ['float', { kind: 'float', value: 5 }],
    ['string', { kind: 'string', value: '5' }],
    ['boolean', { kind: 'boolean', value: true }],
    ['nothing', { kind: 'none' }],
    ['negative', decimal(-1)],
    ['beyond 2^128', decimal(2n ** 128n)],
    ['huge exponent', decimal(1, 1_000_000)],
    ['tiny exponent', decimal(0, -1_000_000)],
  ] as const)('%s is VALUE_INVALID', (_, value) => {
    expect(fold(COUNTER, series(COUNTER, [1, value, 3]))).toMatchObject({
      codes: ['OK', 'VALUE_INVALID', 'OK'],
      billed: 2n,
    })
  })

  test('a delta belongs to the period of the later reading', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, 59, 100)], { loggedAt: START_MS + 59 * MINUTE_MS }),
      readings(2, [reading(COUNTER, 60, 130)], { loggedAt: START_MS + 60 * MINUTE_MS }),
    ]
    const { state, steps } = fold(COUNTER, envelopes)
    expect([registerAt(state, 0), registerAt(state, 1)]).toEqual([0n, 30n])
    expect(steps.map(({ registers }) => registers)).toEqual([{}, { 1: 30n }])
  })
})

describe('which readings count', () => {
  test('only those named after the stream, or not at all', () => {
    const pack = [
      reading(COUNTER, 1, 100, { name: 'urn:dev:mac:0024befffe804ff1/level' }),
      reading(COUNTER, 1, 7, { name: 'urn:dev:mac:0024befffe804ff1/temperature', unit: 'Cel' }),
      reading(COUNTER, 2, 110, { name: 'urn:dev:mac:0024befffe804ff1:' }),
      reading(COUNTER, 3, 120, { name: '' }),
      reading(COUNTER, 4, 900, { name: 'silo:otherlevel' }),
    ]
    expect(fold(COUNTER, [readings(1, pack)])).toMatchObject({ codes: ['OK'], billed: 20n })
  })

  test('a bad reading is skipped alone; the first one names the step', () => {
    const pack = [
      reading(COUNTER, 1, 100),
      reading(COUNTER, 2, 110, { unit: 'kg' }),
      reading(COUNTER, 3, 50),
      reading(COUNTER, 4, 130),
    ]
    expect(
      fold(COUNTER, [readings(1, pack, { loggedAt: START_MS + 5 * MINUTE_MS })]),
    ).toMatchObject({
      codes: ['UNIT_MISMATCH'],
      billed: 30n,
    })
  })

  test('TIME_REVERSED: older than the last good reading; the same moment is no reversal', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, 3, 100)]),
      readings(2, [reading(COUNTER, 2, 200)]),
      readings(3, [reading(COUNTER, 3, 105)]),
    ]
    expect(fold(COUNTER, envelopes)).toMatchObject({
      codes: ['OK', 'TIME_REVERSED', 'OK'],
      billed: 5n,
    })
  })

  test('a reading before the start is a baseline and bills nothing', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, -2, 100)]),
      readings(2, [reading(COUNTER, -1, 150)]),
      readings(3, [reading(COUNTER, 1, 155)]),
    ]
    expect(fold(COUNTER, envelopes)).toMatchObject({ codes: ['OK', 'OK', 'OK'], billed: 5n })
  })
})

describe('INV-17 ATK backfill after close: OUTSIDE_WINDOW', () => {
  const code = (minutes: number, loggedMinutes: number, changes = {}) =>
    fold(
      COUNTER,
      [
        readings(1, [reading(COUNTER, minutes, 1)], {
          loggedAt: START_MS + loggedMinutes * MINUTE_MS,
        }),
      ],
      changes,
    ).codes[0]

  test('older than the backfill window', () => {
    expect(code(30, 40, { backfillSeconds: 600 })).toBe('OK')
    expect(code(30, 40.001, { backfillSeconds: 600 })).toBe('OUTSIDE_WINDOW')
    expect(code(-30, 40, { backfillSeconds: 600 })).toBe('OUTSIDE_WINDOW')
  })

  test('after the last period', () => {
    expect(code(119.999, 120, { periods: 2 })).toBe('OK')
    expect(code(120, 120, { periods: 2 })).toBe('OUTSIDE_WINDOW')
  })

  test('INV-20 of a period that was final when it was logged', () => {
    expect(code(30, 70, { lateSeconds: 600 })).toBe('OK')
    expect(code(30, 70.001, { lateSeconds: 600 })).toBe('LATE_FOR_PERIOD')
  })
})

describe('drawdown', () => {
  test('noise changes nothing, a fall beyond the band bills the whole difference', () => {
    expect(fold(DRAWDOWN, series(DRAWDOWN, [1000, 1020, 980, 1000])).billed).toBe(0n)
    expect(fold(DRAWDOWN, series(DRAWDOWN, [1000, 980, 979])).billed).toBe(21n)
  })

  test('a slow fall waits until it is more than the band, and then counts whole', () => {
    expect(fold(DRAWDOWN, series(DRAWDOWN, [1000, 990, 985, 970, 960])).billed).toBe(30n)
  })

  test('a refill bills nothing and is the new baseline', () => {
    expect(fold(DRAWDOWN, series(DRAWDOWN, [1000, 900, 3000, 2900]))).toMatchObject({
      codes: ['OK', 'OK', 'OK', 'OK'],
      billed: 200n,
    })
  })

  test('bridging bills on collapse, within the bound', () => {
    const rule: DrawdownRule = { ...DRAWDOWN, maxRate: { burst: '50', perHour: '600' } }
    const bridged = [1000, 1000, 1000, 1000, 1000, 1000]
    expect(fold(rule, series(rule, [...bridged, 890]))).toMatchObject({ billed: 110n })
    const tooMuch = fold(rule, series(rule, [...bridged, 889]))
    expect(tooMuch.codes.at(-1)).toBe('IMPLAUSIBLE')
    expect(tooMuch.billed).toBe(0n)
  })

  test('a probe replaced is a new baseline', () => {
    const replaced = declaration(3, {
      kind: 'replacement',
      atMs: START_MS + 3 * MINUTE_MS,
      reason: 'probe',
    })
    const values = [
      ...series(DRAWDOWN, [1000, 900]),
      replaced,
      readings(4, [reading(DRAWDOWN, 4, 500)]),
      readings(5, [reading(DRAWDOWN, 5, 440)]),
    ]
    expect(fold(DRAWDOWN, values)).toMatchObject({ billed: 160n })
  })

  const silent = (from: number, to: number, declared?: [number, number]) => [
    readings(1, [reading(DRAWDOWN, from, 1000)], { loggedAt: START_MS + to * MINUTE_MS }),
    ...(declared
      ? [
          declaration(
            2,
            {
              kind: 'gap',
              fromMs: START_MS + declared[0] * MINUTE_MS,
              toMs: START_MS + declared[1] * MINUTE_MS,
              reason: 'power cut',
            },
            { loggedAt: START_MS + to * MINUTE_MS },
          ),
        ]
      : []),
    readings(declared ? 3 : 2, [reading(DRAWDOWN, to, 900)], {
      loggedAt: START_MS + to * MINUTE_MS,
    }),
    readings(declared ? 4 : 3, [reading(DRAWDOWN, to + 1, 850)], {
      loggedAt: START_MS + (to + 1) * MINUTE_MS,
    }),
  ]

  test('a fall during an undeclared silence is GAP, and the reading is the new baseline', () => {
    expect(fold(DRAWDOWN, silent(1, 16))).toMatchObject({ codes: ['OK', 'OK', 'OK'], billed: 150n })
    expect(fold(DRAWDOWN, silent(1, 16.001))).toMatchObject({
      codes: ['OK', 'GAP', 'OK'],
      billed: 50n,
    })
  })

  test('a gap declaration that covers the silence lets the fall be billed', () => {
    expect(fold(DRAWDOWN, silent(1, 50, [2, 49])).billed).toBe(150n)
    expect(fold(DRAWDOWN, silent(1, 50, [20, 45])).billed).toBe(50n)
  })

  test('a refill or noise during a silence is no GAP', () => {
    const after = (level: number) =>
      fold(DRAWDOWN, [
        readings(1, [reading(DRAWDOWN, 1, 1000)]),
        readings(2, [reading(DRAWDOWN, 40, level)], { loggedAt: START_MS + 40 * MINUTE_MS }),
      ]).codes
    expect(after(2000)).toEqual(['OK', 'OK'])
    expect(after(985)).toEqual(['OK', 'OK'])
  })

  test('refused readings do not break a silence: a glitch upwards is not billed on the way back', () => {
    const rule: DrawdownRule = { ...DRAWDOWN, maxRate: { burst: '50', perHour: '600' } }
    const low = Array.from({ length: 30 }, () => 1000)
    const result = fold(rule, series(rule, [1000, 9000, ...low]))
    expect(result.billed).toBe(0n)
    expect(result.codes.filter((code) => code === 'GAP')).toHaveLength(1)
  })
})
