import { getTypesForEIP712Domain, type Hex, hashTypedData } from 'viem'
import { describe, expect, test } from 'vitest'
import {
  agreementId,
  clearingHouseDomain,
  evidenceHead,
  foldTermsOf,
  type MeterValue,
  machineSigner,
  meterValueDigest,
  meterValueToJson,
  NOBODY_SIGNER,
  parseMeterValue,
  parseSignedMeterValue,
  parseTerms,
  SIGNER_KIND,
  signedMeterValueToJson,
  TERMS_TYPES,
  type Terms,
  type TermsJson,
  termsFromJson,
  termsToJson,
  withinRateBound,
} from '../../src/index.ts'
import { COUNTER } from './fixtures.ts'
import { readVectors } from './vectors.ts'

type Vectors = {
  types: { Terms: string[]; Meter: string[]; Limit: string[] }
  domains: { house: { chainId: number; verifyingContract: Hex } }
  terms: { terms: TermsJson; agreementId: Hex }[]
  meterValue: {
    evidenceDigests: Hex[]
    message: Record<'agreementId' | 'asOf' | 'evidenceHead', string> & {
      period: number
      registers: string[]
    }
    digest: Hex
  }
}
const vectors = readVectors('eip712') as Vectors
const house = {
  chainId: vectors.domains.house.chainId,
  clearingHouse: vectors.domains.house.verifyingContract,
}

function sample(): { json: TermsJson; terms: Terms } {
  const [first] = vectors.terms
  if (!first) throw new Error('eip712.json holds no terms.')
  return { json: first.terms, terms: termsFromJson(first.terms) }
}

function sampleValue(): MeterValue {
  const { message } = vectors.meterValue
  return {
    agreementId: message.agreementId as Hex,
    period: message.period,
    asOf: BigInt(message.asOf),
    registers: message.registers.map(BigInt),
    evidenceHead: message.evidenceHead as Hex,
  }
}

describe('known answers', () => {
  test.each(vectors.terms)('agreement $agreementId', ({ terms, agreementId: expected }) => {
    const parsed = termsFromJson(terms)
    expect(agreementId({ ...house, terms: parsed })).toBe(expected)
    expect(termsFromJson(termsToJson(parsed))).toEqual(parsed)
  })

  test('the EIP-712 types are those of the contract', () => {
    const written = (fields: readonly { name: string; type: string }[]) =>
      fields.map(({ name, type }) => `${type} ${name}`)
    expect(written(TERMS_TYPES.Terms)).toEqual(vectors.types.Terms)
    expect(written(TERMS_TYPES.Meter)).toEqual(vectors.types.Meter)
    expect(written(TERMS_TYPES.Limit)).toEqual(vectors.types.Limit)
  })

  test('meter value and evidence head', () => {
    expect(meterValueDigest({ ...house, value: sampleValue() })).toBe(vectors.meterValue.digest)
    expect(evidenceHead(vectors.meterValue.evidenceDigests)).toBe(
      vectors.meterValue.message.evidenceHead,
    )
  })

  test('INV-08 another chain, house or type gives another digest', () => {
    const { terms } = sample()
    const id = agreementId({ ...house, terms })
    expect(agreementId({ ...house, chainId: 1, terms })).not.toBe(id)
    expect(agreementId({ ...house, clearingHouse: `0x${'11'.repeat(20)}`, terms })).not.toBe(id)
    const domain = clearingHouseDomain(house.chainId, house.clearingHouse)
    expect(getTypesForEIP712Domain({ domain }).map(({ name }) => name)).toEqual([
      'name',
      'version',
      'chainId',
      'verifyingContract',
    ])
    expect(
      hashTypedData({
        domain,
        types: TERMS_TYPES,
        primaryType: 'Terms',
        message: terms,
      }),
    ).toBe(id)
  })
})

describe('terms from outside', () => {
  test.each([
    ['ATK exponent', { capMinor: '1e3' }],
    ['ATK negative', { capMinor: '-1' }],
    ['ATK not a number', { capMinor: 'NaN' }],
    ['ATK 2^256', { machineId: (2n ** 256n).toString() }],
    ['an amount of 2^96', { capMinor: (2n ** 96n).toString() }],
    ['a number for an amount', { capMinor: 5 }],
    ['leading zero', { capMinor: '05' }],
    ['short address', { payer: '0x1234' }],
    ['no address', { payee: null }],
    ['fraction of a second', { periodSeconds: 1.5 }],
    ['no periods', { periods: 0 }],
    ['seconds as text', { lateSeconds: '60' }],
    ['beyond uint32', { settleSeconds: 2 ** 32 }],
    ['unknown signer kind', { signerKind: 5 }],
    ['an account with more than 20 bytes', { signer: `0x${'11'.repeat(32)}`, signerKind: 2 }],
    ['no account', { signer: NOBODY_SIGNER, signerKind: 2 }],
    ['text for a flag', { shared: 'no' }],
    ['half a byte', { tariffData: '0x123' }],
    ['missing limit', { limits: [] }],
    ['limits no array', { limits: { length: 2 } }],
    ['start beyond every calendar', { start: (2n ** 63n).toString() }],
  ])('%s is TERMS_INVALID', (_, change) => {
    expect(parseTerms({ ...sample().json, ...change })).toMatchObject({
      ok: false,
      code: 'TERMS_INVALID',
      message: expect.stringContaining(Object.keys(change)[0] ?? ''),
    })
  })

  test('nobody signs only what has no signer, no meters and no limits', () => {
    const nobody = {
      ...sample().json,
      signerKind: SIGNER_KIND.nobody,
      signer: NOBODY_SIGNER,
      meters: [],
      limits: [],
    }
    expect(parseTerms(nobody)).toMatchObject({ ok: true })
    const limits = [{ burst: '1', perHour: '0' }]
    const invalid = { ok: false, code: 'TERMS_INVALID' }
    expect(parseTerms({ ...nobody, limits })).toMatchObject(invalid)
    expect(parseTerms({ ...nobody, signer: machineSigner(7n) })).toMatchObject(invalid)
    const { meters, limits: bounds } = sample().json
    expect(parseTerms({ ...nobody, meters, limits: bounds })).toMatchObject(invalid)
  })

  test('an agreement lasts at most 20 years', () => {
    const { json } = sample()
    const lasting = { ...json, periodSeconds: 631_152_000, periods: 1 }
    expect(parseTerms(lasting)).toMatchObject({ ok: true })
    expect(parseTerms({ ...lasting, periodSeconds: 315_576_001, periods: 2 })).toMatchObject({
      ok: false,
      code: 'TERMS_INVALID',
    })
  })

  test('ATK mass assignment: an unknown field is FIELD_FORBIDDEN, at every level', () => {
    const { json } = sample()
    const forbidden = { ok: false, code: 'FIELD_FORBIDDEN' }
    expect(parseTerms({ ...json, owner: json.payer })).toMatchObject(forbidden)
    const [meter, ...meters] = json.meters
    expect(parseTerms({ ...json, meters: [{ ...meter, price: '1' }, ...meters] })).toMatchObject(
      forbidden,
    )
    const [limit, ...limits] = json.limits
    expect(parseTerms({ ...json, limits: [{ ...limit, x: 1 }, ...limits] })).toMatchObject(
      forbidden,
    )
    expect(parseTerms(JSON.parse('{"__proto__":{}}'))).toMatchObject(forbidden)
  })

  test('a missing field, a bad stream name, and what is no object', () => {
    const { json } = sample()
    const { salt: _, ...unsalted } = json
    const invalid = { ok: false, code: 'TERMS_INVALID' }
    expect(parseTerms(unsalted)).toMatchObject(invalid)
    const meters = json.meters.map((meter) => ({ ...meter, stream: 'Level/1' }))
    expect(parseTerms({ ...json, meters })).toMatchObject(invalid)
    for (const other of [null, [], 'terms', 1, undefined]) {
      expect(parseTerms(other)).toMatchObject(invalid)
    }
    expect(() => termsFromJson({})).toThrowError(expect.objectContaining({ code: 'TERMS_INVALID' }))
  })

  test('hex is normalised to lower case', () => {
    const { json, terms } = sample()
    const shouted = { ...json, payer: `0x${json.payer.slice(2).toUpperCase()}` }
    expect(parseTerms(shouted)).toEqual({ ok: true, terms })
  })
})

describe('meter values from outside', () => {
  const value = sampleValue()
  const signed = { ...value, heads: [{ stream: 'level', seq: 12n }], signature: '0xabcd' as Hex }

  test('survive JSON', () => {
    expect(parseMeterValue(meterValueToJson(value))).toEqual({ ok: true, value })
    const json = JSON.parse(JSON.stringify(signedMeterValueToJson(signed)))
    expect(parseSignedMeterValue(json)).toEqual({ ok: true, value: signed })
  })

  test.each([
    [{ registers: ['1e3'] }],
    [{ registers: [1] }],
    [{ registers: [(2n ** 256n).toString()] }],
    [{ asOf: '1760000000' }],
    [{ period: -1 }],
    [{ evidenceHead: '0x' }],
  ])('%j is refused', (change) => {
    expect(parseMeterValue({ ...meterValueToJson(value), ...change })).toMatchObject({
      ok: false,
      code: 'METER_VALUE_INVALID',
    })
  })

  test('an unknown field is FIELD_FORBIDDEN', () => {
    const json = signedMeterValueToJson(signed)
    expect(parseMeterValue(json)).toMatchObject({ ok: false, code: 'FIELD_FORBIDDEN' })
    const heads = [{ stream: 'level', seq: '12', x: 1 }]
    expect(parseSignedMeterValue({ ...json, heads })).toMatchObject({ code: 'FIELD_FORBIDDEN' })
  })
})

describe('INV-07 rate bound', () => {
  const bounded = (register: bigint, elapsed: bigint, limit = { burst: 10n, perHour: 7n }) => {
    const terms = { ...sample().terms, limits: [limit] }
    const asOf = terms.start + 2n * BigInt(terms.periodSeconds) + elapsed
    return withinRateBound(terms, { ...sampleValue(), period: 2, asOf, registers: [register] })
  }

  test('register <= burst + floor(perHour x elapsed / 3600)', () => {
    expect(bounded(10n, 0n)).toBe(true)
    expect(bounded(11n, 0n)).toBe(false)
    expect(bounded(11n, 514n)).toBe(false)
    expect(bounded(11n, 515n)).toBe(true)
    expect(bounded(0n, -1n)).toBe(false)
  })

  test('saturates where the contract does, and needs a register each', () => {
    const most = 2n ** 256n - 1n
    expect(bounded(most / 3600n + 10n, 7200n, { burst: 10n, perHour: most })).toBe(true)
    expect(bounded(most / 3600n + 11n, 7200n, { burst: 10n, perHour: most })).toBe(false)
    expect(withinRateBound(sample().terms, { ...sampleValue(), registers: [] })).toBe(false)
  })
})

test('fold terms come from the agreement', () => {
  const { terms } = sample()
  expect(foldTermsOf(terms, 0, COUNTER, 43n)).toEqual({
    rule: COUNTER,
    machineId: 1n,
    stream: 'level',
    startMs: 1_800_000_000_000,
    periodSeconds: 86_400,
    periods: 30,
    backfillSeconds: 259_200,
    lateSeconds: 7200,
    gapTimeoutSeconds: 3600,
    startSeq: 43n,
  })
  expect(() => foldTermsOf(terms, 9, COUNTER, 1n)).toThrow(RangeError)
})
