import type { Hex } from 'viem'
import { formatDecimal } from '../units/decimal.ts'
import { canonicalHash } from './canonical.ts'
import {
  FieldRefusal,
  type Fields,
  openFields,
  readInteger,
  readText,
  readUnsigned,
} from './strict-json.ts'

/** The most that the input may change: `burst + perHour x elapsed hours`, in input units, decimal strings. */
export type RuleRate = { burst: string; perHour: string }

/** Exact scale of a register: input x numerator / denominator, floored once per period. */
export type RuleFactor = { numerator: number; denominator: number }

type RuleInput = {
  version: 1
  /** SenML unit name that each reading must carry. */
  unit: string
  /** Decimal places of the input: at scale 3, 12.345 counts as 12345. */
  scale: number
  /** Name of the unit that one count of the register is, for people and for the tariff's words: `g`, `ml`, `Wh`. */
  registerUnit: string
  factor: RuleFactor
  maxRate: RuleRate
}

/** A meter that only rises. */
export type CounterRule = { rule: 'counter' } & RuleInput

/** A level that falls as material is withdrawn; refills do not count. `noiseBand` in input units. */
export type DrawdownRule = {
  rule: 'drawdown'
  noiseBand: number
  maxSilenceSeconds: number
} & RuleInput

/** JSON description of how one stream becomes one register: docs/protocol/meter-rules.md. */
export type MeterRule = CounterRule | DrawdownRule

const INPUT_FIELDS = [
  'rule',
  'version',
  'unit',
  'scale',
  'registerUnit',
  'factor',
  'maxRate',
] as const
const DRAWDOWN_FIELDS = [...INPUT_FIELDS, 'noiseBand', 'maxSilenceSeconds'] as const
const MAX_SCALE = 18
const UNIT_NAME = /^[\x21-\x7e]{1,16}$/
/** Rates below 2^128 keep every product of the plausibility check small. */
const RATE_BITS = 128

/** Reads a meter rule strictly: each field present and in range, none unknown. */
export function parseRule(
  json: unknown,
): { ok: true; rule: MeterRule } | { ok: false; message: string } {
  try {
    return { ok: true, rule: readRule(json) }
  } catch (error) {
    if (error instanceof FieldRefusal) return { ok: false, message: error.message }
    throw error
  }
}

/** The hash by which terms commit to a rule. */
export function ruleHash(rule: MeterRule): Hex {
  return canonicalHash(rule)
}

/** What a rule measures, in one plain sentence. */
export function explainRule(rule: MeterRule): string {
  const bound = `more than ${quantity(rule, rule.maxRate.burst)} plus ${quantity(rule, rule.maxRate.perHour)} an hour is not believed`
  if (rule.rule === 'counter') {
    return `Counts in ${rule.registerUnit} what a rising meter adds${factorText(rule)}; a fall is refused, and ${bound}.`
  }
  return (
    `Counts in ${rule.registerUnit} how far a level falls${factorText(rule)}; refills are free, changes up to ${quantity(rule, rule.noiseBand.toString())} are noise, ` +
    `falls during an undeclared silence of more than ${rule.maxSilenceSeconds} s are not billed, and ${bound}.`
  )
}

function readRule(json: unknown): MeterRule {
  const kind = ruleKind(json)
  const fields = openFields('rule', json, kind === 'counter' ? INPUT_FIELDS : DRAWDOWN_FIELDS)
  const input = readInput(fields)
  if (kind === 'counter') return { rule: kind, ...input }
  return {
    rule: kind,
    ...input,
    noiseBand: readInteger(fields, 'noiseBand', 0, Number.MAX_SAFE_INTEGER),
    maxSilenceSeconds: readInteger(fields, 'maxSilenceSeconds', 1, 2 ** 32 - 1),
  }
}

function ruleKind(json: unknown): MeterRule['rule'] {
  const kind =
    typeof json === 'object' && json !== null && Object.hasOwn(json, 'rule')
      ? (json as { rule: unknown }).rule
      : undefined
  if (kind === 'counter' || kind === 'drawdown') return kind
  throw new FieldRefusal(false, 'rule.rule must be "counter" or "drawdown".')
}

function readInput(fields: Fields): RuleInput {
  readInteger(fields, 'version', 1, 1)
  const factor = openFields('rule.factor', fields.values.factor, ['numerator', 'denominator'])
  const rate = openFields('rule.maxRate', fields.values.maxRate, ['burst', 'perHour'])
  return {
    version: 1,
    unit: readText(fields, 'unit', UNIT_NAME, 'a SenML unit name'),
    scale: readInteger(fields, 'scale', 0, MAX_SCALE),
    registerUnit: readText(fields, 'registerUnit', UNIT_NAME, 'a unit name'),
    factor: {
      numerator: readInteger(factor, 'numerator', 1, Number.MAX_SAFE_INTEGER),
      denominator: readInteger(factor, 'denominator', 1, Number.MAX_SAFE_INTEGER),
    },
    maxRate: {
      burst: readUnsigned(rate, 'burst', RATE_BITS).toString(),
      perHour: readUnsigned(rate, 'perHour', RATE_BITS).toString(),
    },
  }
}

function quantity(rule: MeterRule, inputUnits: string): string {
  const amount = formatDecimal(BigInt(inputUnits), rule.scale, { grouping: true, trim: true })
  return `${amount} ${rule.unit}`
}

function factorText(rule: MeterRule): string {
  const { numerator, denominator } = rule.factor
  if (numerator === denominator) return ''
  const inputs = formatDecimal(BigInt(denominator), rule.scale, { grouping: true, trim: true })
  const counts = formatDecimal(BigInt(numerator), 0, { grouping: true })
  return `, ${inputs} ${rule.unit} being ${counts} ${rule.registerUnit}`
}
