import { describe, expect, test } from 'vitest'
import {
  type Explained,
  encodeTariffData,
  exampleQuantities,
  explainAgreement,
  machineSigner,
  NO_MAXIMUM,
  NOBODY_SIGNER,
  owedCapped,
  parseRule,
  ruleHash,
  type Tariff,
  type Terms,
  termsChanges,
  ZERO_DIGEST,
} from '../../src/index.ts'

const read = parseRule({
  rule: 'counter',
  version: 1,
  unit: 'l',
  scale: 3,
  registerUnit: 'ml',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000', perHour: '1000000' },
})
if (!read.ok) throw new Error(read.message)
const { rule } = read
const [payer, payee] = [`0x${'0a'.repeat(20)}`, `0x${'0b'.repeat(20)}`] as const

const explained = (tariff: Tariff, change: Partial<Terms> = {}): Explained => ({
  terms: {
    payer,
    payee,
    asset: `0x${'aa'.repeat(20)}`,
    machineId: 7n,
    meters: [{ stream: 'volume', ruleHash: ruleHash(rule), startHead: ZERO_DIGEST }],
    signerKind: 1,
    signer: machineSigner(7n),
    tariff: `0x${'bb'.repeat(20)}`,
    tariffData: encodeTariffData(tariff),
    limits: [{ burst: 1_000_000n, perHour: 1_000_000n }],
    capMinor: 1_000_000_000n,
    start: 1_760_000_000n,
    periodSeconds: 86_400,
    periods: 12,
    backfillSeconds: 86_400,
    lateSeconds: 86_400,
    gapTimeoutSeconds: 3_600,
    settleSeconds: 86_400,
    shared: false,
    openBy: 1_760_600_000n,
    salt: ZERO_DIGEST,
    ...change,
  },
  rules: [rule],
  tariff,
  asset: { symbol: 'tEUR', decimals: 6 },
  names: new Map([
    [payer, 'Mill'],
    [payee, 'Plant'],
  ]),
})

const linear = (price: bigint): Tariff => ({ kind: 'linear', prices: [price], scale: 3 })

test('an agreement is said in sentences, with names where they are known', () => {
  const { words } = explainAgreement(explained(linear(500_000n)))
  expect(words[0]).toBe('Mill pays Plant for what machine 7 measures.')
  expect(words).toContain('The price is 0.5 tEUR per l.')
})

test('a machine that has a name is called by it, with its number', () => {
  const named = { ...explained(linear(500_000n)), machineName: 'Pump in hall 2' }
  const { words } = explainAgreement(named)
  expect(words[0]).toBe('Mill pays Plant for what Pump in hall 2 (machine 7) measures.')
  expect(words).toContainEqual(
    expect.stringContaining('Meter values are signed by Pump in hall 2 (machine 7),'),
  )
  const other = { ...named, ...explained(linear(500_000n), { machineId: 8n }) }
  expect(termsChanges(named, { ...other, machineName: undefined })[0]).toEqual({
    what: 'Machine',
    before: 'Pump in hall 2 (machine 7)',
    after: 'machine 8',
  })
})

test('where time alone counts, nobody is said to sign', () => {
  const plan: Tariff = {
    kind: 'plan',
    prices: [],
    scale: 0,
    fee: 30_000_000n,
    feeSeconds: 2_592_000,
    minimum: 0n,
    maximum: NO_MAXIMUM,
  }
  const time = { meters: [], limits: [], signerKind: 4, signer: NOBODY_SIGNER }
  const { words } = explainAgreement(explained(plan, time))
  expect(words[0]).toBe('Mill pays Plant for machine 7.')
  expect(words).toContain(
    'Time alone counts: nobody signs anything, and the money moves by itself, out of escrow that Mill has put there before.',
  )
})

describe('what one offer changes of another', () => {
  const before = explained(linear(500_000n))

  test('nothing: a new salt and a new end of the offer say nothing else', () => {
    const again = explained(linear(500_000n), {
      salt: `0x${'01'.repeat(32)}`,
      openBy: 1_770_000_000n,
    })
    expect(termsChanges(before, again)).toEqual([])
  })

  test.each<[string, Explained, object[]]>([
    [
      'the price',
      explained(linear(400_000n)),
      [{ what: 'Price', before: '0.5 tEUR per l', after: '0.4 tEUR per l' }],
    ],
    [
      'who pays',
      explained(linear(500_000n), { payer: payee, payee: payer }),
      [{ what: 'Who pays whom', before: 'Mill pays Plant', after: 'Plant pays Mill' }],
    ],
    [
      'cap and start',
      explained(linear(500_000n), { capMinor: 5_000_000n, start: 1_760_086_400n }),
      [
        { what: 'Most that a period costs', before: '1,000 tEUR', after: '5 tEUR' },
        {
          what: 'Counts from',
          before: '2025-10-09 08:53:20 UTC',
          after: '2025-10-10 08:53:20 UTC',
        },
      ],
    ],
  ])('%s', (_, after, changes) => {
    expect(termsChanges(before, after)).toEqual(changes)
  })

  test('each field of the terms but salt and end of the offer shows', () => {
    const changes: Partial<Terms>[] = [
      { machineId: 8n },
      { signer: machineSigner(8n) },
      { limits: [{ burst: 2_000_000n, perHour: 1_000_000n }] },
      { periodSeconds: 3_600 },
      { periods: 13 },
      { backfillSeconds: 1 },
      { lateSeconds: 1 },
      { gapTimeoutSeconds: 1 },
      { settleSeconds: 1 },
      { shared: true },
      {
        meters: [{ stream: 'volume', ruleHash: ruleHash(rule), startHead: machineSigner(9n) }],
      },
      { meters: [{ stream: 'flow', ruleHash: ruleHash(rule), startHead: ZERO_DIGEST }] },
    ]
    for (const change of changes) {
      const after = explained(linear(500_000n), change)
      expect(termsChanges(before, after), JSON.stringify(Object.keys(change))).not.toEqual([])
    }
  })
})

describe('quantities of an example', () => {
  test.each<[string, Tariff, Partial<Terms>]>([
    ['reach the cap where there is a price', linear(500_000n), {}],
    ['also where the cap is small', linear(500_000n), { capMinor: 1_000n }],
    [
      'and where the first tier is free',
      { kind: 'tiered', upTo: [50_000n], prices: [0n, 1_000n], scale: 0 },
      {},
    ],
  ])('%s', (_, tariff, change) => {
    const { terms } = explained(tariff, change)
    const steps = exampleQuantities(tariff, { unit: 'l', per: 1_000n, label: '' }, terms)
    expect(steps[0]).toBe(0n)
    expect(steps.length).toBeLessThanOrEqual(51)
    const last = steps.at(-1) ?? 0n
    expect(owedCapped(tariff, [last], 86_400n, terms.capMinor)).toBe(terms.capMinor)
  })

  test('end at a million units where nothing is charged for use', () => {
    const { terms } = explained(linear(0n))
    const steps = exampleQuantities(linear(0n), { unit: 'l', per: 1_000n, label: '' }, terms)
    expect(steps.at(-1)).toBe(10_000_000n * 1_000n)
  })
})
