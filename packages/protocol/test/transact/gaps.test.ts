import { describe, expect, test } from 'vitest'
import {
  advance,
  foldHead,
  foldStream,
  type LoggedEnvelope,
  registerAt,
  startFold,
} from '../../src/index.ts'
import {
  COUNTER,
  DRAWDOWN,
  declaration,
  digestOf,
  MINUTE_MS,
  reading,
  readings,
  START_MS,
  termsOf,
} from './fixtures.ts'

const TIMEOUT_MS = 600_000
const BEHIND_MS = START_MS + 4 * MINUTE_MS
const TERMS = termsOf(DRAWDOWN)

/** 1, 2, (3 missing), 4, 5: the level falls by 100 with each. */
const level = (seq: number, changes: Partial<LoggedEnvelope> = {}) =>
  readings(seq, [reading(DRAWDOWN, seq, 2000 - 100 * seq)], changes)
const WITHOUT_3 = [level(1), level(2), level(4), level(5)]

const codesOf = (steps: { seq: bigint; code: string }[]) =>
  Object.fromEntries(steps.map(({ seq, code }) => [Number(seq), code]))

describe('a missing seq', () => {
  test('holds the fold, and says when time will release it', () => {
    const held = foldStream(TERMS, WITHOUT_3, BEHIND_MS + TIMEOUT_MS - 1)
    expect(codesOf(held.steps)).toEqual({ 1: 'OK', 2: 'OK' })
    expect(held.waiting.map(({ seq }) => seq)).toEqual([4n, 5n])
    expect(held.wakeAtMs).toBe(BEHIND_MS + TIMEOUT_MS)
    expect(held.head?.seq).toBe(2n)
  })

  test('is given up gapTimeout after the first envelope behind it was logged', () => {
    const { steps, waiting, state, wakeAtMs } = foldStream(TERMS, WITHOUT_3, BEHIND_MS + TIMEOUT_MS)
    expect(codesOf(steps)).toEqual({ 1: 'OK', 2: 'OK', 4: 'GAP', 5: 'OK' })
    expect(waiting).toEqual([])
    expect(wakeAtMs).toBeUndefined()
    expect(registerAt(state, 0)).toBe(200n)
  })

  test('that arrives at the very end of the timeout is in time', () => {
    const filler = level(3, { loggedAt: BEHIND_MS + TIMEOUT_MS })
    const { steps, state } = foldStream(TERMS, [...WITHOUT_3, filler], filler.loggedAt)
    expect(codesOf(steps)).toEqual({ 1: 'OK', 2: 'OK', 3: 'OK', 4: 'OK', 5: 'OK' })
    expect(registerAt(state, 0)).toBe(400n)
  })

  test('that arrives a millisecond later is LATE_FOR_GAP and changes nothing that was folded', () => {
    const filler = level(3, { loggedAt: BEHIND_MS + TIMEOUT_MS + 1 })
    const before = foldStream(TERMS, WITHOUT_3, BEHIND_MS + TIMEOUT_MS)
    const at = foldStream(TERMS, [filler, ...WITHOUT_3], filler.loggedAt)
    const live = advance(TERMS, before.state, [filler], filler.loggedAt)
    expect(codesOf(at.steps)).toEqual({ 1: 'OK', 2: 'OK', 3: 'LATE_FOR_GAP', 4: 'GAP', 5: 'OK' })
    expect(codesOf(live.steps)).toEqual({ 3: 'LATE_FOR_GAP' })
    expect(live.state).toEqual(before.state)
    expect(at.state).toEqual(before.state)
  })

  test('the timeout runs from the first logged behind the gap, whichever seq that is', () => {
    const early = level(9, { loggedAt: START_MS + 3 * MINUTE_MS })
    const filler = level(3, { loggedAt: early.loggedAt + TIMEOUT_MS + 1 })
    const { steps } = foldStream(TERMS, [...WITHOUT_3, early, filler], filler.loggedAt)
    expect(codesOf(steps)).toMatchObject({ 3: 'LATE_FOR_GAP', 4: 'GAP' })
  })

  test('before the first one metered holds too', () => {
    const terms = termsOf(DRAWDOWN, { startSeq: 2n })
    expect(foldStream(terms, [level(1), level(3)], BEHIND_MS).waiting).toHaveLength(1)
    expect(foldStream(terms, [level(1), level(2)], BEHIND_MS).steps).toHaveLength(1)
  })

  test('of a billion is skipped as fast as one', () => {
    const far = readings(1_000_000_000, [reading(DRAWDOWN, 5, 1000)], { loggedAt: BEHIND_MS })
    const { state } = foldStream(TERMS, [level(1), far], Number.POSITIVE_INFINITY)
    expect(state.skipped).toEqual([['2', '999999999']])
  })
})

describe('a declaration that names envelopes missing', () => {
  const declaredAt = START_MS + 6 * MINUTE_MS
  const declared = (missing: [bigint, bigint], loggedAt = declaredAt, seq = 6) =>
    declaration(
      seq,
      {
        kind: 'gap',
        fromMs: START_MS + 2 * MINUTE_MS,
        toMs: START_MS + 4 * MINUTE_MS,
        reason: 'flash worn out',
        missing,
      },
      { loggedAt },
    )

  test('ends the hold at once, and the fall counts', () => {
    const { steps, state } = foldStream(TERMS, [...WITHOUT_3, declared([3n, 3n])], declaredAt)
    expect(codesOf(steps)).toEqual({ 1: 'OK', 2: 'OK', 4: 'OK', 5: 'OK', 6: 'OK' })
    expect(registerAt(state, 0)).toBe(400n)
  })

  test('makes what arrives after it late, but not what was logged with it', () => {
    const fill = (loggedAt: number) =>
      codesOf(
        foldStream(TERMS, [...WITHOUT_3, declared([3n, 3n]), level(3, { loggedAt })], loggedAt)
          .steps,
      )[3]
    expect(fill(declaredAt)).toBe('OK')
    expect(fill(declaredAt + 1)).toBe('LATE_FOR_GAP')
  })

  test('counts up to the timeout itself, and is too late after it', () => {
    const code = (loggedAt: number) =>
      codesOf(foldStream(TERMS, [...WITHOUT_3, declared([3n, 3n], loggedAt)], loggedAt).steps)[4]
    expect(code(BEHIND_MS + TIMEOUT_MS)).toBe('OK')
    expect(code(BEHIND_MS + TIMEOUT_MS + 1)).toBe('GAP')
  })

  test('covers its own time also for what stands before it in the stream', () => {
    const rule = { ...DRAWDOWN, maxSilenceSeconds: 60 }
    const terms = termsOf(rule)
    expect(
      codesOf(foldStream(terms, [...WITHOUT_3, declared([3n, 3n])], declaredAt).steps),
    ).toEqual({ 1: 'OK', 2: 'OK', 4: 'OK', 5: 'OK', 6: 'OK' })
  })

  test('of only a part releases only that part', () => {
    const terms = termsOf(COUNTER)
    const at = (seq: number) => readings(seq, [reading(COUNTER, seq, seq)])
    const held = foldStream(terms, [at(1), at(5), declared([2n, 3n])], declaredAt)
    expect(held.waiting.map(({ seq }) => seq)).toEqual([5n, 6n])
    expect(held.state.skipped).toEqual([['2', '3']])
    const filled = advance(terms, held.state, [...held.waiting, at(4)], declaredAt)
    expect(codesOf(filled.steps)).toEqual({ 4: 'OK', 5: 'OK', 6: 'OK' })
  })

  test('says nothing of envelopes behind itself', () => {
    const ahead = declared([3n, 1000n])
    const next = level(7, { loggedAt: declaredAt + 1 })
    expect(codesOf(foldStream(TERMS, [...WITHOUT_3, ahead, next], next.loggedAt).steps)[7]).toBe(
      'OK',
    )
  })
})

describe('not admitted', () => {
  test('INV-14 ATK equivocation: the first logged stays priced, the second never is', () => {
    const second = readings(2, [reading(DRAWDOWN, 2, 5)], {
      code: 'EQUIVOCATION',
      loggedAt: START_MS + 3 * MINUTE_MS,
    })
    const { steps, state } = foldStream(TERMS, [level(1), second, level(2), level(3)], BEHIND_MS)
    expect(steps.map(({ seq, code }) => [seq, code])).toEqual([
      [1n, 'OK'],
      [2n, 'OK'],
      [2n, 'EQUIVOCATION'],
      [3n, 'OK'],
    ])
    expect(registerAt(state, 0)).toBe(200n)
  })

  test('a second envelope behind a gap waits with the first, and is said once', () => {
    const second = level(4, { code: 'EQUIVOCATION', digest: digestOf('second') })
    const held = foldStream(TERMS, [...WITHOUT_3, second], BEHIND_MS)
    expect(codesOf(held.steps)).toEqual({ 1: 'OK', 2: 'OK' })
    expect(held.waiting).toHaveLength(3)
    const filled = advance(TERMS, held.state, [...held.waiting, level(3)], BEHIND_MS)
    expect(filled.steps.map(({ seq, code, covered }) => [seq, code, covered])).toEqual([
      [3n, 'OK', true],
      [4n, 'OK', true],
      [4n, 'EQUIVOCATION', false],
      [5n, 'OK', true],
    ])
  })

  test.each(['CHAIN_BROKEN', 'CLOCK_SKEW', 'MACHINE_SUSPENDED'] as const)(
    '%s: its seq is there, its readings do not count, the head covers it',
    (code) => {
      const bad = level(2, { code })
      const { steps, state, head } = foldStream(TERMS, [level(1), bad], BEHIND_MS)
      expect(codesOf(steps)).toEqual({ 1: 'OK', 2: code })
      expect(registerAt(state, 0)).toBe(0n)
      expect(head).toEqual({ seq: 2n, digest: bad.digest })
      expect(registerAt(foldStream(TERMS, [level(1), bad, level(3)], BEHIND_MS).state, 0)).toBe(
        200n,
      )
    },
  )
})

test('envelopes given again are ignored', () => {
  const first = foldStream(TERMS, [level(1), level(2)], BEHIND_MS)
  const again = advance(TERMS, first.state, [level(1), level(2), level(3), level(3)], BEHIND_MS)
  expect(codesOf(again.steps)).toEqual({ 3: 'OK' })
  expect(foldHead(again.state)).toEqual({ seq: 3n, digest: digestOf('3/OK') })
})

test('an empty stream has no head and zero registers', () => {
  const { head, state } = foldStream(TERMS, [], BEHIND_MS)
  expect(head).toBeUndefined()
  expect(state).toEqual(startFold(TERMS))
  expect(registerAt(state, 0)).toBe(0n)
})
