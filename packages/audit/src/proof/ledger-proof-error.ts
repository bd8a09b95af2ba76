import { LiquefyError } from '@liquefy/protocol'
import type { Fault, LedgerFaultCode } from '../fault.ts'

/** What the endpoint said of the ledger does not follow from the trusted block. The audit makes it the first fault. */
export class LedgerProofError extends LiquefyError {
  readonly fault: Fault & { code: LedgerFaultCode }

  constructor(fault: Fault & { code: LedgerFaultCode }, options?: ErrorOptions) {
    super(fault.code, fault.message, options)
    this.name = 'LedgerProofError'
    this.fault = fault
  }
}

/** `LEDGER_PROOF_INVALID`: an answer that does not lead to the trusted block. */
export function notProven(
  message: string,
  detail: Pick<Fault, 'block' | 'expected' | 'found'> = {},
  options?: ErrorOptions,
): LedgerProofError {
  return new LedgerProofError({ code: 'LEDGER_PROOF_INVALID', message, ...detail }, options)
}
