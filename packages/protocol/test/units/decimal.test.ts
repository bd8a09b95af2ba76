import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DecimalError, formatDecimal, parseDecimal, roundHalfEven } from '../../src/index.ts'

const integers = fc.bigInt({ min: -(2n ** 256n), max: 2n ** 256n })
const places = fc.nat(18)

describe('parseDecimal', () => {
  test.each([
    ['12.345', 3, 12345n],
    ['12', 3, 12000n],
    ['-0.5', 1, -5n],
    ['0.10', 1, 1n],
    ['007', 0, 7n],
  ])('%s to %i places', (text, decimals, value) => {
    expect(parseDecimal(text, decimals)).toBe(value)
  })

  test.each([
    '1e3',
    'NaN',
    '',
    '.5',
    '1.',
    '+1',
    ' 1',
    '1,000',
    '0x10',
    '1.2.3',
    '--1',
    '9'.repeat(300),
  ])('ATK "%s" is refused', (text) => {
    expect(() => parseDecimal(text, 3)).toThrow(DecimalError)
  })

  test('refuses what it would round', () => {
    expect(() => parseDecimal('0.1234', 3)).toThrow(/round/)
  })

  test('reads back whatever formatDecimal writes', () => {
    fc.assert(
      fc.property(integers, places, fc.boolean(), (value, decimals, trim) => {
        expect(parseDecimal(formatDecimal(value, decimals, { trim }), decimals)).toBe(value)
      }),
    )
  })
})

describe('formatDecimal', () => {
  test.each([
    [1200n, 3, {}, '1.200'],
    [5n, 3, {}, '0.005'],
    [-5n, 3, {}, '-0.005'],
    [0n, 0, {}, '0'],
    [1234567n, 0, { grouping: true }, '1,234,567'],
    [123456789n, 4, { grouping: true }, '12,345.6789'],
    [420_000n, 6, { trim: true }, '0.42'],
    [42_000_000n, 6, { trim: true, grouping: true }, '42'],
  ])('%i with %i places %j is %s', (value, decimals, options, text) => {
    expect(formatDecimal(value, decimals, options)).toBe(text)
  })
})

describe('roundHalfEven', () => {
  test.each([
    ['87.212643999999997', 3, 87213n, true],
    ['0.5', 0, 0n, true],
    ['1.5', 0, 2n, true],
    ['2.5', 0, 2n, true],
    ['-2.5', 0, -2n, true],
    ['-3.5', 0, -4n, true],
    ['2.500001', 0, 3n, true],
    ['2.500', 1, 25n, false],
    ['0.0004', 3, 0n, true],
    ['-0.0004', 3, 0n, true],
  ])('%s to %i places', (text, decimals, value, rounded) => {
    expect(roundHalfEven(text, decimals)).toEqual({ value, rounded })
  })

  test('is off by at most half a unit, ties go to even, and is exact exactly if not rounded', () => {
    fc.assert(
      fc.property(integers, fc.nat(30), fc.nat(30), (digits, textPlaces, decimals) => {
        const { value, rounded } = roundHalfEven(formatDecimal(digits, textPlaces), decimals)
        const unit = 10n ** BigInt(textPlaces)
        const offTwice = 2n * (value * unit - digits * 10n ** BigInt(decimals))
        const off = offTwice < 0n ? -offTwice : offTwice
        expect(off).toBeLessThanOrEqual(unit)
        expect(rounded).toBe(off !== 0n)
        if (off === unit) expect(value % 2n).toBe(0n)
      }),
    )
  })
})
