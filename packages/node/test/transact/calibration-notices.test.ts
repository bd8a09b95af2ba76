import type { Calibration } from '@liquefy/protocol'
import { expect, test } from 'vitest'
import { calibrationState } from '../../src/transact/calibration-notices.ts'

const DAY = 86_400_000
const NOW = Date.UTC(2026, 5, 1)
const END = NOW + 100 * DAY

/** In force from one day to another, counted from now. */
const inForce = (fromDays: number, untilDays: number): Calibration => ({
  digest: `0x${'00'.repeat(32)}`,
  item: 'SN-1',
  fromMs: NOW + fromDays * DAY,
  untilMs: NOW + untilDays * DAY,
  uncertaintyPpm: 5_000,
  validUntilMs: NOW + untilDays * DAY,
})

test.each<[string, Calibration[], string | undefined, number | undefined]>([
  ['none at all', [], 'uncalibrated', undefined],
  ['one that begins tomorrow', [inForce(1, 300)], 'uncalibrated', undefined],
  ['one that has just ended', [inForce(-30, 0)], 'uncalibrated', undefined],
  ['the last day', [inForce(-30, 1)], 'calibration-ends', 1],
  ['fourteen days to go', [inForce(-30, 14)], 'calibration-ends', 14],
  ['more than fourteen', [inForce(-30, 15)], undefined, undefined],
  ['another takes over', [inForce(-30, 3), inForce(3, 50)], undefined, undefined],
  ['another takes over, and ends soon', [inForce(-30, 3), inForce(2, 9)], 'calibration-ends', 9],
  ['another begins a day late', [inForce(-30, 3), inForce(4, 50)], 'calibration-ends', 3],
])('%s', (_, calibrations, kind, untilDays) => {
  const state = calibrationState('level', calibrations, { nowMs: NOW, endMs: END })
  expect(state?.kind).toBe(kind)
  const untilMs = untilDays === undefined ? undefined : NOW + untilDays * DAY
  expect(state?.untilMs ?? undefined).toBe(untilMs)
})

test('nobody is told of a date that lies behind the last period', () => {
  const times = { nowMs: NOW, endMs: NOW + 5 * DAY }
  expect(calibrationState('level', [inForce(-1, 5)], times)).toBeUndefined()
  expect(calibrationState('level', [inForce(-1, 4)], times)?.kind).toBe('calibration-ends')
})
