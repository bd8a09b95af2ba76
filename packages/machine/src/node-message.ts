import type { Hex } from '@liquefy/protocol'
import type { LogReceipt } from './segment.ts'

const DIGEST = /^0x[0-9a-f]{64}$/
const CODE = /^[A-Z_]{1,64}$/
/** The registry takes no longer one. */
const MAX_REASON_LETTERS = 256

/** JSON from the wire; undefined if it is none. */
export function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(payload))
  } catch {
    return undefined
  }
}

/** What the node says of one envelope that it has logged; `reason`: of a suspension, in its owner's words. */
export interface ReceiptEntry {
  digest: Hex
  receipt: LogReceipt
  reason: string | undefined
}

/** The entries of a receipt (docs/protocol/transport.md) that can be read. */
export function readReceipts(json: unknown): ReceiptEntry[] {
  const { entries } = (json ?? {}) as { entries?: unknown }
  if (!Array.isArray(entries)) return []
  return entries.flatMap((entry) => {
    const { digest, loggedAt, code, reason } = (entry ?? {}) as Record<string, unknown>
    if (!isDigest(digest) || typeof code !== 'string' || !CODE.test(code)) return []
    if (typeof loggedAt !== 'number' || !Number.isSafeInteger(loggedAt) || loggedAt < 0) return []
    const words = typeof reason === 'string' ? reason.slice(0, MAX_REASON_LETTERS) : undefined
    return [{ digest, receipt: { loggedAt, code }, reason: words }]
  })
}

/** A span of a stream that a revocation has cut off, both ends included. */
export interface CutSpan {
  stream: string
  first: bigint
  last: bigint
}

/** Of the answer to a meter value, what a revocation has cut off. */
export function readCutSpans(json: unknown): CutSpan[] {
  const { beyondCut } = (json ?? {}) as { beyondCut?: unknown }
  if (!Array.isArray(beyondCut)) return []
  return beyondCut.flatMap((span) => {
    const { stream, first, last } = (span ?? {}) as Record<string, unknown>
    if (typeof stream !== 'string' || !isSeq(first) || !isSeq(last)) return []
    return [{ stream, first: BigInt(first), last: BigInt(last) }]
  })
}

const isSeq = (value: unknown): value is string =>
  typeof value === 'string' && /^\d{1,19}$/.test(value)

/** A `refused` message, with what of it can be read. */
export function readRefusal(json: unknown): { code: string; message: string; digest?: Hex } {
  const { code, message, digest } = (json ?? {}) as Record<string, unknown>
  return {
    code: typeof code === 'string' ? code : 'UNKNOWN',
    message: typeof message === 'string' ? message : '',
    ...(isDigest(digest) ? { digest } : {}),
  }
}

function isDigest(value: unknown): value is Hex {
  return typeof value === 'string' && DIGEST.test(value)
}
