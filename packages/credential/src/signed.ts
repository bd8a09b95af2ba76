import { parseDidKey } from '@liquefy/protocol'
import { decodeJWT } from 'did-jwt'
import { verifyCredential } from 'did-jwt-vc'
import { ALG, didKeyResolver, type TrustedIssuer } from './issuer.ts'
import { type Refused, refuse } from './refusal.ts'

/** What every credential of ours says, whatever it is about. Times in milliseconds since 1970, whole seconds. */
export interface SignedClaims {
  jwt: string
  id: string
  issuer: string
  validFromMs: number
  validUntilMs: number
  subject: Record<string, unknown>
  status: Record<string, unknown> | undefined
}

const MAX_ID_LENGTH = 200
/** A day before the year 5138, where did-jwt-vc takes a time in seconds for one in milliseconds. */
const MAX_SECONDS = 99_999_999_999
/** Makers and nodes need not have the same clock to the second. */
export const CLOCK_SKEW_MS = 60_000

/**
 * Reads a W3C Verifiable Credential in a compact JWT (VC Data Model 1.1, section 6.3.1) and verifies its issuer's signature by
 * `did-jwt-vc`. Says nothing about time. Never throws.
 *
 * @param expected.type its second type.
 * @param expected.issuers who is trusted; undefined: whoever it is from.
 */
export async function readSigned(
  jwt: string,
  expected: { type: string; maxLength: number; issuers: readonly TrustedIssuer[] | undefined },
): Promise<{ ok: true; claims: SignedClaims } | Refused> {
  if (jwt.length > expected.maxLength) {
    return refuse(
      'CREDENTIAL_TOO_LARGE',
      `A ${expected.type} has at most ${expected.maxLength} characters.`,
    )
  }
  const decoded = decode(jwt)
  if (!decoded) return refuse('CREDENTIAL_MALFORMED', 'This is no compact JWT of three parts.')
  const { header, payload } = decoded
  const claims = claimsOf(jwt, payload, expected.type)
  if (typeof claims === 'string') return refuse('CREDENTIAL_MALFORMED', claims)
  const key = parseDidKey(claims.issuer)
  if (!key.ok) {
    return refuse('CREDENTIAL_MALFORMED', 'iss must be the did:key of a P-256 or secp256k1 key.')
  }
  if (header.alg !== ALG[key.key.curve] || header.crit !== undefined || header.cty !== undefined) {
    return refuse('CREDENTIAL_ALG', `alg must be ${ALG[key.key.curve]}, without crit and cty.`)
  }
  // Before the signature: whoever is nobody here costs nothing.
  if (expected.issuers && !expected.issuers.some(({ did }) => did === claims.issuer)) {
    return refuse(
      'ISSUER_UNTRUSTED',
      `${claims.issuer} is none of the operator’s issuers. Ask the operator to add it to LIQUEFY_TRUSTED_ISSUERS.`,
    )
  }
  try {
    await verifyCredential(jwt, didKeyResolver, {
      policies: { issuanceDate: false, expirationDate: false, aud: false },
    })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return why.includes('invalid_signature') || why.includes('wrong signature length')
      ? refuse('CREDENTIAL_FORGED', `The signature is not by ${claims.issuer}.`)
      : refuse('CREDENTIAL_MALFORMED', `did-jwt-vc says: ${why.slice(0, 200)}`)
  }
  return { ok: true, claims }
}

function decode(jwt: string) {
  try {
    return jwt.split('.').length === 3 ? decodeJWT(jwt, false) : undefined
  } catch {
    return undefined
  }
}

/** The claims, or what is wrong with them. What the model says twice must be the same twice. */
function claimsOf(
  jwt: string,
  payload: Record<string, unknown>,
  type: string,
): SignedClaims | string {
  const { iss, sub, jti, nbf, exp, vc } = payload
  if (!isObject(vc)) return 'vc is missing.'
  const types = vc.type
  if (!Array.isArray(types) || !types.includes(type)) return `vc.type must include ${type}.`
  if (typeof iss !== 'string') return 'iss is missing.'
  if (typeof jti !== 'string' || jti.length === 0 || jti.length > MAX_ID_LENGTH) {
    return `jti must be an id of 1 to ${MAX_ID_LENGTH} characters.`
  }
  if (!isSeconds(nbf) || !isSeconds(exp) || exp <= nbf) {
    return 'nbf and exp must be whole seconds since 1970, exp behind nbf.'
  }
  const { credentialSubject: subject, credentialStatus: status, issuer, id } = vc
  if (!isObject(subject)) return 'vc.credentialSubject must be one object.'
  if (status !== undefined && !isObject(status)) return 'vc.credentialStatus must be one object.'
  const named = isObject(issuer) ? issuer.id : issuer
  if ((named ?? iss) !== iss || (id ?? jti) !== jti || (sub ?? subject.id) !== subject.id) {
    return 'iss, jti and sub must be those that vc names.'
  }
  return {
    jwt,
    id: jti,
    issuer: iss,
    validFromMs: nbf * 1_000,
    validUntilMs: exp * 1_000,
    subject,
    status,
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isSeconds = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= MAX_SECONDS
