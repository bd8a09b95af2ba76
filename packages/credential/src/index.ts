export {
  type Credential,
  issueCredential,
  MAX_CREDENTIAL_LENGTH,
  type ReadCredential,
  readCredential,
  type StatusEntry,
} from './credential.ts'
export { parseTrustedIssuers, type TrustedIssuer } from './issuer.ts'
export { CREDENTIAL_REFUSALS, type CredentialRefusal } from './refusal.ts'
export {
  credentialStanding,
  type Standing,
  type StandingContext,
  statusListStanding,
} from './standing.ts'
export {
  emptyBits,
  isRevoked,
  issueStatusList,
  MAX_STATUS_LIST_LENGTH,
  type ReadStatusList,
  readStatusList,
  revoked,
  type StatusList,
} from './status-list.ts'
