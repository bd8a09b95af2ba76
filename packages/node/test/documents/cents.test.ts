import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { apportion, netOf, taxOn, wholeCents } from '../../src/documents/cents.ts'

const sumOf = (parts: readonly bigint[]) => parts.reduce((sum, part) => sum + part, 0n)
const amount = fc.bigInt({ min: 0n, max: 10n ** 24n })

describe('cents', () => {
  test('are never more than the ledger has, and less than one cent is lost', () => {
    fc.assert(
      fc.property(amount, fc.integer({ min: 0, max: 18 }), (minor, decimals) => {
        const asked = wholeCents(minor, decimals) * 10n ** BigInt(decimals)
        const exact = minor * 100n
        expect(asked <= exact).toBe(true)
        expect(exact - asked < 10n ** BigInt(decimals)).toBe(true)
      }),
    )
  })

  test('shares of a whole add up to it exactly, each within one of its exact part', () => {
    const parts = fc.array(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 20n }), {
      minLength: 1,
      maxLength: 8,
    })
    fc.assert(
      fc.property(amount, parts, (total, given) => {
        const sum = sumOf(given)
        fc.pre(sum > 0n)
        const shares = apportion(total, given)
        expect(sumOf(shares)).toBe(total)
        for (const [index, part] of given.entries()) {
          const off = (shares[index] ?? 0n) * sum - part * total
          expect(off > -sum && off < sum).toBe(true)
        }
      }),
    )
  })

  test('net and its rounded tax are never above the gross, and at most one cent below', () => {
    fc.assert(
      fc.property(amount, fc.bigInt({ min: 0n, max: 5_000n }), (gross, basisPoints) => {
        const net = netOf(gross, basisPoints)
        const rest = gross - net - taxOn(net, basisPoints)
        expect(rest === 0n || rest === 1n).toBe(true)
      }),
    )
  })

  test('a tax of half a cent is rounded up', () => {
    expect(taxOn(50n, 1_900n)).toBe(10n)
    expect(taxOn(49n, 1_900n)).toBe(9n)
  })
})
