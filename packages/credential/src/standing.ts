import { type Hex, keyId } from '@liquefy/protocol'
import type { Credential } from './credential.ts'
import type { TrustedIssuer } from './issuer.ts'
import { type CredentialRefusal, type Refused, refuse } from './refusal.ts'
import { CLOCK_SKEW_MS } from './signed.ts'
import { isRevoked, type StatusList } from './status-list.ts'

/** What a credential is judged by. */
export interface StandingContext {
  nowMs: number
  /** Key id of the machine at present; undefined if it has no key, `'any'` if none is asked for. */
  keyId: Hex | 'any' | undefined
  /** Who is trusted; undefined: whoever it is from. */
  issuers: readonly TrustedIssuer[] | undefined
  /** The newest list that the credential names, by the same issuer; undefined if none is known. */
  statusList: StatusList | undefined
}

/** The codes that may befall a credential that was good once. */
export type Standing =
  | 'OK'
  | Extract<
      CredentialRefusal,
      | 'ISSUER_UNTRUSTED'
      | 'CREDENTIAL_KEY_DIFFERS'
      | 'CREDENTIAL_NOT_YET_VALID'
      | 'CREDENTIAL_EXPIRED'
      | 'CREDENTIAL_REVOKED'
      | 'STATUS_LIST_MISSING'
      | 'STATUS_LIST_STALE'
    >

/**
 * Whether a credential whose signature was verified is good at a time, for a machine. What does not change back stands first: a revoked one stays
 * revoked, also when its list is out of date.
 */
export function credentialStanding(
  credential: Credential,
  context: StandingContext,
): { ok: true } | (Refused & { code: Exclude<Standing, 'OK'> }) {
  const { nowMs, statusList } = context
  const { issuer, status } = credential
  const no = (code: Exclude<Standing, 'OK'>, message: string) => ({
    ...refuse(code, message),
    code,
  })
  if (context.issuers && !context.issuers.some(({ did }) => did === issuer)) {
    return no('ISSUER_UNTRUSTED', `${issuer} is none of the operator’s issuers.`)
  }
  const own = keyId(credential.key)
  if (context.keyId !== 'any' && context.keyId !== own) {
    return no(
      'CREDENTIAL_KEY_DIFFERS',
      `The credential attests the key ${own}; the machine has ${context.keyId ?? 'none'}. After a change of keys the maker attests the new one.`,
    )
  }
  const known =
    statusList && status && statusList.id === status.list && statusList.issuer === issuer
  if (known && isRevoked(statusList, status.index)) {
    return no('CREDENTIAL_REVOKED', `The maker has revoked it: ask ${issuer} why.`)
  }
  if (nowMs < credential.validFromMs - CLOCK_SKEW_MS) {
    return no('CREDENTIAL_NOT_YET_VALID', `It is valid from ${timeOf(credential.validFromMs)}.`)
  }
  if (nowMs >= credential.validUntilMs) {
    return no(
      'CREDENTIAL_EXPIRED',
      `It was valid until ${timeOf(credential.validUntilMs)}: ask the maker for a new one.`,
    )
  }
  if (!status) return { ok: true }
  if (!known) {
    return no('STATUS_LIST_MISSING', `Hand in the status list ${status.list} of ${issuer} first.`)
  }
  if (nowMs >= statusList.validUntilMs) {
    return no(
      'STATUS_LIST_STALE',
      `The list ${status.list} was good until ${timeOf(statusList.validUntilMs)}: hand in the maker’s new one.`,
    )
  }
  return { ok: true }
}

/** Whether a list is to be taken now: one of the future would keep out all others until then, one of the past says nothing of today. */
export function statusListStanding(
  { validFromMs, validUntilMs }: StatusList,
  nowMs: number,
): { ok: true } | Refused {
  if (validFromMs > nowMs + CLOCK_SKEW_MS) {
    return refuse(
      'CREDENTIAL_NOT_YET_VALID',
      `The list is valid from ${timeOf(validFromMs)}: hand it in then.`,
    )
  }
  if (validUntilMs <= nowMs) {
    return refuse(
      'STATUS_LIST_STALE',
      `The list was good until ${timeOf(validUntilMs)}: hand in the maker’s new one.`,
    )
  }
  return { ok: true }
}

const timeOf = (ms: number) => new Date(ms).toISOString()
