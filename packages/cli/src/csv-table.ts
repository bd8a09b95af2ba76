import { createReadStream } from 'node:fs'
import { parse } from 'csv-parse'
import { CliError } from './failure.ts'

/**
 * Reads a CSV file with a heading row by row: the fields by their column's name, or undefined for a row that has another number of fields
 * than the heading.
 *
 * @throws CliError `FILE_UNREADABLE`, `COLUMNS_MISSING`.
 */
export async function* readTable<Fields extends Record<string, string>>(
  path: string,
  columns: readonly (keyof Fields & string)[],
): AsyncGenerator<Fields | undefined> {
  const records = parse({ bom: true, relax_column_count: true, skip_empty_lines: true })
  createReadStream(path)
    .on('error', (error) => records.destroy(error))
    .pipe(records)
  let heading: string[] | undefined
  try {
    for await (const record of records as AsyncIterable<string[]>) {
      if (heading) yield fieldsOf<Fields>(heading, record)
      else heading = checkHeading(path, columns, record)
    }
  } catch (cause) {
    if (cause instanceof CliError) throw cause
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CliError('FILE_UNREADABLE', `${path} cannot be read as CSV: ${why}`, { cause })
  }
  if (!heading) throw new CliError('FILE_UNREADABLE', `${path} is empty.`)
}

function checkHeading(path: string, columns: readonly string[], record: string[]): string[] {
  const missing = columns.filter((column) => !record.includes(column))
  if (missing.length === 0) return record
  throw new CliError(
    'COLUMNS_MISSING',
    `${path} has no column ${missing.join(', ')}. Its first line must name the columns.`,
  )
}

function fieldsOf<Fields>(heading: string[], record: string[]): Fields | undefined {
  if (record.length !== heading.length) return undefined
  return Object.fromEntries(heading.map((name, index) => [name, record[index] ?? ''])) as Fields
}
