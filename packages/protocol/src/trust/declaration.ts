import { MAX_CERTIFICATE_BYTES } from './calibration-certificate.ts'
import type { CborMap, CborValue } from './cbor.ts'

/**
 * What happened instead of what was measured. `gap`: off from a to b; `missing`: these `seq` will never come.
 * `replacement`: the next reading comes from another sensor, `newPart` if that is said. `excuse`: what is measured from a to b is not to be held
 * against anybody, as far as the rule allows. `calibration`: a laboratory's certificate, as it was issued. Times in milliseconds since 1970.
 */
export type Declaration =
  | { kind: 'gap'; fromMs: number; toMs: number; reason: string; missing?: [bigint, bigint] }
  | { kind: 'replacement'; atMs: number; reason: string; newPart?: string }
  | { kind: 'excuse'; fromMs: number; toMs: number; reason: string }
  | { kind: 'calibration'; certificate: Uint8Array }

/** The outcome of reading a declaration. */
export type ReadDeclaration =
  | { ok: true; declaration: Declaration }
  | { ok: false; message: string }

const KEY = { kind: 1, from: 2, to: 3, reason: 4, missing: 5, newPart: 7, certificate: 10 } as const
const KIND = { gap: 1, replacement: 2, excuse: 3, calibration: 4 } as const
const BAD_TO = 'to must be milliseconds since 1970 and not before from'
const MAX_REASON_BYTES = 256
const MAX_PART_BYTES = 128
const MAX_SEQ = 2n ** 64n - 1n

/** Reads a declaration's payload: exactly the keys of its kind. */
export function readDeclaration(payload: CborValue): ReadDeclaration {
  if (!(payload instanceof Map)) return refuse('a declaration is a map')
  if (payload.get(KEY.kind) === KIND.calibration) return readCalibration(payload)
  const reason = payload.get(KEY.reason)
  if (typeof reason !== 'string' || utf8Length(reason) > MAX_REASON_BYTES) {
    return refuse(`reason must be text of at most ${MAX_REASON_BYTES} bytes`)
  }
  const fromMs = readMs(payload.get(KEY.from))
  if (fromMs === undefined) return refuse('from must be milliseconds since 1970')
  switch (payload.get(KEY.kind)) {
    case KIND.gap:
      return readGap(payload, fromMs, reason)
    case KIND.replacement:
      return readReplacement(payload, fromMs, reason)
    case KIND.excuse:
      return readExcuse(payload, fromMs, reason)
    default:
      return refuse('kind must be 1 (gap), 2 (replacement), 3 (excuse) or 4 (calibration)')
  }
}

/** The payload of a declaration. */
export function buildDeclaration(declaration: Declaration): CborValue {
  if (declaration.kind === 'calibration') {
    return new Map<CborValue, CborValue>([
      [KEY.kind, KIND.calibration],
      [KEY.certificate, declaration.certificate],
    ])
  }
  if (declaration.kind === 'replacement') {
    const { atMs, reason, newPart } = declaration
    const map: CborMap = new Map<CborValue, CborValue>([
      [KEY.kind, KIND.replacement],
      [KEY.from, atMs],
      [KEY.reason, reason],
    ])
    if (newPart !== undefined) map.set(KEY.newPart, newPart)
    return map
  }
  const map: CborMap = new Map<CborValue, CborValue>([
    [KEY.kind, KIND[declaration.kind]],
    [KEY.from, declaration.fromMs],
    [KEY.to, declaration.toMs],
    [KEY.reason, declaration.reason],
  ])
  if (declaration.kind === 'gap' && declaration.missing)
    map.set(KEY.missing, [...declaration.missing])
  return map
}

function readReplacement(payload: CborMap, atMs: number, reason: string): ReadDeclaration {
  const newPart = payload.get(KEY.newPart)
  if (payload.size !== (newPart === undefined ? 3 : 4)) {
    return refuse('a replacement has kind, from, reason and perhaps the new part')
  }
  if (newPart === undefined) {
    return { ok: true, declaration: { kind: 'replacement', atMs, reason } }
  }
  if (typeof newPart !== 'string' || newPart === '' || utf8Length(newPart) > MAX_PART_BYTES) {
    return refuse(`a part is text of 1 to ${MAX_PART_BYTES} bytes`)
  }
  return { ok: true, declaration: { kind: 'replacement', atMs, reason, newPart } }
}

/** What the certificate says is the rule's business, and whether it says anything at all. */
function readCalibration(payload: CborMap): ReadDeclaration {
  const certificate = payload.get(KEY.certificate)
  if (payload.size !== 2 || !(certificate instanceof Uint8Array)) {
    return refuse('a calibration has kind and certificate')
  }
  if (certificate.length > MAX_CERTIFICATE_BYTES) {
    return refuse(`a certificate has at most ${MAX_CERTIFICATE_BYTES} bytes`)
  }
  return { ok: true, declaration: { kind: 'calibration', certificate } }
}

function readExcuse(payload: CborMap, fromMs: number, reason: string): ReadDeclaration {
  const toMs = readTo(payload, fromMs)
  if (toMs === undefined) return refuse(BAD_TO)
  if (payload.size !== 4) return refuse('an excuse has kind, from, to and reason')
  return { ok: true, declaration: { kind: 'excuse', fromMs, toMs, reason } }
}

function readGap(payload: CborMap, fromMs: number, reason: string): ReadDeclaration {
  const toMs = readTo(payload, fromMs)
  if (toMs === undefined) return refuse(BAD_TO)
  const missing = payload.get(KEY.missing)
  if (payload.size !== (missing === undefined ? 4 : 5)) {
    return refuse('a gap has kind, from, to, reason and perhaps missing')
  }
  if (missing === undefined) {
    return { ok: true, declaration: { kind: 'gap', fromMs, toMs, reason } }
  }
  const range = readRange(missing)
  if (!range) return refuse('missing must be [firstSeq, lastSeq] with 1 <= firstSeq <= lastSeq')
  return { ok: true, declaration: { kind: 'gap', fromMs, toMs, reason, missing: range } }
}

function readRange(field: CborValue): [bigint, bigint] | undefined {
  if (!Array.isArray(field) || field.length !== 2) return undefined
  const [first, last] = field.map(readSeq)
  return first !== undefined && last !== undefined && first <= last ? [first, last] : undefined
}

/** A `seq`: unsigned, from 1, below 2^64. */
export function readSeq(field: CborValue | undefined): bigint | undefined {
  if (typeof field !== 'number' && typeof field !== 'bigint') return undefined
  const seq = BigInt(field)
  return seq >= 1n && seq <= MAX_SEQ ? seq : undefined
}

function readTo(payload: CborMap, fromMs: number): number | undefined {
  const toMs = readMs(payload.get(KEY.to))
  return toMs !== undefined && toMs >= fromMs ? toMs : undefined
}

function readMs(field: CborValue | undefined): number | undefined {
  return typeof field === 'number' && field >= 0 ? field : undefined
}

function utf8Length(text: string): number {
  return new TextEncoder().encode(text).length
}

function refuse(message: string): { ok: false; message: string } {
  return { ok: false, message }
}
