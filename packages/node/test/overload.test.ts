import { expect, test } from 'vitest'
import { runOverload } from '../../../bench/overload/overload.ts'

/**
 * As `npm run bench -- overload`, which lasts 60 s. Speed is compared with that of the same run, before the flood and well after it: a busy
 * computer is busier at one time than another, but no flood may halve the speed for good.
 */
test('5 s of more than ten times what it can take: honest refusals, nothing acknowledged is missing, full speed within 5 s', async () => {
  const figures = await runOverload(
    {
      floodSeconds: 5,
      steadyMachines: 8,
      kinds: { mqtt: 48, 'mqtt-deaf': 8, 'mqtt-silent': 8, http: 16 },
      floodEnvelopes: 200,
      warmUpRounds: 10,
      rounds: 8,
      round: 100,
    },
    () => undefined,
  )
  expect(figures.acknowledgedMissing).toBe(0)
  expect(figures.acknowledged).toBeGreaterThan(1_000)
  expect(figures.offeredRatio).toBeGreaterThan(10)
  expect(figures.refusedPerSecond).toBeGreaterThan(10)
  expect(figures.peakRssMb).toBeLessThan(700)
  expect(figures.recoverySeconds).toBeGreaterThan(0)
  expect(figures.recoverySeconds).toBeLessThan(5)
  expect(figures.settledRatio).toBeGreaterThan(0.5)
})
