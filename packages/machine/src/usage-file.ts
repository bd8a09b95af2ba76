import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hex, LiquefyError, type Span } from '@liquefy/protocol'
import { writeDurably } from './durable-file.ts'

/** Somebody who ran the machine, and when. */
export interface UsageRun extends Span {
  user: Hex
}

/** What a machine knows of its calendar and of its use, kept in `usage.json`. Times in ms since 1970. */
export interface UsageRecord {
  /** What its node said last, as it came; null while it has heard nothing. */
  calendar: unknown
  heardMs: number
  /** Who runs it; `countedMs` is until when it is in the totals. */
  running: { rightId: string; user: Hex; sinceMs: number; countedMs: number } | null
  /** Since ever: time of use, of which beyond what was held, and slots to which nobody came. */
  useMs: number
  overrunMs: number
  noShows: number
  /** Of the last days, the newest last. */
  runs: UsageRun[]
}

const file = (folder: string) => join(folder, 'usage.json')

/** Undefined if there is none yet. @throws LiquefyError `USAGE_CORRUPT`: totals that begin anew would be billed twice. */
export function loadUsage(folder: string): UsageRecord | undefined {
  let text: string
  try {
    text = readFileSync(file(folder), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    return JSON.parse(text) as UsageRecord
  } catch (cause) {
    throw new LiquefyError(
      'USAGE_CORRUPT',
      `${file(folder)} is damaged. Put it right by the last readings of the streams use, overrun and no-show, or declare a replacement on them and remove it.`,
      { cause },
    )
  }
}

export function saveUsage(folder: string, record: UsageRecord): void {
  writeDurably(file(folder), `${JSON.stringify(record)}\n`)
}
