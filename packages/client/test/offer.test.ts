import {
  explainRule,
  explainTariff,
  type MeterRule,
  owed,
  parseRule,
  tariffUnits,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { describe, expect, test } from 'vitest'
import {
  type Hex,
  type Offer,
  type OfferMeter,
  offerOfTerms,
  pricedUnit,
  readOffer,
  suggestPerHour,
  usualMeasure,
} from '../src/index.ts'

const address = (byte: string): Hex => `0x${byte.repeat(20)}`
const deployment = {
  asset: { address: address('aa'), symbol: 'tEUR', decimals: 6 },
  linearTariff: address('b1'),
  tieredTariff: address('b2'),
  planTariff: address('b3'),
}
const context = {
  deployment,
  startSeconds: 1_760_000_000n,
  openBySeconds: 1_760_600_000n,
  startHead: ZERO_DIGEST,
  salt: `0x${'07'.repeat(32)}` as Hex,
}
const meter: OfferMeter = {
  stream: 'volume',
  measure: 'counter',
  unit: 'l',
  perHour: '1000',
  noise: '0',
  beyond: 'above',
  threshold: '',
  silenceSeconds: 900,
}
const offer: Offer = {
  machineId: '4',
  payer: address('0a'),
  payee: address('0b'),
  meter,
  price: { kind: 'linear', price: '0.42' },
  cap: '1000',
  periodSeconds: 86_400,
  periods: 12,
  backfillSeconds: 86_400,
  lateSeconds: 86_400,
  gapTimeoutSeconds: 3_600,
  settleSeconds: 86_400,
}

const read = (change: Partial<Offer> = {}) => readOffer({ ...offer, ...change }, context)
const problemsOf = (change: Partial<Offer>) => {
  const result = read(change)
  return result.ok ? {} : result.problems
}
const good = (change: Partial<Offer> = {}) => {
  const result = read(change)
  if (!result.ok) throw new Error(JSON.stringify(result.problems))
  const { terms, draft } = result
  const rules = draft.meters.map(({ rule }) => rule)
  for (const rule of rules) expect(parseRule(rule)).toMatchObject({ ok: true })
  const units = tariffUnits(terms, rules)
  const words = explainTariff(draft.tariff, { units, asset: deployment.asset })
  return { terms, draft, rules, words }
}

describe('an offer in words becomes terms, and terms an offer again', () => {
  const tiered = {
    kind: 'tiered' as const,
    tiers: [
      { upTo: '1000', price: '0.42' },
      { upTo: '5000', price: '0.4' },
    ],
    above: '0.38',
  }
  const plan = {
    kind: 'plan' as const,
    price: '0.1',
    fee: '30',
    feeSeconds: 2_592_000,
    minimum: '5',
    maximum: '',
  }
  test.each<[string, Partial<Offer>, string, RegExp]>([
    ['litres of a counter', {}, '0.42 tEUR per l', /Counts in ml what a rising meter adds;/],
    [
      'tiers',
      { price: tiered },
      '0.42 tEUR per l; the first 1,000 l at 0.42, then up to 5,000 l at 0.4, above that 0.38 tEUR per l',
      /./,
    ],
    [
      'a plan',
      { price: plan },
      '0.1 tEUR per l, plus 30 tEUR per 30 days, charged by the second; at least 5 tEUR a period',
      /./,
    ],
    [
      'time alone',
      { meter: null, price: { ...plan, price: '' } },
      '30 tEUR per 30 days, charged by the second; at least 5 tEUR a period',
      /./,
    ],
    [
      'millimetres that are kilograms',
      {
        meter: {
          ...meter,
          measure: 'drawdown',
          unit: 'mm',
          noise: '4',
          calibration: { amount: '23.5', unit: 'kg' },
        },
      },
      '0.42 tEUR per kg',
      /how far a level falls, 0.002 mm being 47 g; refills are free, changes up to 4 mm are noise/,
    ],
    [
      'watts',
      { meter: { ...meter, measure: 'integral', unit: 'W' } },
      '0.42 tEUR per kWh',
      /3,600 W s being 1 Wh/,
    ],
    [
      'cubic metres',
      { meter: { ...meter, unit: 'm3' } },
      '0.42 tEUR per l',
      /0.001 m3|what a rising meter adds;/,
    ],
    [
      'an unknown unit',
      { meter: { ...meter, unit: 'widgets' } },
      '0.42 tEUR per widgets',
      /1 widgets being 1 widgets/,
    ],
    [
      'pieces',
      { meter: { ...meter, measure: 'count', unit: 'count' } },
      '0.42 tEUR per piece',
      /each reading/,
    ],
    [
      'minutes too warm',
      {
        meter: {
          ...meter,
          measure: 'duration-beyond',
          unit: 'Cel',
          threshold: '-8.5',
          perHour: '',
        },
      },
      '0.42 tEUR per min',
      /stay above -8.5 Cel, 60 s being 1 min/,
    ],
    [
      'the way',
      { meter: { ...meter, measure: 'distance', unit: 'lat', noise: '15' } },
      '0.42 tEUR per km',
      /up to 15 m are noise/,
    ],
  ])('%s', (_, change, words, rule) => {
    const made = good(change)
    expect(made.words).toBe(words)
    expect(made.rules.map(explainRule).join()).toMatch(made.rules.length > 0 ? rule : /^$/)
    const again = offerOfTerms(made.terms, made.rules, deployment)
    expect(again && good({ ...again }).terms).toEqual(made.terms)
  })

  test('12.345 l at 0.42 are floored once, in smallest units', () => {
    expect(owed(good().draft.tariff, [12_345n], 0n)).toBe(5_184_900n)
  })

  test('what an offer cannot say is no offer', () => {
    const { terms, rules } = good()
    const two = { ...terms, meters: [...terms.meters, ...terms.meters] }
    expect(offerOfTerms(two, rules, deployment)).toBeUndefined()
    const odd = { ...terms, limits: [{ burst: 7n, perHour: 1_000_000n }] }
    expect(offerOfTerms(odd, rules, deployment)).toBeUndefined()
    expect(offerOfTerms({ ...terms, tariff: address('cc') }, rules, deployment)).toBeUndefined()
  })
})

describe('what cannot stand is told of its own field', () => {
  const linear = (price: string) => ({ price: { kind: 'linear' as const, price } })
  test.each<[string, Partial<Offer>, string, RegExp]>([
    ['a word', linear('ten'), 'price', /"ten" is not a plain decimal number/],
    ['a price below zero', linear('-1'), 'price', /below zero/],
    ['no price', linear(' '), 'price', /Write a number/],
    ['a price of nothing', linear('0'), 'price', /more than nothing/],
    ['too many places', linear('0.1234567'), 'price', /more than 6 decimal places/],
    ['no machine', { machineId: '' }, 'machineId', /Choose the machine/],
    ['nobody', { payer: 'Bob' }, 'other', /address/],
    ['oneself', { payer: offer.payee.toUpperCase().replace('X', 'x') }, 'other', /yourself/],
    ['no cap', { cap: '0' }, 'cap', /more than nothing/],
    ['half a period', { periodSeconds: 0.5 }, 'periodSeconds', /whole number/],
    ['no rate', { meter: { ...meter, perHour: 'much' } }, 'perHour', /plain decimal/],
    ['no unit', { meter: { ...meter, unit: '' } }, 'unit', /Name the unit/],
    ['no stream', { meter: { ...meter, stream: '' } }, 'stream', /Choose the stream/],
    [
      'a worthless level',
      { meter: { ...meter, calibration: { amount: '0', unit: 'kg' } } },
      'calibration',
      /more than nothing/,
    ],
    [
      'units that contradict',
      { meter: { ...meter, calibration: { amount: '7', unit: 'l' } } },
      'meter',
      /factor must be/,
    ],
    [
      'tiers that fall',
      {
        price: {
          kind: 'tiered',
          tiers: [
            { upTo: '9', price: '1' },
            { upTo: '8', price: '1' },
          ],
          above: '1',
        },
      },
      'price',
      /above the one before/,
    ],
    [
      'a least above the most',
      {
        price: { kind: 'plan', price: '1', fee: '', feeSeconds: 3_600, minimum: '9', maximum: '8' },
      },
      'price',
      /must not be above/,
    ],
    ['time alone at a price a unit', { meter: null }, 'price', /only a plan/],
  ])('%s', (_, change, field, words) => {
    expect(problemsOf(change)[field]).toMatch(words)
  })

  test('all at once', () => {
    expect(Object.keys(problemsOf({ ...linear('ten'), cap: '', machineId: '' })).sort()).toEqual([
      'cap',
      'machineId',
      'price',
    ])
  })
})

describe('a believable rate', () => {
  const bucket = (timeMs: number, last: number, max = last, count = 60) => ({
    timeMs,
    count,
    min: last,
    max,
    mean: last,
    last,
  })
  const per = (of: OfferMeter) => pricedUnit(of)?.per ?? 1n
  test.each<[string, OfferMeter, number[], string]>([
    ['of a counter: 2 l a minute', meter, [0, 2, 4], '500'],
    ['of power: 2,500 W', { ...meter, measure: 'integral', unit: 'W' }, [2_500], '10'],
    ['of pieces: 60 a minute', { ...meter, measure: 'count', unit: 'count' }, [1], '20000'],
  ])('%s', (_, of, values, perHour) => {
    const buckets = values.map((value, index) => bucket(index * 60_000, value))
    expect(suggestPerHour(of, per(of), { bucketMs: 60_000, buckets })).toEqual({
      perHour,
      isSeen: true,
    })
  })

  test('where nothing was seen it is a round number', () => {
    expect(suggestPerHour(meter, 1_000n, undefined)).toEqual({ perHour: '1000', isSeen: false })
  })
})

test('rules of an offer are what the protocol reads', () => {
  const [rule] = good().rules as MeterRule[]
  expect(rule).toEqual({
    rule: 'counter',
    version: 1,
    unit: 'l',
    scale: 3,
    registerUnit: 'ml',
    factor: { numerator: 1, denominator: 1 },
    maxRate: { burst: '1000000', perHour: '1000000' },
  })
})

test.each([
  ['l', 'counter'],
  ['count', 'count'],
  ['mm', 'drawdown'],
  ['%RH', 'drawdown'],
  ['kW', 'integral'],
  ['Cel', 'duration-beyond'],
  ['lat', 'distance'],
  ['', 'counter'],
])('a stream in %j is most often counted by %s', (unit, measure) => {
  expect(usualMeasure(unit)).toBe(measure)
})
