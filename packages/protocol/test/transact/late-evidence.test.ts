import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  adjustmentAmount,
  foldStream,
  latePeriods,
  lateRegisterAt,
  registerAt,
  type Tariff,
  type Terms,
} from '../../src/index.ts'
import {
  BREACH,
  COUNTER,
  DRAWDOWN,
  INTEGRAL,
  MINUTE_MS,
  readings,
  START_MS,
  sampled,
  termsOf,
} from './fixtures.ts'

const HOUR_MS = 60 * MINUTE_MS
/** Hourly periods, each final an hour after its end. */
const terms = termsOf(COUNTER)
const PERIODS = [0, 1, 2, 3, 4, 5]

/** One counter reading `minutes` after the start, logged `loggedMinutes` after it. */
const counted = (seq: number, minutes: number, value: number, loggedMinutes = minutes) =>
  readings(seq, sampled(COUNTER, minutes, value), {
    loggedAt: START_MS + loggedMinutes * MINUTE_MS,
  })

describe('late evidence', () => {
  test('before finality re-rates its own period', () => {
    const { state, steps } = foldStream(
      terms,
      [counted(1, 0, 100), counted(2, 30, 150, 119), counted(3, 70, 180, 120)],
      Number.POSITIVE_INFINITY,
    )
    expect(registerAt(state, 0)).toBe(50n)
    expect(registerAt(state, 1)).toBe(30n)
    expect(steps.map(({ code }) => code)).toEqual(['OK', 'OK', 'OK'])
    expect(latePeriods(state)).toEqual([])
  })

  test('INV-20 after finality it leaves the register, moves the baseline, and stands apart', () => {
    // Off for five hours; on its return it brings all it has measured.
    const { state, steps } = foldStream(
      terms,
      [
        counted(1, 0, 100),
        counted(2, 30, 150),
        counted(3, 50, 170, 300),
        counted(4, 110, 200, 300),
        counted(5, 290, 260, 300),
      ],
      Number.POSITIVE_INFINITY,
    )
    expect(steps.map(({ code }) => code)).toEqual([
      'OK',
      'OK',
      'LATE_FOR_PERIOD',
      'LATE_FOR_PERIOD',
      'OK',
    ])
    expect(PERIODS.map((period) => registerAt(state, period))).toEqual([50n, 0n, 0n, 0n, 60n, 0n])
    expect(PERIODS.map((period) => lateRegisterAt(state, COUNTER, period))).toEqual([
      70n,
      30n,
      0n,
      0n,
      60n,
      0n,
    ])
    expect(steps[2]?.lateRegisters).toEqual({ 0: 70n })
    expect(steps[2]?.registers).toEqual({})
  })

  test('the last millisecond of the late window is in time', () => {
    const finalMs = START_MS + 2 * HOUR_MS
    const at = (loggedAt: number) =>
      foldStream(
        terms,
        [counted(1, 0, 100), readings(2, sampled(COUNTER, 30, 150), { loggedAt })],
        Number.POSITIVE_INFINITY,
      ).steps[1]?.code
    expect(at(finalMs)).toBe('OK')
    expect(at(finalMs + 1)).toBe('LATE_FOR_PERIOD')
  })

  test('beyond the backfill window it is OUTSIDE_WINDOW, as ever', () => {
    const { steps } = foldStream(
      termsOf(COUNTER, { backfillSeconds: 3_600 }),
      [counted(1, 0, 100), counted(2, 30, 150, 300)],
      Number.POSITIVE_INFINITY,
    )
    expect(steps[1]?.code).toBe('OUTSIDE_WINDOW')
  })
})

/** A stream measured in order of time, each envelope logged at once or at some later moment; logged times never fall. */
const journey = fc
  .record({
    rule: fc.constantFrom(COUNTER, DRAWDOWN, INTEGRAL, BREACH),
    parts: fc.array(
      fc.record({
        waitMinutes: fc.integer({ min: 1, max: 14 }),
        rise: fc.nat(90),
        delayMinutes: fc.constantFrom(0, 0, 0, 30, 240),
      }),
      { minLength: 1, maxLength: 30 },
    ),
  })
  .map(({ rule, parts }) => {
    let minutes = 0
    let value = rule === DRAWDOWN ? 3_000 : 0
    let loggedMinutes = 0
    const envelopes = parts.map(({ waitMinutes, rise, delayMinutes }, index) => {
      minutes += waitMinutes
      value = rule === DRAWDOWN ? value - rise : rule === COUNTER ? value + rise : rise
      loggedMinutes = Math.max(loggedMinutes, minutes + delayMinutes)
      return readings(index + 1, sampled(rule, minutes, value), {
        loggedAt: START_MS + loggedMinutes * MINUTE_MS,
      })
    })
    return { rule, envelopes }
  })

describe('laws', () => {
  test('INV-20 nothing logged after finality moves a register', () => {
    fc.assert(
      fc.property(journey, fc.nat(8), ({ rule, envelopes }, period) => {
        const grid = termsOf(rule)
        const finalMs = START_MS + (period + 2) * HOUR_MS
        const known = envelopes.filter(({ loggedAt }) => loggedAt <= finalMs)
        const then = foldStream(grid, known, Number.POSITIVE_INFINITY).state
        const later = foldStream(grid, envelopes, Number.POSITIVE_INFINITY).state
        expect(registerAt(later, period)).toBe(registerAt(then, period))
      }),
      { numRuns: 500 },
    )
  })

  test('what is measured counts once: with late input every period has what it would have had in time', () => {
    fc.assert(
      fc.property(journey, ({ rule, envelopes }) => {
        const grid = termsOf(rule)
        const state = foldStream(grid, envelopes, Number.POSITIVE_INFINITY).state
        const inTime = foldStream(
          termsOf(rule, { lateSeconds: 1_000_000 }),
          envelopes,
          Number.POSITIVE_INFINITY,
        ).state
        for (let period = 0; period < grid.periods; period += 1) {
          expect(lateRegisterAt(state, rule, period)).toBe(registerAt(inTime, period))
        }
      }),
      { numRuns: 500 },
    )
  })

  test('steps tell the late registers that the state ends with', () => {
    fc.assert(
      fc.property(journey, ({ rule, envelopes }) => {
        const { state, steps } = foldStream(termsOf(rule), envelopes, Number.POSITIVE_INFINITY)
        const told = new Map<number, bigint>()
        for (const { lateRegisters } of steps) {
          for (const [period, register] of Object.entries(lateRegisters)) {
            told.set(Number(period), register)
          }
        }
        for (const period of latePeriods(state)) {
          expect(told.get(period)).toBe(lateRegisterAt(state, rule, period))
        }
      }),
      { numRuns: 300 },
    )
  })
})

test('an adjustment is what the late input costs beyond the registers, within the cap, never less than nothing', () => {
  const tariff: Tariff = { kind: 'tiered', upTo: [100n], prices: [5n, 3n], scale: 0 }
  const agreed = { periodSeconds: 3_600, capMinor: 1_000n } as Terms
  const amount = (registers: bigint[], lateRegisters: bigint[]) =>
    adjustmentAmount({ terms: agreed, tariff, registers, lateRegisters })
  expect(amount([90n], [110n])).toBe(500n + 30n - 450n)
  expect(amount([90n], [90n])).toBe(0n)
  expect(amount([90n], [10_000n])).toBe(1_000n - 450n)
  expect(amount([10_000n], [20_000n])).toBe(0n)
  expect(amount([90n], [2n ** 250n])).toBe(0n)
})
