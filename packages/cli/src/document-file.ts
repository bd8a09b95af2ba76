import { readFileSync, writeFileSync } from 'node:fs'
import { CliError } from './failure.ts'

/** A text file without the space around it. @throws CliError `FILE_UNREADABLE` */
export function readDocument(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw new CliError('FILE_UNREADABLE', `${path} cannot be read.`, { cause })
  }
}

/** Writes a text of one line. @throws CliError `FILE_UNWRITABLE` */
export function writeDocument(path: string, line: string): void {
  try {
    writeFileSync(path, `${line}\n`)
  } catch (cause) {
    throw new CliError('FILE_UNWRITABLE', `${path} cannot be written to.`, { cause })
  }
}
