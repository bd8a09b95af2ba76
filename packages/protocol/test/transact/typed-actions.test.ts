import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, stringToHex } from 'viem'
import { describe, expect, test } from 'vitest'
import {
  type Adjustment,
  adjustmentDigest,
  adjustmentToJson,
  authorizationNonce,
  fundingDigest,
  type MeterValue,
  meterValueDigest,
  meterValuesDigest,
  parseAdjustment,
  parseSignedAdjustment,
  signedAdjustmentToJson,
} from '../../src/index.ts'

const house = { chainId: 31_337, clearingHouse: `0x${'c1'.repeat(20)}` as Hex }
const id = `0x${'a1'.repeat(32)}` as Hex
const adjustment: Adjustment = { agreementId: id, period: 3, amount: 250n, evidenceHead: id }
const value: MeterValue = {
  agreementId: id,
  period: 1,
  asOf: 1_760_000_000n,
  registers: [5n, 7n],
  evidenceHead: id,
}

/** EIP-712 by hand: keccak256(0x1901, domain separator, struct hash). */
function digest(structHash: Hex): Hex {
  const domain = keccak256(
    encodeAbiParameters(parseAbiParameters('bytes32, bytes32, bytes32, uint256, address'), [
      typeHash(
        'EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)',
      ),
      keccak256(stringToHex('Liquefy ClearingHouse')),
      keccak256(stringToHex('1')),
      BigInt(house.chainId),
      house.clearingHouse,
    ]),
  )
  return keccak256(`0x1901${domain.slice(2)}${structHash.slice(2)}`)
}

function typeHash(type: string): Hex {
  return keccak256(stringToHex(type))
}

describe('digests are those of the types in docs/protocol/agreement.md', () => {
  test('Funding', () => {
    const funding = {
      agreementId: id,
      from: `0x${'b2'.repeat(20)}` as Hex,
      amount: 1000n,
      salt: id,
      deadline: 99n,
    }
    const type = typeHash(
      'Funding(bytes32 agreementId,address from,uint256 amount,bytes32 salt,uint256 deadline)',
    )
    const struct = encodeAbiParameters(
      parseAbiParameters('bytes32, bytes32, address, uint256, bytes32, uint256'),
      [type, id, funding.from, 1000n, id, 99n],
    )
    expect(fundingDigest({ ...house, funding })).toBe(digest(keccak256(struct)))
  })

  test('Adjustment', () => {
    const type = typeHash(
      'Adjustment(bytes32 agreementId,uint32 period,uint256 amount,bytes32 evidenceHead)',
    )
    const struct = encodeAbiParameters(
      parseAbiParameters('bytes32, bytes32, uint32, uint256, bytes32'),
      [type, id, 3, 250n, id],
    )
    expect(adjustmentDigest({ ...house, adjustment })).toBe(digest(keccak256(struct)))
  })

  test('MeterValues', () => {
    const item =
      'MeterValue(bytes32 agreementId,uint32 period,uint64 asOf,uint256[] registers,bytes32 evidenceHead)'
    const hashOf = ({ agreementId, period, asOf, registers, evidenceHead }: MeterValue) =>
      keccak256(
        encodeAbiParameters(
          parseAbiParameters('bytes32, bytes32, uint32, uint64, bytes32, bytes32'),
          [
            typeHash(item),
            agreementId,
            period,
            asOf,
            keccak256(
              `0x${registers.map((register) => register.toString(16).padStart(64, '0')).join('')}`,
            ),
            evidenceHead,
          ],
        ),
      )
    const values = [value, { ...value, period: 2, registers: [] }]
    const struct = encodeAbiParameters(parseAbiParameters('bytes32, bytes32'), [
      typeHash(`MeterValues(MeterValue[] values)${item}`),
      keccak256(`0x${values.map((each) => hashOf(each).slice(2)).join('')}`),
    ])
    expect(meterValuesDigest({ ...house, values })).toBe(digest(keccak256(struct)))
    expect(meterValuesDigest({ ...house, values: [value] })).not.toBe(
      meterValueDigest({ ...house, value }),
    )
  })

  test('ERC-3009 nonce', () => {
    expect(authorizationNonce(id, `0x${'01'.repeat(32)}`)).toBe(
      keccak256(`${id}${'01'.repeat(32)}`),
    )
  })

  test('INV-08 another chain or house gives another digest', () => {
    const others = [
      { ...house, chainId: 1 },
      { ...house, clearingHouse: id.slice(0, 42) as Hex },
    ]
    for (const other of others) {
      expect(adjustmentDigest({ ...other, adjustment })).not.toBe(
        adjustmentDigest({ ...house, adjustment }),
      )
      expect(meterValuesDigest({ ...other, values: [value] })).not.toBe(
        meterValuesDigest({ ...house, values: [value] }),
      )
    }
  })
})

describe('adjustments from outside', () => {
  const heads = [{ stream: 'level', seq: 7n }]
  const signed = { ...adjustment, heads, signature: '0xabcd' as Hex }

  test('survive JSON', () => {
    expect(parseAdjustment(adjustmentToJson(adjustment))).toEqual({ ok: true, adjustment })
    expect(parseSignedAdjustment(signedAdjustmentToJson(signed))).toEqual({
      ok: true,
      adjustment: signed,
    })
  })

  test.each([
    { amount: '0' },
    { amount: (2n ** 96n).toString() },
    { amount: 5 },
    { period: -1 },
    { agreementId: '0x12' },
  ])('%j is ADJUSTMENT_INVALID', (change) => {
    expect(parseAdjustment({ ...adjustmentToJson(adjustment), ...change })).toMatchObject({
      ok: false,
      code: 'ADJUSTMENT_INVALID',
    })
  })

  test('an unknown field is FIELD_FORBIDDEN', () => {
    expect(parseAdjustment(signedAdjustmentToJson(signed))).toMatchObject({
      ok: false,
      code: 'FIELD_FORBIDDEN',
    })
  })
})
