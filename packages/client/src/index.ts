export {
  acceptForAccount,
  fundFromAccount,
  type OneParty,
  openFromAccount,
  reclaim,
  type SignedOpening,
  type SignedTopUp,
  setSelling,
  signOpening,
  signTopUp,
} from './account-agreement.ts'
export {
  accountAddress,
  bookTransfer,
  callFromAccount,
  createAccount,
  explainTransfer,
  type OneAccount,
  pauseSpending,
  payFromAccount,
  publishMachineKey,
  type SignedPayment,
  type SignedTransfer,
  type SpendingPolicy,
  setSpendingPolicy,
  signAccountPayment,
  signTransfer,
} from './account-ledger.ts'
export {
  type AgreementAction,
  adjust,
  authorizeAgreement,
  balanceOf,
  closeAgreement,
  closeCall,
  collect,
  credit,
  openAgreement,
  openCall,
  positionOwner,
  refund,
  withdraw,
} from './agreement-ledger.ts'
export {
  type AgreementDraft,
  type MeterDraft,
  type TermsContext,
  termsOf,
} from './agreement-terms.ts'
export { suggestPerHour } from './believable-rate.ts'
export { type Client, createClient } from './client.ts'
export type {
  CheckableCredential,
  CredentialState,
  MachineCredential,
  TakenStatusList,
  TrustedIssuer,
} from './credential.ts'
export { ApiError } from './errors.ts'
export {
  approve,
  approveCall,
  authorizedFundingCall,
  type FundingAuthorization,
  fund,
  fundCall,
  fundSigned,
  fundWithAuthorization,
  fundWithPermit,
  type SignedFunding,
  signAuthorization,
  signFunding,
  signPermit,
  tokensOf,
} from './funding.ts'
export {
  callsOfProposal,
  cancelProposal,
  castVote,
  descriptionHashOf,
  executeProposal,
  type GovernedVault,
  type GovernorAction,
  type ProposalCalls,
  type ProposedAction,
  type ProposedCall,
  proposedCalls,
  proposeToOwners,
  queueProposal,
  setAllowed,
} from './governance-ledger.ts'
export {
  activateMachine,
  activateMachines,
  type MachineAction,
  registerControlledMachine,
  registerMachine,
  registerMachines,
} from './ledger.ts'
export type { ErasureStatement, KeptLeaf, MachineLife, MachineRecord } from './life.ts'
export {
  decommissionMachine,
  ReasonUnknownError,
  rekeyMachine,
  resumeMachine,
  revokeMachineKey,
  rotateMachineKey,
  suspendMachine,
  transferMachine,
} from './machine-ledger.ts'
export type * from './market.ts'
export {
  acceptOffer,
  buy,
  cancelAllOrders,
  cancelOrders,
  idOfOrder,
  listForSale,
  type MarketAction,
  makeOffer,
  marketOf,
  type OrderDraft,
  replacedOrders,
  type SignedOrder,
} from './market-ledger.ts'
export {
  attestMeterValues,
  combineSignatures,
  signMeterValue,
  type ValueSigner,
} from './meter-values.ts'
export {
  type Offer,
  type OfferContext,
  type OfferPrice,
  type OfferProblems,
  pricedUnit,
  type ReadOffer,
  readOffer,
  USUAL_TIMES,
} from './offer.ts'
export { type Measure, type OfferMeter, usualMeasure } from './offer-meter.ts'
export { offerOfTerms } from './offer-of-terms.ts'
export type { PartyDetails, VatTreatment } from './party.ts'
export {
  type RegistrationRequest,
  readRegistration,
  registerRequested,
  writeRegistration,
} from './registration.ts'
export type {
  CalendarWeek,
  HoursOffer,
  MachineCalendar,
  MachineRights,
  UsageRightView,
} from './right.ts'
export {
  bookHours,
  buyRight,
  cancelHours,
  type HoursWanted,
  issueRight,
  lendRight,
  offerHours,
  type RightsAction,
  setCalendarZone,
  signStart,
  transferRight,
  usageRightsOf,
} from './rights-ledger.ts'
export { type SeenGood, seenGood } from './seen-good.ts'
export type * from './thing.ts'
export {
  type Call,
  GasMoneyMissingError,
  type Sender,
  send,
  sendAll,
  TransactionRevertedError,
  type Wallet,
} from './transaction.ts'
export type * from './types.ts'
export type * from './vault.ts'
export {
  buyShares,
  claimIncome,
  claimIncomeTo,
  closeSale,
  collectIncome,
  completeBuyout,
  cooperationOf,
  createVault,
  delegateVotes,
  distributeIncome,
  type GovernanceSetup,
  type NewVault,
  offerBuyout,
  operatorSignature,
  payCredit,
  redeemShares,
  refundShares,
  refuseBuyout,
  type ShareSale,
  transferShares,
  USUAL_GOVERNANCE,
  type VaultAction,
  type VaultSetup,
  vaultSignature,
  type Waterfall,
} from './vault-ledger.ts'
export {
  offersForVault,
  type TradeAction,
  tradeProblem,
  validatedSales,
  votedSales,
} from './vault-trade.ts'
