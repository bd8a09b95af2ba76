export { LedgerProofError } from './ledger-proof-error.ts'
export { type ProvenLedgerOptions, provenLedgerReader } from './proven-ledger.ts'
