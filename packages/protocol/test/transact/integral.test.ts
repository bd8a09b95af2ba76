import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type FoldTerms,
  foldStream,
  type IntegralRule,
  type LoggedEnvelope,
  registerAt,
} from '../../src/index.ts'
import {
  declaration,
  INTEGRAL,
  MINUTE_MS,
  reading,
  readings,
  START_MS,
  series,
  termsOf,
} from './fixtures.ts'
import { sharedFile } from './shared-data.ts'

/** Watt-seconds, so that small figures show. */
const JOULES: IntegralRule = { ...INTEGRAL, factor: { numerator: 1, denominator: 1 } }

function fold(rule: IntegralRule, envelopes: LoggedEnvelope[], changes: Partial<FoldTerms> = {}) {
  const { steps, state } = foldStream(termsOf(rule, changes), envelopes, START_MS + 1e12)
  return { codes: steps.map(({ code }) => code), state, billed: registerAt(state, 0) }
}

const at = (seq: number, minutes: number, value: number) =>
  readings(seq, [reading(INTEGRAL, minutes, value)], { loggedAt: START_MS + minutes * MINUTE_MS })
const gap = (seq: number, from: number, to: number) =>
  declaration(seq, {
    kind: 'gap',
    fromMs: START_MS + from * MINUTE_MS,
    toMs: START_MS + to * MINUTE_MS,
    reason: 'mains off',
  })

describe('integral', () => {
  test('adds the mean of two readings times the time between them', () => {
    expect(fold(JOULES, series(JOULES, [100, 100, 200])).billed).toBe(100n * 60n + 150n * 60n)
    expect(fold(INTEGRAL, series(INTEGRAL, [3600, 3600, 3600])).billed).toBe(120n)
  })

  test('half a count is kept, and floored once for the period', () => {
    const rule = { ...JOULES, factor: { numerator: 1, denominator: 60 } }
    expect(fold(rule, series(rule, [0, 1])).billed).toBe(0n)
    expect(fold(rule, series(rule, [0, 1, 0])).billed).toBe(1n)
  })

  test('a rate that is not believed is refused, also as the first reading', () => {
    const rule = { ...JOULES, maxValue: '500' }
    expect(fold(rule, series(rule, [501, 100, 501, 100]))).toMatchObject({
      codes: ['IMPLAUSIBLE', 'OK', 'IMPLAUSIBLE', 'OK'],
      billed: 100n * 120n,
    })
  })

  test('what a rate below zero would take back is refused', () => {
    expect(fold(JOULES, series(JOULES, [100, -1, 100])).codes).toEqual([
      'OK',
      'VALUE_INVALID',
      'OK',
    ])
  })

  test('nothing is counted across an undeclared silence, and the reading is the new baseline', () => {
    expect(fold(JOULES, [at(1, 0, 100), at(2, 15, 100), at(3, 16, 100)])).toMatchObject({
      codes: ['OK', 'OK', 'OK'],
      billed: 100n * 960n,
    })
    expect(fold(JOULES, [at(1, 0, 100), at(2, 15.001, 100), at(3, 16.001, 100)])).toMatchObject({
      codes: ['OK', 'GAP', 'OK'],
      billed: 100n * 60n,
    })
  })

  test('nor across readings that never came', () => {
    const { codes, billed } = fold(JOULES, [at(1, 0, 100), at(4, 1, 100), at(5, 2, 100)])
    expect(codes).toEqual(['OK', 'GAP', 'OK'])
    expect(billed).toBe(100n * 60n)
  })

  test('nothing is counted over a declared gap, the rest is', () => {
    const stream = [at(1, 0, 100), gap(2, 1, 58), at(3, 59, 300)]
    expect(fold(JOULES, stream)).toMatchObject({ codes: ['OK', 'OK', 'OK'], billed: 200n * 120n })
  })

  test('a new sensor begins anew', () => {
    const replaced = declaration(2, {
      kind: 'replacement',
      atMs: START_MS + MINUTE_MS,
      reason: 'new meter',
    })
    expect(fold(JOULES, [at(1, 0, 100), replaced, at(3, 1, 900), at(4, 2, 900)]).billed).toBe(
      900n * 60n,
    )
  })

  test('two readings of one moment are a step: the later one counts from there', () => {
    expect(fold(JOULES, [at(1, 0, 100), at(2, 1, 100), at(3, 1, 0), at(4, 9, 0)]).billed).toBe(
      6000n,
    )
  })

  test('a period equals a rational computed apart, floored', () => {
    const walk = fc.array(
      fc.record({
        elapsedMs: fc.integer({ min: 0, max: 20_000 }),
        value: fc.nat(1_200),
        gap: fc.option(fc.tuple(fc.nat(30_000), fc.nat(30_000)), { freq: 3 }),
      }),
      { maxLength: 30 },
    )
    const factor = fc.record({
      numerator: fc.integer({ min: 1, max: 1_000 }),
      denominator: fc.integer({ min: 1, max: 5_000 }),
    })
    fc.assert(
      fc.property(walk, factor, (steps, scale) => {
        const rule = { ...INTEGRAL, factor: scale, maxValue: '1000', maxSilenceSeconds: 10 }
        const stream: LoggedEnvelope[] = []
        let nowMs = START_MS
        let last: { timeMs: number; value: number } | undefined
        let halfWattMs = 0
        let covered = new Set<number>()
        for (const { elapsedMs, value, gap: declared } of steps) {
          if (declared) {
            const [after, length] = declared
            const [fromMs, toMs] = [nowMs + after, nowMs + after + length]
            for (let ms = fromMs; ms < toMs; ms += 1) covered.add(ms)
            const body = { kind: 'gap', fromMs, toMs, reason: '' } as const
            stream.push(declaration(stream.length + 1, body, { loggedAt: nowMs }))
          }
          nowMs += elapsedMs
          const record = { ...reading(rule, 0, value), timeMs: nowMs }
          stream.push(readings(stream.length + 1, [record], { loggedAt: nowMs }))
          if (value > 1_000) continue
          let measured = 0
          for (let ms = last?.timeMs ?? nowMs; ms < nowMs; ms += 1)
            measured += Number(!covered.has(ms))
          if (last && measured <= 10_000) halfWattMs += (last.value + value) * measured
          covered = new Set([...covered].filter((ms) => ms >= nowMs))
          last = { timeMs: nowMs, value }
        }
        const { billed } = fold(rule, stream, { periodSeconds: 86_400 })
        const { numerator, denominator } = scale
        expect(billed).toBe((BigInt(halfWattMs) * BigInt(numerator)) / BigInt(2_000 * denominator))
      }),
      { numRuns: process.env.LIQUEFY_NIGHTLY ? 2_000 : 60 },
    )
  })
})

const steel = sharedFile('steel-energy/steel_15min_2018-01_09.csv')

test.skipIf(!steel)(
  'a steel plant: nine months of its power make its energy, to the watt-hour',
  () => {
    const QUARTER_MS = 900_000
    const KOREA_MS = 9 * 3_600_000
    const rows = readFileSync(steel ?? '', 'utf8')
      .trim()
      .split('\n')
      .slice(1)
    let file = 0n
    const stream = rows.map((row, index) => {
      const [ended = '', usage = ''] = row.split(',')
      const endMs = Date.parse(`${ended}Z`) - KOREA_MS
      const wattHours = Math.round(Number(usage) * 1_000)
      file += BigInt(wattHours)
      // The power of a quarter of an hour is one step: it begins and ends there.
      const watts = [endMs - QUARTER_MS, endMs].map((timeMs) => ({
        ...reading(INTEGRAL, 0, wattHours * 4),
        timeMs,
      }))
      return readings(index + 1, watts, { loggedAt: endMs })
    })
    const startMs = Date.UTC(2018, 0, 1) - KOREA_MS
    const { codes, state } = fold(INTEGRAL, stream, {
      startMs,
      periodSeconds: 86_400,
      periods: 300,
    })
    expect(new Set(codes)).toEqual(new Set(['OK']))
    const days = Array.from({ length: 300 }, (_, day) => registerAt(state, day))
    expect(days.reduce((sum, one) => sum + one, 0n)).toBe(file)
    expect(stream).toHaveLength(26_208)
  },
)
