import type { CalibrationNotice, Hex } from '@liquefy/client'
import { type Calibration, calibratedUntil, periodStart } from '@liquefy/protocol'
import type { Queryable } from '../store/database.ts'
import { readCalibrations } from '../store/metering.ts'
import type { MeteredAgreement } from './agreements.ts'

/** What is to be said of a stream's calibration. */
export type CalibrationState = Pick<CalibrationNotice, 'kind' | 'stream' | 'untilMs'>

/** The owner is told so long before: a laboratory is not free tomorrow. */
const AHEAD_MS = 14 * 86_400_000

/**
 * What parties are to be told of the calibrations of open agreements, by agreement: of each stream whose rule asks for one, that it ends within 14
 * days, or that none is in force. Nothing before an agreement begins and after its last period, nor of a date that lies behind its end.
 */
export async function readCalibrationStates(
  db: Queryable,
  agreements: readonly MeteredAgreement[],
  nowMs: number,
): Promise<Map<Hex, CalibrationState[]>> {
  const asking = agreements.filter(
    ({ open, rules }) => open && rules.some((rule) => rule?.calibration),
  )
  const folds = await readCalibrations(
    db,
    asking.map(({ agreementId }) => agreementId),
  )
  const foldsById = Map.groupBy(folds, ({ agreementId }) => agreementId)
  return new Map(
    asking.map((agreement) => [
      agreement.agreementId,
      statesOf(agreement, foldsById.get(agreement.agreementId) ?? [], nowMs),
    ]),
  )
}

function statesOf(
  { terms, rules }: MeteredAgreement,
  folds: readonly { meter: number; calibrations: readonly Calibration[] }[],
  nowMs: number,
): CalibrationState[] {
  if (!terms) return []
  const startMs = Number(periodStart(terms, 0)) * 1000
  const endMs = Number(periodStart(terms, terms.periods)) * 1000
  if (nowMs < startMs || nowMs >= endMs) return []
  const states = terms.meters.flatMap(({ stream }, meter) => {
    if (!rules[meter]?.calibration) return []
    const calibrations = folds.find((fold) => fold.meter === meter)?.calibrations ?? []
    return calibrationState(stream, calibrations, { nowMs, endMs }) ?? []
  })
  // Two meters may count one stream; who is told once need not be told twice.
  return states.filter(
    ({ stream, kind }, index) =>
      states.findIndex((other) => other.stream === stream && other.kind === kind) === index,
  )
}

/** Undefined where nothing is to be said. */
export function calibrationState(
  stream: string,
  calibrations: readonly Calibration[],
  { nowMs, endMs }: { nowMs: number; endMs: number },
): CalibrationState | undefined {
  const untilMs = calibratedUntil(calibrations, nowMs)
  if (untilMs === nowMs) return { kind: 'uncalibrated', stream, untilMs: null }
  if (untilMs >= endMs || untilMs - nowMs > AHEAD_MS) return undefined
  return { kind: 'calibration-ends', stream, untilMs }
}
