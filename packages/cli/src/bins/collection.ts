import { parseDecimal, roundHalfEven } from '@liquefy/protocol'
import { londonTime } from '../london-time.ts'

/** One emptying of a bin, in the units that are billed. */
export interface Collection {
  collectionId: string
  siteId: string
  siteName: string
  collectedMs: number
  /** Percent, as the sensor gives it. */
  fillBefore: bigint
  fillAfter: bigint
  volumeMl: bigint
  massG: bigint
  /** Values of this row that were rounded half-even to their unit: `ROUNDED_TO_UNIT`. */
  rounded: number
}

/** Why a row is not billed. */
export type QuarantineCode =
  | 'ROW_MALFORMED'
  | 'FIELD_MISSING'
  | 'NUMBER_INVALID'
  | 'TIME_INVALID'
  | 'TIME_AMBIGUOUS'
  | 'DUPLICATE_ID'
  | 'FILL_OUT_OF_RANGE'
  | 'FILL_ROSE'
  | 'VOLUME_MISSING'
  | 'MASS_MISSING'
  | 'IMPLAUSIBLE'

/** What each code means, for people. */
export const QUARANTINE_WORDS: Readonly<Record<QuarantineCode, string>> = {
  ROW_MALFORMED: 'another number of fields than the heading',
  FIELD_MISSING: 'a field that is needed is empty',
  NUMBER_INVALID: 'a number cannot be read, or is negative',
  TIME_INVALID: 'the local time cannot be read, or never was',
  TIME_AMBIGUOUS: 'the local time came twice when the clocks went back',
  DUPLICATE_ID: 'the collection was in an earlier row already',
  FILL_OUT_OF_RANGE: 'a fill level beyond 0 to 100 %',
  FILL_ROSE: 'the bin was fuller after it was emptied',
  VOLUME_MISSING: 'the bin was emptied, but no volume was measured',
  MASS_MISSING: 'a volume was measured, but no mass',
  IMPLAUSIBLE: 'more than a bin can hold',
}

export type ReadRow = { ok: true; collection: Collection } | { ok: false; code: QuarantineCode }

/** Columns that a file must have. */
const NEEDED = [
  'collection_id',
  'site_id',
  'site_name',
  'collected_at_europe_london',
  'fill_before_pct',
  'fill_after_pct',
  'volume_litres',
  'weight_kg',
] as const

/** Columns of the import profile. */
export const COLUMNS = {
  needed: NEEDED,
  unused: ['address', 'content_type', 'frozen', 'partial', 'confidence'],
} as const

export type RowFields = Record<(typeof NEEDED)[number], string>

/** The most that one emptying can be: beyond it the meter rule would not believe the counter either. */
export const MOST = { volumeMl: 2_000_000n, massG: 500_000n } as const

/** Milli-units of what the file gives in litres and kilograms. */
const UNIT_DECIMALS = 3
const HUNDRED = 100n

/** Reads one row: exact integers of the units billed, or the code by which it is quarantined. */
export function readRow(fields: RowFields): ReadRow {
  const empty = NEEDED.some((column) => fields[column].trim() === '')
  if (empty) return { ok: false, code: 'FIELD_MISSING' }
  const volume = milli(fields.volume_litres)
  const mass = milli(fields.weight_kg)
  const fillBefore = whole(fields.fill_before_pct)
  const fillAfter = whole(fields.fill_after_pct)
  if (!volume || !mass || fillBefore === undefined || fillAfter === undefined) {
    return { ok: false, code: 'NUMBER_INVALID' }
  }
  const time = londonTime(fields.collected_at_europe_london)
  if (!time.ok) return time
  const collection: Collection = {
    collectionId: fields.collection_id,
    siteId: fields.site_id,
    siteName: fields.site_name,
    collectedMs: time.timeMs,
    fillBefore,
    fillAfter,
    volumeMl: volume.value,
    massG: mass.value,
    rounded: Number(volume.rounded) + Number(mass.rounded),
  }
  const code = judge(collection)
  return code ? { ok: false, code } : { ok: true, collection }
}

function judge(collection: Collection): QuarantineCode | undefined {
  const { fillBefore, fillAfter, volumeMl, massG } = collection
  if (fillBefore > HUNDRED || fillAfter > HUNDRED) return 'FILL_OUT_OF_RANGE'
  if (fillAfter > fillBefore) return 'FILL_ROSE'
  if (volumeMl === 0n && fillBefore > fillAfter) return 'VOLUME_MISSING'
  if (massG === 0n && volumeMl > 0n) return 'MASS_MISSING'
  return volumeMl > MOST.volumeMl || massG > MOST.massG ? 'IMPLAUSIBLE' : undefined
}

function milli(text: string): { value: bigint; rounded: boolean } | undefined {
  if (!/^\d{1,12}(\.\d{1,30})?$/.test(text)) return undefined
  return roundHalfEven(text, UNIT_DECIMALS)
}

function whole(text: string): bigint | undefined {
  if (!/^\d{1,12}(\.0+)?$/.test(text)) return undefined
  return parseDecimal(text.split('.')[0] ?? '', 0)
}
