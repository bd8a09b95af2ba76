import { type Hex, hashTypedData } from 'viem'
import { readStreamHead, type StreamHead } from './meter-value.ts'
import { MAX_QUORUM_SIGNATURE_BYTES } from './signer.ts'
import {
  FieldRefusal,
  type Fields,
  openFields,
  readArray,
  readBytes,
  readHex,
  readInteger,
  readUnsigned,
} from './strict-json.ts'
import { owedCapped, type Tariff } from './tariff.ts'
import { AMOUNT_BITS, clearingHouseDomain, MAX_REGISTERS, type Terms } from './terms.ts'

/** What late evidence adds to a period that is final: `amount` in smallest units of the asset, above zero. */
export type Adjustment = { agreementId: Hex; period: number; amount: bigint; evidenceHead: Hex }

/** An adjustment as its signer publishes it. `heads` say up to which `seq` it folded; they are not signed, `evidenceHead` is. */
export type SignedAdjustment = Adjustment & { heads: readonly StreamHead[]; signature: Hex }

/** JSON of an adjustment: the amount as a decimal string. */
export type AdjustmentJson = { agreementId: Hex; period: number; amount: string; evidenceHead: Hex }

/** JSON of a signed adjustment. */
export type SignedAdjustmentJson = AdjustmentJson & {
  heads: { stream: string; seq: string }[]
  signature: Hex
}

/** A refused adjustment. */
export type AdjustmentRefusal = {
  ok: false
  code: 'FIELD_FORBIDDEN' | 'ADJUSTMENT_INVALID'
  message: string
}

/** EIP-712 types of an adjustment, in the order of docs/protocol/agreement.md. */
export const ADJUSTMENT_TYPES = {
  Adjustment: [
    { name: 'agreementId', type: 'bytes32' },
    { name: 'period', type: 'uint32' },
    { name: 'amount', type: 'uint256' },
    { name: 'evidenceHead', type: 'bytes32' },
  ],
} as const

const ADJUSTMENT_FIELDS = ADJUSTMENT_TYPES.Adjustment.map(({ name }) => name)

/**
 * What late evidence adds to a final period, smallest units: what the whole period costs with the late input, less what it costs by its
 * registers, each within the cap. 0 if nothing.
 */
export function adjustmentAmount(input: {
  terms: Terms
  tariff: Tariff
  registers: readonly bigint[]
  /** Registers as they would be if all evidence had come in time. */
  lateRegisters: readonly bigint[]
}): bigint {
  const { terms, tariff, registers, lateRegisters } = input
  const cost = (counts: readonly bigint[]) =>
    owedCapped(tariff, counts, BigInt(terms.periodSeconds), terms.capMinor)
  const added = cost(lateRegisters) - cost(registers)
  // With late input the tariff may overflow, where the ledger pays nothing at all.
  return added > 0n ? added : 0n
}

/** First moment, ms since 1970, at which nothing that is logged counts for a period any more. */
export function finalFromMs(
  terms: Pick<Terms, 'start' | 'periodSeconds' | 'lateSeconds'>,
  period: number,
): number {
  const end = Number(terms.start) + (period + 1) * terms.periodSeconds
  return (end + terms.lateSeconds) * 1000 + 1
}

/** The EIP-712 digest that the agreement's signer signs. */
export function adjustmentDigest(input: {
  chainId: number
  clearingHouse: Hex
  adjustment: Adjustment
}): Hex {
  const { agreementId, period, amount, evidenceHead } = input.adjustment
  return hashTypedData({
    domain: clearingHouseDomain(input.chainId, input.clearingHouse),
    types: ADJUSTMENT_TYPES,
    primaryType: 'Adjustment',
    message: { agreementId, period, amount, evidenceHead },
  })
}

/** An adjustment as plain JSON. */
export function adjustmentToJson(adjustment: Adjustment): AdjustmentJson {
  const { agreementId, period, amount, evidenceHead } = adjustment
  return { agreementId, period, amount: amount.toString(), evidenceHead }
}

/** A signed adjustment as plain JSON. */
export function signedAdjustmentToJson(adjustment: SignedAdjustment): SignedAdjustmentJson {
  return {
    ...adjustmentToJson(adjustment),
    heads: adjustment.heads.map(({ stream, seq }) => ({ stream, seq: seq.toString() })),
    signature: adjustment.signature,
  }
}

/** Reads an adjustment strictly. */
export function parseAdjustment(
  json: unknown,
): { ok: true; adjustment: Adjustment } | AdjustmentRefusal {
  return refusing(() => readAdjustment(openFields('adjustment', json, ADJUSTMENT_FIELDS)))
}

/** Reads a signed adjustment strictly. The signature is not checked. */
export function parseSignedAdjustment(
  json: unknown,
): { ok: true; adjustment: SignedAdjustment } | AdjustmentRefusal {
  return refusing(() => {
    const fields = openFields('adjustment', json, [...ADJUSTMENT_FIELDS, 'heads', 'signature'])
    const signature = readBytes(fields, 'signature', MAX_QUORUM_SIGNATURE_BYTES)
    const heads = readArray(fields, 'heads', MAX_REGISTERS).map((head, index) =>
      readStreamHead(head, `adjustment.heads[${index}]`),
    )
    return { ...readAdjustment(fields), heads, signature }
  })
}

function refusing<Value>(read: () => Value): { ok: true; adjustment: Value } | AdjustmentRefusal {
  try {
    return { ok: true, adjustment: read() }
  } catch (error) {
    if (!(error instanceof FieldRefusal)) throw error
    const code = error.forbidden ? 'FIELD_FORBIDDEN' : 'ADJUSTMENT_INVALID'
    return { ok: false, code, message: error.message }
  }
}

function readAdjustment(fields: Fields): Adjustment {
  const adjustment = {
    agreementId: readHex(fields, 'agreementId', 32),
    period: readInteger(fields, 'period', 0, 2 ** 32 - 1),
    amount: readUnsigned(fields, 'amount', AMOUNT_BITS),
    evidenceHead: readHex(fields, 'evidenceHead', 32),
  }
  if (adjustment.amount === 0n) {
    throw new FieldRefusal(false, 'adjustment.amount must be above zero: it is upward only.')
  }
  return adjustment
}
