import type { Hex } from 'viem'
import type { Envelope, EnvelopeContent } from './envelope.ts'
import type { AdmissionCode } from './verdicts.ts'

/** How far a reading's time may lie after `loggedAt`. */
export const CLOCK_SKEW_MS = 120_000

/** What was logged before, as far as admission depends on it. Digests are in lower case. */
export type AdmissionContext = {
  /** What is to be admitted; authentic already. */
  envelope: Pick<Envelope, 'digest' | 'prev'>
  /** Time of its latest reading, as `latestReadingMs` gives it. */
  latestMs: number | undefined
  /** When it is logged, in ms since 1970. */
  loggedAt: number
  /** The machine, and its controller if it has one, are active. */
  active: boolean
  /** Digest first logged with this (stream, epoch, seq). */
  sameSeqDigest: Hex | undefined
  /** Digest first logged at `seq - 1`. */
  previousDigest: Hex | undefined
  /** The `prev` that the envelope first logged at `seq + 1` names. */
  nextPrev: Hex | undefined
}

/** The admission code of an authentic envelope: a pure function of what was logged before. The first that applies, in this order. */
export function admit(context: AdmissionContext): AdmissionCode {
  const { envelope, sameSeqDigest, previousDigest, nextPrev } = context
  if (sameSeqDigest !== undefined && sameSeqDigest !== envelope.digest) return 'EQUIVOCATION'
  if (previousDigest !== undefined && previousDigest !== envelope.prev) return 'CHAIN_BROKEN'
  if (nextPrev !== undefined && nextPrev !== envelope.digest) return 'CHAIN_BROKEN'
  if (isAhead(context)) return 'CLOCK_SKEW'
  return context.active ? 'OK' : 'MACHINE_SUSPENDED'
}

function isAhead({ latestMs, loggedAt }: AdmissionContext): boolean {
  return latestMs !== undefined && latestMs > loggedAt + CLOCK_SKEW_MS
}

/**
 * Time of the latest reading, in ms since 1970, whatever their order: of a replacement with readings its moment. Undefined for any other
 * declaration.
 */
export function latestReadingMs(content: EnvelopeContent): number | undefined {
  if (content.kind === 'declaration') {
    const { declaration } = content
    const reads = declaration.kind === 'replacement' && declaration.handover !== undefined
    return reads ? declaration.atMs : undefined
  }
  let latest = Number.NEGATIVE_INFINITY
  for (const { timeMs } of content.readings) latest = Math.max(latest, timeMs)
  return latest
}
