import type { Hex } from 'viem'
import { LiquefyError } from '../error.ts'
import type { Calibration } from './calibration.ts'
import type { Baseline } from './judgement.ts'
import { registerOf } from './register.ts'
import type { MeterRule } from './rule.ts'
import type { Span } from './spans.ts'

/** Where the fold of one stream stands: a plain JSON value, big integers as decimal strings. Written by the fold only. */
export type FoldState = {
  readonly version: 1
  /** The `seq` that the fold takes next. */
  readonly nextSeq: string
  /** Ranges of `seq`, ends included, that were given up: what arrives for them is late. */
  readonly skipped: readonly (readonly [first: string, last: string])[]
  /** The last envelope covered. */
  readonly head: { readonly seq: string; readonly digest: Hex } | null
  /** The reading that deltas are taken from, in input units. */
  readonly baseline: {
    readonly value: string
    readonly movedAtMs: number
    /** Of a position, whose latitude `value` is. */
    readonly longitude?: string
  } | null
  /** Time of the last good reading. */
  readonly lastReadingMs: number | null
  /** An undeclared gap in `seq` stands before the next good reading. */
  readonly gapPending: boolean
  /** Declared gaps in time that may still matter. */
  readonly declaredGapsMs: readonly Span[]
  /** Declared moments of replacement whose first reading has not come yet, in order. */
  readonly replacementsMs: readonly number[]
  /** Excused time that may still matter; absent if none was declared. */
  readonly excusesMs?: readonly Span[]
  /** By period: how much was excused; absent if nothing was. */
  readonly excusedMs?: Readonly<Record<string, number>>
  /** Certificates that may still matter, in the order of the stream; absent if none was accepted. */
  readonly calibrations?: readonly Calibration[]
  /** The sensor, where the newest replacement named it and the rule asks for a calibration. */
  readonly part?: string
  /** By period: what was billed, each part times its uncertainty in parts per million; absent if nothing was billed under a certificate. */
  readonly uncertainty?: Readonly<Record<string, string>>
  /** By period: the exact input accumulated, and the register that follows from it. */
  readonly periods: Readonly<Record<string, { readonly input: string; readonly register: string }>>
  /** By period: input that came when it was final, for its adjustment; absent if none did. */
  readonly late?: Readonly<Record<string, string>>
}

/** The same as FoldState while a fold is running: mutable, big integers. */
export type FoldDraft = {
  nextSeq: bigint
  skipped: { first: bigint; last: bigint }[]
  head: { seq: bigint; digest: Hex } | undefined
  baseline: Baseline | undefined
  lastReadingMs: number | undefined
  gapPending: boolean
  declaredGapsMs: Span[]
  replacementsMs: number[]
  excusesMs: Span[]
  excusedMs: Map<number, number>
  calibrations: readonly Calibration[]
  part: string | undefined
  uncertainty: Map<number, bigint>
  periods: Map<number, { input: bigint; register: bigint }>
  late: Map<number, bigint>
}

/** The register of a period, in output units; 0 if nothing was measured in it. */
export function registerAt(state: FoldState, period: number): bigint {
  return BigInt(state.periods[period]?.register ?? '0')
}

/** The register that a period would have if what came when it was final had come in time; its register if nothing did. */
export function lateRegisterAt(state: FoldState, rule: MeterRule, period: number): bigint {
  const late = state.late?.[period]
  if (late === undefined) return registerAt(state, period)
  return registerOf(rule, BigInt(state.periods[period]?.input ?? '0') + BigInt(late))
}

/** Periods for which evidence came when they were final. */
export function latePeriods(state: FoldState): number[] {
  return Object.keys(state.late ?? {}).map(Number)
}

/** The last envelope that the state covers, whatever its verdict; undefined before the first. */
export function foldHead(state: FoldState): { seq: bigint; digest: Hex } | undefined {
  return state.head ? { seq: BigInt(state.head.seq), digest: state.head.digest } : undefined
}

/** The JSON text of a state. */
export function foldToJson(state: FoldState): string {
  return JSON.stringify(state)
}

/** Reads a state written by `foldToJson`. @throws FoldStateError if it was not. */
export function foldFromJson(text: string): FoldState {
  try {
    const state = JSON.parse(text) as FoldState
    if (state.version !== 1) throw new TypeError(`Its version is ${state.version}, not 1.`)
    return freeze(thaw(state))
  } catch (error) {
    throw new FoldStateError('The stored state of a fold cannot be read.', { cause: error })
  }
}

export function thaw(state: FoldState): FoldDraft {
  return {
    nextSeq: BigInt(state.nextSeq),
    skipped: state.skipped.map(([first, last]) => ({ first: BigInt(first), last: BigInt(last) })),
    head: foldHead(state),
    baseline: state.baseline ? thawBaseline(state.baseline) : undefined,
    lastReadingMs: state.lastReadingMs ?? undefined,
    gapPending: state.gapPending,
    declaredGapsMs: [...state.declaredGapsMs],
    replacementsMs: [...state.replacementsMs],
    excusesMs: [...(state.excusesMs ?? [])],
    excusedMs: new Map(
      Object.entries(state.excusedMs ?? {}).map(([period, ms]) => [Number(period), ms]),
    ),
    calibrations: state.calibrations ?? [],
    part: state.part,
    uncertainty: bigintsOf(state.uncertainty),
    periods: new Map(
      Object.entries(state.periods).map(([period, { input, register }]) => [
        Number(period),
        { input: BigInt(input), register: BigInt(register) },
      ]),
    ),
    late: bigintsOf(state.late),
  }
}

export function freeze(draft: FoldDraft): FoldState {
  return {
    version: 1,
    nextSeq: draft.nextSeq.toString(),
    skipped: draft.skipped.map(({ first, last }) => [first.toString(), last.toString()]),
    head: draft.head ? { seq: draft.head.seq.toString(), digest: draft.head.digest } : null,
    baseline: draft.baseline ? freezeBaseline(draft.baseline) : null,
    lastReadingMs: draft.lastReadingMs ?? null,
    gapPending: draft.gapPending,
    declaredGapsMs: draft.declaredGapsMs,
    replacementsMs: draft.replacementsMs,
    ...(draft.excusesMs.length > 0 && { excusesMs: draft.excusesMs }),
    ...(draft.excusedMs.size > 0 && { excusedMs: Object.fromEntries(draft.excusedMs) }),
    ...(draft.calibrations.length > 0 && { calibrations: draft.calibrations }),
    ...(draft.part !== undefined && { part: draft.part }),
    ...(draft.uncertainty.size > 0 && { uncertainty: textsOf(draft.uncertainty) }),
    periods: Object.fromEntries(
      Array.from(draft.periods, ([period, { input, register }]) => [
        period,
        { input: input.toString(), register: register.toString() },
      ]),
    ),
    ...(draft.late.size > 0 && { late: textsOf(draft.late) }),
  }
}

function bigintsOf(texts: Readonly<Record<string, string>> = {}): Map<number, bigint> {
  return new Map(Object.entries(texts).map(([period, text]) => [Number(period), BigInt(text)]))
}

function textsOf(integers: ReadonlyMap<number, bigint>): Record<string, string> {
  return Object.fromEntries(
    Array.from(integers, ([period, integer]) => [period, integer.toString()]),
  )
}

function thawBaseline(baseline: NonNullable<FoldState['baseline']>): Baseline {
  const { value, movedAtMs, longitude } = baseline
  return {
    value: BigInt(value),
    movedAtMs,
    ...(longitude !== undefined && { longitude: BigInt(longitude) }),
  }
}

function freezeBaseline({ value, movedAtMs, longitude }: Baseline): FoldState['baseline'] {
  return {
    value: value.toString(),
    movedAtMs,
    ...(longitude !== undefined && { longitude: longitude.toString() }),
  }
}

/** A stored fold state that cannot be read: fold the stream again from its start. */
export class FoldStateError extends LiquefyError {
  constructor(message: string, options: ErrorOptions) {
    super('FOLD_STATE_INVALID', `${message} Fold the stream again from its start.`, options)
    this.name = 'FoldStateError'
  }
}
