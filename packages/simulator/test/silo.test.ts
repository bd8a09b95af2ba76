import { expect, test } from 'vitest'
import {
  createRandom,
  createVirtualClock,
  gramsPerMm,
  type Observation,
  type SiloDefinition,
  siloProcess,
  withdrawnKg,
} from '../src/index.ts'

const silo: SiloDefinition = {
  heightMm: 8_000,
  crossSectionM2: 7,
  bulkDensityKgPerM3: 650,
  startLevelMm: 7_000,
  withdrawalKgPerSecond: 5,
  batchSeconds: [120, 360],
  pauseSeconds: [20, 90],
  refillEverySeconds: [500, 900],
  refillKgPerSecond: 55,
  refillToMm: 7_200,
  bridgeEverySeconds: [300, 600],
  bridgeSeconds: [60, 120],
  noiseMm: 2,
}

function run(definition: SiloDefinition, seed: number, seconds: number) {
  const clock = createVirtualClock(Date.UTC(2026, 0, 5))
  const process = siloProcess(definition)(seed)
  const observations: Observation[] = []
  for (let second = 0; second < seconds; second += 1) {
    clock.advance(1_000)
    observations.push(...process.step(1_000, clock.nowMs()))
  }
  return { process, observations, levels: levelsOf(observations) }
}

const levelsOf = (observations: Observation[]) =>
  observations.flatMap((one) =>
    one.kind === 'reading' && one.stream === 'level' ? [Number(one.sample.value)] : [],
  )

test('the generator is mulberry32: known numbers, even enough, and it goes on from its state', () => {
  const random = createRandom(1)
  const first = Array.from({ length: 3 }, () => random.next())
  expect(first.map((number) => Math.round(number * 1e6))).toEqual([627_074, 2_736, 527_447])
  const on = createRandom(random.state())
  expect(on.next()).toBe(random.next())
  const many = Array.from({ length: 20_000 }, () => random.between(2, 4))
  expect(many.reduce((sum, number) => sum + number, 0) / many.length).toBeCloseTo(3, 1)
  expect(Math.min(...many)).toBeGreaterThanOrEqual(2)
  expect(Math.max(...many)).toBeLessThan(4)
})

test('the same seed gives the same silo, another one another', () => {
  expect(run(silo, 7, 2_000).observations).toEqual(run(silo, 7, 2_000).observations)
  expect(run(silo, 7, 2_000).levels).not.toEqual(run(silo, 8, 2_000).levels)
})

test('saved and restored at any moment, it goes on as if nothing had been', () => {
  const whole = run(silo, 3, 1_500).levels
  const first = run(silo, 3, 600)
  const saved = JSON.parse(JSON.stringify(first.process.save()))
  const rest = siloProcess(silo)(999, saved)
  const levels = Array.from({ length: 900 }, (_, second) => levelsOf(rest.step(1_000, second))[0])
  expect([...first.levels, ...levels]).toEqual(whole)
})

test('material is conserved: what left and what was filled in explain the level', () => {
  const calm = {
    ...silo,
    noiseMm: 0,
    refillEverySeconds: [1e9, 1e9] as const,
    bridgeEverySeconds: [1e9, 1e9] as const,
  }
  const { process, levels } = run(calm, 5, 3_000)
  const fallenMm = silo.startLevelMm - (levels.at(-1) ?? 0)
  expect(Math.abs(withdrawnKg(process) - (fallenMm * gramsPerMm(silo)) / 1_000)).toBeLessThan(5)
  expect(withdrawnKg(process)).toBeGreaterThan(5_000)
})

test('bridging: the surface stands still, then collapses; refills rise; nothing leaves its bounds', () => {
  const { levels } = run({ ...silo, noiseMm: 0 }, 11, 20_000)
  const steps = levels.slice(1).map((level, index) => level - (levels[index] ?? level))
  expect(Math.min(...steps)).toBeLessThan(-40)
  expect(Math.min(...steps)).toBeGreaterThan(-250)
  expect(steps.filter((step) => step > 5).length).toBeGreaterThan(50)
  expect(Math.min(...levels)).toBeGreaterThan(0)
  expect(Math.max(...levels)).toBeLessThanOrEqual(silo.heightMm)
})

test('a replaced probe is declared once, right before the first reading that is off', () => {
  const probeReplaced = { afterSeconds: 300, offsetMm: -140, reason: 'broken' }
  const { observations } = run({ ...silo, probeReplaced }, 2, 1_000)
  const at = observations.findIndex(({ kind }) => kind === 'replacement')
  expect(observations.filter(({ kind }) => kind === 'replacement')).toHaveLength(1)
  const before = levelsOf(observations.slice(0, at)).at(-1) ?? 0
  const after = levelsOf(observations.slice(at))[0] ?? 0
  expect(before - after).toBeGreaterThan(130)
})
