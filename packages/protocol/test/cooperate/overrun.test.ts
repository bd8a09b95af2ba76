import { expect, test } from 'vitest'
import { type CounterRule, foldStream, registerAt } from '../../src/index.ts'
import { COUNTER, decimal, MINUTE_MS, readings, START_MS, termsOf } from '../transact/fixtures.ts'

const OVERRUN: CounterRule = {
  ...COUNTER,
  unit: 's',
  registerUnit: 's',
  maxRate: { burst: '60', perHour: '3600' },
}

/** What a machine says each minute: cumulative seconds beyond its user's time, and by which right it runs. */
const said = (minute: number, seconds: number) => {
  const timeMs = START_MS + minute * MINUTE_MS
  return readings(minute, [
    { name: 'overrun', unit: 's', timeMs, value: decimal(seconds) },
    { name: 'right', unit: undefined, timeMs, value: decimal(7) },
  ])
}

test('an ordinary counter bills overrun, and the right beside it counts for nothing', () => {
  const terms = termsOf(OVERRUN, { stream: 'overrun' })
  const envelopes = [said(1, 500), said(2, 500), said(3, 530), said(4, 590), said(5, 590)]
  const { state, steps } = foldStream(terms, envelopes, Number.POSITIVE_INFINITY)
  expect(steps.map(({ code }) => code)).toEqual(['OK', 'OK', 'OK', 'OK', 'OK'])
  expect(registerAt(state, 0)).toBe(90n)
})
