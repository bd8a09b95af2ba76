import fc from 'fast-check'
import { expect, test } from 'vitest'
import { unitQuantity } from '../../src/index.ts'
import { multiply, type UnitQuantity } from '../../src/units/unit-quantity.ts'

const known = (name: string): UnitQuantity => {
  const quantity = unitQuantity(name)
  if (!quantity) throw new Error(`"${name}" is not known.`)
  return quantity
}

/** How many of `small` one `big` is, as a fraction in lowest terms would be compared: by cross-multiplying. */
const isTimes = (big: string, count: bigint, small: string): boolean => {
  const [a, b] = [known(big), known(small)]
  return (
    a.dimension === b.dimension &&
    a.numerator * b.denominator === count * b.numerator * a.denominator
  )
}

test.each([
  ['Wh', 3_600n, 'J'],
  ['kWh', 1_000n, 'W.h'],
  ['kW', 1_000n, 'J/s'],
  ['J', 1n, 'N.m'],
  ['V', 1n, 'W/A'],
  ['Ah', 3_600n, 'C'],
  ['m3', 1_000n, 'l'],
  ['l', 1_000n, 'ml'],
  ['L', 1_000n, 'cm3'],
  ['t', 1_000_000n, 'g'],
  ['kg', 1_000n, 'g'],
  ['kg/m3', 1n, 'g/l'],
  ['km', 1_000_000n, 'mm'],
  ['h', 60n, 'min'],
  ['d', 24n, 'h'],
  ['min', 60_000n, 'ms'],
  ['Hz', 60n, 'beat/min'],
  ['Hz', 1n, '1/s'],
  ['m/s', 3_600n, 'm/h'],
  ['hPa', 100n, 'N/m2'],
  ['B', 8n, 'bit'],
  ['count', 100n, '%'],
  ['%', 10_000n, 'ppm'],
])('one %s is exactly %d %s', (big, count, small) => {
  expect(isTimes(big, count, small)).toBe(true)
})

test.each([
  ['Wh', 'W'],
  ['m', 'm2'],
  ['Cel', 'K'],
  ['g', 'l'],
  ['s', 'Hz'],
  ['count', 's'],
])('%s and %s do not measure the same', (one, other) => {
  expect(known(one).dimension).not.toBe(known(other).dimension)
})

test.each([
  'furlong',
  'dB',
  'pallets',
  '',
  '.',
  '//',
  'm/',
  'm..s',
  'm0',
  'mmin',
  'kkg',
  'deg',
  '__proto__',
  'constructor',
])('"%s" is no unit of the table', (name) => {
  expect(unitQuantity(name)).toBeUndefined()
})

test('a quotient of units is one times the inverse of the other, whatever the prefixes', () => {
  const simple = fc.constantFrom('m', 'g', 's', 'l', 'W', 'J', 'A', 'N', 'Pa', 'mol', 'Hz')
  const prefix = fc.constantFrom('', 'n', 'u', 'm', 'c', 'k', 'M', 'G')
  const unit = fc.tuple(prefix, simple).map((parts) => parts.join(''))
  fc.assert(
    fc.property(unit, unit, (one, other) => {
      const whole = multiply(known(`${one}/${other}`), known(other))
      const alone = known(one)
      expect(whole.dimension).toBe(alone.dimension)
      expect(whole.numerator * alone.denominator).toBe(alone.numerator * whole.denominator)
      expect(isTimes(`${one}.${other}`, 1n, `${other}.${one}`)).toBe(true)
    }),
  )
})
