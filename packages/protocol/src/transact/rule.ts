import type { Hex } from 'viem'
import { explainCalibration, readCalibration } from './calibration.ts'
import { canonicalHash } from './canonical.ts'
import { type CountRule, explainCount, readCount } from './count.ts'
import { type CounterRule, explainCounter, readCounter } from './counter.ts'
import { type DistanceRule, explainDistance, readDistance } from './distance.ts'
import { type DrawdownRule, explainDrawdown, readDrawdown } from './drawdown.ts'
import {
  type DurationBeyondRule,
  explainDurationBeyond,
  readDurationBeyond,
} from './duration-beyond.ts'
import { explainIntegral, type IntegralRule, readIntegral } from './integral.ts'
import { REGISTER_FIELDS } from './rule-input.ts'
import { FieldRefusal, type Fields, openFields } from './strict-json.ts'

/** JSON description of how one stream becomes one register: docs/protocol/meter-rules.md. */
export type MeterRule =
  | CounterRule
  | DrawdownRule
  | IntegralRule
  | DurationBeyondRule
  | CountRule
  | DistanceRule

type Kind = MeterRule['rule']

/** By kind: the fields beside those of every rule, and who reads them. */
const KINDS: Record<Kind, { fields: readonly string[]; read: (fields: Fields) => MeterRule }> = {
  counter: { fields: ['unit', 'scale', 'maxRate'], read: readCounter },
  drawdown: {
    fields: ['unit', 'scale', 'maxRate', 'noiseBand', 'maxSilenceSeconds'],
    read: readDrawdown,
  },
  integral: { fields: ['unit', 'scale', 'maxValue', 'maxSilenceSeconds'], read: readIntegral },
  'duration-beyond': {
    fields: ['unit', 'scale', 'beyond', 'threshold', 'maxSilenceSeconds', 'maxExcusedSeconds'],
    read: readDurationBeyond,
  },
  count: { fields: ['unit', 'maxRate'], read: readCount },
  distance: {
    fields: ['scale', 'noiseBandMm', 'maxMmPerSecond', 'maxSilenceSeconds'],
    read: readDistance,
  },
}

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

/** The SenML units of the records that make one reading: one, or `lat` and `lon` for a position. */
export function readingUnits(rule: MeterRule): readonly string[] {
  return rule.rule === 'distance' ? ['lat', 'lon'] : [rule.unit]
}

/** What a rule measures, in plain words. */
export function explainRule(rule: MeterRule): string {
  const measured = explainMeasured(rule)
  return rule.calibration ? `${measured} ${explainCalibration(rule.calibration)}` : measured
}

function explainMeasured(rule: MeterRule): string {
  switch (rule.rule) {
    case 'counter':
      return explainCounter(rule)
    case 'drawdown':
      return explainDrawdown(rule)
    case 'integral':
      return explainIntegral(rule)
    case 'duration-beyond':
      return explainDurationBeyond(rule)
    case 'count':
      return explainCount(rule)
    case 'distance':
      return explainDistance(rule)
  }
}

function readRule(json: unknown): MeterRule {
  const { fields, read } = KINDS[ruleKind(json)]
  const names = [...REGISTER_FIELDS, ...fields]
  if (!isCalibrated(json)) return read(openFields('rule', json, names))
  const opened = openFields('rule', json, [...names, 'calibration'])
  const rule = read(opened)
  if (rule.rule === 'distance') {
    throw new FieldRefusal(
      true,
      'rule.calibration is not for positions: no laboratory says how far a latitude is off in parts of itself.',
    )
  }
  return { ...rule, calibration: readCalibration(opened.values.calibration) }
}

function isCalibrated(json: unknown): boolean {
  return typeof json === 'object' && json !== null && Object.hasOwn(json, 'calibration')
}

function ruleKind(json: unknown): Kind {
  const kind =
    typeof json === 'object' && json !== null && Object.hasOwn(json, 'rule')
      ? (json as { rule: unknown }).rule
      : undefined
  if (typeof kind === 'string' && Object.hasOwn(KINDS, kind)) return kind as Kind
  throw new FieldRefusal(false, `rule.rule must be one of ${Object.keys(KINDS).join(', ')}.`)
}
