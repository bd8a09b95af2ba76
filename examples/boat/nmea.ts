/** What one sentence of NMEA 0183 says of a boat's way. */
type Sentence =
  /** GLL: where it is, ten-millionths of a degree, north and east positive; UTC within its day, s. */
  | { kind: 'position'; secondOfDay: number; latitudeE7: number; longitudeE7: number }
  /** GLL of a receiver that says itself that it does not know. */
  | { kind: 'no-position' }
  /** VTG: over ground, hundredths of a knot. */
  | { kind: 'speed'; centiknots: number }
  /** A whole sentence of another kind. */
  | { kind: 'other' }

/** Why a line counts for nothing. */
export type LineFault = 'LINE_TOO_LONG' | 'LINE_MALFORMED' | 'CHECKSUM_WRONG' | 'FIELD_MALFORMED'

type ReadSentence = { ok: true; sentence: Sentence } | { ok: false; code: LineFault }

/** NMEA 0183: from `$` to the end of the line. */
const MAX_LENGTH = 82
const SENTENCE = /^\$([A-Z]{2})([A-Z]{3}),([\x20-\x7e]*)\*([0-9A-F]{2})$/
const TIME = /^([01]\d|2[0-3])([0-5]\d)([0-5]\d)(?:\.0+)?$/
const LATITUDE = /^(\d{2})([0-5]\d)\.(\d{1,6})$/
const LONGITUDE = /^(\d{3})([0-5]\d)\.(\d{1,6})$/
const KNOTS = /^(\d{1,2})(?:\.(\d{1,2}))?$/

/** Reads one line, without its line end. What is there but cannot be understood is a fault, never a zero. */
export function readSentence(line: string): ReadSentence {
  if (line.length > MAX_LENGTH) return { ok: false, code: 'LINE_TOO_LONG' }
  const [, , type, text = '', stated] = SENTENCE.exec(line) ?? []
  if (type === undefined) return { ok: false, code: 'LINE_MALFORMED' }
  if (checksum(line.slice(1, -3)) !== stated) return { ok: false, code: 'CHECKSUM_WRONG' }
  const fields = text.split(',')
  const sentence =
    type === 'GLL' ? readPosition(fields) : type === 'VTG' ? readSpeed(fields) : OTHER
  return sentence ? { ok: true, sentence } : { ok: false, code: 'FIELD_MALFORMED' }
}

/** A line of these fields, the first with talker and kind: `GPGLL`. */
export function writeSentence(fields: readonly string[]): string {
  const text = fields.join(',')
  return `$${text}*${checksum(text)}`
}

const OTHER: Sentence = { kind: 'other' }

/** All between `$` and `*`, exclusive or: two hexadecimal digits. */
function checksum(text: string): string {
  let sum = 0
  for (let at = 0; at < text.length; at += 1) sum ^= text.charCodeAt(at)
  return sum.toString(16).toUpperCase().padStart(2, '0')
}

/** `llll.ll,N,yyyyy.yy,E,hhmmss,A[,mode]` */
function readPosition(fields: readonly string[]): Sentence | undefined {
  const [latitude = '', north, longitude = '', east, time = '', status] = fields
  if (status === 'V') return { kind: 'no-position' }
  const secondOfDay = secondsIn(time)
  const latitudeE7 = degreesE7(LATITUDE, latitude, sign(north, 'N', 'S'), 90)
  const longitudeE7 = degreesE7(LONGITUDE, longitude, sign(east, 'E', 'W'), 180)
  if (status !== 'A' || secondOfDay === undefined) return undefined
  if (latitudeE7 === undefined || longitudeE7 === undefined) return undefined
  return { kind: 'position', secondOfDay, latitudeE7, longitudeE7 }
}

/** `degrees,T,degrees,M,knots,N,...`: receivers at rest leave the degrees out. */
function readSpeed(fields: readonly string[]): Sentence | undefined {
  const [whole, fraction = ''] = KNOTS.exec(fields[4] ?? '')?.slice(1) ?? []
  if (whole === undefined || fields[5] !== 'N') return undefined
  return { kind: 'speed', centiknots: Number(whole) * 100 + Number(fraction.padEnd(2, '0')) }
}

function secondsIn(time: string): number | undefined {
  const [hours, minutes, seconds] = TIME.exec(time)?.slice(1).map(Number) ?? []
  if (hours === undefined || minutes === undefined || seconds === undefined) return undefined
  return (hours * 60 + minutes) * 60 + seconds
}

function sign(given: string | undefined, positive: string, negative: string): 1 | -1 | undefined {
  if (given === positive) return 1
  return given === negative ? -1 : undefined
}

/** Degrees and minutes to ten-millionths of a degree, half away from zero: a thousandth of a minute is 167 of them. */
function degreesE7(
  pattern: RegExp,
  text: string,
  direction: 1 | -1 | undefined,
  most: number,
): number | undefined {
  const [degrees, minutes, fraction] = pattern.exec(text)?.slice(1) ?? []
  if (degrees === undefined || minutes === undefined || fraction === undefined) return undefined
  if (direction === undefined) return undefined
  const millionthsOfMinutes = Number(minutes) * 1_000_000 + Number(fraction.padEnd(6, '0'))
  const value = Number(degrees) * 10_000_000 + Math.round(millionthsOfMinutes / 6)
  return value > most * 10_000_000 ? undefined : direction * value
}
