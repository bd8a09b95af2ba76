export type { Hex } from 'viem'
export {
  hourSeconds,
  hoursBegun,
  hoursOver,
  isTimeZone,
  joinSpans,
  mondayOf,
  openWeek,
  type Span,
  spansOfBits,
  wallHourAt,
  weekOfDay,
  weekSpans,
} from './cooperate/calendar.ts'
export type { CallContext, CallEffect, CallKind, VaultCall } from './cooperate/call-words.ts'
export { explainProposal } from './cooperate/explain-proposal.ts'
export {
  ALL_HOURS,
  bitsFromHex,
  bitsOfHours,
  bitsToHex,
  countHours,
  HOURS_A_WEEK,
  type HourBits,
  hoursOfBits,
} from './cooperate/hour-bits.ts'
export { DAY_NAMES, hoursText, parseHours } from './cooperate/hours-text.ts'
export {
  type HeldRight,
  type KnownCalendar,
  MAX_RIGHTS_KNOWN,
  readCalendar,
  userAt,
} from './cooperate/known-calendar.ts'
export {
  GOOD_KINDS,
  type Good,
  goodToken,
  goodTokenId,
  type Market,
  marketDomain,
  ORDER_TYPES,
  type Order,
  type OrderComponents,
  type OrderJson,
  type OrderPart,
  type OrderRefusalCode,
  orderComponents,
  orderDigest,
  orderId,
  orderPart,
  orderParts,
  orderToJson,
  orderTypedData,
  parseOrder,
} from './cooperate/order.ts'
export {
  entitlementAt,
  heldHours,
  heldSpans,
  heldText,
  hoursInAll,
  MAX_RIGHT_WEEKS,
  rightText,
  type UsageRight,
} from './cooperate/right.ts'
export {
  START_REFUSALS,
  type StartRefusal,
  type StartUse,
  startUseDigest,
  startUseTypedData,
} from './cooperate/start-use.ts'
export { LiquefyError } from './error.ts'
export {
  type AccountOpening,
  type AccountTopUp,
  acceptanceDigest,
  openingDigest,
  payeeSignature,
  topUpDigest,
} from './transact/account-agreement.ts'
export {
  ADJUSTMENT_TYPES,
  type Adjustment,
  type AdjustmentJson,
  type AdjustmentRefusal,
  adjustmentAmount,
  adjustmentDigest,
  adjustmentToJson,
  finalFromMs,
  parseAdjustment,
  parseSignedAdjustment,
  type SignedAdjustment,
  type SignedAdjustmentJson,
  signedAdjustmentToJson,
} from './transact/adjustment.ts'
export {
  type Attestation,
  type AttestationJson,
  attestationToJson,
  batchDigest,
  MAX_ATTESTED_VALUES,
  METER_VALUES_TYPES,
  meterValuesDigest,
  type ParsedAttestation,
  parseAttestation,
} from './transact/attestation.ts'
export {
  type AmountBand,
  amountBand,
  bandEnds,
  hasBand,
  type RegisterBand,
  registerBand,
} from './transact/band.ts'
export {
  type Calibration,
  calibratedUntil,
  certificateInForce,
  ppmText,
  type RuleCalibration,
  type SensorDeclaration,
} from './transact/calibration.ts'
export { canonicalJson } from './transact/canonical.ts'
export type { CountRule } from './transact/count.ts'
export type { CounterRule } from './transact/counter.ts'
export type { DistanceRule } from './transact/distance.ts'
export type { DrawdownRule } from './transact/drawdown.ts'
export type { DurationBeyondRule } from './transact/duration-beyond.ts'
export {
  type EscrowLife,
  escrowLife,
  explainEscrowLife,
  type Pace,
} from './transact/escrow-life.ts'
export {
  type Explained,
  type Explanation,
  exampleQuantities,
  explainAgreement,
  type TermsChange,
  termsChanges,
} from './transact/explain-agreement.ts'
export { type Charged, explainAmount } from './transact/explain-amount.ts'
export {
  explainTariff,
  type TariffAsset,
  type TariffUnit,
  tariffUnit,
  tariffUnits,
} from './transact/explain-tariff.ts'
export {
  type Advance,
  advance,
  type FoldStep,
  foldStream,
  type StepContext,
  startFold,
  stepFold,
} from './transact/fold.ts'
export type { StepCode } from './transact/fold-reading.ts'
export {
  type FoldState,
  FoldStateError,
  foldFromJson,
  foldHead,
  foldToJson,
  latePeriods,
  lateRegisterAt,
  registerAt,
} from './transact/fold-state.ts'
export { type FoldTerms, foldTermsOf } from './transact/fold-terms.ts'
export {
  authorizationNonce,
  FUNDING_TYPES,
  type Funding,
  fundingDigest,
} from './transact/funding.ts'
export type { IntegralRule } from './transact/integral.ts'
export {
  codeBehindCut,
  type LoggedCode,
  type LoggedEnvelope,
} from './transact/logged-envelope.ts'
export {
  type CoveringValue,
  type CoveringValueJson,
  elapsedSeconds,
  evidenceHead,
  METER_VALUE_TYPES,
  type MeterValue,
  type MeterValueJson,
  type MeterValueRefusal,
  meterValueDigest,
  meterValueHash,
  meterValueToJson,
  parseMeterValue,
  parseSignedMeterValue,
  type SignedMeterValue,
  type SignedMeterValueJson,
  type StreamHead,
  signedMeterValueToJson,
  withinRateBound,
} from './transact/meter-value.ts'
export { type PeriodGrid, periodEndMs, periodOf } from './transact/period.ts'
export { explainRule, type MeterRule, parseRule, readingUnits, ruleHash } from './transact/rule.ts'
export type { RuleFactor, RuleRate } from './transact/rule-input.ts'
export { UNIT_NAME } from './transact/rule-input.ts'
export { type LedgerKey, type SignerContext, signedBy } from './transact/signed-by.ts'
export {
  accountOfSigner,
  accountSigner,
  encodeQuorumSignature,
  explainSigner,
  MAX_QUORUM_SIGNERS,
  machineSigner,
  NOBODY_SIGNER,
  parseQuorumSignature,
  type Quorum,
  type QuorumSignature,
  quorumSigner,
  SIGNER_KIND,
} from './transact/signer.ts'
export {
  decodeTariffData,
  encodeTariffData,
  isValidTariff,
  type LinearTariff,
  NO_MAXIMUM,
  owed,
  owedCapped,
  type PlanTariff,
  TARIFF_KINDS,
  type Tariff,
  type TariffContracts,
  TariffError,
  type TieredTariff,
  tariffContract,
  tariffContracts,
  tariffKindAt,
} from './transact/tariff.ts'
export { checkTariffUnits } from './transact/tariff-units.ts'
export {
  agreementId,
  clearingHouseDomain,
  type Limit,
  MAX_OPEN_DAYS,
  type Meter,
  type ParsedTerms,
  parseTerms,
  periodStart,
  STREAM_NAME,
  TERMS_TYPES,
  type Terms,
  TermsError,
  type TermsJson,
  termsFromJson,
  termsToJson,
} from './transact/terms.ts'
export {
  type AdmissionContext,
  admit,
  CLOCK_SKEW_MS,
  latestReadingMs,
} from './trust/admission.ts'
export {
  type CalibrationCertificate,
  type CalibrationStatement,
  encodeCalibrationCertificate,
  MAX_CERTIFICATE_BYTES,
  MAX_UNCERTAINTY_PPM,
  type ReadCertificate,
  readCalibrationCertificate,
} from './trust/calibration-certificate.ts'
export {
  CborFloat,
  type CborLimits,
  type CborMap,
  type CborValue,
  type DecodedCbor,
  decodeStrict,
  encode,
} from './trust/cbor.ts'
export { type SplitSequence, splitSequence } from './trust/cbor-sequence.ts'
export type { ClockDeclaration } from './trust/clock-declaration.ts'
export {
  type CompletenessCheck,
  type CompletenessFault,
  type CompletenessReport,
  checkCompleteness,
  type SignedGap,
  type StreamEnd,
  type StreamStretch,
} from './trust/completeness.ts'
export {
  type DecodedSign1,
  decodeSign1,
  encodeSign1,
  MAX_ENVELOPE_BYTES,
  MAX_NESTING,
  type Sign1,
  sigStructure,
} from './trust/cose.ts'
export type { Declaration } from './trust/declaration.ts'
export {
  compressedPoint,
  didEthr,
  didKey,
  didKeyMethod,
  multikey,
  parseDidKey,
} from './trust/did.ts'
export {
  type DecodedEnvelope,
  decodeEnvelope,
  type Envelope,
  type EnvelopeContent,
  type EnvelopeInput,
  type EnvelopeRefusal,
  encodeEnvelope,
  openEnvelope,
  readEnvelope,
  type SealedEnvelope,
  verifyEnvelope,
  ZERO_DIGEST,
} from './trust/envelope.ts'
export {
  type ErasedStream,
  type Erasure,
  erasureTypedData,
  keptRoot,
  verifyErasure,
} from './trust/erasure.ts'
export {
  formatIss,
  formatSub,
  type Issuer,
  parseIss,
  parseSub,
  registryAudience,
  type Subject,
} from './trust/identifier.ts'
export {
  CURVE_NUMBER,
  type Curve,
  keyId,
  type ParsedKey,
  type PrivateKey,
  type PublicKey,
  parsePublicKey,
  privateKeyFromBytes,
  type SigningKey,
  type TokenKey,
} from './trust/key.ts'
export {
  append,
  type CompletedNode,
  consistencyProof,
  emptyFrontier,
  emptyRoot,
  frontierRoot,
  inclusionProof,
  leafData,
  leafHash,
  type NodeReader,
  nodeHash,
  rootAt,
  rootOfConsistency,
  rootOfInclusion,
  type TreeFrontier,
  verifyConsistency,
  verifyInclusion,
} from './trust/log.ts'
export {
  type LogStatement,
  type ReadLogStatement,
  readCheckpoint,
  readSignedStatement,
} from './trust/log-statement.ts'
export {
  type AccountAuthorization,
  type AccountContext,
  type AccountPayment,
  accountPaymentDigest,
  authorizationHash,
  bookingDay,
  bookingDigest,
  machineAccountAddress,
  machineSignature,
  ownerSignature,
  ownerSignatureTypedData,
} from './trust/machine-account.ts'
export {
  type Build,
  checkOrigin,
  type Design,
  isSigned,
  MAX_ORIGIN_BYTES,
  type NamedDigest,
  type OriginFault,
  type OriginRecord,
  type ReadOrigin,
  readOrigin,
  signOrigin,
} from './trust/origin.ts'
export {
  coseKey,
  coseThumbprint,
  type DecodedReceipt,
  decodeReceipt,
  encodeConsistencyReceipt,
  encodeInclusionReceipt,
  encodeRootHeader,
  encodeSignedRoot,
  type LogIdentity,
  MAX_RECEIPT_BYTES,
  type Receipt,
  type ReceiptProof,
  type ReceiptRefusal,
  rootSigningHash,
  type SignedRoot,
  type VerifiedReceipt,
  verifyConsistencyReceipt,
  verifyInclusionReceipt,
  verifySignedRoot,
} from './trust/receipt.ts'
export type { Handover, Replacement } from './trust/replacement.ts'
export {
  type DecimalFraction,
  MAX_RECORDS,
  type Reading,
  type ReadingInput,
  type ResolvedPack,
  resolvePack,
  type SenmlValue,
} from './trust/senml.ts'
export {
  accountOf,
  lowS,
  normaliseTypedSignature,
  recoverAccount,
  recoverPublicKey,
  sha256,
  sign,
  signDigest,
  signTypedDigest,
  verify,
  verifyRawDigest,
  verifyTypedDigest,
} from './trust/signature.ts'
export {
  encodeStatement,
  MAX_STATEMENT_BYTES,
  type SplitStatement,
  splitStatement,
} from './trust/statement.ts'
export {
  encodeToken,
  type TokenExpectation,
  type TokenInput,
  type VerifiedToken,
  verifyToken,
} from './trust/token.ts'
export {
  AUTHORIZATION_TYPES,
  type Checkpoint,
  checkpointDigest,
  checkpointTypedData,
  headsHash,
  type RotationHead,
  registerControlledDigest,
  registerDigest,
  rekeyDigest,
  rotateDigest,
  verifyCheckpoint,
} from './trust/typed-data.ts'
export {
  type AdmissionCode,
  type ConnectionCode,
  type FoldCode,
  type IgnoredCode,
  type MeterValueCode,
  type Moment,
  type RefusalCode,
  VERDICTS,
  type Verdict,
  type VerdictCode,
} from './trust/verdicts.ts'
export { COUNTRY_CODES } from './units/country.ts'
export {
  DecimalError,
  decimalText,
  formatDecimal,
  parseDecimal,
  roundHalfEven,
} from './units/decimal.ts'
export { durationWords } from './units/duration.ts'
export { larger, smaller } from './units/larger.ts'
export { senmlToUcum } from './units/senml.ts'
export { multiply, type UnitQuantity, unitQuantity } from './units/unit-quantity.ts'
export { parseUnsigned } from './units/unsigned.ts'
