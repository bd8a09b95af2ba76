import type { CborMap, CborValue } from './cbor.ts'

/** Keys of a declaration's payload (docs/protocol/envelope.md). */
export const KEY = {
  kind: 1,
  from: 2,
  to: 3,
  reason: 4,
  missing: 5,
  oldPart: 6,
  newPart: 7,
  last: 8,
  first: 9,
  certificate: 10,
  source: 11,
  offset: 12,
  uncertainty: 13,
} as const

/** Milliseconds since 1970, or a length of time. */
export function readMs(field: CborValue | undefined): number | undefined {
  return typeof field === 'number' && field >= 0 ? field : undefined
}

/** The end of a span that begins at `fromMs`. */
export function readTo(payload: CborMap, fromMs: number): number | undefined {
  const toMs = readMs(payload.get(KEY.to))
  return toMs !== undefined && toMs >= fromMs ? toMs : undefined
}

/** Text of at most `mostBytes` bytes in UTF-8. */
export function readText(field: CborValue | undefined, mostBytes: number): string | undefined {
  if (typeof field !== 'string') return undefined
  return new TextEncoder().encode(field).length <= mostBytes ? field : undefined
}

export const BAD_TO = 'to must be milliseconds since 1970 and not before from'

export function refuse(message: string): { ok: false; message: string } {
  return { ok: false, message }
}
