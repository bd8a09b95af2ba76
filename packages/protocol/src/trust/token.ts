import type { Curve, PublicKey, SigningKey } from './key.ts'
import { sign, verify } from './signature.ts'

/** What a password token says (docs/protocol/transport.md). Times in seconds since 1970. */
export type TokenInput = {
  key: SigningKey
  machineId: bigint
  /** CAIP-19 id of the registry: `registryAudience(chainId, registry)`. */
  audience: string
  issuedAt: number
  expiresAt: number
}

/** What a token must say. `now` in seconds since 1970. */
export type TokenExpectation = { machineId: bigint; audience: string; now: number }

/** The outcome of verifying a token. */
export type VerifiedToken = { ok: true } | { ok: false; code: 'TOKEN_INVALID'; message: string }

const MAX_LIFETIME_SECONDS = 3_600
const CLOCK_SKEW_SECONDS = 60
const MAX_TOKEN_LENGTH = 2_048
const ALG = { 'P-256': 'ES256', secp256k1: 'ES256K' } as const satisfies Record<Curve, string>

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** A machine's MQTT password: a compact JWT (RFC 7519), ES256 or ES256K (RFC 8812), by the machine's current key. */
export function encodeToken(input: TokenInput): string {
  const header = { alg: ALG[input.key.curve], typ: 'JWT' }
  const claims = {
    sub: String(input.machineId),
    aud: input.audience,
    iat: input.issuedAt,
    exp: input.expiresAt,
  }
  const signed = `${encodeJson(header)}.${encodeJson(claims)}`
  return `${signed}.${encodeBase64url(sign(input.key, new TextEncoder().encode(signed)))}`
}

/**
 * Verifies a password token: `alg` fits the key, signature, `sub`, `aud`, lifetime of at most an hour, not expired,
 * with 60 s of clock skew. Never throws.
 */
export function verifyToken(
  token: string,
  key: PublicKey,
  expected: TokenExpectation,
): VerifiedToken {
  if (token.length > MAX_TOKEN_LENGTH) return invalid('the token is too long')
  const [headerPart, claimsPart, signaturePart, ...rest] = token.split('.')
  if (!headerPart || !claimsPart || !signaturePart || rest.length > 0) {
    return invalid('the token is no compact JWT of three parts')
  }
  const header = decodeJson(headerPart)
  const claims = decodeJson(claimsPart)
  const signature = decodeBase64url(signaturePart)
  if (!header || !claims || !signature) return invalid('a part of the token is no base64url JSON')
  if (header.get('alg') !== ALG[key.curve]) return invalid(`alg must be ${ALG[key.curve]}`)
  if (header.has('crit')) return invalid('critical extensions are not supported')
  const signed = new TextEncoder().encode(`${headerPart}.${claimsPart}`)
  if (!verify(key, signed, signature)) return invalid('the signature is not by the machine’s key')
  return checkClaims(claims, expected)
}

function checkClaims(claims: Map<string, unknown>, expected: TokenExpectation): VerifiedToken {
  const { now } = expected
  if (claims.get('sub') !== String(expected.machineId)) return invalid('sub is another machine')
  if (claims.get('aud') !== expected.audience) return invalid('aud is another registry')
  const issuedAt = claims.get('iat')
  const expiresAt = claims.get('exp')
  if (!isSeconds(issuedAt) || !isSeconds(expiresAt)) return invalid('iat and exp must be integers')
  if (expiresAt <= issuedAt || expiresAt - issuedAt > MAX_LIFETIME_SECONDS) {
    return invalid(`exp must be after iat by at most ${MAX_LIFETIME_SECONDS} s`)
  }
  if (issuedAt > now + CLOCK_SKEW_SECONDS) return invalid('iat lies in the future')
  if (expiresAt <= now - CLOCK_SKEW_SECONDS) return invalid('the token has expired')
  const notBefore = claims.get('nbf')
  if (notBefore !== undefined && !(isSeconds(notBefore) && notBefore <= now + CLOCK_SKEW_SECONDS)) {
    return invalid('nbf lies in the future')
  }
  return { ok: true }
}

function isSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function decodeJson(part: string): Map<string, unknown> | undefined {
  const bytes = decodeBase64url(part)
  if (!bytes) return undefined
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes))
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
    return new Map(Object.entries(value))
  } catch {
    return undefined
  }
}

function encodeJson(value: unknown): string {
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(value)))
}

function encodeBase64url(bytes: Uint8Array): string {
  const base64 = btoa(String.fromCharCode(...bytes))
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** Strict: no padding, no other alphabet, and no spare bits, so that one value has one text. */
function decodeBase64url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(text) || text.length % 4 === 1) return undefined
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0))
  return encodeBase64url(bytes) === text ? bytes : undefined
}

function invalid(message: string): VerifiedToken {
  return { ok: false, code: 'TOKEN_INVALID', message }
}
