import {
  decodeEnvelope,
  type Envelope,
  leafData,
  leafHash,
  verifyEnvelope,
  verifyInclusion,
} from '@liquefy/protocol'
import type { CheckedHead } from './checkpoint-check.ts'
import type { FaultBook, FaultCode } from './fault.ts'
import type { KeyEpoch, LedgerMachine } from './ledger.ts'
import type { EnvelopeLine, HeaderLine } from './line.ts'

/** What single envelopes are checked against. `signers` are the measured machine and, if it has one, its controller. */
export interface EnvelopeContext {
  header: HeaderLine
  machineId: bigint
  signers: LedgerMachine[]
  head: CheckedHead
  streams: ReadonlySet<string>
}

/** Node's clock and the blocks' may differ by this much before a logged time is held against a key's end. */
export const CLOCK_TOLERANCE_MS = 120_000

/**
 * `ENVELOPE_INVALID`, `SIGNATURE_INVALID`, `PROOF_INVALID` of one envelope. Returns it only if its bytes are readable and
 * its signature holds, else nothing may be computed from it.
 */
export function checkEnvelope(
  context: EnvelopeContext,
  line: EnvelopeLine,
  lineNumber: number,
  faults: FaultBook,
): Envelope | undefined {
  const fault = (
    code: FaultCode,
    message: string,
    expected?: string,
    found?: string,
  ): undefined => {
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
  const decoded = decodeEnvelope(line.raw)
  if (!decoded.ok) return fault('ENVELOPE_INVALID', decoded.message)
  const { envelope } = decoded
  const foreign = foreignTo(context, line, envelope)
  if (foreign) return fault('ENVELOPE_INVALID', ...foreign)
  const signer = context.signers.find((one) => one.machineId === envelope.iss.machineId)
  const epoch = signer?.keys.find((one) => one.keyId === envelope.kid)
  if (!epoch)
    return fault('SIGNATURE_INVALID', 'the ledger names no such key', undefined, envelope.kid)
  if (epoch.key.curve !== envelope.alg || !verifyEnvelope(envelope, epoch.key)) {
    return fault('SIGNATURE_INVALID', 'the signature does not verify under the key on the ledger')
  }
  const ended = afterItsEnd(epoch, line)
  if (ended) return fault('SIGNATURE_INVALID', ended)
  const included = verifyInclusion({
    leafHash: leafHash(leafData(envelope.digest, line.loggedAt, line.code)),
    index: line.logIndex,
    size: context.head.size,
    proof: line.proof,
    root: context.head.root,
  })
  if (!included) fault('PROOF_INVALID', 'the log does not hold this leaf at this position')
  return envelope
}

function foreignTo(
  context: EnvelopeContext,
  line: EnvelopeLine,
  envelope: Envelope,
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
