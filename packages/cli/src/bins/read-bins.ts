import { readTable } from '../csv-table.ts'
import {
  COLUMNS,
  type Collection,
  type QuarantineCode,
  type RowFields,
  readRow,
} from './collection.ts'

/** Every row of a file is in exactly one of `collections` and `quarantined`. */
export interface BinFile {
  rows: number
  /** In order of time. */
  collections: Collection[]
  quarantined: Partial<Record<QuarantineCode, number>>
  /** Values that were rounded half-even to their unit. */
  roundedToUnit: number
}

/** Reads a file of bin collections. @throws CliError `FILE_UNREADABLE`, `COLUMNS_MISSING`, `COLUMNS_UNKNOWN`. */
export async function readBins(path: string): Promise<BinFile> {
  const file: BinFile = { rows: 0, collections: [], quarantined: {}, roundedToUnit: 0 }
  const seen = new Set<string>()
  for await (const fields of readTable(path, COLUMNS)) {
    file.rows += 1
    const code = take(file, seen, fields)
    if (code) file.quarantined[code] = (file.quarantined[code] ?? 0) + 1
  }
  file.collections.sort(
    (a, b) => a.collectedMs - b.collectedMs || (a.collectionId < b.collectionId ? -1 : 1),
  )
  return file
}

/** Takes a row in, or says why not. */
function take(
  file: BinFile,
  seen: Set<string>,
  fields: RowFields | undefined,
): QuarantineCode | undefined {
  if (!fields) return 'ROW_MALFORMED'
  const read = readRow(fields)
  if (!read.ok) return read.code
  if (seen.has(read.collection.collectionId)) return 'DUPLICATE_ID'
  seen.add(read.collection.collectionId)
  file.collections.push(read.collection)
  file.roundedToUnit += read.collection.rounded
  return undefined
}
