import type { Hex } from 'viem'
import {
  type CalibrationCertificate,
  MAX_UNCERTAINTY_PPM,
  readCalibrationCertificate,
} from '../trust/calibration-certificate.ts'
import type { Declaration } from '../trust/declaration.ts'
import type { Subject } from '../trust/identifier.ts'
import type { FoldCode } from '../trust/verdicts.ts'
import { formatDecimal } from '../units/decimal.ts'
import { senmlToUcum } from '../units/senml.ts'
import type { FoldDraft } from './fold-state.ts'
import type { FoldTerms } from './fold-terms.ts'
import { FieldRefusal, openFields, readArray, readHex, readInteger } from './strict-json.ts'

/** That readings count only while calibrated: whose certificates are accepted, and how uncertain they may be. */
export type RuleCalibration = {
  /** Key ids of the laboratories. */
  laboratories: readonly Hex[]
  /** The largest expanded uncertainty (k = 2), in parts per million of the reading. */
  maxUncertaintyPpm: number
}

/** A certificate that a fold has accepted: in force from `fromMs` on, before `untilMs`; never, if those are the same. */
export type Calibration = {
  readonly digest: Hex
  /** The sensor that it names. */
  readonly item: string
  readonly fromMs: number
  readonly untilMs: number
  readonly uncertaintyPpm: number
  /** Until when the laboratory lets it hold: not less than `untilMs`, which a replaced sensor brings forward. */
  readonly validUntilMs: number
}

const MOST_LABORATORIES = 16
/** Most certificates that may lie ahead of the last good reading; more change nothing. */
const MOST_CERTIFICATES = 64

/** Reads the field `calibration` of a rule. */
export function readCalibration(json: unknown): RuleCalibration {
  const fields = openFields('rule.calibration', json, ['laboratories', 'maxUncertaintyPpm'])
  const laboratories = readArray(fields, 'laboratories', MOST_LABORATORIES).map((keyId) =>
    readHex({ path: 'rule.calibration', values: { laboratories: keyId } }, 'laboratories', 32),
  )
  if (laboratories.length === 0 || new Set(laboratories).size !== laboratories.length) {
    throw new FieldRefusal(
      false,
      'rule.calibration.laboratories must name at least one, each once.',
    )
  }
  return {
    laboratories,
    maxUncertaintyPpm: readInteger(fields, 'maxUncertaintyPpm', 0, MAX_UNCERTAINTY_PPM),
  }
}

/** That in one plain sentence. */
export function explainCalibration({ laboratories, maxUncertaintyPpm }: RuleCalibration): string {
  return `Readings count only while calibrated by ${laboratories.join(' or ')}, within ${ppmText(maxUncertaintyPpm)}.`
}

/** Parts per million in words: 5,000 is `0.5 %`. */
export function ppmText(ppm: number): string {
  return `${formatDecimal(BigInt(ppm), 4, { trim: true })} %`
}

/** Takes a certificate that the stream declares. Those that change nothing say why, where somebody can do something about it. */
export function takeCertificate(
  { rule, machineId, stream }: FoldTerms,
  draft: FoldDraft,
  bytes: Uint8Array,
): FoldCode | 'OK' {
  if (!rule.calibration || rule.rule === 'distance') return 'OK'
  const read = readCalibrationCertificate(bytes)
  if (!read.ok) return read.code
  const { certificate } = read
  if (certificate.machineId !== machineId || certificate.stream !== stream) {
    return 'CERTIFICATE_INVALID'
  }
  if (certificate.unit !== (senmlToUcum(rule.unit) ?? rule.unit)) return 'UNIT_MISMATCH'
  const { laboratories, maxUncertaintyPpm } = rule.calibration
  const isAgreed =
    laboratories.includes(certificate.laboratory) &&
    certificate.expandedUncertaintyPpm <= maxUncertaintyPpm
  if (!isAgreed) return 'CERTIFICATE_NOT_AGREED'
  acceptCertificate(draft, certificate)
  return 'OK'
}

/** What is known of a stream's sensor. */
type Sensor = Pick<FoldDraft, 'calibrations' | 'part' | 'lastReadingMs' | 'replacementsMs'>

function acceptCertificate(sensor: Sensor, certificate: CalibrationCertificate): void {
  const { digest, item, expandedUncertaintyPpm, validFromMs, validUntilMs } = certificate
  const isKnown = sensor.calibrations.some((other) => other.digest === digest)
  if (isKnown || sensor.calibrations.length >= MOST_CERTIFICATES) return
  // What was read before the certificate was declared stays as it was, however far back its validity goes; and what is declared behind a
  // replacement is of the new sensor.
  const fromMs = Math.max(
    validFromMs,
    (sensor.lastReadingMs ?? -1) + 1,
    sensor.replacementsMs.at(-1) ?? 0,
  )
  if (fromMs >= validUntilMs) return
  const isMounted = sensor.part === undefined || sensor.part === item
  const accepted: Calibration = {
    digest,
    item,
    fromMs,
    untilMs: isMounted ? validUntilMs : fromMs,
    uncertaintyPpm: expandedUncertaintyPpm,
    validUntilMs,
  }
  sensor.calibrations = [...sensor.calibrations, accepted]
}

/**
 * A replaced sensor takes its certificates with it, so that they end; those that name the new one go on, or begin.
 *
 * @param newPart what identifies the new sensor, if that was said
 */
export function replaceSensor(sensor: Sensor, atMs: number, newPart: string | undefined): void {
  sensor.part = newPart
  sensor.calibrations = sensor.calibrations.flatMap((one) => {
    if (one.item !== newPart) return [one.untilMs > atMs ? endedAt(one, atMs) : one]
    if (one.untilMs === one.validUntilMs) return [one]
    const begun = { ...one, fromMs: Math.max(one.fromMs, atMs), untilMs: one.validUntilMs }
    // What it covers until it ends may still be ahead.
    const isAhead = one.fromMs < one.untilMs && one.untilMs > (sensor.lastReadingMs ?? 0)
    const hasRoom = sensor.calibrations.length < MOST_CERTIFICATES
    return isAhead && hasRoom ? [one, begun] : [begun]
  })
}

function endedAt(one: Calibration, atMs: number): Calibration {
  return { ...one, untilMs: Math.max(one.fromMs, atMs) }
}

/** Drops what no later reading can use. */
export function dropCalibrations(sensor: Sensor, timeMs: number): void {
  if (sensor.calibrations.some(({ validUntilMs }) => validUntilMs <= timeMs)) {
    sensor.calibrations = sensor.calibrations.filter(({ validUntilMs }) => validUntilMs > timeMs)
  }
}

/** Whether some certificate is in force at each moment from the first to the second, both included. */
export function isCalibrated(
  calibrations: readonly Calibration[],
  fromMs: number,
  toMs: number,
): boolean {
  return calibratedUntil(calibrations, fromMs) > toMs
}

/** Until when certificates are in force without a break, from a moment on: that moment itself if none is in force then. */
export function calibratedUntil(calibrations: readonly Calibration[], fromMs: number): number {
  let coveredMs = fromMs
  for (;;) {
    const untilMs = calibrations.reduce(
      (most, one) => (one.fromMs <= coveredMs ? Math.max(most, one.untilMs) : most),
      coveredMs,
    )
    if (untilMs === coveredMs) return coveredMs
    coveredMs = untilMs
  }
}

/** The uncertainty at a moment: that of the newest certificate in force, by its place in the stream. */
export function uncertaintyPpmAt(calibrations: readonly Calibration[], timeMs: number): number {
  return newestAt(calibrations, timeMs)?.uncertaintyPpm ?? 0
}

function newestAt(calibrations: readonly Calibration[], timeMs: number): Calibration | undefined {
  return calibrations.findLast(({ fromMs, untilMs }) => fromMs <= timeMs && timeMs < untilMs)
}

/** What a stream says of its sensor. */
export type SensorDeclaration = Extract<Declaration, { kind: 'calibration' | 'replacement' }>

/**
 * The certificate of a stream that is in force at a moment, and until when: the newest, whoever its laboratory is. What an agreement makes of it
 * is a fold's business; this is for people who look at the machine.
 *
 * @param declared what its envelopes declared that were admitted, in the order of `seq`
 */
export function certificateInForce(
  { machineId, stream }: Subject,
  declared: readonly SensorDeclaration[],
  atMs: number,
): { certificate: CalibrationCertificate; untilMs: number } | undefined {
  const sensor: Sensor = {
    calibrations: [],
    part: undefined,
    lastReadingMs: undefined,
    replacementsMs: [],
  }
  const certificates = new Map<Hex, CalibrationCertificate>()
  for (const one of declared) {
    if (one.kind === 'replacement') {
      replaceSensor(sensor, one.atMs, one.newPart)
      sensor.replacementsMs = [one.atMs]
      continue
    }
    const read = readCalibrationCertificate(one.certificate)
    if (!read.ok) continue
    const { certificate } = read
    if (certificate.machineId !== machineId || certificate.stream !== stream) continue
    certificates.set(certificate.digest, certificate)
    acceptCertificate(sensor, certificate)
    dropCalibrations(sensor, atMs)
  }
  const inForce = newestAt(sensor.calibrations, atMs)
  const certificate = inForce && certificates.get(inForce.digest)
  return certificate && { certificate, untilMs: inForce.untilMs }
}
