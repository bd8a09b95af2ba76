import type { CborMap, CborValue } from './cbor.ts'
import type { ReadDeclaration } from './declaration.ts'
import { BAD_TO, KEY, readMs, readText, readTo, refuse } from './declaration-fields.ts'

/**
 * What the machine's clock did between two moments, by the time that its readings have. Rules do not look at it: it is for whoever asks how good
 * that time is (docs/protocol/clock-and-parts.md).
 */
export type ClockDeclaration = {
  kind: 'clock'
  fromMs: number
  toMs: number
  reason: string
  /** Where the time of readings comes from after `toMs`: `steady` or `wall`, or another name. */
  source: string
  /** How far the wall clock was ahead of the time of readings; negative if behind. */
  offsetMs: number
  /** How far the time of readings may be off. */
  uncertaintyMs: number
}

const SOURCE = /^[a-z][a-z0-9-]{0,31}$/
const MAX_SOURCE_BYTES = 32

export function readClock(payload: CborMap, fromMs: number, reason: string): ReadDeclaration {
  const toMs = readTo(payload, fromMs)
  if (toMs === undefined) return refuse(BAD_TO)
  const source = readText(payload.get(KEY.source), MAX_SOURCE_BYTES)
  if (source === undefined || !SOURCE.test(source)) {
    return refuse('source must be 1 to 32 of a-z 0-9 - and begin with a letter')
  }
  const offsetMs = payload.get(KEY.offset)
  if (typeof offsetMs !== 'number') return refuse('offset must be whole milliseconds')
  const uncertaintyMs = readMs(payload.get(KEY.uncertainty))
  if (uncertaintyMs === undefined) {
    return refuse('uncertainty must be whole milliseconds, not negative')
  }
  if (payload.size !== 7) {
    return refuse('a clock has kind, from, to, reason, source, offset and uncertainty')
  }
  return {
    ok: true,
    declaration: { kind: 'clock', fromMs, toMs, reason, source, offsetMs, uncertaintyMs },
  }
}

/** The fields of a clock declaration beside its kind. */
export function clockFields(clock: ClockDeclaration): [CborValue, CborValue][] {
  return [
    [KEY.from, clock.fromMs],
    [KEY.to, clock.toMs],
    [KEY.reason, clock.reason],
    [KEY.source, clock.source],
    [KEY.offset, clock.offsetMs],
    [KEY.uncertainty, clock.uncertaintyMs],
  ]
}
