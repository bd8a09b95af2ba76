import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { checkTariffUnits, type MeterRule } from '../../src/index.ts'
import { BREACH, COUNT, COUNTER, DISTANCE, DRAWDOWN, INTEGRAL } from './fixtures.ts'

const meter = (rule: MeterRule, changes: Partial<Record<string, unknown>> = {}) => ({
  stream: 'flow',
  rule: { ...rule, ...changes } as MeterRule,
})
const factor = (numerator: number, denominator: number) => ({ factor: { numerator, denominator } })

describe('what each price is per', () => {
  const litres = meter(COUNTER, { unit: 'l', registerUnit: 'l', ...factor(1, 1), scale: 0 })
  const minutes = meter(COUNTER, { unit: 'min', registerUnit: 'min', ...factor(1, 1), scale: 0 })

  test('is what the meters count, by name or by another name for exactly the same', () => {
    expect(checkTariffUnits([litres, minutes], ['l', 'min'])).toBeUndefined()
    expect(checkTariffUnits([litres], ['L'])).toBeUndefined()
    expect(checkTariffUnits([litres])).toBeUndefined()
    expect(checkTariffUnits([], [])).toBeUndefined()
  })

  test.each([
    [['min', 'l'], 'meter 1 ("flow") counts in l, but its price is per min.'],
    [['l', 'h'], 'meter 2 ("flow") counts in min, but its price is per h.'],
    [['ml', 'min'], 'meter 1 ("flow") counts in l, but its price is per ml.'],
    [['crates', 'min'], 'meter 1 ("flow") counts in l, but its price is per crates.'],
    [['l'], 'there are 1 units of prices, but 2 meters'],
  ])('UNIT_MISMATCH names the meter: prices per %j', (units, message) => {
    expect(checkTariffUnits([litres, minutes], units)).toContain(message)
  })
})

describe('what a meter counts', () => {
  test.each<[string, MeterRule, Record<string, unknown>]>([
    [
      'grams of a level, by calibration',
      DRAWDOWN,
      { unit: 'mm', registerUnit: 'g', ...factor(4550, 1) },
    ],
    [
      'millilitres of litres to 3 places',
      COUNTER,
      { unit: 'l', scale: 3, registerUnit: 'ml', ...factor(1, 1) },
    ],
    [
      'watt hours of watts',
      INTEGRAL,
      { unit: 'W', scale: 0, registerUnit: 'Wh', ...factor(1, 3600) },
    ],
    [
      'litres of litres a second',
      INTEGRAL,
      { unit: 'l/s', scale: 1, registerUnit: 'l', ...factor(1, 10) },
    ],
    [
      'grams of carbon dioxide, by calibration',
      INTEGRAL,
      { unit: 'W', scale: 0, registerUnit: 'g', ...factor(1, 9000) },
    ],
    ['minutes in breach', BREACH, { registerUnit: 'min', ...factor(1, 60) }],
    ['readings', COUNT, { registerUnit: 'count', ...factor(1, 1) }],
    ['millilitres of doses, by calibration', COUNT, { registerUnit: 'ml', ...factor(5, 1) }],
    ['kilometres', DISTANCE, { registerUnit: 'km', ...factor(1, 1000) }],
    ['what nobody knows', COUNTER, { unit: 'pallets', registerUnit: 'boxes', ...factor(40, 1) }],
  ])('%s', (_, rule, changes) => {
    expect(checkTariffUnits([meter(rule, changes)])).toBeUndefined()
  })

  test.each<[string, MeterRule, Record<string, unknown>, string]>([
    [
      'a factor of the wrong size',
      COUNTER,
      { unit: 'l', scale: 3, registerUnit: 'ml', ...factor(1000, 1) },
      'meter 1 ("flow") measures in l to 3 places and counts in ml: its factor must be 1/1, not 1000/1.',
    ],
    [
      'watts for watt hours',
      INTEGRAL,
      { unit: 'W', scale: 0, registerUnit: 'W', ...factor(1, 1) },
      'adds W up over time: that is W s, which cannot be counted in W.',
    ],
    [
      'hours for seconds',
      INTEGRAL,
      { unit: 'W', scale: 0, registerUnit: 'Wh', ...factor(1, 1) },
      'measures in W s and counts in Wh: its factor must be 1/3600, not 1/1.',
    ],
    [
      'time in litres',
      BREACH,
      { registerUnit: 'l' },
      'measures in s, which cannot be counted in l.',
    ],
    [
      'a way in grams',
      DISTANCE,
      { registerUnit: 'g' },
      'measures in m, which cannot be counted in g.',
    ],
    [
      'metres for kilometres',
      DISTANCE,
      { registerUnit: 'km', ...factor(1, 1) },
      'its factor must be 1/1000, not 1/1.',
    ],
    [
      'two for each reading',
      COUNT,
      { registerUnit: 'count', ...factor(2, 1) },
      'measures in readings and counts in count: its factor must be 1/1, not 2/1.',
    ],
  ])('is not %s', (_, rule, changes, message) => {
    expect(checkTariffUnits([meter(rule, changes)])).toContain(message)
  })

  test('of one kind of thing has one ratio, in any terms', () => {
    const energy: Record<string, bigint> = { J: 1n, kJ: 1_000n, Wh: 3_600n, kWh: 3_600_000n }
    const name = fc.constantFrom(...Object.keys(energy))
    const size = (unit: string) => energy[unit] ?? 0n
    fc.assert(
      fc.property(
        name,
        name,
        fc.nat(4),
        fc.integer({ min: 1, max: 99 }),
        fc.nat(9),
        (unit, registerUnit, scale, times, off) => {
          const numerator = Number(size(unit)) * times + off
          const denominator = Number(size(registerUnit) * 10n ** BigInt(scale)) * times
          const changes = { unit, registerUnit, scale, ...factor(numerator, denominator) }
          const slip = checkTariffUnits([meter(COUNTER, changes)])
          if (off === 0) expect(slip).toBeUndefined()
          else expect(slip).toContain('its factor must be')
        },
      ),
    )
  })
})
