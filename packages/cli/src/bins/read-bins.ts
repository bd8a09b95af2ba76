import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import { CliError } from '../failure.ts'
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

/** Reads a file of bin collections. @throws CliError `FILE_UNREADABLE`, `COLUMNS_MISSING`. */
export async function readBins(path: string): Promise<BinFile> {
  const records = parse({ bom: true, relax_column_count: true, skip_empty_lines: true })
  createReadStream(path)
    .on('error', (error) => records.destroy(error))
    .pipe(records)
  const file: BinFile = { rows: 0, collections: [], quarantined: {}, roundedToUnit: 0 }
  const seen = new Set<string>()
  let heading: string[] | undefined
  try {
    for await (const record of records as AsyncIterable<string[]>) {
      if (!heading) {
        heading = checkHeading(path, record)
        continue
      }
      file.rows += 1
      const code = take(file, seen, heading, record)
      if (code) file.quarantined[code] = (file.quarantined[code] ?? 0) + 1
    }
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CliError('FILE_UNREADABLE', `${path} cannot be read as CSV: ${why}`, { cause })
  }
  if (!heading) throw new CliError('FILE_UNREADABLE', `${path} is empty.`)
  file.collections.sort(
    (a, b) => a.collectedMs - b.collectedMs || (a.collectionId < b.collectionId ? -1 : 1),
  )
  return file
}

function checkHeading(path: string, record: string[]): string[] {
  const missing = COLUMNS.filter((column) => !record.includes(column))
  if (missing.length === 0) return record
  throw new CliError(
    'COLUMNS_MISSING',
    `${path} has no column ${missing.join(', ')}. Its first line must name the columns.`,
  )
}

/** Takes a row in, or says why not. */
function take(
  file: BinFile,
  seen: Set<string>,
  heading: string[],
  record: string[],
): QuarantineCode | undefined {
  if (record.length !== heading.length) return 'ROW_MALFORMED'
  const fields = Object.fromEntries(
    heading.map((name, index) => [name, record[index] ?? '']),
  ) as RowFields
  const read = readRow(fields)
  if (!read.ok) return read.code
  if (seen.has(read.collection.collectionId)) return 'DUPLICATE_ID'
  seen.add(read.collection.collectionId)
  file.collections.push(read.collection)
  file.roundedToUnit += read.collection.rounded
  return undefined
}
