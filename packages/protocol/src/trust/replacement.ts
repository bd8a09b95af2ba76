import type { CborMap, CborValue } from './cbor.ts'
import type { ReadDeclaration } from './declaration.ts'
import { KEY, readText, refuse } from './declaration-fields.ts'
import { type DecimalFraction, encodeDecimal, readDecimal } from './senml.ts'

/**
 * A sensor gave way to another at a moment. `oldPart` and `newPart` say which ones: a DID or a serial number. With a `handover` the bill goes on
 * without a break (docs/protocol/clock-and-parts.md); without one the next reading is a new baseline.
 */
export type Replacement = {
  kind: 'replacement'
  atMs: number
  reason: string
  oldPart?: string
  newPart?: string
  handover?: Handover
}

/** What both parts showed at the moment of replacement, in the stream's unit. */
export type Handover = {
  /** The last reading of the old part. */
  last: DecimalFraction
  /** The first reading of the new part. */
  first: DecimalFraction
}

const MAX_PART_BYTES = 128
const BAD_PART = `a part is text of 1 to ${MAX_PART_BYTES} bytes without control characters`
const BAD_HANDOVER = 'last and first are integers or decimal fractions, and come together'

/** U+0000 to U+001F and U+007F to U+009F: no list of them depends on a version of Unicode. */
function hasControl(text: string): boolean {
  return Array.from(text, (character) => character.charCodeAt(0)).some(
    (code) => code < 0x20 || (code >= 0x7f && code < 0xa0),
  )
}

/** What a replacement says beside its moment and its reason. */
export function readReplacement(payload: CborMap, atMs: number, reason: string): ReadDeclaration {
  const replacement: Replacement = { kind: 'replacement', atMs, reason }
  let fields = 3
  for (const part of ['oldPart', 'newPart'] as const) {
    const field = payload.get(KEY[part])
    if (field === undefined) continue
    const text = readText(field, MAX_PART_BYTES)
    if (!text || hasControl(text)) return refuse(BAD_PART)
    replacement[part] = text
    fields += 1
  }
  if (payload.has(KEY.last) || payload.has(KEY.first)) {
    const [last, first] = [readDecimal(payload.get(KEY.last)), readDecimal(payload.get(KEY.first))]
    if (!last || !first) return refuse(BAD_HANDOVER)
    replacement.handover = { last, first }
    fields += 2
  }
  if (payload.size !== fields) {
    return refuse('a replacement has kind, from and reason, and perhaps old, new, last and first')
  }
  return { ok: true, declaration: replacement }
}

/** The fields of a replacement beside its kind. */
export function replacementFields({
  atMs,
  reason,
  oldPart,
  newPart,
  handover,
}: Replacement): [CborValue, CborValue][] {
  return [
    [KEY.from, atMs],
    [KEY.reason, reason],
    ...(oldPart === undefined ? [] : [[KEY.oldPart, oldPart] as [CborValue, CborValue]]),
    ...(newPart === undefined ? [] : [[KEY.newPart, newPart] as [CborValue, CborValue]]),
    ...(handover
      ? ([
          [KEY.last, encodeDecimal(handover.last)],
          [KEY.first, encodeDecimal(handover.first)],
        ] as [CborValue, CborValue][])
      : []),
  ]
}
