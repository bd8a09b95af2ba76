import { describe, expect, test } from 'vitest'
import { type CountRule, foldStream, type LoggedEnvelope, registerAt } from '../../src/index.ts'
import {
  COUNT,
  decimal,
  declaration,
  reading,
  readings,
  START_MS,
  series,
  termsOf,
} from './fixtures.ts'

function fold(rule: CountRule, envelopes: LoggedEnvelope[]) {
  const { steps, state } = foldStream(termsOf(rule), envelopes, START_MS + 1e9)
  return { codes: steps.map(({ code }) => code), billed: registerAt(state, 0) }
}

describe('count', () => {
  test('each reading is one, the first too, whatever its value', () => {
    const values = [7, 7, decimal(-3), decimal(1, -9)]
    expect(fold(COUNT, series(COUNT, values))).toEqual({
      codes: ['OK', 'OK', 'OK', 'OK'],
      billed: 4n,
    })
  })

  test('what is no number or of another unit is none', () => {
    const pack = [
      reading(COUNT, 1, 1),
      reading(COUNT, 1, { kind: 'string', value: 'parcel' }),
      reading(COUNT, 1, 1, { unit: 'g' }),
      reading(COUNT, 1, 1),
    ]
    expect(fold(COUNT, [readings(1, pack)])).toEqual({ codes: ['VALUE_INVALID'], billed: 2n })
  })

  test('a dozen in a box: the factor floors once', () => {
    const rule = { ...COUNT, factor: { numerator: 1, denominator: 12 } }
    const values = Array.from({ length: 25 }, () => 1)
    expect(fold(rule, series(rule, values)).billed).toBe(2n)
  })

  test('ATK impossible rate: the allowance is spent and grows again, never beyond the burst', () => {
    const rule = { ...COUNT, maxRate: { burst: '2', perHour: '30' } }
    // One a minute, half of one more allowed each minute: 2, 1.5, 1 and so on; then every other one.
    const { codes } = fold(rule, series(rule, [1, 1, 1, 1, 1, 1, 1]))
    expect(codes).toEqual(['OK', 'OK', 'OK', 'IMPLAUSIBLE', 'OK', 'IMPLAUSIBLE', 'OK'])
    const rested = [0, 50, 50, 50].map((minute, index) =>
      readings(index + 1, [reading(rule, minute, 1)], { loggedAt: START_MS + minute * 60_000 }),
    )
    expect(fold(rule, rested).codes).toEqual(['OK', 'OK', 'OK', 'IMPLAUSIBLE'])
  })

  test('gaps and replacements change nothing', () => {
    const stream = [
      readings(1, [reading(COUNT, 1, 1)]),
      declaration(2, { kind: 'replacement', atMs: START_MS, reason: 'new gate' }),
      readings(9, [reading(COUNT, 50, 1)], { loggedAt: START_MS + 50 * 60_000 }),
    ]
    expect(fold(COUNT, stream)).toEqual({ codes: ['OK', 'OK', 'OK'], billed: 2n })
  })
})
