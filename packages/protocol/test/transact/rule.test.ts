import { keccak256, stringToBytes } from 'viem'
import { describe, expect, test } from 'vitest'
import { canonicalJson, explainRule, parseRule, ruleHash } from '../../src/index.ts'
import { BREACH, COUNT, COUNTER, DISTANCE, DRAWDOWN, INTEGRAL } from './fixtures.ts'

test('a rule survives JSON', () => {
  const frost = { ...BREACH, beyond: 'below', threshold: '-180' } as const
  for (const rule of [COUNTER, DRAWDOWN, INTEGRAL, BREACH, frost, COUNT, DISTANCE]) {
    expect(parseRule(JSON.parse(JSON.stringify(rule)))).toEqual({ ok: true, rule })
  }
})

test('the hash is over canonical JSON, whatever the order of the fields', () => {
  const text =
    '{"factor":{"denominator":1,"numerator":1},"maxRate":{"burst":"1000000","perHour":"1000000"},"registerUnit":"g","rule":"counter","scale":0,"unit":"g","version":1}'
  expect(canonicalJson(COUNTER)).toBe(text)
  expect(ruleHash(COUNTER)).toBe(keccak256(stringToBytes(text)))
  const { rule, version, ...rest } = COUNTER
  expect(ruleHash({ ...rest, version, rule })).toBe(ruleHash(COUNTER))
  expect(ruleHash({ ...COUNTER, scale: 1 })).not.toBe(ruleHash(COUNTER))
})

describe('strict', () => {
  test.each([
    ['unknown rule', { rule: 'guess' }],
    ['unknown version', { version: 2 }],
    ['unknown field', { price: 1 }],
    ['missing field', { scale: undefined }],
    ['scale beyond 18', { scale: 19 }],
    ['zero denominator', { factor: { numerator: 1, denominator: 0 } }],
    ['fraction', { factor: { numerator: 0.5, denominator: 1 } }],
    ['number for a rate', { maxRate: { burst: 0, perHour: '1' } }],
    ['exponent', { maxRate: { burst: '1e3', perHour: '1' } }],
    ['no unit', { unit: '' }],
    ['no unit of the register', { registerUnit: undefined }],
    ['unknown field inside', { maxRate: { burst: '0', perHour: '1', perDay: '2' } }],
    ['a drawdown field on a counter', { noiseBand: 1 }],
  ])('%s is refused with its name', (_, change) => {
    const parsed = parseRule(JSON.parse(JSON.stringify({ ...COUNTER, ...change })))
    expect(parsed).toMatchObject({ ok: false, message: expect.stringMatching(/^rule/) })
  })

  test.each([{ noiseBand: -1 }, { maxSilenceSeconds: 0 }, { noiseBand: '20' }])(
    'drawdown with %j is refused',
    (change) => {
      expect(parseRule({ ...DRAWDOWN, ...change }).ok).toBe(false)
    },
  )

  test.each([
    [INTEGRAL, { maxRate: { burst: '1', perHour: '1' } }],
    [INTEGRAL, { maxValue: 22_000 }],
    [INTEGRAL, { maxValue: '-1' }],
    [INTEGRAL, { maxSilenceSeconds: 0 }],
    [BREACH, { beyond: 'beside' }],
    [BREACH, { threshold: '-0' }],
    [BREACH, { threshold: '08' }],
    [BREACH, { threshold: 80 }],
    [BREACH, { threshold: (2n ** 128n).toString() }],
    [BREACH, { maxExcusedSeconds: -1 }],
    [BREACH, { maxExcusedSeconds: undefined }],
    [COUNT, { maxRate: { burst: '0', perHour: '100' } }],
    [COUNT, { scale: 0 }],
    [DISTANCE, { unit: 'm' }],
    [DISTANCE, { scale: 10 }],
    [DISTANCE, { noiseBandMm: 0.5 }],
    [DISTANCE, { maxMmPerSecond: 0 }],
  ])('%j with %j is refused', (rule, change) => {
    const parsed = parseRule(JSON.parse(JSON.stringify({ ...rule, ...change })))
    expect(parsed).toMatchObject({ ok: false, message: expect.stringMatching(/^rule/) })
  })

  test.each([null, 'constructor', { rule: 'toString' }, 'counter', [], 7, undefined])(
    '%j is refused',
    (json) => {
      expect(parseRule(json).ok).toBe(false)
    },
  )
})

test('in one plain sentence', () => {
  expect(explainRule({ ...COUNTER, scale: 3, registerUnit: 'mg' })).toBe(
    'Counts in mg what a rising meter adds; a fall is refused, and more than 1,000 g plus 1,000 g an hour is not believed.',
  )
  expect(
    explainRule({ ...DRAWDOWN, factor: { numerator: 7, denominator: 2 }, registerUnit: 'g' }),
  ).toBe(
    'Counts in g how far a level falls, 2 mm being 7 g; refills are free, changes up to 20 mm are noise, falls during an undeclared silence of more than 900 s are not billed, and more than 1,000,000 mm plus 1,000,000 mm an hour is not believed.',
  )
  expect(explainRule(INTEGRAL)).toBe(
    'Counts in Wh what a rate in W adds up to over time, 3,600 W s being 1 Wh; nothing is counted over a declared gap or an undeclared silence of more than 900 s, and more than 1,000,000 W is not believed.',
  )
  expect(
    explainRule({
      ...BREACH,
      threshold: '-185',
      factor: { numerator: 1, denominator: 60 },
      registerUnit: 'min',
    }),
  ).toBe(
    'Counts in min how long readings stay above -18.5 Cel, 60 s being 1 min; time excused beforehand is left out, up to 600 s a period, and so are declared gaps and every undeclared silence of more than 900 s.',
  )
  expect(explainRule(COUNT)).toBe(
    'Counts in count each reading in count, whatever its value; more than 1,000 readings plus 1,000 readings an hour is not believed.',
  )
  expect(explainRule(DISTANCE)).toBe(
    'Counts in m the straight lines between positions; moves up to 10 m are noise, moves during an undeclared silence of more than 900 s are not billed, and more than 40 m a second is not believed.',
  )
})
