import type { Hex } from '@liquefy/protocol'

/** Whether a credential is good at present (docs/protocol/credential.md). */
export type CredentialState =
  | 'valid'
  | 'expired'
  | 'not-yet-valid'
  | 'revoked'
  /** Its maker's status list is not known, or out of date. */
  | 'status-unknown'
  | 'issuer-untrusted'
  /** The machine has another key now. */
  | 'key-replaced'

/** What a maker says of a machine's hardware. Times in milliseconds since 1970. */
export interface MachineCredential {
  id: string
  /** did:key of the maker. */
  issuer: string
  /** What the operator calls the maker; null if he does not trust it any more. */
  issuerName: string | null
  manufacturer: string
  model: string
  serial: string
  /** The key that it attests. */
  keyId: Hex
  validFromMs: number
  validUntilMs: number
  acceptedMs: number
  state: CredentialState
  /** The state in words. */
  words: string
}

/** A machine's credential with all that it takes to check it without the node. */
export interface CheckableCredential extends MachineCredential {
  /** As its maker signed it. */
  credential: string
  /** The newest status list that it names, as its maker signed it; null if it names none, or none is known. */
  statusList: string | null
  /** Those of before: of earlier keys, and of this one. The newest first. */
  earlier: (MachineCredential & { credential: string })[]
}

/** A status list that a node has taken. */
export interface TakenStatusList {
  id: string
  issuer: string
  validFromMs: number
  validUntilMs: number
}

/** A maker whose word the operator takes. */
export interface TrustedIssuer {
  did: string
  name: string
}
