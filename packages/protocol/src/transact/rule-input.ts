import { formatDecimal } from '../units/decimal.ts'
import type { RuleCalibration } from './calibration.ts'
import { type Fields, openFields, readInteger, readText, readUnsigned } from './strict-json.ts'

/** The most that the input may change: `burst + perHour x elapsed hours`, in input units, decimal strings. */
export type RuleRate = { burst: string; perHour: string }

/** Exact scale of a register: input x numerator / denominator, floored once per period. */
export type RuleFactor = { numerator: number; denominator: number }

/** What every rule says of its register. */
export type RegisterFields = {
  version: 1
  /** Name of the unit that one count of the register is, for people and for the tariff's words: `g`, `ml`, `Wh`. */
  registerUnit: string
  factor: RuleFactor
  /** Absent: readings count whether calibrated or not. */
  calibration?: RuleCalibration
}

/** What a rule says of the readings that it takes. */
export type InputFields = {
  /** SenML unit name that each reading must carry. */
  unit: string
  /** Decimal places of the input: at scale 3, 12.345 counts as 12345. */
  scale: number
}

export const REGISTER_FIELDS = ['rule', 'version', 'registerUnit', 'factor'] as const

export const MAX_SECONDS = 2 ** 32 - 1
const MAX_SCALE = 18
export const UNIT_NAME = /^[\x21-\x7e]{1,16}$/
/** Rates below 2^128 keep every product of the plausibility check small. */
const RATE_BITS = 128

export function readRegisterFields(fields: Fields): RegisterFields {
  readInteger(fields, 'version', 1, 1)
  const factor = openFields('rule.factor', fields.values.factor, ['numerator', 'denominator'])
  return {
    version: 1,
    registerUnit: readText(fields, 'registerUnit', UNIT_NAME, 'a unit name'),
    factor: {
      numerator: readInteger(factor, 'numerator', 1, Number.MAX_SAFE_INTEGER),
      denominator: readInteger(factor, 'denominator', 1, Number.MAX_SAFE_INTEGER),
    },
  }
}

export function readInputFields(fields: Fields): InputFields {
  return { unit: readUnit(fields), scale: readInteger(fields, 'scale', 0, MAX_SCALE) }
}

export function readUnit(fields: Fields): string {
  return readText(fields, 'unit', UNIT_NAME, 'a SenML unit name')
}

export function readRate(fields: Fields): RuleRate {
  const rate = openFields('rule.maxRate', fields.values.maxRate, ['burst', 'perHour'])
  return {
    burst: readUnsigned(rate, 'burst', RATE_BITS).toString(),
    perHour: readUnsigned(rate, 'perHour', RATE_BITS).toString(),
  }
}

export function readSilence(fields: Fields): number {
  return readInteger(fields, 'maxSilenceSeconds', 1, MAX_SECONDS)
}

/** An input in words: `12.345 g`. */
export function quantity({ unit, scale }: InputFields, inputUnits: string | number): string {
  const amount = formatDecimal(BigInt(inputUnits), scale, { grouping: true, trim: true })
  return `${amount} ${unit}`
}

/** A span of time in words: `1,800 s`. */
export function seconds(count: number): string {
  return quantity({ unit: 's', scale: 0 }, count)
}

/** The bound of a rate in words. */
export function rateText(input: InputFields, { burst, perHour }: RuleRate): string {
  return `more than ${quantity(input, burst)} plus ${quantity(input, perHour)} an hour is not believed`
}

/** What the factor makes of the input, in words; empty if it changes nothing. `inputUnit` is that of what is counted. */
export function factorText(
  { factor, registerUnit }: RegisterFields,
  scale: number,
  inputUnit: string,
): string {
  const { numerator, denominator } = factor
  if (numerator === denominator) return ''
  const counts = formatDecimal(BigInt(numerator), 0, { grouping: true })
  return `, ${quantity({ unit: inputUnit, scale }, denominator)} being ${counts} ${registerUnit}`
}
