import { defineProduct, gramsPerMm, type SiloDefinition, siloProcess } from '../src/index.ts'

const silo: SiloDefinition = {
  heightMm: 8_000,
  crossSectionM2: 7,
  bulkDensityKgPerM3: 650,
  startLevelMm: 7_000,
  withdrawalKgPerSecond: 5,
  batchSeconds: [1e6, 1e6],
  pauseSeconds: [1, 1],
  refillEverySeconds: [1e6, 1e6],
  refillKgPerSecond: 55,
  refillToMm: 7_200,
  bridgeEverySeconds: [1e6, 1e6],
  bridgeSeconds: [1, 1],
  noiseMm: 0,
  temperatureEveryMs: 500,
}

/** One silo that empties steadily, quick enough for a test. */
export const smallProduct = defineProduct({
  name: 'Small',
  parties: { plant: 'Nordmühle GmbH', builder: 'Silowerk AG' },
  readEveryMs: 100,
  packEvery: { records: 3, ageMs: 1_000 },
  signEveryMs: 1_000,
  speedUp: 20,
  machines: [
    {
      name: 'Silo 1',
      owner: 'builder',
      place: { latitudeE7: 535_180_000, longitudeE7: 99_890_000 },
      seed: 1,
      streams: { level: { unit: 'mm', billed: true }, temperature: { unit: 'Cel', billed: false } },
      process: siloProcess(silo),
      agreement: {
        payer: 'plant',
        payee: 'builder',
        meters: [
          {
            stream: 'level',
            rule: {
              rule: 'drawdown',
              version: 1,
              unit: 'mm',
              scale: 0,
              registerUnit: 'g',
              factor: { numerator: gramsPerMm(silo), denominator: 1 },
              maxRate: { burst: '1000', perHour: '200000' },
              noiseBand: 5,
              maxSilenceSeconds: 900,
            },
            limit: { burst: 10_000_000n, perHour: 1_000_000_000n },
          },
        ],
        priceUnits: ['g'],
        tariff: { kind: 'linear', prices: [420n], scale: 0 },
        capMinor: 10n ** 12n,
        escrowMinor: 10n ** 10n,
        periodSeconds: 3_600,
        periods: 100,
        backfillSeconds: 86_400,
        lateSeconds: 86_400,
        gapTimeoutSeconds: 3_600,
        settleSeconds: 86_400,
      },
    },
  ],
})
