import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { CliError } from './failure.ts'

/** A file's bytes. @throws CliError `FILE_UNREADABLE` */
export function readBytes(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new CliError('FILE_UNREADABLE', `${path} cannot be read. Name a file that is there.`, {
      cause,
    })
  }
}

/** A text file without the space around it. @throws CliError `FILE_UNREADABLE` */
export function readDocument(path: string): string {
  return Buffer.from(readBytes(path)).toString('utf8').trim()
}

/** @throws CliError `FILE_UNWRITABLE` */
export function writeDocument(path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content)
  } catch (cause) {
    throw new CliError('FILE_UNWRITABLE', `${path} cannot be written. Name another place.`, {
      cause,
    })
  }
}

/** Half a file must not bear the name of a whole one. */
export function writeWhole(path: string, content: string | Uint8Array): void {
  writeFileSync(`${path}.part`, content)
  renameSync(`${path}.part`, path)
}
