import { describe, expect, test } from 'vitest'
import {
  type FoldTerms,
  foldFromJson,
  foldStream,
  foldToJson,
  type Handover,
  type LoggedEnvelope,
  lateRegisterAt,
  type MeterRule,
  type Replacement,
  registerAt,
} from '../../src/index.ts'
import {
  BREACH,
  COUNT,
  COUNTER,
  DISTANCE,
  DRAWDOWN,
  declaration,
  INTEGRAL,
  MINUTE_MS,
  reading,
  readings,
  START_MS,
  sampled,
  termsOf,
} from './fixtures.ts'

const END_MS = START_MS + 1e9

function handover(last: number, first: number): Handover {
  return {
    last: { mantissa: BigInt(last), exponent: 0 },
    first: { mantissa: BigInt(first), exponent: 0 },
  }
}

/** A replacement `minutes` after the start. */
function replaced(minutes: number, changes: Partial<Replacement> = {}): Replacement {
  return { kind: 'replacement', atMs: START_MS + minutes * MINUTE_MS, reason: 'worn', ...changes }
}

/** A reading of a value, or a replacement, a minute each. */
function story(rule: MeterRule, events: readonly (number | Partial<Replacement>)[]) {
  return events.map((event, index) =>
    typeof event === 'number'
      ? readings(index + 1, sampled(rule, index + 1, event))
      : declaration(index + 1, replaced(index + 1, event)),
  )
}

function fold(rule: MeterRule, envelopes: LoggedEnvelope[], changes: Partial<FoldTerms> = {}) {
  const { state, steps } = foldStream(termsOf(rule, changes), envelopes, END_MS)
  return { state, steps, codes: steps.map(({ code }) => code), billed: registerAt(state, 0) }
}

describe('a counter that is replaced', () => {
  test('what flowed until the replacement is billed, and nothing of the jump', () => {
    const { codes, billed } = fold(
      COUNTER,
      story(COUNTER, [100, 130, { handover: handover(142, 7) }, 19]),
    )
    expect(codes).toEqual(['OK', 'OK', 'OK', 'OK'])
    expect(billed).toBe(30n + 12n + 12n)
  })

  test('without readings the next one is the baseline, as ever', () => {
    const parts = { oldPart: 'did:key:zOld', newPart: 'SN 7' }
    expect(fold(COUNTER, story(COUNTER, [100, 130, parts, 19, 25])).billed).toBe(36n)
  })

  test('both parts are read at one moment, and a reading of the new one may follow in it', () => {
    const [first, swap] = story(COUNTER, [100, { handover: handover(110, 0) }])
    const same = readings(3, [reading(COUNTER, 2, 5)])
    expect(fold(COUNTER, [first, swap, same] as LoggedEnvelope[]).billed).toBe(15n)
  })

  test('as the first of a stream it begins with the new part', () => {
    const { billed, state } = fold(COUNTER, story(COUNTER, [{ handover: handover(500, 3) }, 9]))
    expect(billed).toBe(6n)
    expect(state.baseline?.value).toBe('9')
  })

  test('decimal fractions are read at the scale of the rule', () => {
    const rule: MeterRule = { ...COUNTER, scale: 2 }
    const swap = {
      last: { mantissa: 1_015n, exponent: -1 },
      first: { mantissa: 25n, exponent: -2 },
    }
    expect(fold(rule, story(rule, [100, { handover: swap }, 1])).billed).toBe(150n + 75n)
  })
})

describe('ATK a lying replacement', () => {
  const rule: MeterRule = { ...COUNTER, maxRate: { burst: '7', perHour: '60' } }

  test('a last reading beyond the rate bound is refused, and the replacement is one without readings', () => {
    expect(fold(rule, story(rule, [100, { handover: handover(108, 0) }, 5, 6]))).toMatchObject({
      codes: ['OK', 'OK', 'OK', 'OK'],
      billed: 8n + 5n + 1n,
    })
    expect(fold(rule, story(rule, [100, { handover: handover(109, 0) }, 5, 6]))).toMatchObject({
      codes: ['OK', 'IMPLAUSIBLE', 'OK', 'OK'],
      billed: 1n,
    })
  })

  test('a last reading below the baseline is refused likewise', () => {
    expect(fold(rule, story(rule, [100, { handover: handover(90, 0) }, 5, 6]))).toMatchObject({
      codes: ['OK', 'COUNTER_ROLLBACK', 'OK', 'OK'],
      billed: 1n,
    })
  })

  test('what the new part shows is bounded as any reading is', () => {
    const { codes, billed } = fold(rule, story(rule, [100, { handover: handover(100, 0) }, 900]))
    expect(codes).toEqual(['OK', 'OK', 'IMPLAUSIBLE'])
    expect(billed).toBe(0n)
  })

  test('many at one moment get no more than as many readings would', () => {
    const at = START_MS + 2 * MINUTE_MS
    const swaps = [2, 3, 4].map((seq) =>
      declaration(seq, replaced(2, { atMs: at, handover: handover(107, 100) }), { loggedAt: at }),
    )
    const jumps = [2, 3, 4].map((seq) =>
      readings(seq, [reading(rule, 2, 100 + 7 * (seq - 1))], { loggedAt: at }),
    )
    const first = readings(1, [reading(rule, 1, 100)])
    expect(fold(rule, [first, ...swaps]).billed).toBe(fold(rule, [first, ...jumps]).billed)
  })

  test.each([
    ['more places than the scale', { mantissa: 5n, exponent: -1 }],
    ['negative', { mantissa: -5n, exponent: 0 }],
  ])('%s is VALUE_INVALID, whichever of both it is', (_, bad) => {
    const good = { mantissa: 110n, exponent: 0 }
    for (const swap of [
      { last: bad, first: good },
      { last: good, first: bad },
    ]) {
      expect(fold(COUNTER, story(COUNTER, [100, { handover: swap }, 5, 6]))).toMatchObject({
        codes: ['OK', 'VALUE_INVALID', 'OK', 'OK'],
        billed: 1n,
      })
    }
  })
})

describe('moments', () => {
  const swap = { handover: handover(110, 0) }

  test('declared behind a later reading it is TIME_REVERSED: the next reading is a baseline', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, 1, 100)]),
      readings(2, [reading(COUNTER, 5, 120)]),
      declaration(3, replaced(4, swap)),
      readings(4, [reading(COUNTER, 6, 9)]),
      readings(5, [reading(COUNTER, 7, 10)]),
    ]
    expect(fold(COUNTER, envelopes)).toMatchObject({
      codes: ['OK', 'OK', 'TIME_REVERSED', 'OK', 'OK'],
      billed: 21n,
    })
  })

  test('a reading from before it that follows it is TIME_REVERSED', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, 1, 100)]),
      declaration(2, replaced(4, swap)),
      readings(3, [reading(COUNTER, 3, 105)]),
      readings(4, [reading(COUNTER, 5, 3)]),
    ]
    expect(fold(COUNTER, envelopes)).toMatchObject({
      codes: ['OK', 'OK', 'TIME_REVERSED', 'OK'],
      billed: 13n,
    })
  })

  test('what the old part measured belongs to the period of the moment, not of the next reading', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, 50, 100)]),
      declaration(2, replaced(59, swap)),
      readings(3, [reading(COUNTER, 61, 4)]),
    ]
    const { state, steps } = fold(COUNTER, envelopes)
    expect([registerAt(state, 0), registerAt(state, 1)]).toEqual([10n, 4n])
    expect(steps.map(({ registers }) => registers)).toEqual([{}, { 0: 10n }, { 1: 4n }])
    expect(steps[1]?.lastReadingMs).toBe(START_MS + 59 * MINUTE_MS)
  })

  test('before the agreement begins it moves the baseline and bills nothing', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, -9, 100)]),
      declaration(2, replaced(-5, swap)),
      readings(3, [reading(COUNTER, 1, 4)]),
    ]
    expect(fold(COUNTER, envelopes)).toMatchObject({ codes: ['OK', 'OK', 'OK'], billed: 4n })
  })

  test('after its last period it changes nothing', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, 1, 100)]),
      declaration(2, replaced(25 * 60, swap)),
    ]
    const { codes, state } = fold(COUNTER, envelopes)
    expect(codes).toEqual(['OK', 'OUTSIDE_WINDOW'])
    expect(state).toMatchObject({ baseline: { value: '100' }, replacementsMs: [], periods: {} })
  })

  test('for a final period it counts for its adjustment only', () => {
    const loggedAt = START_MS + 200 * MINUTE_MS
    const envelopes = [
      readings(1, [reading(COUNTER, 1, 100)]),
      declaration(2, replaced(4, swap), { loggedAt }),
      readings(3, [reading(COUNTER, 190, 4)], { loggedAt }),
    ]
    const { state, steps, codes } = fold(COUNTER, envelopes)
    expect(codes).toEqual(['OK', 'LATE_FOR_PERIOD', 'OK'])
    expect([0, 3].map((period) => registerAt(state, period))).toEqual([0n, 4n])
    expect(lateRegisterAt(state, COUNTER, 0)).toBe(10n)
    expect(steps[1]?.lateRegisters).toEqual({ 0: 10n })
  })

  test('older than the backfill window it is one without readings', () => {
    const loggedAt = START_MS + 100 * MINUTE_MS
    const envelopes = [
      readings(1, [reading(COUNTER, 1, 100)]),
      declaration(2, replaced(4, swap), { loggedAt }),
      readings(3, [reading(COUNTER, 95, 4)], { loggedAt }),
    ]
    expect(fold(COUNTER, envelopes, { backfillSeconds: 600 })).toMatchObject({
      codes: ['OK', 'OUTSIDE_WINDOW', 'OK'],
      billed: 0n,
    })
  })

  test('one without readings that was declared for before it holds for its last reading', () => {
    const envelopes = [
      readings(1, [reading(COUNTER, 1, 100)]),
      declaration(2, replaced(3)),
      declaration(3, replaced(4, { handover: handover(9, 2) })),
      readings(4, [reading(COUNTER, 5, 6)]),
    ]
    expect(fold(COUNTER, envelopes)).toMatchObject({ codes: ['OK', 'OK', 'OK', 'OK'], billed: 4n })
  })

  test('given up envelopes before it: a drawdown bills nothing across them, a counter all', () => {
    const later = { loggedAt: START_MS + 30 * MINUTE_MS }
    const envelopes = (rule: MeterRule, last: number) => [
      readings(1, [reading(rule, 1, 500)]),
      declaration(4, replaced(10, { handover: handover(last, 90) }), later),
      readings(5, [reading(rule, 11, last > 500 ? 95 : 60)], later),
    ]
    expect(fold(COUNTER, envelopes(COUNTER, 540)).billed).toBe(45n)
    const { codes, billed } = fold(DRAWDOWN, envelopes(DRAWDOWN, 400))
    expect(codes).toEqual(['OK', 'GAP', 'OK'])
    expect(billed).toBe(30n)
  })
})

describe('other rules', () => {
  test('drawdown: what is noise on the old scale is as much on the new one', () => {
    const undisturbed = fold(DRAWDOWN, story(DRAWDOWN, [900, 860, 850, 848, 830]))
    const disturbed = fold(
      DRAWDOWN,
      story(DRAWDOWN, [900, 860, { handover: handover(850, 1_250) }, 1_248, 1_230]),
    )
    expect(undisturbed.billed).toBe(70n)
    expect(disturbed.billed).toBe(70n)
    expect(disturbed.state.baseline?.movedAtMs).toBe(undisturbed.state.baseline?.movedAtMs)
  })

  test('drawdown: a probe that reads lower is no withdrawal, one that reads higher no refill', () => {
    for (const first of [0, 3_000]) {
      const { billed } = fold(
        DRAWDOWN,
        story(DRAWDOWN, [900, { handover: handover(900, first) }, first]),
      )
      expect(billed).toBe(0n)
    }
  })

  test('integral: the old probe’s rate counts up to the moment, the new one’s from it on', () => {
    const { billed } = fold(
      INTEGRAL,
      story(INTEGRAL, [3_600, { handover: handover(3_600, 7_200) }, 7_200]),
    )
    expect(billed).toBe(60n + 120n)
    const wild = { handover: handover(3_600, 2_000_000) }
    expect(fold(INTEGRAL, story(INTEGRAL, [3_600, wild, 7_200])).codes[1]).toBe('IMPLAUSIBLE')
  })

  test('duration-beyond: time counts up to the moment by the old probe', () => {
    const { billed } = fold(BREACH, story(BREACH, [90, { handover: handover(9, 7) }, 9]))
    expect(billed).toBe(60n)
  })

  test('count and distance do not look at them', () => {
    const swap = { handover: handover(5, 5) }
    expect(fold(COUNT, story(COUNT, [1, swap, 1]))).toMatchObject({
      codes: ['OK', 'OK', 'OK'],
      billed: 2n,
    })
    expect(fold(DISTANCE, story(DISTANCE, [0, swap, 500, 1_000])).billed).toBe(
      fold(DISTANCE, story(DISTANCE, [0, {}, 500, 1_000])).billed,
    )
  })
})

test('a state of before goes on, and one with a new scale goes through JSON', () => {
  const before =
    '{"version":1,"nextSeq":"2","skipped":[],"head":{"seq":"1","digest":"0x01"},"baseline":{"value":"100","movedAtMs":1767225660000},"lastReadingMs":1767225660000,"gapPending":false,"declaredGapsMs":[],"replacementsMs":[],"periods":{}}'
  expect(foldToJson(foldFromJson(before))).toBe(before)
  const { state } = fold(DRAWDOWN, story(DRAWDOWN, [900, { handover: handover(910, 2) }]))
  expect(state.baseline?.value).toBe('-8')
  expect(foldFromJson(foldToJson(state))).toEqual(state)
})

test('a clock declaration moves nothing', () => {
  const clock = {
    kind: 'clock',
    fromMs: START_MS,
    toMs: START_MS + 9,
    reason: 'jumped',
    source: 'steady',
    offsetMs: -7_200_000,
    uncertaintyMs: 2_000,
  } as const
  const [first, last] = [
    readings(1, [reading(COUNTER, 1, 5)]),
    readings(3, [reading(COUNTER, 3, 9)]),
  ]
  const { codes, billed } = fold(COUNTER, [first, declaration(2, clock), last])
  expect(codes).toEqual(['OK', 'OK', 'OK'])
  expect(billed).toBe(4n)
})
