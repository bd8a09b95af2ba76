/** Why a credential or a status list is not taken, or no longer good, in words that a page can show (docs/protocol/credential.md). */
export const CREDENTIAL_REFUSALS = {
  CREDENTIAL_TOO_LARGE: 'It is larger than such a document may be.',
  CREDENTIAL_MALFORMED: 'It cannot be read as what it should be.',
  CREDENTIAL_ALG: 'It is signed by an algorithm that does not fit its issuer’s key.',
  CREDENTIAL_FORGED: 'Its signature is not by its issuer.',
  ISSUER_UNTRUSTED: 'Its issuer is none of those that the operator trusts.',
  CREDENTIAL_KEY_DIFFERS: 'It attests another key than the one that the machine has.',
  CREDENTIAL_NOT_YET_VALID: 'It is not valid yet.',
  CREDENTIAL_EXPIRED: 'It has expired.',
  CREDENTIAL_REVOKED: 'Its issuer has revoked it.',
  STATUS_LIST_MISSING: 'Its issuer’s status list is not known, so it may be revoked.',
  STATUS_LIST_STALE: 'Its issuer’s status list is out of date, so it may be revoked.',
  STATUS_LIST_OLDER: 'A status list of this name is known that is as new, or newer.',
  CREDENTIAL_REUSED: 'Its id or its serial number belongs to another machine.',
  CREDENTIAL_OLDER: 'The machine’s key has a credential that is as new, or newer.',
} as const

/** A code of `CREDENTIAL_REFUSALS`. */
export type CredentialRefusal = keyof typeof CREDENTIAL_REFUSALS

/** A refusal: the code, and what to do. */
export interface Refused {
  ok: false
  code: CredentialRefusal
  message: string
}

export function refuse(code: CredentialRefusal, message: string): Refused {
  return { ok: false, code, message }
}
