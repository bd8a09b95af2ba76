import { keccak256, stringToBytes } from 'viem'
import { describe, expect, test } from 'vitest'
import { canonicalJson, explainRule, parseRule, ruleHash } from '../../src/index.ts'
import { COUNTER, DRAWDOWN } from './fixtures.ts'

test('a rule survives JSON', () => {
  for (const rule of [COUNTER, DRAWDOWN]) {
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

  test.each([null, 'counter', [], 7, undefined])('%j is refused', (json) => {
    expect(parseRule(json).ok).toBe(false)
  })
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
})
