import { concat, type Hex, hashStruct, hashTypedData, keccak256 } from 'viem'
import { MAX_QUORUM_SIGNATURE_BYTES } from './signer.ts'
import {
  FieldRefusal,
  type Fields,
  openFields,
  readArray,
  readBytes,
  readHex,
  readInteger,
  readText,
  readUnsigned,
} from './strict-json.ts'
import {
  clearingHouseDomain,
  MAX_REGISTERS,
  periodStart,
  STREAM_NAME,
  type Terms,
} from './terms.ts'

/** What a meter signs. `asOf` in s since 1970, registers in output units in the order of the terms. */
export type MeterValue = {
  agreementId: Hex
  period: number
  asOf: bigint
  registers: readonly bigint[]
  evidenceHead: Hex
}

/** Up to which `seq` a stream was folded. */
export type StreamHead = { stream: string; seq: bigint }

/** A meter value with the heads up to which it covers its streams. They are not signed, `evidenceHead` is. */
export type CoveringValue = MeterValue & { heads: readonly StreamHead[] }

/** A meter value as a machine publishes it: docs/protocol/transport.md. `heads` are not signed, `evidenceHead` is. */
export type SignedMeterValue = CoveringValue & { signature: Hex }

/** JSON of a meter value: registers as decimal strings, `asOf` as a number. */
export type MeterValueJson = {
  agreementId: Hex
  period: number
  asOf: number
  registers: string[]
  evidenceHead: Hex
}

/** JSON of a signed meter value. */
export type SignedMeterValueJson = CoveringValueJson & { signature: Hex }

/** JSON of a meter value with its heads. */
export type CoveringValueJson = MeterValueJson & { heads: { stream: string; seq: string }[] }

/** A refused meter value. */
export type MeterValueRefusal = {
  ok: false
  code: 'FIELD_FORBIDDEN' | 'METER_VALUE_INVALID'
  message: string
}

/** EIP-712 types of a meter value, in the order of docs/protocol/agreement.md. */
export const METER_VALUE_TYPES = {
  MeterValue: [
    { name: 'agreementId', type: 'bytes32' },
    { name: 'period', type: 'uint32' },
    { name: 'asOf', type: 'uint64' },
    { name: 'registers', type: 'uint256[]' },
    { name: 'evidenceHead', type: 'bytes32' },
  ],
} as const

const VALUE_FIELDS = METER_VALUE_TYPES.MeterValue.map(({ name }) => name)
const SECONDS_PER_HOUR = 3600n
/** The contract's arithmetic saturates here. */
const UINT256_MOST = 2n ** 256n - 1n

/** The EIP-712 digest that the agreement's signer signs. */
export function meterValueDigest(input: {
  chainId: number
  clearingHouse: Hex
  value: MeterValue
}): Hex {
  return hashTypedData({
    domain: clearingHouseDomain(input.chainId, input.clearingHouse),
    types: METER_VALUE_TYPES,
    primaryType: 'MeterValue',
    message: signedFields(input.value),
  })
}

/** The EIP-712 struct hash of a meter value: what it contributes to the digest of a batch. */
export function meterValueHash(value: MeterValue): Hex {
  return hashStruct({
    data: signedFields(value),
    types: METER_VALUE_TYPES,
    primaryType: 'MeterValue',
  })
}

/**
 * keccak256 over the digests of the last envelope covered of each stream, in the order of the terms; for a stream
 * without one, give its `startHead`.
 */
export function evidenceHead(digests: readonly Hex[]): Hex {
  return keccak256(concat(digests))
}

/** Whether each register obeys `register <= floor(burst + perHour x (asOf - periodStart) / 3600)`, as the contract will check. */
export function withinRateBound(terms: Terms, value: MeterValue): boolean {
  if (value.registers.length !== terms.limits.length) return false
  const elapsed = elapsedSeconds(terms, value)
  if (elapsed < 0n) return false
  return terms.limits.every(({ burst, perHour }, index) => {
    const register = value.registers[index]
    const grown = perHour * elapsed
    const allowed = burst + (grown < UINT256_MOST ? grown : UINT256_MOST) / SECONDS_PER_HOUR
    return register !== undefined && register <= allowed
  })
}

/** Seconds from the start of the value's period to its `asOf`: what a tariff calls `elapsed`. */
export function elapsedSeconds(terms: Terms, value: Pick<MeterValue, 'period' | 'asOf'>): bigint {
  return value.asOf - periodStart(terms, value.period)
}

/** A meter value as plain JSON. */
export function meterValueToJson(value: MeterValue): MeterValueJson {
  return {
    agreementId: value.agreementId,
    period: value.period,
    asOf: Number(value.asOf),
    registers: value.registers.map(String),
    evidenceHead: value.evidenceHead,
  }
}

/** A signed meter value as plain JSON. */
export function signedMeterValueToJson(value: SignedMeterValue): SignedMeterValueJson {
  return { ...coveringValueToJson(value), signature: value.signature }
}

/** A meter value with its heads as plain JSON. */
export function coveringValueToJson(value: CoveringValue): CoveringValueJson {
  return {
    ...meterValueToJson(value),
    heads: value.heads.map(({ stream, seq }) => ({ stream, seq: seq.toString() })),
  }
}

/** Reads a meter value strictly. */
export function parseMeterValue(
  json: unknown,
): { ok: true; value: MeterValue } | MeterValueRefusal {
  return refusing(() => readValue(openFields('meterValue', json, VALUE_FIELDS)))
}

/** Reads a signed meter value strictly. The signature is not checked. */
export function parseSignedMeterValue(
  json: unknown,
): { ok: true; value: SignedMeterValue } | MeterValueRefusal {
  return refusing(() => {
    const fields = openFields('meterValue', json, [...VALUE_FIELDS, 'heads', 'signature'])
    return {
      ...readCoveringValue(fields),
      signature: readBytes(fields, 'signature', MAX_QUORUM_SIGNATURE_BYTES),
    }
  })
}

function signedFields({ agreementId, period, asOf, registers, evidenceHead }: MeterValue) {
  return { agreementId, period, asOf, registers, evidenceHead }
}

function refusing<Value>(read: () => Value): { ok: true; value: Value } | MeterValueRefusal {
  try {
    return { ok: true, value: read() }
  } catch (error) {
    if (!(error instanceof FieldRefusal)) throw error
    const code = error.forbidden ? 'FIELD_FORBIDDEN' : 'METER_VALUE_INVALID'
    return { ok: false, code, message: error.message }
  }
}

function readValue(fields: Fields): MeterValue {
  const registers = readArray(fields, 'registers', MAX_REGISTERS)
  return {
    agreementId: readHex(fields, 'agreementId', 32),
    period: readInteger(fields, 'period', 0, 2 ** 32 - 1),
    asOf: BigInt(readInteger(fields, 'asOf', 0, Number.MAX_SAFE_INTEGER)),
    registers: registers.map((register, index) =>
      readUnsigned(
        { path: 'meterValue.registers', values: { [index]: register } },
        `${index}`,
        256,
      ),
    ),
    evidenceHead: readHex(fields, 'evidenceHead', 32),
  }
}

/** Fields of a meter value with its heads, as `readCoveringValue` wants them. */
export const COVERING_FIELDS = [...VALUE_FIELDS, 'heads'] as const

/** Reads a meter value with its heads from opened fields. @throws FieldRefusal */
export function readCoveringValue(fields: Fields): CoveringValue {
  return {
    ...readValue(fields),
    heads: readArray(fields, 'heads', MAX_REGISTERS).map((head, index) =>
      readStreamHead(head, `meterValue.heads[${index}]`),
    ),
  }
}

/** Reads one head strictly. @throws FieldRefusal naming the field below `path`. */
export function readStreamHead(json: unknown, path: string): StreamHead {
  const fields = openFields(path, json, ['stream', 'seq'])
  return {
    stream: readText(fields, 'stream', STREAM_NAME, 'a stream name like "level"'),
    seq: readUnsigned(fields, 'seq', 64),
  }
}
