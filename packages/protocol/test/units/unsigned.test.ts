import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseUnsigned, senmlToUcum } from '../../src/index.ts'

describe('INV-02 an amount in JSON is a decimal string, whole and never negative', () => {
  test.each([
    '1e3',
    '-1',
    'NaN',
    (2n ** 256n).toString(),
    '',
    '01',
    '0x1',
    '1.0',
    ' 1',
    '१',
    1,
    null,
    undefined,
  ])('ATK amount %s is refused', (text) => {
    expect(parseUnsigned(text)).toBeUndefined()
  })

  test('reads every unsigned integer of 256 bits', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 256n - 1n }), (value) => {
        expect(parseUnsigned(value.toString())).toBe(value)
      }),
    )
    expect(parseUnsigned((2n ** 256n - 1n).toString())).toBe(2n ** 256n - 1n)
  })
})

test('SenML units map to UCUM codes', () => {
  expect(['kg', 'l', 'Wh', '%RH', 'count', 'm3'].map(senmlToUcum)).toEqual([
    'kg',
    'l',
    'W.h',
    '%',
    '1',
    'm3',
  ])
  expect(senmlToUcum('furlong')).toBeUndefined()
  expect(senmlToUcum('__proto__')).toBeUndefined()
})
