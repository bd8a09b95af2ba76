import type { DataSchema } from '@liquefy/client'
import { formatDecimal, type Reading, type SenmlValue, senmlToUcum } from '@liquefy/protocol'

/** One thing that a stream measures, by the newest envelope that has readings of it. */
export interface ValueField {
  /** Unique in its stream: the name of its readings, where these differ in nothing else their unit, else both. */
  key: string
  unit: string | undefined
  kind: Exclude<SenmlValue['kind'], 'none'>
  /** Exact, as JSON writes it. */
  json: string
}

/** What the newest envelope of a stream says last of each thing that it measures, in the order in which it speaks of them. */
export function valueFields(readings: readonly Reading[]): ValueField[] {
  const last = new Map<string, Reading & { kind: ValueField['kind']; json: string }>()
  for (const reading of readings) {
    const json = jsonOf(reading.value)
    if (json === undefined || reading.value.kind === 'none') continue
    last.set(JSON.stringify([reading.name, reading.unit]), {
      ...reading,
      kind: reading.value.kind,
      json,
    })
  }
  const found = [...last.values()]
  const keyOf = distinguishing(found)
  return found.map(({ name, unit, kind, json }) => ({
    key: keyOf({ name, unit }),
    unit,
    kind,
    json,
  }))
}

/** The value of a stream as JSON: of one field its value, of several an object. */
export function valueJson(fields: readonly ValueField[]): string {
  const [only] = fields
  if (only !== undefined && fields.length === 1) return only.json
  return `{${fields.map(({ key, json }) => `${JSON.stringify(key)}:${json}`).join(',')}}`
}

/** What `valueJson` looks like. */
export function valueSchema(fields: readonly ValueField[]): DataSchema {
  const [only] = fields
  if (only !== undefined && fields.length === 1) return fieldSchema(only)
  return {
    type: 'object',
    properties: Object.fromEntries(fields.map((field) => [field.key, fieldSchema(field)])),
    required: fields.map(({ key }) => key),
  }
}

/** A unit by its code in UCUM, and whether it has one there; else as the machine names it. */
export function unitOf(unit: string): { unit: string; isUcum: boolean } {
  const ucum = senmlToUcum(unit)
  return ucum === undefined ? { unit, isUcum: false } : { unit: ucum, isUcum: true }
}

const TYPES = { decimal: 'number', float: 'number', string: 'string', boolean: 'boolean' } as const

function fieldSchema({ kind, unit }: ValueField): DataSchema {
  const type = TYPES[kind]
  if (unit === undefined) return { type }
  const named = unitOf(unit)
  return {
    type,
    unit: named.unit,
    ...(named.isUcum ? { 'qudt:ucumCode': named.unit } : {}),
  }
}

function distinguishing(
  found: readonly Pick<Reading, 'name' | 'unit'>[],
): (one: Pick<Reading, 'name' | 'unit'>) => string {
  const differ = (of: (one: Pick<Reading, 'name' | 'unit'>) => string) =>
    new Set(found.map(of)).size === found.length && found.every((one) => of(one) !== '')
  const byName = ({ name }: Pick<Reading, 'name'>) => name
  if (differ(byName)) return byName
  const byUnit = ({ unit }: Pick<Reading, 'unit'>) => unit ?? ''
  if (differ(byUnit)) return byUnit
  return ({ name, unit }) => `${name} ${unit ?? ''}`
}

function jsonOf(value: SenmlValue): string | undefined {
  switch (value.kind) {
    case 'decimal':
      return value.exponent < 0
        ? formatDecimal(value.mantissa, -value.exponent)
        : String(value.mantissa * 10n ** BigInt(value.exponent))
    case 'float':
    case 'string':
    case 'boolean':
      return JSON.stringify(value.value)
    case 'none':
      return undefined
  }
}
