import type { Hex } from 'viem'
import { parseUnsigned } from '../units/unsigned.ts'

/** Why a JSON object from outside was refused; turned into a result by the parser that threw it. */
export class FieldRefusal extends Error {
  readonly forbidden: boolean

  constructor(forbidden: boolean, message: string) {
    super(message)
    this.forbidden = forbidden
  }
}

/** A JSON object read field by field: each must be asked for, none may be left over. */
export type Fields = { readonly path: string; readonly values: Record<string, unknown> }

/** Opens a JSON object that must have exactly the fields `names`. */
export function openFields(path: string, json: unknown, names: readonly string[]): Fields {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new FieldRefusal(false, `${path} must be a JSON object.`)
  }
  for (const name of Object.keys(json)) {
    if (!names.includes(name)) {
      throw new FieldRefusal(true, `${path}.${name} is not a field of it; leave it out.`)
    }
  }
  for (const name of names) {
    if (!Object.hasOwn(json, name)) throw new FieldRefusal(false, `${path}.${name} is missing.`)
  }
  return { path, values: json as Record<string, unknown> }
}

/** An unsigned integer of at most `bits` bits from a decimal string. */
export function readUnsigned(fields: Fields, name: string, bits: number): bigint {
  const value = parseUnsigned(fields.values[name])
  if (value === undefined || value >= 2n ** BigInt(bits)) {
    return refuse(fields, name, `an unsigned integer below 2^${bits} in a decimal string`)
  }
  return value
}

/** An integer of less than 2^`bits` in magnitude from a decimal string, with "-" if it is negative. */
export function readSigned(fields: Fields, name: string, bits: number): bigint {
  const text = fields.values[name]
  const isNegative = typeof text === 'string' && /^-[1-9]/.test(text)
  const size = parseUnsigned(isNegative ? text.slice(1) : text)
  if (size === undefined || size >= 2n ** BigInt(bits)) {
    return refuse(fields, name, `an integer below 2^${bits} in size in a decimal string`)
  }
  return isNegative ? -size : size
}

/** A JSON number that is an integer from `least` to `most`. */
export function readInteger(fields: Fields, name: string, least: number, most: number): number {
  const value = fields.values[name]
  if (
    typeof value !== 'number' ||
    !Number.isSafeInteger(value) ||
    Object.is(value, -0) ||
    value < least ||
    value > most
  ) {
    return refuse(fields, name, `an integer from ${least} to ${most}`)
  }
  return value
}

/** A string that matches `pattern`. */
export function readText(fields: Fields, name: string, pattern: RegExp, what: string): string {
  const value = fields.values[name]
  return typeof value === 'string' && pattern.test(value) ? value : refuse(fields, name, what)
}

export function readBoolean(fields: Fields, name: string): boolean {
  const value = fields.values[name]
  return typeof value === 'boolean' ? value : refuse(fields, name, 'true or false')
}

/** `bytes` bytes as `0x` and hex digits, returned in lower case. */
export function readHex(fields: Fields, name: string, bytes: number): Hex {
  const value = fields.values[name]
  if (
    typeof value !== 'string' ||
    !/^0x[0-9a-fA-F]*$/.test(value) ||
    value.length !== 2 + 2 * bytes
  ) {
    return refuse(fields, name, `${bytes} bytes in hex`)
  }
  return value.toLowerCase() as Hex
}

/** Any whole number of bytes, up to `mostBytes`, as `0x` and hex digits, returned in lower case. */
export function readBytes(fields: Fields, name: string, mostBytes: number): Hex {
  const value = fields.values[name]
  if (
    typeof value !== 'string' ||
    !/^0x(?:[0-9a-fA-F]{2})*$/.test(value) ||
    value.length > 2 + 2 * mostBytes
  ) {
    return refuse(fields, name, `at most ${mostBytes} bytes in hex`)
  }
  return value.toLowerCase() as Hex
}

/** An array of at most `most` items. */
export function readArray(fields: Fields, name: string, most: number): readonly unknown[] {
  const value = fields.values[name]
  return Array.isArray(value) && value.length <= most
    ? value
    : refuse(fields, name, `an array of at most ${most} items`)
}

function refuse(fields: Fields, name: string, what: string): never {
  throw new FieldRefusal(false, `${fields.path}.${name} must be ${what}.`)
}
