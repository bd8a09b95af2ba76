import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import { CliError } from './failure.ts'

/** The columns that an import profile knows: what a file must have, and what it may have besides, which nobody reads. */
export interface Columns<Needed extends string = string> {
  needed: readonly Needed[]
  unused: readonly string[]
}

/**
 * Reads a CSV file with a heading row by row: the fields by their column's name, or undefined for a row that has another number of fields
 * than the heading.
 *
 * @throws CliError `FILE_UNREADABLE`, `COLUMNS_MISSING`, `COLUMNS_UNKNOWN`.
 */
export async function* readTable<Needed extends string>(
  path: string,
  columns: Columns<Needed>,
): AsyncGenerator<Record<Needed, string> | undefined> {
  const records = parse({ bom: true, relax_column_count: true, skip_empty_lines: true })
  createReadStream(path)
    .on('error', (error) => records.destroy(error))
    .pipe(records)
  let heading: string[] | undefined
  try {
    for await (const record of records as AsyncIterable<string[]>) {
      if (heading) yield fieldsOf<Needed>(heading, record)
      else heading = checkHeading(path, columns, record)
    }
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CliError('FILE_UNREADABLE', `${path} cannot be read as CSV: ${why}`, { cause })
  }
  if (!heading) throw new CliError('FILE_UNREADABLE', `${path} is empty.`)
}

function checkHeading(path: string, { needed, unused }: Columns, record: string[]): string[] {
  const missing = needed.filter((column) => !record.includes(column))
  if (missing.length > 0) {
    throw new CliError(
      'COLUMNS_MISSING',
      `${path} has no column ${missing.join(', ')}. Its first line must name the columns.`,
    )
  }
  const known = new Set([...needed, ...unused])
  // Deleting what is found leaves a name that comes twice unknown the second time.
  const unknown = record.filter((column) => !known.delete(column))
  if (unknown.length === 0) return record
  throw new CliError(
    'COLUMNS_UNKNOWN',
    `${path} has a column "${unknown.join('", "')}" that the import profile does not know, or knows once only. Take it out if it says nothing of what is billed.`,
  )
}

function fieldsOf<Needed extends string>(
  heading: string[],
  record: string[],
): Record<Needed, string> | undefined {
  if (record.length !== heading.length) return undefined
  const fields = heading.map((name, index) => [name, record[index] ?? ''])
  return Object.fromEntries(fields) as Record<Needed, string>
}
