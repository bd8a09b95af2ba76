import { expect, test } from 'vitest'
import { defineProduct, type MachineDefinition, siloProcess } from '../src/index.ts'

const machine: MachineDefinition = {
  name: 'Silo 1',
  owner: 'builder',
  seed: 1,
  streams: { level: { unit: 'mm', billed: true }, temperature: { unit: 'Cel', billed: false } },
  process: siloProcess({} as never),
  agreement: {
    payer: 'plant',
    payee: 'builder',
    meters: [
      {
        stream: 'level',
        rule: {
          rule: 'counter',
          version: 1,
          unit: 'mm',
          scale: 0,
          registerUnit: 'mm',
          factor: { numerator: 1, denominator: 1 },
          maxRate: { burst: '1', perHour: '1' },
        },
        limit: { burst: 1n, perHour: 1n },
      },
    ],
    priceUnits: ['mm'],
    tariff: { kind: 'linear', prices: [1n], scale: 0 },
    capMinor: 1n,
    escrowMinor: 1n,
    periodSeconds: 1,
    periods: 1,
    backfillSeconds: 1,
    lateSeconds: 1,
    gapTimeoutSeconds: 1,
    settleSeconds: 1,
  },
}

const define = (machines: MachineDefinition[]) =>
  defineProduct<string>({
    name: 'Test',
    parties: { plant: 'A', builder: 'B' },
    readEveryMs: 1_000,
    packEvery: {},
    signEveryMs: 1_000,
    speedUp: 1,
    machines,
  })

test('a sound product comes back as it was given', () => {
  expect(define([machine, { ...machine, name: 'Silo 2' }]).machines).toHaveLength(2)
})

test('slips are named', () => {
  expect(() => define([machine, machine])).toThrow('Two machines are called "Silo 1"')
  const [meter] = machine.agreement.meters
  if (!meter) throw new Error('no meter')
  const metering = (stream: string, unit = 'mm') => {
    const meters = [{ ...meter, stream, rule: { ...meter.rule, unit } }]
    return define([{ ...machine, agreement: { ...machine.agreement, meters } }])
  }
  expect(() => metering('weight')).toThrow('not one of its billed streams')
  expect(() => metering('temperature')).toThrow('not one of its billed streams')
  expect(() => metering('level', 'm')).toThrow('reads "level" in mm, its rule in m')
  const priced = { ...machine.agreement, priceUnits: ['g'] }
  expect(() => define([{ ...machine, agreement: priced }])).toThrow(
    '"Silo 1": meter 1 ("level") counts in mm, but its price is per g.',
  )
})
