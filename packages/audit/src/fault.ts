/** What an audit checks, in the order of docs/protocol/bundle.md: the first that does not fit is the first fault. */
export const FAULT_CODES = [
  'BLOCK_HASH_DIFFERS',
  'LEDGER_PROOF_INVALID',
  'CONTRACT_UNKNOWN',
  'BUNDLE_MALFORMED',
  'ENVELOPE_ARCHIVED',
  'ENVELOPE_ERASED',
  'TERMS_MISMATCH',
  'CHECKPOINT_INVALID',
  'ENVELOPE_INVALID',
  'SIGNATURE_INVALID',
  'PROOF_INVALID',
  'ENVELOPE_MISSING',
  'CHAIN_BROKEN',
  'ADMISSION_MISMATCH',
  'REGISTER_MISMATCH',
  'SETTLED_REGISTER_MISMATCH',
  'ADJUSTMENT_MISMATCH',
  'AMOUNT_MISMATCH',
  'OWED_MISMATCH',
] as const

export type FaultCode = (typeof FAULT_CODES)[number]

/** What can be wrong with the ledger's answers themselves: nothing that rests on them is said then. */
export type LedgerFaultCode = 'BLOCK_HASH_DIFFERS' | 'LEDGER_PROOF_INVALID' | 'CONTRACT_UNKNOWN'

/** The first thing that does not fit, and where: `line` counts from 1, numbers beyond 2^53 are decimal strings. */
export interface Fault {
  code: FaultCode
  message: string
  line?: number
  /** Number of a block. */
  block?: string
  stream?: string
  seq?: string
  logIndex?: string
  period?: number
  expected?: string
  found?: string
}

/** Keeps the fault that stands first: by check, then by where it was found. */
export interface FaultBook {
  add(fault: Fault): void
  first(): Fault | null
  /** True if a check up to and including `code` failed. */
  failedUpTo(code: FaultCode): boolean
}

export function faultBook(): FaultBook {
  let first: Fault | null = null
  const rank = (code: FaultCode) => FAULT_CODES.indexOf(code)
  return {
    add(fault) {
      if (!first || rank(fault.code) < rank(first.code)) first = fault
    },
    first: () => first,
    failedUpTo: (code) => first !== null && rank(first.code) <= rank(code),
  }
}
