import { type CborMap, type CborValue, encode } from './cbor.ts'
import { decodeSign1, encodeSign1, MAX_ENVELOPE_BYTES } from './cose.ts'
import { MAX_RECEIPT_BYTES } from './receipt.ts'

/** What a transparent statement consists of; nothing of it is judged. */
export type SplitStatement =
  | { ok: true; envelope: Uint8Array; receipts: Uint8Array[] }
  | { ok: false; code: 'STATEMENT_MALFORMED'; message: string }

const RECEIPTS = 394
const MAX_RECEIPTS = 4

/** Size of the largest transparent statement, in bytes. */
export const MAX_STATEMENT_BYTES = MAX_ENVELOPE_BYTES + MAX_RECEIPTS * MAX_RECEIPT_BYTES + 64

/**
 * A transparent statement (RFC 9943): the envelope with receipts in its unprotected header, under label 394.
 *
 * @throws RangeError if the bytes are no `COSE_Sign1` with its payload.
 */
export function encodeStatement(envelope: Uint8Array, receipts: readonly Uint8Array[]): Uint8Array {
  const decoded = decodeSign1(envelope)
  if (!decoded.ok || decoded.sign1.payload === null) {
    throw new RangeError('Give an envelope as it was logged.')
  }
  const { protectedBytes, payload, signature } = decoded.sign1
  const header: CborMap = new Map<CborValue, CborValue>([[RECEIPTS, [...receipts]]])
  return encodeSign1(protectedBytes, payload, signature, encode(header))
}

/** Takes a transparent statement apart: the envelope as it was logged, byte for byte, and its receipts. Never throws. */
export function splitStatement(bytes: Uint8Array): SplitStatement {
  const decoded = decodeSign1(bytes, MAX_STATEMENT_BYTES)
  if (!decoded.ok) return malformed(decoded.message)
  const { tagged, protectedBytes, unprotectedHeader, payload, signature } = decoded.sign1
  if (!tagged) return malformed('a statement carries tag 18')
  if (payload === null) return malformed('the payload must be attached')
  const receipts = unprotectedHeader.get(RECEIPTS)
  if (unprotectedHeader.size !== 1 || !Array.isArray(receipts)) {
    return malformed('the unprotected header must hold receipts (394) alone')
  }
  const isBytes = (one: CborValue): one is Uint8Array => one instanceof Uint8Array
  if (receipts.length === 0 || receipts.length > MAX_RECEIPTS || !receipts.every(isBytes)) {
    return malformed(`there must be 1 to ${MAX_RECEIPTS} receipts, each in a byte string`)
  }
  return { ok: true, envelope: encodeSign1(protectedBytes, payload, signature), receipts }
}

function malformed(message: string): SplitStatement {
  return { ok: false, code: 'STATEMENT_MALFORMED', message }
}
