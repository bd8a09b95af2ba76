import { concat, type Hex, hashDomain, keccak256, stringToHex } from 'viem'
import {
  COVERING_FIELDS,
  type CoveringValue,
  type CoveringValueJson,
  coveringValueToJson,
  METER_VALUE_TYPES,
  type MeterValue,
  meterValueHash,
  readCoveringValue,
} from './meter-value.ts'
import { SIGNER_KIND } from './signer.ts'
import {
  FieldRefusal,
  openFields,
  readArray,
  readBytes,
  readHex,
  readInteger,
} from './strict-json.ts'
import { clearingHouseDomain } from './terms.ts'

/** Many meter values of agreements that name one signer, under one signature of its: a machine's or an account's. */
export type Attestation = {
  signerKind: number
  signer: Hex
  values: readonly CoveringValue[]
  signature: Hex
}

/** JSON of an attestation. */
export type AttestationJson = {
  signerKind: number
  signer: Hex
  values: CoveringValueJson[]
  signature: Hex
}

/** Result of reading an attestation that comes from outside. */
export type ParsedAttestation =
  | { ok: true; attestation: Attestation }
  | { ok: false; code: 'FIELD_FORBIDDEN' | 'ATTESTATION_INVALID'; message: string }

/** One attestation has at most so many values. */
export const MAX_ATTESTED_VALUES = 100
/** EIP-712 types of many meter values under one signature. */
export const METER_VALUES_TYPES = {
  MeterValues: [{ name: 'values', type: 'MeterValue[]' }],
  ...METER_VALUE_TYPES,
} as const
const ATTESTATION_FIELDS = ['signerKind', 'signer', 'values', 'signature']
const MAX_SIGNATURE_BYTES = 65
const EIP712_DOMAIN = [
  { name: 'name', type: 'string' },
  { name: 'version', type: 'string' },
  { name: 'chainId', type: 'uint256' },
  { name: 'verifyingContract', type: 'address' },
] as const
const FIELDS = METER_VALUE_TYPES.MeterValue.map(({ name, type }) => `${type} ${name}`).join(',')
const METER_VALUES_TYPE = `MeterValues(MeterValue[] values)MeterValue(${FIELDS})`

/** The EIP-712 digest of `MeterValues(MeterValue[] values)`, which an attestor signs once for all of them. */
export function meterValuesDigest(input: {
  chainId: number
  clearingHouse: Hex
  values: readonly MeterValue[]
}): Hex {
  return batchDigest({ ...input, hashes: input.values.map(meterValueHash) })
}

/** The same digest from the struct hashes of the values alone, for who may not see those of other agreements. */
export function batchDigest(input: {
  chainId: number
  clearingHouse: Hex
  hashes: readonly Hex[]
}): Hex {
  const separator = hashDomain({
    domain: {
      ...clearingHouseDomain(input.chainId, input.clearingHouse),
      chainId: BigInt(input.chainId),
    },
    types: { EIP712Domain: EIP712_DOMAIN },
  })
  const typeHash = keccak256(stringToHex(METER_VALUES_TYPE))
  const struct = keccak256(concat([typeHash, keccak256(concat([...input.hashes]))]))
  return keccak256(concat(['0x1901', separator, struct]))
}

/** An attestation as plain JSON. */
export function attestationToJson(attestation: Attestation): AttestationJson {
  const { signerKind, signer, signature } = attestation
  return { signerKind, signer, values: attestation.values.map(coveringValueToJson), signature }
}

/** Reads an attestation strictly; the signature is not checked. A period of an agreement may stand in it once. */
export function parseAttestation(json: unknown): ParsedAttestation {
  try {
    return { ok: true, attestation: readAttestation(json) }
  } catch (error) {
    if (!(error instanceof FieldRefusal)) throw error
    const code = error.forbidden ? 'FIELD_FORBIDDEN' : 'ATTESTATION_INVALID'
    return { ok: false, code, message: error.message }
  }
}

function readAttestation(json: unknown): Attestation {
  const fields = openFields('attestation', json, ATTESTATION_FIELDS)
  const values = readArray(fields, 'values', MAX_ATTESTED_VALUES).map((value, index) =>
    readCoveringValue(openFields(`attestation.values[${index}]`, value, COVERING_FIELDS)),
  )
  const places = new Set(values.map(({ agreementId, period }) => `${agreementId}/${period}`))
  if (values.length === 0 || places.size !== values.length) {
    throw new FieldRefusal(false, 'attestation.values must name each period of an agreement once.')
  }
  return {
    signerKind: readInteger(fields, 'signerKind', SIGNER_KIND.machine, SIGNER_KIND.account),
    signer: readHex(fields, 'signer', 32),
    values,
    signature: readBytes(fields, 'signature', MAX_SIGNATURE_BYTES),
  }
}
