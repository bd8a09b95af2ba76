import type { Hex } from 'viem'
import { parseUnsigned } from '../units/unsigned.ts'
import { decodeEnvelope } from './envelope.ts'
import {
  decodeReceipt,
  encodeSignedRoot,
  type LogIdentity,
  type SignedRoot,
  verifyInclusionReceipt,
  verifySignedRoot,
} from './receipt.ts'
import { splitStatement } from './statement.ts'
import { verifyCheckpoint } from './typed-data.ts'

/** A root for a size that the log's own key has signed: a checkpoint (EIP-712), or the root of receipts (COSE). */
export type LogStatement = { size: bigint; root: Hex } & (
  | { form: 'checkpoint'; timestamp: number; signature: Hex }
  | { form: 'cose'; signed: Uint8Array }
)

/** The outcome of reading one. */
export type ReadLogStatement =
  | { ok: true; stated: LogStatement }
  | { ok: false; code: string; message: string }

const HASH = /^0x[0-9a-fA-F]{64}$/
const SIGNATURE = /^0x[0-9a-fA-F]{130}$/
const MAX_SIZE = 2n ** 63n - 1n

/** Reads and verifies a checkpoint (EIP-712): `{ size, root, timestamp, signature }`. Never throws. */
export function readCheckpoint(body: unknown, log: LogIdentity): ReadLogStatement {
  const { size, root, timestamp, signature } = (body ?? {}) as Record<string, unknown>
  const leaves = typeof size === 'string' ? parseUnsigned(size) : undefined
  if (
    leaves === undefined ||
    leaves > MAX_SIZE ||
    typeof root !== 'string' ||
    !HASH.test(root) ||
    !Number.isSafeInteger(timestamp) ||
    Number(timestamp) < 0 ||
    typeof signature !== 'string' ||
    !SIGNATURE.test(signature)
  ) {
    const message =
      'A checkpoint is {size, root, timestamp, signature}, as GET /v1/log/head answers it.'
    return { ok: false, code: 'CHECKPOINT_MALFORMED', message }
  }
  const stated: LogStatement = {
    form: 'checkpoint',
    size: leaves,
    root: root.toLowerCase() as Hex,
    timestamp: Number(timestamp),
    signature: signature.toLowerCase() as Hex,
  }
  const { chainId, anchor } = log
  if (!verifyCheckpoint({ ...stated, chainId, anchor }, stated.signature, log.log)) {
    const message = 'This log did not sign that checkpoint: it proves nothing against it.'
    return { ok: false, code: 'CHECKPOINT_SIGNATURE_INVALID', message }
  }
  return { ok: true, stated }
}

/** Reads and verifies a transparent statement, or a receipt that has its root attached. Never throws. */
export function readSignedStatement(bytes: Uint8Array, log: LogIdentity): ReadLogStatement {
  const split = splitStatement(bytes)
  if (split.ok) return readStatement(split, log)
  const decoded = decodeReceipt(bytes)
  if (!decoded.ok) return decoded
  const verified = verifySignedRoot(decoded.receipt, log)
  return verified.ok ? { ok: true, stated: statedBy(verified.signed) } : verified
}

function readStatement(
  { envelope, receipts }: { envelope: Uint8Array; receipts: readonly Uint8Array[] },
  log: LogIdentity,
): ReadLogStatement {
  const decoded = decodeEnvelope(envelope)
  if (!decoded.ok) return decoded
  const { digest } = decoded.envelope
  let refusal: ReadLogStatement = {
    ok: false,
    code: 'RECEIPT_OF_ANOTHER_LOG',
    message: 'No receipt of the statement is of this log.',
  }
  for (const bytes of receipts) {
    const receipt = decodeReceipt(bytes)
    const verified = receipt.ok ? verifyInclusionReceipt(receipt.receipt, { digest, log }) : receipt
    if (verified.ok) return { ok: true, stated: statedBy(verified.signed) }
    refusal = verified
  }
  return refusal
}

function statedBy(signed: SignedRoot): LogStatement {
  const { size, root } = signed
  return { form: 'cose', size, root, signed: encodeSignedRoot(signed) }
}
