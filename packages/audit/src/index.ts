export { type AuditOptions, auditBundle } from './audit.ts'
export { FAULT_CODES, type Fault, type FaultCode } from './fault.ts'
export type {
  KeyEpoch,
  LedgerAnchor,
  LedgerMachine,
  LedgerProof,
  LedgerReader,
  Payment,
} from './ledger.ts'
export {
  type Contradiction,
  compareStatements,
  type LogComparison,
  type LogWitness,
} from './log-compare.ts'
export type { AuditReport, PeriodReport } from './report.ts'
export type { ExpectedDeployment } from './terms-check.ts'
export type { Signed, VerifyMany } from './verify-many.ts'
export { type ViemLedgerOptions, viemLedgerReader } from './viem-ledger.ts'
