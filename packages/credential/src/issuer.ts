import { didKey, LiquefyError, parseDidKey, type SigningKey, sign } from '@liquefy/protocol'
import type { Issuer } from 'did-jwt-vc'
import type { DIDResolutionResult, Resolvable } from 'did-resolver'
import { base64url } from './base64url.ts'

/** A maker whose word the operator takes: who it is, and what people call it. */
export interface TrustedIssuer {
  did: string
  name: string
}

/** JWS algorithms (RFC 7518; RFC 8812) by curve. */
export const ALG = { 'P-256': 'ES256', secp256k1: 'ES256K' } as const

const MAX_ISSUERS = 1_000
const NAME = /^[^\p{C}]{1,100}$/u

/**
 * Reads an operator's list, `[{"did":"did:key:…","name":"…"}]`.
 *
 * @throws LiquefyError `ISSUERS_INVALID` that names the entry.
 */
export function parseTrustedIssuers(text: string): TrustedIssuer[] {
  const list = parseArray(text)
  if (!list || list.length > MAX_ISSUERS) {
    throw invalid(`The list of issuers is no JSON array of at most ${MAX_ISSUERS} {did, name}.`)
  }
  const issuers = list.map((entry, index) => {
    const { did, name } = (entry ?? {}) as Partial<TrustedIssuer>
    if (typeof did !== 'string' || !parseDidKey(did).ok) {
      throw invalid(`Issuer ${index + 1}: did must be the did:key of a P-256 or secp256k1 key.`)
    }
    if (typeof name !== 'string' || !NAME.test(name)) {
      throw invalid(`Issuer ${index + 1}: name must be a line of 1 to 100 characters.`)
    }
    return { did, name }
  })
  if (new Set(issuers.map(({ did }) => did)).size < issuers.length) {
    throw invalid('The list of issuers names one of them twice.')
  }
  return issuers
}

/** Who issues with this key, for `did-jwt-vc`. */
export function issuerOf(key: SigningKey): Issuer {
  return {
    did: didKey(key.publicKey),
    alg: ALG[key.curve],
    signer: async (data) => {
      const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data
      return base64url(sign(key, bytes))
    },
  }
}

/** Resolves did:key, which needs nobody else: the key stands in its name. Anything else is not found. */
export const didKeyResolver: Resolvable = {
  resolve: async (did): Promise<DIDResolutionResult> => {
    const parsed = parseDidKey(did)
    if (!parsed.ok) {
      const didResolutionMetadata = { error: 'notFound', message: parsed.message }
      return { didResolutionMetadata, didDocument: null, didDocumentMetadata: {} }
    }
    const { curve, x, y } = parsed.key
    const id = `${did}#${did.slice('did:key:'.length)}`
    const method = {
      id,
      type: 'JsonWebKey2020',
      controller: did,
      publicKeyJwk: { kty: 'EC', crv: curve, x: base64urlOfHex(x), y: base64urlOfHex(y) },
    }
    return {
      didResolutionMetadata: { contentType: 'application/did+json' },
      didDocument: { id: did, verificationMethod: [method], assertionMethod: [id] },
      didDocumentMetadata: {},
    }
  },
}

function parseArray(text: string): unknown[] | undefined {
  try {
    const list: unknown = JSON.parse(text)
    return Array.isArray(list) ? list : undefined
  } catch {
    return undefined
  }
}

const invalid = (message: string) => new LiquefyError('ISSUERS_INVALID', message)

function base64urlOfHex(hex: string): string {
  return base64url(Uint8Array.from(hex.slice(2).match(/../g) ?? [], (byte) => Number(`0x${byte}`)))
}
