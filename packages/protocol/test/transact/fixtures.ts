import { type Hex, keccak256, stringToBytes } from 'viem'
import {
  type CounterRule,
  type CountRule,
  type DistanceRule,
  type DrawdownRule,
  type DurationBeyondRule,
  type FoldTerms,
  type IntegralRule,
  type LoggedEnvelope,
  type MeterRule,
  readingUnits,
} from '../../src/index.ts'
import type { Declaration, Reading, SenmlValue } from '../../src/trust/envelope.ts'

/** 2026-01-01T00:00:00Z. */
export const START_MS = 1_767_225_600_000
export const MINUTE_MS = 60_000

export const COUNTER: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000', perHour: '1000000' },
}

export const DRAWDOWN: DrawdownRule = {
  rule: 'drawdown',
  version: 1,
  unit: 'mm',
  scale: 0,
  registerUnit: 'mm',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000', perHour: '1000000' },
  noiseBand: 20,
  maxSilenceSeconds: 900,
}

/** Watts become watt-hours. */
export const INTEGRAL: IntegralRule = {
  rule: 'integral',
  version: 1,
  unit: 'W',
  scale: 0,
  registerUnit: 'Wh',
  factor: { numerator: 1, denominator: 3600 },
  maxValue: '1000000',
  maxSilenceSeconds: 900,
}

export const BREACH: DurationBeyondRule = {
  rule: 'duration-beyond',
  version: 1,
  unit: 'Cel',
  scale: 1,
  registerUnit: 's',
  factor: { numerator: 1, denominator: 1 },
  beyond: 'above',
  threshold: '80',
  maxSilenceSeconds: 900,
  maxExcusedSeconds: 600,
}

export const COUNT: CountRule = {
  rule: 'count',
  version: 1,
  unit: 'count',
  registerUnit: 'count',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000', perHour: '1000' },
}

export const DISTANCE: DistanceRule = {
  rule: 'distance',
  version: 1,
  scale: 7,
  registerUnit: 'm',
  factor: { numerator: 1, denominator: 1 },
  noiseBandMm: 10_000,
  maxMmPerSecond: 40_000,
  maxSilenceSeconds: 900,
}

export function termsOf(rule: MeterRule, changes: Partial<FoldTerms> = {}): FoldTerms {
  return {
    rule,
    machineId: 7n,
    stream: 'level',
    startMs: START_MS,
    periodSeconds: 3600,
    periods: 24,
    backfillSeconds: 86_400,
    lateSeconds: 3600,
    gapTimeoutSeconds: 600,
    startSeq: 1n,
    ...changes,
  }
}

export function decimal(mantissa: number | bigint, exponent = 0): SenmlValue {
  return { kind: 'decimal', mantissa: BigInt(mantissa), exponent }
}

/** A reading `minutes` after the start. */
export function reading(
  rule: MeterRule,
  minutes: number,
  value: number | SenmlValue,
  changes: Partial<Reading> = {},
): Reading {
  return {
    name: 'level',
    unit: readingUnits(rule)[0],
    timeMs: START_MS + minutes * MINUTE_MS,
    value: typeof value === 'number' ? decimal(value) : value,
    ...changes,
  }
}

/** A position `minutes` after the start, in 10^-7 degrees: a record in `lat`, then one in `lon`. */
export function position(minutes: number, latitude: number, longitude: number): Reading[] {
  const timeMs = START_MS + minutes * MINUTE_MS
  return [
    { name: 'level', unit: 'lat', timeMs, value: decimal(latitude, -7) },
    { name: 'level', unit: 'lon', timeMs, value: decimal(longitude, -7) },
  ]
}

/** A reading in whatever records the rule reads; a position lies `value` x 22 m north and some way east of zero. */
export function sampled(rule: MeterRule, minutes: number, value: number): Reading[] {
  return rule.rule === 'distance'
    ? position(minutes, value * 2_000, value * 1_000)
    : [reading(rule, minutes, value)]
}

export function digestOf(text: string): Hex {
  return keccak256(stringToBytes(text))
}

export function logged(
  seq: number,
  content: LoggedEnvelope['content'],
  changes: Partial<LoggedEnvelope> = {},
): LoggedEnvelope {
  const loggedAt = changes.loggedAt ?? START_MS + seq * MINUTE_MS
  return {
    seq: BigInt(seq),
    digest: digestOf(`${seq}/${changes.code ?? 'OK'}`),
    loggedAt,
    code: 'OK',
    content,
    iat: Math.floor(loggedAt / 1000),
    ...changes,
  }
}

export function readings(
  seq: number,
  list: Reading[],
  changes: Partial<LoggedEnvelope> = {},
): LoggedEnvelope {
  return logged(seq, { kind: 'readings', readings: list }, changes)
}

export function declaration(
  seq: number,
  declared: Declaration,
  changes: Partial<LoggedEnvelope> = {},
): LoggedEnvelope {
  return logged(seq, { kind: 'declaration', declaration: declared }, changes)
}

/** One envelope a value, one minute apart, logged when measured. */
export function series(rule: MeterRule, values: (number | SenmlValue)[]): LoggedEnvelope[] {
  return values.map((value, index) => readings(index + 1, [reading(rule, index + 1, value)]))
}
