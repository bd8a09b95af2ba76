import { Tagged } from 'cborg'
import { CborFloat, type CborMap, type CborValue } from './cbor.ts'

/** `mantissa x 10^exponent`, exactly. An integer has exponent 0. */
export type DecimalFraction = { mantissa: bigint; exponent: number }

/** The value of a reading. `none`: the record carries a sum only. */
export type SenmlValue =
  | { kind: 'decimal'; mantissa: bigint; exponent: number }
  | { kind: 'float'; value: number }
  | { kind: 'string'; value: string }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'none' }

/** One resolved SenML record: base fields applied, time in milliseconds since 1970. */
export type Reading = { name: string; unit: string | undefined; timeMs: number; value: SenmlValue }

/** A reading as given for encoding. `name` defaults to the stream's; a `number` is encoded as a float, for unbilled streams. */
export type ReadingInput = {
  name?: string
  unit?: string | undefined
  timeMs: number
  value: bigint | DecimalFraction | number | string | boolean
}

/** The outcome of resolving a pack. */
export type ResolvedPack = { ok: true; readings: Reading[] } | { ok: false; message: string }

/** Most records of one pack. */
export const MAX_RECORDS = 4_096

/** The tag of a decimal fraction (RFC 8949, section 3.4.4). */
export const TAG_DECIMAL_FRACTION = 4

// Labels of RFC 8428, table 6.
const LABEL = {
  baseVersion: -1,
  baseName: -2,
  baseTime: -3,
  baseUnit: -4,
  baseValue: -5,
  baseSum: -6,
  name: 0,
  unit: 1,
  value: 2,
  stringValue: 3,
  booleanValue: 4,
  sum: 5,
  time: 6,
  updateTime: 7,
  dataValue: 8,
} as const

const NAME = /^[A-Za-z0-9][A-Za-z0-9:./_-]*$/
// A long base name times 4,096 records would make work grow with the square of the size.
const MAX_NAME_LENGTH = 256
const MAX_UNIT_LENGTH = 64
const MAX_EXPONENT = 18
const SENML_VERSION = 10
const EARLIEST_MS = 2 ** 28 * 1_000

type NumberValue = Extract<SenmlValue, { kind: 'decimal' | 'float' }>

type Base = {
  version: number | undefined
  name: string
  /** The last name resolved, and what it was resolved from: most records of a pack share one. */
  resolved: { base: string; own: string; name: string } | undefined
  timeMs: number
  unit: string | undefined
  value: NumberValue | undefined
}

class PackError extends Error {}

/**
 * Resolves a SenML pack in CBOR (RFC 8428, section 4.6): 1 to 4,096 records, of which those with base fields only give
 * no reading. Refused, always with a message: times that are relative, floats, or finer than a millisecond; names outside
 * RFC 8428's characters or longer than 256; data values; more than one value; exponents beyond 18.
 */
export function resolvePack(pack: CborValue): ResolvedPack {
  if (!Array.isArray(pack)) return { ok: false, message: 'a SenML pack is an array' }
  if (pack.length === 0 || pack.length > MAX_RECORDS) {
    return { ok: false, message: `a pack has 1 to ${MAX_RECORDS} records, not ${pack.length}` }
  }
  const base: Base = {
    version: undefined,
    name: '',
    resolved: undefined,
    timeMs: 0,
    unit: undefined,
    value: undefined,
  }
  const readings: Reading[] = []
  const readRecord = recordReader(base)
  try {
    for (const record of pack) {
      if (!(record instanceof Map)) throw new PackError('a SenML record is a map')
      const reading = readRecord(record)
      if (reading) readings.push(reading)
    }
  } catch (error) {
    if (error instanceof PackError) return { ok: false, message: error.message }
    throw error
  }
  if (readings.length === 0) return { ok: false, message: 'the pack holds no reading' }
  return { ok: true, readings }
}

/** The pack of these readings, in order: integer seconds where they are whole, else decimal fractions down to -3. */
export function buildPack(stream: string, readings: readonly ReadingInput[]): CborValue {
  const names = readings.map((reading) => reading.name ?? stream)
  const first = readings[0]
  const sharedName = names.every((name) => name === names[0]) ? names[0] : undefined
  const sharedUnit = readings.every((reading) => reading.unit === first?.unit)
  return readings.map((reading, index) => {
    const record: CborMap = new Map()
    if (index === 0 && sharedName !== undefined) record.set(LABEL.baseName, sharedName)
    if (index === 0) record.set(LABEL.baseTime, encodeTime(reading.timeMs))
    if (index === 0 && sharedUnit && reading.unit !== undefined) {
      record.set(LABEL.baseUnit, reading.unit)
    }
    if (sharedName === undefined) record.set(LABEL.name, names[index] ?? stream)
    if (!sharedUnit && reading.unit !== undefined) record.set(LABEL.unit, reading.unit)
    const sinceBaseMs = reading.timeMs - (first?.timeMs ?? 0)
    if (sinceBaseMs !== 0) record.set(LABEL.time, encodeTime(sinceBaseMs))
    return setValue(record, reading.value)
  })
}

function setValue(record: CborMap, value: ReadingInput['value']): CborMap {
  if (typeof value === 'string') return record.set(LABEL.stringValue, value)
  if (typeof value === 'boolean') return record.set(LABEL.booleanValue, value)
  if (typeof value === 'number') return record.set(LABEL.value, new CborFloat(value))
  if (typeof value === 'bigint') return record.set(LABEL.value, value)
  return record.set(LABEL.value, encodeDecimal(value))
}

/** A number as a record carries it: an integer, or a decimal fraction (tag 4). */
export function encodeDecimal({ mantissa, exponent }: DecimalFraction): CborValue {
  return exponent === 0 ? mantissa : new Tagged(TAG_DECIMAL_FRACTION, [exponent, mantissa])
}

/** A number outside of a record, under the same bounds; undefined for what is no integer and no decimal fraction. */
export function readDecimal(field: CborValue | undefined): DecimalFraction | undefined {
  if (field === undefined) return undefined
  try {
    const number = readNumber(field)
    if (number.kind !== 'decimal') return undefined
    return { mantissa: number.mantissa, exponent: number.exponent }
  } catch (error) {
    if (error instanceof PackError) return undefined
    throw error
  }
}

function encodeTime(ms: number): CborValue {
  return ms % 1_000 === 0 ? ms / 1_000 : new Tagged(TAG_DECIMAL_FRACTION, [-3, ms])
}

/** What was read of one record so far. */
type Fields = {
  name: string
  unit: string | undefined
  timeMs: number
  value: SenmlValue | undefined
  hasSum: boolean
  baseOnly: boolean
}

/** Reads record after record; none needs more memory than the reading that it makes. */
function recordReader(base: Base): (record: CborMap) => Reading | undefined {
  const fields: Fields = {
    name: '',
    unit: undefined,
    timeMs: 0,
    value: undefined,
    hasSum: false,
    baseOnly: true,
  }
  const take = (field: CborValue, label: CborValue) => takeField(fields, base, label, field)

  return (record) => {
    fields.name = ''
    fields.unit = undefined
    fields.timeMs = 0
    fields.value = undefined
    fields.hasSum = false
    fields.baseOnly = true
    record.forEach(take)
    const { value } = fields
    if (fields.baseOnly) return undefined
    if (!value && !fields.hasSum) throw new PackError('a record has a value or a sum')
    return {
      name: resolveName(base, fields.name),
      unit: fields.unit ?? base.unit,
      timeMs: resolveTime(base.timeMs + fields.timeMs),
      value: value ? addBase(value, base.value) : { kind: 'none' },
    }
  }
}

function takeField(fields: Fields, base: Base, label: CborValue, field: CborValue): void {
  if (typeof label === 'string' ? label.endsWith('_') : label === LABEL.dataValue) {
    throw new PackError(`field ${String(label).slice(0, 40)} is not supported`)
  }
  if (typeof label === 'number' && label < 0) {
    applyBase(base, label, field)
    return
  }
  switch (label) {
    case LABEL.name:
      fields.name = readText(field, 'name')
      break
    case LABEL.unit:
      fields.unit = readUnit(field)
      break
    case LABEL.time:
      fields.timeMs = readTimeMs(field)
      break
    case LABEL.sum:
      readNumber(field)
      fields.hasSum = true
      break
    case LABEL.updateTime:
      readNumber(field)
      break
    case LABEL.value:
    case LABEL.stringValue:
    case LABEL.booleanValue:
      if (fields.value) throw new PackError('a record has one value')
      fields.value = readValue(label, field)
      break
    default:
      // RFC 8428, section 4.4: a field that is not known is ignored unless its label ends in "_".
      return
  }
  fields.baseOnly = false
}

function applyBase(base: Base, label: number, field: CborValue): void {
  switch (label) {
    case LABEL.baseVersion:
      base.version = readVersion(field, base.version)
      break
    case LABEL.baseName:
      base.name = readText(field, 'base name')
      break
    case LABEL.baseTime:
      base.timeMs = readTimeMs(field)
      break
    case LABEL.baseUnit:
      base.unit = readUnit(field)
      break
    case LABEL.baseValue:
      base.value = readNumber(field)
      break
    case LABEL.baseSum:
      readNumber(field)
      break
  }
}

function readVersion(field: CborValue, known: number | undefined): number {
  if (typeof field !== 'number' || field < 1 || field > SENML_VERSION) {
    throw new PackError(`SenML version must be 1 to ${SENML_VERSION}`)
  }
  if (known !== undefined && known !== field) throw new PackError('a pack has one SenML version')
  return field
}

function readText(field: CborValue, what: string): string {
  if (typeof field !== 'string') throw new PackError(`${what} must be text`)
  if (field.length > MAX_NAME_LENGTH) throw new PackError(`${what} is too long`)
  return field
}

function readUnit(field: CborValue): string {
  if (typeof field !== 'string' || field === '' || field.length > MAX_UNIT_LENGTH) {
    throw new PackError(`a unit is text of 1 to ${MAX_UNIT_LENGTH} characters`)
  }
  return field
}

function resolveName(base: Base, own: string): string {
  const { resolved } = base
  if (resolved?.own === own && resolved.base === base.name) return resolved.name
  const name = base.name + own
  if (name.length > MAX_NAME_LENGTH || !NAME.test(name)) {
    throw new PackError(
      `a name has 1 to ${MAX_NAME_LENGTH} of A-Z a-z 0-9 - : . / _ and starts with a letter or digit`,
    )
  }
  base.resolved = { base: base.name, own, name }
  return name
}

function resolveTime(timeMs: number): number {
  if (!Number.isSafeInteger(timeMs)) throw new PackError('time is out of range')
  if (timeMs < EARLIEST_MS) throw new PackError('time must be absolute: at least 2^28 s')
  return timeMs
}

function readTimeMs(field: CborValue): number {
  if (typeof field === 'number') return wholeMs(field * 1_000)
  const time = readNumber(field)
  if (time.kind === 'float' || time.exponent < -3 || time.exponent > 0) {
    throw new PackError('time must be an integer or a decimal fraction with exponent -3 to 0')
  }
  return wholeMs(Number(time.mantissa) * 10 ** (3 + time.exponent))
}

function wholeMs(ms: number): number {
  if (!Number.isSafeInteger(ms)) throw new PackError('time is out of range')
  return ms
}

function readValue(label: number, field: CborValue): SenmlValue {
  if (label === LABEL.stringValue) {
    if (typeof field !== 'string') throw new PackError('vs must be text')
    return { kind: 'string', value: field }
  }
  if (label === LABEL.booleanValue) {
    if (typeof field !== 'boolean') throw new PackError('vb must be true or false')
    return { kind: 'boolean', value: field }
  }
  return readNumber(field)
}

function readNumber(field: CborValue): NumberValue {
  if (typeof field === 'number' || typeof field === 'bigint') {
    return { kind: 'decimal', mantissa: BigInt(field), exponent: 0 }
  }
  if (field instanceof CborFloat) return { kind: 'float', value: field.value }
  if (field instanceof Tagged && field.tag === TAG_DECIMAL_FRACTION) {
    return readFraction(field.value)
  }
  throw new PackError('a number is an integer, a decimal fraction or a float')
}

function readFraction(parts: CborValue): NumberValue {
  if (!Array.isArray(parts) || parts.length !== 2) {
    throw new PackError('a decimal fraction is [exponent, mantissa]')
  }
  const [exponent, mantissa] = parts
  if (typeof exponent !== 'number' || Math.abs(exponent) > MAX_EXPONENT) {
    throw new PackError(`the exponent of a decimal fraction is -${MAX_EXPONENT} to ${MAX_EXPONENT}`)
  }
  if (typeof mantissa !== 'number' && typeof mantissa !== 'bigint') {
    throw new PackError('the mantissa of a decimal fraction is an integer')
  }
  return { kind: 'decimal', mantissa: BigInt(mantissa), exponent }
}

function addBase(value: SenmlValue, base: NumberValue | undefined): SenmlValue {
  if (base === undefined || (value.kind !== 'decimal' && value.kind !== 'float')) return value
  if (value.kind === 'float' || base.kind === 'float') {
    const sum = toFloat(value) + toFloat(base)
    if (!Number.isFinite(sum)) throw new PackError('value is out of range')
    return { kind: 'float', value: sum }
  }
  const exponent = Math.min(value.exponent, base.exponent)
  const mantissa = scaleTo(value, exponent) + scaleTo(base, exponent)
  return { kind: 'decimal', mantissa, exponent }
}

function toFloat(number: NumberValue): number {
  return number.kind === 'float' ? number.value : Number(`${number.mantissa}e${number.exponent}`)
}

function scaleTo(value: DecimalFraction, exponent: number): bigint {
  return value.mantissa * 10n ** BigInt(value.exponent - exponent)
}
