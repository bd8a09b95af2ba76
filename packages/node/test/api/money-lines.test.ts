import { expect, test } from 'vitest'
import { type OwedPoint, together } from '../../src/api/money-history.ts'

const PERIODS = 43_200

/** A line that says how often one of its points was looked at. */
function counted(line: OwedPoint[]) {
  let looks = 0
  const watched = new Proxy(line, {
    get(target, key, receiver) {
      if (typeof key === 'string' && /^\d+$/.test(key)) looks += 1
      return Reflect.get(target, key, receiver)
    },
  })
  return { watched, looks: () => looks }
}

test('two lines become one that sums them, at each time of either', () => {
  const owed = [1, 3, 3, 9].map((timeMs, index) => ({ timeMs, minor: BigInt(index + 1) }))
  const added = [2, 3, 12].map((timeMs, index) => ({ timeMs, minor: BigInt(100 * (index + 1)) }))
  const plain = (line: OwedPoint[], timeMs: number) =>
    line.findLast((point) => point.timeMs <= timeMs)?.minor ?? 0n
  const expected = [...owed, ...added]
    .map(({ timeMs }) => timeMs)
    .sort((one, other) => one - other)
    .map((timeMs) => ({ timeMs, minor: plain(owed, timeMs) + plain(added, timeMs) }))
  expect(together(owed, added)).toEqual(expected)
  expect(together(added, owed)).toEqual(expected)
  expect(together(owed, [])).toEqual(
    owed.map(({ timeMs }) => ({ timeMs, minor: plain(owed, timeMs) })),
  )
})

test('of a month of minutes each point is looked at a few times, not once for each other', () => {
  const line = Array.from({ length: PERIODS }, (_, index) => ({
    timeMs: index * 60_000,
    minor: BigInt(index),
  }))
  const owed = counted(line)
  const added = counted(line.map(({ timeMs, minor }) => ({ timeMs: timeMs + 1, minor })))
  const sum = together(owed.watched, added.watched)
  expect(sum).toHaveLength(2 * PERIODS)
  expect(sum.at(-1)?.minor).toBe(2n * BigInt(PERIODS - 1))
  expect(owed.looks() + added.looks()).toBeLessThan(16 * PERIODS)
})
