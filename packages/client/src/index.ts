export { type Client, createClient } from './client.ts'
export { ApiError } from './errors.ts'
export {
  activateMachine,
  approve,
  authorizeAgreement,
  balanceOf,
  credit,
  fund,
  type LedgerAction,
  openAgreement,
  registerMachine,
  TransactionRevertedError,
  type Wallet,
  withdraw,
} from './ledger.ts'
export type * from './types.ts'
