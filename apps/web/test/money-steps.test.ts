import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stepPath, ticksTo } from '../src/pages/transact/money-steps.ts'

test('a scale has two to five round marks, and the last is not below the largest amount', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 96n }), (largest) => {
      const ticks = ticksTo(largest)
      const [first, step = 0n] = ticks
      expect(first).toBe(0n)
      expect(ticks.every((tick, index) => tick === step * BigInt(index))).toBe(true)
      expect(String(step)).toMatch(/^[125]0*$/)
      expect(ticks.length).toBeLessThanOrEqual(5)
      const last = ticks.at(-1) ?? 0n
      expect(last >= largest && last - step < (largest || 1n)).toBe(true)
    }),
  )
})

test('steps are drawn from their time on, up to their amount', () => {
  const line = [
    { timeMs: 100, minor: '0' },
    { timeMs: 150, minor: '5' },
    { timeMs: 200, minor: '10' },
  ]
  expect(stepPath(line, { fromMs: 100, toMs: 300, top: 10n })).toBe(
    'M0 1000H0.0V1000H250.0V500H500.0V0H1000V1000Z',
  )
})
