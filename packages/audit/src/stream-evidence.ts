import {
  type AdmissionCode,
  admit,
  codeBehindCut,
  type Envelope,
  type LoggedEnvelope,
  latestReadingMs,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import type { Hex } from 'viem'
import { CLOCK_TOLERANCE_MS } from './envelope-check.ts'
import type { FaultBook, FaultCode } from './fault.ts'
import type { LedgerMachine } from './ledger.ts'
import type { EnvelopeLine, MeteredClaim } from './line.ts'

/** What the bundle holds of one metered stream, gathered in log order. */
export interface StreamEvidence {
  stream: string
  startHead: Hex
  /** `seq` of the envelope that the start head names, once the bundle has shown it. */
  startSeq: bigint | undefined
  /** Not handed on to the fold yet. */
  logged: LoggedEnvelope[]
  /** Ranges of `seq`, ends included, that the machine declared missing, in log order. */
  declaredMissing: { first: bigint; last: bigint }[]
  /** By `seq`, the first logged. */
  bySeq: Map<bigint, { digest: Hex; prev: Hex; logIndex: bigint; code: AdmissionCode }>
  /** What the node says that it made of each envelope, in log order. */
  metered: { seq: bigint; digest: Hex; claims: MeteredClaim[] }[]
}

export function streamEvidence(stream: string, startHead: Hex): StreamEvidence {
  return {
    stream,
    startHead,
    startSeq: undefined,
    logged: [],
    declaredMissing: [],
    bySeq: new Map(),
    metered: [],
  }
}

/** Takes the envelope behind which the agreement begins. What lies before it is not in the bundle, so that its admission is not judged. */
export function takeStart(
  evidence: StreamEvidence,
  { seq, digest, prev }: Envelope,
  { logIndex, code }: EnvelopeLine,
): void {
  evidence.startSeq = seq
  evidence.bySeq.set(seq, { digest, prev, logIndex, code: code as AdmissionCode })
}

/**
 * Takes the next envelope of the stream in log order: `CHAIN_BROKEN` if it counts as admitted although its `prev` does not fit,
 * `ADMISSION_MISMATCH` if its leaf says anything else than what follows from the leaves before it.
 *
 * @param cutSize how much of the log counts under the key of the envelope, if that was revoked.
 */
export function takeEnvelope(
  evidence: StreamEvidence,
  envelope: Envelope,
  line: EnvelopeLine,
  signers: readonly LedgerMachine[],
  cutSize: bigint | undefined,
  faults: FaultBook,
): void {
  const { bySeq } = evidence
  const { seq, digest, prev } = envelope
  const before = bySeq.get(seq - 1n)
  const startsHere = evidence.startHead !== ZERO_DIGEST && prev === evidence.startHead
  const code = admit({
    envelope,
    latestMs: latestReadingMs(envelope.content),
    loggedAt: line.loggedAt,
    active: activityFits(signers, line) ? line.code !== 'MACHINE_SUSPENDED' : line.code !== 'OK',
    sameSeqDigest: bySeq.get(seq)?.digest,
    previousDigest: before?.digest ?? (startsHere ? evidence.startHead : undefined),
    nextPrev: bySeq.get(seq + 1n)?.prev,
  })
  const twice = bySeq.get(seq)?.digest === digest
  if (code !== line.code || twice) {
    const faultCode: FaultCode =
      line.code === 'OK' && code === 'CHAIN_BROKEN' ? 'CHAIN_BROKEN' : 'ADMISSION_MISMATCH'
    faults.add({
      code: faultCode,
      message:
        faultCode === 'CHAIN_BROKEN'
          ? 'prev is not the digest of the envelope before it'
          : twice
            ? 'the same envelope stands in the log twice'
            : 'what was logged before it says otherwise',
      stream: line.stream,
      seq: String(seq),
      logIndex: String(line.logIndex),
      expected: faultCode === 'CHAIN_BROKEN' ? (before?.digest ?? evidence.startHead) : code,
      found: faultCode === 'CHAIN_BROKEN' ? prev : line.code,
    })
  }
  if (!bySeq.has(seq)) bySeq.set(seq, { digest, prev, logIndex: line.logIndex, code })
  if (line.metered.length > 0) evidence.metered.push({ seq, digest, claims: line.metered })
  const logged = {
    seq,
    digest,
    loggedAt: line.loggedAt,
    code: codeBehindCut(code, line.logIndex, cutSize),
    content: envelope.content,
    iat: envelope.iat,
  }
  evidence.logged.push(logged)
  noteMissing(evidence, logged)
}

function noteMissing(evidence: StreamEvidence, { seq, code, content }: LoggedEnvelope): void {
  if (code !== 'OK' || content.kind !== 'declaration' || content.declaration.kind !== 'gap') return
  const [first, named] = content.declaration.missing ?? []
  if (first === undefined || named === undefined) return
  // Only what lies before a declaration can be known to be missing (docs/protocol/meter-rules.md).
  evidence.declaredMissing.push({ first, last: named < seq ? named : seq - 1n })
}

/** Whether the ledger's states allow what the leaf says of the machine being active when it was logged. */
function activityFits(signers: readonly LedgerMachine[], line: EnvelopeLine): boolean {
  const saysInactive = line.code === 'MACHINE_SUSPENDED'
  const states = signers.map((signer) => statesAround(signer, line.loggedAt))
  return saysInactive
    ? states.some((around) => around.some((state) => state !== 'active'))
    : states.every((around) => around.includes('active'))
}

function statesAround(machine: LedgerMachine, timeMs: number): string[] {
  return machine.states
    .filter((entry, index) => {
      const next = machine.states[index + 1]
      const beganBy = entry.fromSeconds * 1000 - CLOCK_TOLERANCE_MS <= timeMs
      const endedAfter = !next || next.fromSeconds * 1000 + CLOCK_TOLERANCE_MS >= timeMs
      return beganBy && endedAfter
    })
    .map((entry) => entry.state)
}

/** The first `seq` that the agreement meters: 1, or the one whose `prev` is the meter's start head. */
export function firstSeqOf(evidence: StreamEvidence): bigint | undefined {
  if (evidence.startHead === ZERO_DIGEST) return 1n
  if (evidence.startSeq !== undefined) return evidence.startSeq + 1n
  // The lowest: a later one may name the same `prev`, and may have been logged first.
  return lowestOf(
    [...evidence.bySeq].flatMap(([seq, { prev }]) => (prev === evidence.startHead ? [seq] : [])),
  )
}

/** A place where an envelope must stand because somebody names it: a claim, a meter value. */
export interface NamedHead {
  seq: bigint
  by: string
}

/**
 * `ENVELOPE_MISSING`: no `seq` is absent between the start head and the last one, nor up to any head that was named, unless the
 * machine itself declared it missing. `foldedTo` is the first `seq` that the fold still waits for: behind it, an
 * envelope may merely be under way.
 */
export function checkComplete(
  evidence: StreamEvidence,
  named: readonly NamedHead[],
  waitingFrom: bigint | undefined,
  faults: FaultBook,
): void {
  const fault = (seq: bigint, message: string) =>
    faults.add({ code: 'ENVELOPE_MISSING', message, stream: evidence.stream, seq: String(seq) })
  const first = firstSeqOf(evidence)
  if (
    evidence.startHead !== ZERO_DIGEST &&
    evidence.startSeq === undefined &&
    first !== undefined
  ) {
    fault(first - 1n, 'the envelope behind which the agreement begins is not in the bundle')
    return
  }
  if (first === undefined) {
    const lowest = lowestOf(evidence.bySeq.keys())
    if (lowest !== undefined) fault(lowest - 1n, 'nothing follows the start head of the terms')
    return
  }
  const highestNamed = named.reduce<NamedHead | undefined>(
    (highest, head) => (!highest || head.seq > highest.seq ? head : highest),
    undefined,
  )
  const declared = (seq: bigint) =>
    evidence.declaredMissing.find((range) => range.first <= seq && seq <= range.last)?.last
  const last = lowestOf([...evidence.bySeq.keys()].map((seq) => -seq))
  const lastSeq = last === undefined ? first - 1n : -last
  // Beyond what the fold waits for nothing has been billed yet, unless somebody names it.
  const mustReach = waitingFrom === undefined ? lastSeq : waitingFrom - 1n
  const until = highestNamed && highestNamed.seq > mustReach ? highestNamed.seq : mustReach
  for (let seq = first; seq <= until; seq += 1n) {
    if (evidence.bySeq.has(seq)) continue
    const end = declared(seq)
    if (end === undefined) {
      const by = seq > lastSeq && highestNamed ? `, although ${highestNamed.by} covers it` : ''
      fault(seq, `the envelope is not in the bundle${by}`)
      return
    }
    // A machine may name any number of envelopes missing: they are passed at once. What is there all the same is no fault.
    seq = end
  }
}

function lowestOf(values: Iterable<bigint>): bigint | undefined {
  let lowest: bigint | undefined
  for (const value of values) if (lowest === undefined || value < lowest) lowest = value
  return lowest
}
