import fc from 'fast-check'
import type { Hex } from 'viem'
import { describe, expect, test } from 'vitest'
import {
  decodeTariffData,
  encodeTariffData,
  explainTariff,
  isValidTariff,
  owed,
  owedCapped,
  type Tariff,
  TariffError,
} from '../../src/index.ts'
import { readVectors } from './vectors.ts'

type OwedVector = { registers: string[]; data: Hex; owed: string | null }
type Vectors = Record<'linear' | 'tiered', OwedVector[]> & {
  invalid: Record<'linear' | 'tiered', { registerCount: number; data: Hex }[]>
}
const vectors = readVectors('tariffs') as Vectors

describe.each(['linear', 'tiered'] as const)('known answers, %s', (kind) => {
  test.each(vectors[kind])(
    '$data at $registers owes $owed',
    ({ registers, data, owed: expected }) => {
      const tariff = decodeTariffData(kind, data)
      const amount = () => owed(tariff, registers.map(BigInt), 0n)
      if (expected === null) expect(amount).toThrow(TariffError)
      else expect(amount()).toBe(BigInt(expected))
      expect(encodeTariffData(tariff)).toBe(data)
    },
  )

  test.each(vectors.invalid[kind])('$data for $registerCount registers is refused', (invalid) => {
    const accepted = () =>
      isValidTariff(decodeTariffData(kind, invalid.data), invalid.registerCount)
    let valid = false
    try {
      valid = accepted()
    } catch (error) {
      expect(error).toBeInstanceOf(TariffError)
    }
    expect(valid).toBe(false)
  })
})

const amounts = fc.bigInt({ min: 0n, max: 2n ** 60n })
const tariffs: fc.Arbitrary<Tariff> = fc.oneof(
  fc.record({
    kind: fc.constant('linear' as const),
    prices: fc.tuple(amounts),
    scale: fc.nat(18),
  }),
  fc.uniqueArray(fc.bigInt({ min: 1n, max: 2n ** 60n }), { maxLength: 5 }).chain((borders) =>
    fc.record({
      kind: fc.constant('tiered' as const),
      upTo: fc.constant(borders.sort((a, b) => (a < b ? -1 : 1))),
      prices: fc.array(amounts, { minLength: borders.length + 1, maxLength: borders.length + 1 }),
      scale: fc.nat(18),
    }),
  ),
)

describe('laws', () => {
  test('monotone in the register, and capped', () => {
    fc.assert(
      fc.property(tariffs, amounts, amounts, amounts, (tariff, register, more, cap) => {
        const less = owed(tariff, [register], 0n)
        expect(owed(tariff, [register + more], 0n)).toBeGreaterThanOrEqual(less)
        const most = less < cap ? less : cap
        expect(owedCapped(tariff, [register], 0n, cap)).toBe(less < 2n ** 96n ? most : 0n)
      }),
    )
  })

  test('one tier is linear; equal prices make tiers irrelevant', () => {
    fc.assert(
      fc.property(amounts, amounts, amounts, fc.nat(18), (price, border, register, scale) => {
        const linear = owed({ kind: 'linear', prices: [price], scale }, [register], 0n)
        const flat: Tariff = { kind: 'tiered', upTo: [border + 1n], prices: [price, price], scale }
        expect(owed(flat, [register], 0n)).toBe(linear)
        expect(owed({ kind: 'tiered', upTo: [], prices: [price], scale }, [register], 0n)).toBe(
          linear,
        )
      }),
    )
  })

  test('data survives encoding', () => {
    fc.assert(
      fc.property(tariffs, (tariff) => {
        expect(decodeTariffData(tariff.kind, encodeTariffData(tariff))).toEqual(tariff)
      }),
    )
  })
})

test('where the contract skips the item, nothing can be credited', () => {
  const tariff: Tariff = { kind: 'linear', prices: [2n ** 95n], scale: 0 }
  expect(owedCapped(tariff, [1n], 0n, 7n)).toBe(7n)
  expect(owedCapped(tariff, [2n], 0n, 7n)).toBe(0n)
  expect(owedCapped(tariff, [2n ** 200n], 0n, 7n)).toBe(0n)
})

test('a wrong number of registers is refused, not guessed', () => {
  expect(() => owed({ kind: 'linear', prices: [1n], scale: 0 }, [1n, 2n], 0n)).toThrow(TariffError)
  expect(() => owed({ kind: 'tiered', upTo: [], prices: [1n], scale: 0 }, [], 0n)).toThrow(
    TariffError,
  )
  expect(() => decodeTariffData('linear', '0x1234')).toThrow(TariffError)
})

describe('in plain words', () => {
  const asset = { symbol: 'tEUR', decimals: 6 }
  const kilograms = { unit: 'kg', per: 1000n, label: 'withdrawn' }

  test('tiers', () => {
    const tariff: Tariff = {
      kind: 'tiered',
      upTo: [1_000_000n],
      prices: [420n, 380n],
      scale: 0,
    }
    expect(explainTariff(tariff, { units: [kilograms], asset })).toBe(
      '0.42 tEUR per kg withdrawn; the first 1,000 kg at 0.42, above that 0.38 tEUR per kg',
    )
  })

  test('three tiers, with a scale', () => {
    const tariff: Tariff = {
      kind: 'tiered',
      upTo: [500n, 2500n],
      prices: [12345n, 2000n, 1n],
      scale: 2,
    }
    expect(explainTariff(tariff, { units: [{ ...kilograms, label: '' }], asset })).toBe(
      '0.12345 tEUR per kg; the first 0.5 kg at 0.12345, then up to 2.5 kg at 0.02, above that 0.00001 tEUR per kg',
    )
  })

  test('several registers; a quotient without end stays a fraction', () => {
    const linear: Tariff = { kind: 'linear', prices: [420n, 1n], scale: 0 }
    const units = [kilograms, { unit: 'h', per: 3600n, label: 'running' }]
    expect(explainTariff(linear, { units, asset })).toBe(
      '0.42 tEUR per kg withdrawn, plus 0.0036 tEUR per h running',
    )
    expect(explainTariff(linear, { units: [kilograms], asset })).toContain('per unit of register 2')
    const tiered: Tariff = { kind: 'tiered', upTo: [1000n], prices: [1n, 2n], scale: 0 }
    expect(explainTariff(tiered, { units: [units[1] ?? kilograms], asset })).toContain(
      '1,000/3,600 h',
    )
  })
})
