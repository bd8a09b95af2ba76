import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  explainAmount,
  formatDecimal,
  NO_MAXIMUM,
  owedCapped,
  type Tariff,
} from '../../src/index.ts'

const asset = { symbol: 'tEUR', decimals: 6 }
const kg = { unit: 'kg', per: 1_000n, label: '' }
const kWh = (label: string) => ({ unit: 'kWh', per: 1_000n, label })
const linear: Tariff = { kind: 'linear', prices: [420n], scale: 0 }
const tiered: Tariff = { kind: 'tiered', upTo: [1_000_000n], prices: [420n, 380n], scale: 0 }
const plan: Tariff = {
  kind: 'plan',
  prices: [300n, 200n],
  scale: 0,
  fee: 30_000_000n,
  feeSeconds: 2_592_000,
  minimum: 5_000_000n,
  maximum: NO_MAXIMUM,
}
const most = 10n ** 12n

test.each<[string, Tariff, bigint[], bigint, bigint, string]>([
  ['by weight', linear, [12_500n], 0n, most, '12.5 kg × 0.42 tEUR = 5.25 tEUR'],
  ['nothing', linear, [0n], 0n, most, '0 kg × 0.42 tEUR = 0 tEUR'],
  [
    'capped',
    linear,
    [12_500n],
    0n,
    5_000_000n,
    '12.5 kg × 0.42 tEUR = 5.25 tEUR, capped at 5 tEUR',
  ],
  ['rounded', { ...linear, scale: 2 }, [125n], 0n, most, '0.125 kg × 0.0042 tEUR = 0.000525 tEUR'],
  [
    'rounded down',
    { ...linear, scale: 3 },
    [125n],
    0n,
    most,
    '0.125 kg × 0.00042 tEUR = 0.000052 tEUR, rounded down',
  ],
  ['tiers', tiered, [1_500_000n], 0n, most, '1,000 kg × 0.42 tEUR + 500 kg × 0.38 tEUR = 610 tEUR'],
  ['the first tier', tiered, [500n], 0n, most, '0.5 kg × 0.42 tEUR = 0.21 tEUR'],
])('%s', (_, tariff, registers, elapsedSeconds, capMinor, words) => {
  expect(
    explainAmount(tariff, { registers, elapsedSeconds, capMinor }, { units: [kg], asset }),
  ).toBe(words)
})

test('a plan: use, time and a minimum', () => {
  const units = [kWh('(peak)'), kWh('(night)')]
  const of = (registers: bigint[], elapsedSeconds: bigint) =>
    explainAmount(plan, { registers, elapsedSeconds, capMinor: most }, { units, asset })
  expect(of([20_000n, 5_000n], 86_400n)).toBe(
    '20 kWh (peak) × 0.3 tEUR + 5 kWh (night) × 0.2 tEUR + 86,400 s × 30 tEUR / 2,592,000 s = 8 tEUR',
  )
  expect(of([0n, 0n], 0n)).toMatch(/= 0 tEUR, at least 5 tEUR a period$/)
})

test('the last amount in it is the one that the ledger pays', () => {
  const prices = fc.bigInt({ min: 0n, max: 2n ** 40n })
  const tariffs: fc.Arbitrary<Tariff> = fc.oneof(
    fc.record({ kind: fc.constant('linear' as const), prices: fc.tuple(prices), scale: fc.nat(9) }),
    fc.record({
      kind: fc.constant('tiered' as const),
      upTo: fc.tuple(fc.bigInt({ min: 1n, max: 2n ** 20n })),
      prices: fc.tuple(prices, prices),
      scale: fc.nat(9),
    }),
    fc
      .record({
        prices: fc.tuple(prices),
        scale: fc.nat(9),
        fee: prices,
        feeSeconds: fc.integer({ min: 1, max: 9_999 }),
        minimum: prices,
        over: prices,
      })
      .map(({ over, ...rest }) => ({
        ...rest,
        kind: 'plan' as const,
        maximum: rest.minimum + over,
      })),
  )
  const counts = fc.bigInt({ min: 0n, max: 2n ** 80n })
  fc.assert(
    fc.property(tariffs, counts, fc.nat(99_999), counts, (tariff, register, elapsed, capMinor) => {
      const charged = { registers: [register], elapsedSeconds: BigInt(elapsed), capMinor }
      const words = explainAmount(tariff, charged, { units: [kg], asset })
      const amount = owedCapped(tariff, [register], BigInt(elapsed), capMinor)
      const last = words.match(/[\d.,]*\d(?= tEUR(?:, rounded down)?(?: a period)?$)/)?.[0]
      expect(last).toBe(formatDecimal(amount, 6, { grouping: true, trim: true }))
    }),
    { numRuns: 3_000 },
  )
})
