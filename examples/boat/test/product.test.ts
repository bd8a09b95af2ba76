import { createVirtualClock } from '@liquefy/simulator'
import { expect, test } from 'vitest'
import { product } from '../product.ts'

const START_MS = Date.UTC(2026, 5, 1)
const STEPS = 3 * 720

/** What a stream's readings say, in order; positions by their latitude. */
function run(stopAfter = STEPS): Record<string, bigint[]> {
  const [boat] = product.machines
  if (!boat) throw new Error('no boat')
  const clock = createVirtualClock(START_MS)
  let process = boat.process(boat.seed)
  const said: Record<string, bigint[]> = {}
  for (let step = 1; step <= STEPS; step += 1) {
    clock.advance(product.readEveryMs)
    for (const one of process.step(product.readEveryMs * product.speedUp, clock.nowMs())) {
      if (one.kind !== 'reading' && one.kind !== 'position') throw new Error(one.kind)
      const { value } = one.kind === 'reading' ? one.sample : one.records[0]
      if (typeof value !== 'object') throw new Error('a float')
      said[one.stream] = [...(said[one.stream] ?? []), value.mantissa]
    }
    if (step === stopAfter) process = boat.process(boat.seed, process.save())
  }
  return said
}

test('three days out and home: counters only rise, and the boat lies where it began', () => {
  const { position = [], ...counters } = run()
  expect(Object.keys(counters).sort()).toEqual(['distance', 'engine', 'fuel'])
  for (const values of Object.values(counters)) {
    expect(values.length).toBeGreaterThan(700)
    expect(values.every((value, index) => value >= (values[index - 1] ?? 0n))).toBe(true)
  }
  expect(position[0]).toBe(position.at(-1))
  expect(new Set(position).size).toBeGreaterThan(100)
  // Six trips of some three hours under engine.
  const engine = Number(counters.engine?.at(-1))
  expect(engine / 6).toBeGreaterThan(9_000)
})

test('stopped at sea and begun again, it says the same', () => {
  expect(run(45)).toEqual(run())
})
