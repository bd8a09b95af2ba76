import fc from 'fast-check'
import type { Hex } from 'viem'
import { describe, expect, test } from 'vitest'
import {
  decodeTariffData,
  encodeTariffData,
  explainTariff,
  isValidTariff,
  NO_MAXIMUM,
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
const seconds = fc.bigInt({ min: 0n, max: 2n ** 32n })
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
  fc
    .record({
      kind: fc.constant('plan' as const),
      prices: fc.tuple(amounts),
      scale: fc.nat(18),
      fee: amounts,
      feeSeconds: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      bounds: fc.tuple(amounts, fc.oneof(amounts, fc.constant(NO_MAXIMUM))),
    })
    .map(({ bounds: [one, other], ...plan }) => ({
      ...plan,
      minimum: one < other ? one : other,
      maximum: one < other ? other : one,
    })),
)

const free = {
  kind: 'plan',
  prices: [],
  scale: 0,
  fee: 0n,
  feeSeconds: 1,
  minimum: 0n,
  maximum: NO_MAXIMUM,
} as const

describe('laws', () => {
  test('monotone in the register and in time, and capped', () => {
    const use = fc.record({
      tariff: tariffs,
      register: amounts,
      more: amounts,
      elapsed: seconds,
      later: seconds,
      cap: amounts,
    })
    fc.assert(
      fc.property(use, ({ tariff, register, more, elapsed, later, cap }) => {
        const less = owed(tariff, [register], elapsed)
        expect(owed(tariff, [register + more], elapsed)).toBeGreaterThanOrEqual(less)
        expect(owed(tariff, [register], elapsed + later)).toBeGreaterThanOrEqual(less)
        const most = less < cap ? less : cap
        expect(owedCapped(tariff, [register], elapsed, cap)).toBe(less < 2n ** 96n ? most : 0n)
      }),
    )
  })

  test('a plan without fee and bounds is linear; a subscription is exact at each whole fee', () => {
    fc.assert(
      fc.property(amounts, amounts, fc.nat(18), seconds, (price, register, scale, elapsed) => {
        const plan: Tariff = { ...free, prices: [price], scale }
        const linear: Tariff = { kind: 'linear', prices: [price], scale }
        expect(owed(plan, [register], elapsed)).toBe(owed(linear, [register], 0n))
      }),
    )
    const month: Tariff = { ...free, fee: 30_000_000n, feeSeconds: 30 * 86_400 }
    expect(owed(month, [], 30n * 86_400n)).toBe(30_000_000n)
    expect(owed(month, [], 15n * 86_400n)).toBe(15_000_000n)
    // Half a cent a second and more is floored once, at the end.
    expect(owed(month, [], 1n)).toBe(11n)
  })

  test('a plan floors once over use and time together, then asks its least and its most', () => {
    const plan: Tariff = { ...free, prices: [1n], scale: 1, fee: 1n, feeSeconds: 2 }
    // 0.5 + 0.5: neither alone would be one unit.
    expect(owed(plan, [5n], 1n)).toBe(1n)
    const bounded: Tariff = { ...plan, minimum: 3n, maximum: 4n }
    expect([0n, 35n, 1_000n].map((register) => owed(bounded, [register], 0n))).toEqual([3n, 3n, 4n])
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

  test('a subscription, time of use with bounds, and nothing at all', () => {
    const monthly: Tariff = { ...free, fee: 30_000_000n, feeSeconds: 30 * 86_400 }
    expect(explainTariff(monthly, { units: [], asset })).toBe(
      '30 tEUR per 30 days, charged by the second',
    )
    const bands: Tariff = {
      ...free,
      prices: [300n, 200n],
      fee: 2_000_000n,
      feeSeconds: 3_600,
      minimum: 5_000_000n,
      maximum: 100_000_000n,
    }
    const units = [
      { unit: 'kWh', per: 1000n, label: 'at peak' },
      { unit: 'kWh', per: 1000n, label: 'off peak' },
    ]
    expect(explainTariff(bands, { units, asset })).toBe(
      '0.3 tEUR per kWh at peak, plus 0.2 tEUR per kWh off peak, plus 2 tEUR per hour, charged by the second; at least 5 tEUR and at most 100 tEUR a period',
    )
    expect(explainTariff({ ...free, minimum: 1n }, { units: [], asset })).toBe(
      'nothing for use or time; at least 0.000001 tEUR a period',
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
