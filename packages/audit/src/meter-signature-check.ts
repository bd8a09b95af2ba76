import {
  adjustmentDigest,
  batchDigest,
  meterValueDigest,
  meterValueHash,
  type SignerContext,
  signedBy,
  type Terms,
} from '@liquefy/protocol'
import type { Hex } from 'viem'
import type { FaultBook } from './fault.ts'
import type { LedgerMachine, LedgerReader } from './ledger.ts'
import type { AdjustmentLine, HeaderLine, MeterValueLine } from './line.ts'

/** What the ledger says of who may sign: every key that the signing machine or its controller ever had, and the verifiers allowed. */
export async function signerContext(
  ledger: LedgerReader,
  registry: Hex,
  signers: readonly LedgerMachine[],
): Promise<SignerContext> {
  return {
    keys: signers.flatMap(({ keys }) => keys),
    verifiers: await ledger.verifiers(registry),
  }
}

/**
 * `SIGNATURE_INVALID` of a signed meter value or adjustment: each is of this agreement and signed by the signer that the terms name, alone or, by an
 * attestor, together with others whose hashes stand beside it.
 */
export function checkMeterSignatures(
  header: HeaderLine,
  terms: Terms,
  signer: SignerContext,
  signedLines: readonly { line: MeterValueLine | AdjustmentLine; lineNumber: number }[],
  faults: FaultBook,
): void {
  for (const { line, lineNumber } of signedLines) {
    const digest = signedDigest(header, line)
    const signed = digest !== undefined && signedBy(terms, digest, line.signature, signer)
    if (signed && line.agreementId === header.agreementId) continue
    faults.add({
      code: 'SIGNATURE_INVALID',
      message: `the ${NAMES[line.type]} is not signed by the agreement's signer`,
      line: lineNumber,
      period: line.period,
    })
  }
}

const NAMES = { meterValue: 'meter value', adjustment: 'adjustment' } as const

/** What was signed; undefined if the value is none of the batch that it names. */
function signedDigest(
  { chainId, clearingHouse }: HeaderLine,
  line: MeterValueLine | AdjustmentLine,
): Hex | undefined {
  if (line.type === 'adjustment') {
    return adjustmentDigest({ chainId, clearingHouse, adjustment: line })
  }
  if (!line.batch) return meterValueDigest({ chainId, clearingHouse, value: line })
  return line.batch.includes(meterValueHash(line))
    ? batchDigest({ chainId, clearingHouse, hashes: line.batch })
    : undefined
}
