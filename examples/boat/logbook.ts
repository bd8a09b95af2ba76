import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { LiquefyError } from '@liquefy/protocol'
import { type LineFault, readSentence } from './nmea.ts'
import { simulatedLog } from './simulated-log.ts'

/** The boat at one moment, as its instruments said. */
export interface Fix {
  /** After the first fix, s. */
  second: number
  /** Ten-millionths of a degree, north and east positive. */
  latitudeE7: number
  longitudeE7: number
  /** Over ground, hundredths of a knot. */
  centiknots: number
}

/** Why a position of the log is not taken: the boat's speed or the time is not known with it. */
type FixFault = 'NO_POSITION' | 'SPEED_MISSING' | 'TIME_NOT_RISING'

/** One trip as a log has it. Every line is a fix, refused, or of no use here. */
export interface Logbook {
  /** Whether the log is a real boat's. */
  isReal: boolean
  lines: number
  /** Rising in time. */
  fixes: Fix[]
  refused: Partial<Record<LineFault | FixFault, number>>
}

/** A real boat's trip of four hours, where the shared data is at hand. */
export const LOG_PATH = join(
  process.env.LIQUEFY_SHARED ?? join(import.meta.dirname, '../../../shared'),
  'data/boat/plaka.log',
)

const MAX_BYTES = 64 * 1024 * 1024
const SEED = 40

/** The log at `path`; a simulated one if there is none. @throws LiquefyError `LOG_UNREADABLE` if it is no log of a trip. */
export function openLogbook(path: string): Logbook {
  if (!existsSync(path)) return { isReal: false, ...readLog(simulatedLog(SEED)) }
  if (statSync(path).size > MAX_BYTES) {
    throw new LiquefyError(
      'LOG_UNREADABLE',
      `${path} is larger than ${MAX_BYTES} bytes: give one trip.`,
    )
  }
  const log = readLog(readFileSync(path, 'latin1'))
  if (log.fixes.length > 1) return { isReal: true, ...log }
  throw new LiquefyError(
    'LOG_UNREADABLE',
    `${path} has ${log.lines} lines and not two positions with a speed: give a log of NMEA 0183 with GLL and VTG.`,
  )
}

/**
 * Reads a log of one day: a position (GLL) is a fix with the speed (VTG) that came since the position before it.
 * What cannot be used is counted by its reason.
 */
export function readLog(text: string): Omit<Logbook, 'isReal'> {
  const lines = text.split(/\r?\n/).filter((line) => line !== '')
  const fixes: Fix[] = []
  const refused: Logbook['refused'] = {}
  const refuse = (code: LineFault | FixFault) => {
    refused[code] = (refused[code] ?? 0) + 1
  }
  let centiknots: number | undefined
  let firstSecond: number | undefined
  for (const line of lines) {
    const read = readSentence(line)
    if (!read.ok) {
      refuse(read.code)
      continue
    }
    const { sentence } = read
    if (sentence.kind === 'no-position') refuse('NO_POSITION')
    if (sentence.kind === 'speed') centiknots = sentence.centiknots
    if (sentence.kind !== 'position') continue
    const { secondOfDay, latitudeE7, longitudeE7 } = sentence
    firstSecond ??= secondOfDay
    const second = secondOfDay - firstSecond
    if (centiknots === undefined) refuse('SPEED_MISSING')
    else if (second <= (fixes.at(-1)?.second ?? -1)) refuse('TIME_NOT_RISING')
    else fixes.push({ second, latitudeE7, longitudeE7, centiknots })
    centiknots = undefined
  }
  return { lines: lines.length, fixes, refused }
}
