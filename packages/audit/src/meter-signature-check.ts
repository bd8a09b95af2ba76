import { meterValueDigest, recoverAccount, type Terms, verifyTypedDigest } from '@liquefy/protocol'
import type { FaultBook } from './fault.ts'
import type { LedgerMachine } from './ledger.ts'
import type { HeaderLine, MeterValueLine } from './line.ts'

const SIGNER_ACCOUNT = 2

/**
 * `SIGNATURE_INVALID` of a signed meter value: each is of this agreement and signed by the signer that the terms name. A key
 * under the raw P-256 verifier signs otherwise than envelopes do; the ledger alone judges those.
 */
export function checkMeterSignatures(
  header: HeaderLine,
  terms: Terms,
  signers: readonly LedgerMachine[],
  values: readonly { line: MeterValueLine; lineNumber: number }[],
  faults: FaultBook,
): void {
  for (const { line, lineNumber } of values) {
    const digest = meterValueDigest({
      chainId: header.chainId,
      clearingHouse: header.clearingHouse,
      value: line,
    })
    const signed =
      terms.signerKind === SIGNER_ACCOUNT
        ? recoverAccount(digest, line.signature) === `0x${terms.signer.slice(-40)}`.toLowerCase()
        : signers.some((signer) =>
            signer.keys.some(
              ({ key, signsRawDigest }) =>
                signsRawDigest || verifyTypedDigest(key, digest, line.signature),
            ),
          )
    if (signed && line.agreementId === header.agreementId) continue
    faults.add({
      code: 'SIGNATURE_INVALID',
      message: "the meter value is not signed by the agreement's signer",
      line: lineNumber,
      period: line.period,
    })
  }
}
