import {
  type Envelope,
  keyId,
  leafData,
  leafHash,
  openEnvelope,
  readEnvelope,
  type SealedEnvelope,
} from '@liquefy/protocol'
import type { Hex } from 'viem'
import type { CheckedHead } from './checkpoint-check.ts'
import type { FaultBook, FaultCode } from './fault.ts'
import type { inclusionChecker } from './inclusion-check.ts'
import type { KeyEpoch, LedgerMachine } from './ledger.ts'
import type { EnvelopeLine, HeaderLine } from './line.ts'

/** What single envelopes are checked against. `signers` are the measured machine and, if it has one, its controller. */
export interface EnvelopeContext {
  header: HeaderLine
  machineId: bigint
  signers: LedgerMachine[]
  head: CheckedHead
  /** Whether the log of the head holds a leaf at a position. */
  isIncluded: ReturnType<typeof inclusionChecker>
  streams: ReadonlySet<string>
}

/** Node's clock and the blocks' may differ by this much before a logged time is held against a key's end. */
export const CLOCK_TOLERANCE_MS = 120_000

/** What does not fit about an envelope: code, words, what was expected, what was found. */
type Flaw = [code: FaultCode, message: string, expected?: string, found?: string]

/** An envelope line whose outside was read. Whether its signature holds is not known yet, and what it says is left until then: so little waits. */
export interface OpenedLine {
  line: EnvelopeLine
  lineNumber: number
  outcome:
    | { ok: true; sealed: SealedEnvelope; epoch: KeyEpoch; leafHash: Hex }
    | { ok: false; flaw: Flaw }
}

/** Reads the outside of an envelope, and finds on the ledger the key that it names. */
export function openLine(
  context: EnvelopeContext,
  line: EnvelopeLine,
  lineNumber: number,
): OpenedLine {
  const flawed = (...flaw: Flaw): OpenedLine => ({
    line,
    lineNumber,
    outcome: { ok: false, flaw },
  })
  const opened = openEnvelope(line.raw)
  if (!opened.ok) return flawed('ENVELOPE_INVALID', opened.message)
  const { sealed } = opened
  const foreign = foreignTo(context, line, sealed)
  if (foreign) return flawed('ENVELOPE_INVALID', ...foreign)
  const signer = context.signers.find((one) => one.machineId === sealed.iss.machineId)
  const epoch = signer?.keys.find((one) => one.keyId === sealed.kid)
  if (!epoch || epoch.key.curve !== sealed.alg || keyId(epoch.key) !== sealed.kid) {
    // No signature is asked about: it is known already which of the two faults stands first.
    const decoded = readEnvelope(sealed)
    if (!decoded.ok) return flawed('ENVELOPE_INVALID', decoded.message)
    return epoch
      ? flawed('SIGNATURE_INVALID', NOT_VERIFIED)
      : flawed('SIGNATURE_INVALID', 'the ledger names no such key', undefined, sealed.kid)
  }
  const leaf = leafHash(leafData(sealed.digest, line.loggedAt, line.code))
  return { line, lineNumber, outcome: { ok: true, sealed, epoch, leafHash: leaf } }
}

const NOT_VERIFIED = 'the signature does not verify under the key on the ledger'

/**
 * `ENVELOPE_INVALID`, `SIGNATURE_INVALID`, `PROOF_INVALID` of one envelope, once it is known whether its signature verifies. Returns it
 * only if its bytes are readable and its signature holds, else nothing may be computed from it.
 */
export function checkEnvelope(
  { isIncluded }: EnvelopeContext,
  { line, lineNumber, outcome }: OpenedLine,
  isVerified: boolean,
  faults: FaultBook,
): Envelope | undefined {
  const fault = (...[code, message, expected, found]: Flaw): undefined => {
    faults.add({
      code,
      message,
      line: lineNumber,
      stream: line.stream,
      seq: String(line.seq),
      logIndex: String(line.logIndex),
      ...(expected === undefined ? {} : { expected }),
      ...(found === undefined ? {} : { found }),
    })
  }
  if (!outcome.ok) return fault(...outcome.flaw)
  const decoded = readEnvelope(outcome.sealed)
  if (!decoded.ok) return fault('ENVELOPE_INVALID', decoded.message)
  if (!isVerified) return fault('SIGNATURE_INVALID', NOT_VERIFIED)
  const ended = afterItsEnd(outcome.epoch, line)
  if (ended) return fault('SIGNATURE_INVALID', ended)
  if (!isIncluded({ leafHash: outcome.leafHash, index: line.logIndex, proof: line.proof })) {
    fault('PROOF_INVALID', 'the log does not hold this leaf at this position')
  }
  return decoded.envelope
}

function foreignTo(
  context: EnvelopeContext,
  line: EnvelopeLine,
  envelope: SealedEnvelope,
): [message: string, expected: string, found: string] | undefined {
  const { header, machineId } = context
  const differences: [string, string | number | bigint, string | number | bigint][] = [
    ['is of another machine', machineId, envelope.machineId],
    ['is of another stream', line.stream, envelope.stream],
    ['has another seq', line.seq, envelope.seq],
    ['is of another ledger', header.chainId, envelope.iss.chainId],
    ['is of another registry', header.registry, envelope.iss.registry],
  ]
  const first = differences.find(([, expected, found]) => expected !== found)
  if (first) return [`the envelope ${first[0]}`, String(first[1]), String(first[2])]
  if (!context.streams.has(line.stream)) {
    return ['the agreement meters no such stream', [...context.streams].join(', '), line.stream]
  }
  if (!context.signers.some((signer) => signer.machineId === envelope.iss.machineId)) {
    const expected = context.signers.map((signer) => signer.machineId).join(' or ')
    return [
      'the signer is neither the machine nor its controller',
      expected,
      String(envelope.iss.machineId),
    ]
  }
  return undefined
}

function afterItsEnd(epoch: KeyEpoch, line: EnvelopeLine): string | undefined {
  if (epoch.endSeconds === undefined) return undefined
  if (line.loggedAt <= epoch.endSeconds * 1000 + CLOCK_TOLERANCE_MS) return undefined
  if (epoch.end === 'revoked') return 'the key was revoked before this was logged'
  const head = epoch.heads.find((one) => one.stream === line.stream)
  if (head && line.seq <= head.seq) return undefined
  return 'the key was rotated away before this was logged, and the declared head lies before it'
}

/** How reports name who signed. */
export function signerWords(machineId: bigint, envelope: { iss: { machineId: bigint } }): string {
  return envelope.iss.machineId === machineId
    ? `machine ${machineId}`
    : `edge ${envelope.iss.machineId} (controller)`
}
