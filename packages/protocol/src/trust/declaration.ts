import { MAX_CERTIFICATE_BYTES } from './calibration-certificate.ts'
import type { CborMap, CborValue } from './cbor.ts'
import { type ClockDeclaration, clockFields, readClock } from './clock-declaration.ts'
import { BAD_TO, KEY, readMs, readText, readTo, refuse } from './declaration-fields.ts'
import { type Replacement, readReplacement, replacementFields } from './replacement.ts'

/**
 * What happened instead of what was measured. `gap`: off from a to b; `missing`: these `seq` will never come.
 * `replacement`: a sensor gave way to another. `excuse`: what is measured from a to b is not to be held
 * against anybody, as far as the rule allows. `calibration`: a laboratory's certificate, as it was issued. `clock`: what the machine's clock did.
 * Times in milliseconds since 1970.
 */
export type Declaration =
  | { kind: 'gap'; fromMs: number; toMs: number; reason: string; missing?: [bigint, bigint] }
  | Replacement
  | { kind: 'excuse'; fromMs: number; toMs: number; reason: string }
  | { kind: 'calibration'; certificate: Uint8Array }
  | ClockDeclaration

/** The outcome of reading a declaration. */
export type ReadDeclaration =
  | { ok: true; declaration: Declaration }
  | { ok: false; message: string }

const KIND = { gap: 1, replacement: 2, excuse: 3, calibration: 4, clock: 5 } as const
const MAX_REASON_BYTES = 256
const MAX_SEQ = 2n ** 64n - 1n

/** Reads a declaration's payload: exactly the keys of its kind. */
export function readDeclaration(payload: CborValue): ReadDeclaration {
  if (!(payload instanceof Map)) return refuse('a declaration is a map')
  if (payload.get(KEY.kind) === KIND.calibration) return readCalibration(payload)
  const reason = readText(payload.get(KEY.reason), MAX_REASON_BYTES)
  if (reason === undefined) {
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
    case KIND.clock:
      return readClock(payload, fromMs, reason)
    default:
      return refuse(
        'kind must be 1 (gap), 2 (replacement), 3 (excuse), 4 (calibration) or 5 (clock)',
      )
  }
}

/** The payload of a declaration. */
export function buildDeclaration(declaration: Declaration): CborValue {
  return new Map<CborValue, CborValue>([
    [KEY.kind, KIND[declaration.kind]],
    ...fieldsOf(declaration),
  ])
}

function fieldsOf(declaration: Declaration): [CborValue, CborValue][] {
  switch (declaration.kind) {
    case 'replacement':
      return replacementFields(declaration)
    case 'clock':
      return clockFields(declaration)
    case 'gap':
      return declaration.missing
        ? [...spanFields(declaration), [KEY.missing, [...declaration.missing]]]
        : spanFields(declaration)
    case 'excuse':
      return spanFields(declaration)
    case 'calibration':
      return [[KEY.certificate, declaration.certificate]]
  }
}

function spanFields({
  fromMs,
  toMs,
  reason,
}: {
  fromMs: number
  toMs: number
  reason: string
}): [CborValue, CborValue][] {
  return [
    [KEY.from, fromMs],
    [KEY.to, toMs],
    [KEY.reason, reason],
  ]
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
