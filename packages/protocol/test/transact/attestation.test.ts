import type { Hex } from 'viem'
import { describe, expect, test } from 'vitest'
import {
  type Attestation,
  attestationToJson,
  batchDigest,
  type CoveringValue,
  MAX_ATTESTED_VALUES,
  machineSigner,
  meterValueHash,
  meterValuesDigest,
  parseAttestation,
  SIGNER_KIND,
} from '../../src/index.ts'

const house = { chainId: 31_337, clearingHouse: `0x${'c1'.repeat(20)}` as Hex }
const valueIn = (period: number): CoveringValue => ({
  agreementId: `0x${'a1'.repeat(32)}`,
  period,
  asOf: 1_760_000_000n,
  registers: [5n, 7n],
  evidenceHead: `0x${'e1'.repeat(32)}`,
  heads: [{ stream: 'level', seq: 12n }],
})
const attestation: Attestation = {
  signerKind: SIGNER_KIND.machine,
  signer: machineSigner(7n),
  values: [valueIn(0), valueIn(1)],
  signature: '0xabcd',
}
const json = attestationToJson(attestation)

test('the hashes of the values alone give the same digest', () => {
  const { values } = attestation
  const digest = meterValuesDigest({ ...house, values })
  expect(batchDigest({ ...house, hashes: values.map(meterValueHash) })).toBe(digest)
  expect(batchDigest({ ...house, hashes: values.map(meterValueHash).reverse() })).not.toBe(digest)
})

describe('attestations from outside', () => {
  test('survive JSON', () => {
    expect(parseAttestation(JSON.parse(JSON.stringify(json)))).toEqual({ ok: true, attestation })
  })

  test.each([
    ['no values', { values: [] }],
    ['a period twice', { values: [json.values[0], json.values[0]] }],
    ['a quorum', { signerKind: 3 }],
    ['a signature too long', { signature: `0x${'11'.repeat(66)}` }],
    [
      'too many',
      {
        values: Array.from({ length: MAX_ATTESTED_VALUES + 1 }, (_, period) => ({
          ...json.values[0],
          period,
        })),
      },
    ],
    ['no list', { values: 'all' }],
  ])('%s is ATTESTATION_INVALID', (_, change) => {
    expect(parseAttestation({ ...json, ...change })).toMatchObject({
      ok: false,
      code: 'ATTESTATION_INVALID',
    })
  })

  test('ATK mass assignment: an unknown field is FIELD_FORBIDDEN, at every level', () => {
    const forbidden = { ok: false, code: 'FIELD_FORBIDDEN' }
    expect(parseAttestation({ ...json, relayed: true })).toMatchObject(forbidden)
    const values = [{ ...json.values[0], owed: '1' }]
    expect(parseAttestation({ ...json, values })).toMatchObject(forbidden)
  })
})
