import { expect, test } from 'vitest'
import { runOverload } from '../../../bench/overload/overload.ts'

/** As `npm run bench -- overload`, which lasts 60 s. Speed is compared with that of the same run, but a busy machine may be busier later. */
test('5 s of more than ten times what it can take: honest refusals, nothing acknowledged is missing, and it recovers', async () => {
  const figures = await runOverload(
    {
      floodSeconds: 5,
      steadyMachines: 8,
      kinds: { mqtt: 24, 'mqtt-deaf': 4, 'mqtt-silent': 4, http: 16 },
      floodEnvelopes: 200,
      warmUpRounds: 10,
      rounds: 5,
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
  expect(figures.recoverySeconds).toBeLessThan(15)
})
