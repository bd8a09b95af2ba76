import { describe, expect, test } from 'vitest'
import { createClockRecord } from '../src/clock-record.ts'
import { type Anchor, type ClockChange, createSteadyClock, JUMP_MS } from '../src/steady-clock.ts'

const START_MS = Date.UTC(2026, 0, 5)
const HOUR_MS = 3_600_000

/** Time passes for both clocks alike; only the wall clock can be set. */
function setUp(from: { anchor?: Anchor; lastMs?: number; wallMs?: number } = {}) {
  const time = { wallMs: from.wallMs ?? START_MS, elapsedMs: 5_000 }
  const changes: ClockChange[] = []
  const anchors: Anchor[] = []
  const clock = createSteadyClock({
    wall: { nowMs: () => time.wallMs },
    monotonic: { elapsedMs: () => time.elapsedMs, bootId: 'one' },
    from: { anchor: from.anchor, lastMs: from.lastMs ?? 0 },
    onAnchor: (anchor) => anchors.push(anchor),
    onChange: (change) => changes.push(change),
  })
  const pass = (ms: number) => {
    time.wallMs += ms
    time.elapsedMs += ms
    return clock.nowMs()
  }
  return { time, clock, changes, anchors, pass }
}

test('a wall clock that runs as time does is followed, and nothing is told', () => {
  const { pass, changes, anchors } = setUp()
  expect(pass(1_000)).toBe(START_MS + 1_000)
  expect(pass(3 * 24 * HOUR_MS)).toBe(START_MS + 1_000 + 3 * 24 * HOUR_MS)
  expect(changes).toEqual([])
  expect(anchors).toEqual([{ wallMs: START_MS, elapsedMs: 5_000 }])
})

test.each([2 * HOUR_MS, -2 * HOUR_MS])('a jump by %d ms and back changes no time', (jumpMs) => {
  const { pass, time, changes } = setUp()
  pass(HOUR_MS)
  time.wallMs += jumpMs
  expect(pass(HOUR_MS)).toBe(START_MS + 2 * HOUR_MS)
  expect(pass(HOUR_MS)).toBe(START_MS + 3 * HOUR_MS)
  time.wallMs -= jumpMs
  expect(pass(HOUR_MS)).toBe(START_MS + 4 * HOUR_MS)
  expect(changes).toEqual([
    {
      fromMs: START_MS + HOUR_MS,
      toMs: START_MS + 2 * HOUR_MS,
      reason: 'the wall clock jumped and is not followed',
      source: 'steady',
      offsetMs: jumpMs,
      uncertaintyMs: JUMP_MS + 720,
    },
    {
      fromMs: START_MS + HOUR_MS,
      toMs: START_MS + 4 * HOUR_MS,
      reason: 'the wall clock agrees again with the time that has elapsed',
      source: 'wall',
      offsetMs: jumpMs,
      uncertaintyMs: JUMP_MS + 1_440,
    },
  ])
})

test('up to 2 s it is followed, but never back, and such steps do not add up', () => {
  const { pass, time, changes } = setUp()
  time.wallMs += 1_500
  expect(pass(1_000)).toBe(START_MS + 2_500)
  time.wallMs -= 3_000
  expect(pass(100)).toBe(START_MS + 2_500)
  expect(pass(10_000)).toBe(START_MS + 9_600)
  expect(changes).toEqual([])
  time.wallMs += 3_000
  pass(1_000)
  time.wallMs += 1_000
  expect(pass(1_000)).toBe(START_MS + 13_600)
  expect(changes).toMatchObject([{ source: 'steady', offsetMs: 2_500 }])
})

test('a second jump while one lasts is told of', () => {
  const { pass, time, changes } = setUp()
  for (const jumpMs of [HOUR_MS, HOUR_MS]) {
    time.wallMs += jumpMs
    pass(1_000)
    pass(1_000)
  }
  expect(changes.map(({ offsetMs }) => offsetMs)).toEqual([HOUR_MS, 2 * HOUR_MS])
})

describe('of wall clock, steady time and node two must agree', () => {
  test('wall clock and node: it is followed', () => {
    const { pass, time, clock, changes, anchors } = setUp()
    time.wallMs += 2 * HOUR_MS
    pass(1_000)
    clock.witness({ fromMs: time.wallMs - 900, toMs: time.wallMs - 700 })
    expect(pass(1_000)).toBe(START_MS + 2 * HOUR_MS + 2_000)
    expect(changes.at(-1)).toMatchObject({
      source: 'wall',
      reason: 'the wall clock agrees with the node',
    })
    expect(anchors.at(-1)).toEqual({ wallMs: START_MS + 2 * HOUR_MS + 1_000, elapsedMs: 6_000 })
  })

  test('steady time and node: it is not, and the time is known better again', () => {
    const { pass, time, clock, changes } = setUp()
    pass(100 * HOUR_MS)
    clock.witness({ fromMs: time.wallMs, toMs: time.wallMs + 10 })
    time.wallMs += 2 * HOUR_MS
    expect(pass(1_000)).toBe(START_MS + 100 * HOUR_MS + 1_000)
    clock.witness({ fromMs: START_MS + 100 * HOUR_MS, toMs: START_MS + 100 * HOUR_MS + 1_000 })
    expect(pass(1_000)).toBe(START_MS + 100 * HOUR_MS + 2_000)
    expect(changes).toMatchObject([{ source: 'steady', uncertaintyMs: JUMP_MS + 1 }])
  })

  test('ATK a node alone moves nothing', () => {
    const { pass, clock, changes } = setUp()
    pass(1_000)
    clock.witness({ fromMs: START_MS + 9 * HOUR_MS, toMs: START_MS + 9 * HOUR_MS })
    expect(pass(1_000)).toBe(START_MS + 2_000)
    expect(changes).toEqual([])
  })

  test('followed back, time stands still until the wall clock has caught up, but for what no node admits', () => {
    const { pass, time, clock } = setUp()
    pass(HOUR_MS)
    time.wallMs -= 60_000
    pass(1_000)
    clock.witness({ fromMs: time.wallMs, toMs: time.wallMs })
    expect(pass(1_000)).toBe(START_MS + HOUR_MS + 1_000)
    expect(pass(60_000)).toBe(START_MS + HOUR_MS + 2_000)
    time.wallMs -= HOUR_MS
    pass(1_000)
    clock.witness({ fromMs: time.wallMs, toMs: time.wallMs })
    expect(pass(1_000)).toBe(time.wallMs - 1_000 + 120_000)
  })

  test('an operator’s word is enough, also back', () => {
    const { pass, time, clock, changes } = setUp()
    pass(HOUR_MS)
    time.wallMs -= 2 * HOUR_MS
    pass(1_000)
    clock.follow('set by hand')
    expect(pass(1_000)).toBe(START_MS - HOUR_MS + 2_000)
    expect(changes.at(-1)).toMatchObject({ source: 'wall', reason: 'set by hand' })
    expect(changes.at(-1)?.toMs).toBeGreaterThanOrEqual(changes.at(-1)?.fromMs ?? Infinity)
  })
})

describe('another process', () => {
  test('in the same run of the computer goes on by what has elapsed', () => {
    const anchor = { wallMs: START_MS - HOUR_MS, elapsedMs: 5_000 - HOUR_MS }
    const { pass, changes } = setUp({ anchor, wallMs: START_MS + 2 * HOUR_MS })
    expect(pass(1_000)).toBe(START_MS + 1_000)
    expect(changes).toMatchObject([{ source: 'steady', offsetMs: 2 * HOUR_MS }])
  })

  test('a wall clock behind the last reading is wrong for certain', () => {
    const { pass, changes } = setUp({ lastMs: START_MS + HOUR_MS })
    expect(pass(1_000)).toBe(START_MS + HOUR_MS + 1_000)
    expect(changes).toMatchObject([{ source: 'steady', offsetMs: -HOUR_MS }])
  })
})

describe('what a stream is told', () => {
  const change = (source: string, toMs: number, offsetMs: number): ClockChange => ({
    fromMs: 0,
    toMs,
    reason: source,
    source,
    offsetMs,
    uncertaintyMs: 0,
  })

  test('once, and one that begins meanwhile what still lasts', () => {
    const record = createClockRecord()
    expect(record.untold('7/level', 0)).toBeUndefined()
    record.add(change('steady', 5, 9_000))
    expect(record.untold('7/level', 5)).toMatchObject({ source: 'steady' })
    expect(record.untold('7/level', 5)).toBeUndefined()
    expect(record.untold('7/mass', 5)).toMatchObject({ source: 'steady' })
    record.add(change('wall', 90_000, 9_000))
    expect(record.untold('7/mass', 90_000)).toMatchObject({ source: 'wall' })
    expect(record.untold('7/new', 90_000)).toBeUndefined()
  })

  test('of a clock that flaps once a minute, with its largest offset', () => {
    const record = createClockRecord()
    record.untold('7/level', 0)
    const told: ClockChange[] = []
    for (let ms = 0; ms < 180_000; ms += 1_000) {
      record.add(change(ms % 2_000 === 0 ? 'steady' : 'wall', ms, ms === 30_000 ? -9e6 : 5_000))
      told.push(...[record.untold('7/level', ms)].filter((one) => one !== undefined))
    }
    expect(told.map(({ toMs }) => toMs)).toEqual([0, 60_000, 120_000])
    expect(told[1]?.offsetMs).toBe(-9e6)
  })

  test('again if it could not be written', () => {
    const record = createClockRecord()
    record.untold('7/level', 0)
    record.add(change('steady', 5, 9_000))
    const told = record.untold('7/level', 5)
    if (!told) throw new Error('nothing to tell')
    record.failed('7/level', told)
    expect(record.untold('7/level', 6)).toEqual(told)
  })
})
