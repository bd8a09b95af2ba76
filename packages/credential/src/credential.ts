import {
  didKey,
  LiquefyError,
  type PublicKey,
  parseDidKey,
  type SigningKey,
} from '@liquefy/protocol'
import { createVerifiableCredentialJwt } from 'did-jwt-vc'
import { MAX_BITS } from './bitstring.ts'
import { issuerOf, type TrustedIssuer } from './issuer.ts'
import { type Refused, refuse } from './refusal.ts'
import { readSigned } from './signed.ts'

/** Place of a credential in its issuer's status list. */
export interface StatusEntry {
  /** Id of the list, a URI. Nobody fetches it. */
  list: string
  index: number
}

/** What a maker says of one piece of hardware: the device with this key is that product. Times in milliseconds since 1970. */
export interface Credential {
  jwt: string
  id: string
  issuer: string
  key: PublicKey
  manufacturer: string
  model: string
  serial: string
  validFromMs: number
  validUntilMs: number
  /** Undefined: it cannot be revoked. */
  status: StatusEntry | undefined
}

/** The outcome of reading a credential. */
export type ReadCredential = { ok: true; credential: Credential } | Refused

export const CONTEXT = 'https://www.w3.org/2018/credentials/v1'
const TYPE = 'MachineOnboardingCredential'
export const MAX_CREDENTIAL_LENGTH = 8_192
const MAX_URI_LENGTH = 200
const LINE = /^[^\p{C}\s](?:[^\p{C}]{0,98}[^\p{C}\s])?$/u

/**
 * Issues an onboarding credential: a W3C Verifiable Credential in a JWT, about the device's key as did:key. Entropy and time come from the
 * caller. Times are cut to whole seconds.
 *
 * @throws LiquefyError `CREDENTIAL_INVALID` if it is none that could be read again.
 */
export async function issueCredential(
  key: SigningKey,
  input: Omit<Credential, 'jwt' | 'issuer'>,
): Promise<string> {
  const subject = didKey(input.key)
  const { manufacturer, model, serial, status } = input
  const jwt = await createVerifiableCredentialJwt(
    {
      sub: subject,
      jti: input.id,
      nbf: Math.floor(input.validFromMs / 1_000),
      exp: Math.floor(input.validUntilMs / 1_000),
      vc: {
        '@context': [CONTEXT],
        type: ['VerifiableCredential', TYPE],
        credentialSubject: { id: subject, manufacturer, model, serialNumber: serial },
        ...(status ? { credentialStatus: statusJson(status) } : {}),
      },
    },
    issuerOf(key),
  )
  const read = await readCredential(jwt)
  if (read.ok) return jwt
  throw new LiquefyError('CREDENTIAL_INVALID', read.message)
}

/**
 * Reads a credential and verifies its signature. Whether it is good at a time, for a machine, `credentialStanding` says. Never throws.
 *
 * @param issuers who is trusted; undefined: whoever it is from.
 */
export async function readCredential(
  jwt: string,
  issuers?: readonly TrustedIssuer[],
): Promise<ReadCredential> {
  const read = await readSigned(jwt, { type: TYPE, maxLength: MAX_CREDENTIAL_LENGTH, issuers })
  if (!read.ok) return read
  const { subject, status, ...claims } = read.claims
  const key = parseDidKey(String(subject.id))
  if (!key.ok) return malformed('credentialSubject.id must be the did:key of the device.')
  const { manufacturer, model, serialNumber: serial } = subject
  if (!isLine(manufacturer) || !isLine(model) || !isLine(serial)) {
    return malformed('manufacturer, model and serialNumber must be lines of 1 to 100 characters.')
  }
  const entry = status && statusOf(status)
  if (status && !entry) {
    return malformed(
      'credentialStatus must be a BitstringStatusListEntry for revocation, with list and index.',
    )
  }
  return {
    ok: true,
    credential: { ...claims, key: key.key, manufacturer, model, serial, status: entry },
  }
}

/** W3C Bitstring Status List 1.0, section 2.1. */
function statusJson({ list, index }: StatusEntry) {
  return {
    id: `${list}#${index}`,
    type: 'BitstringStatusListEntry',
    statusPurpose: 'revocation',
    statusListIndex: String(index),
    statusListCredential: list,
  }
}

function statusOf(json: Record<string, unknown>): StatusEntry | undefined {
  const { type, statusPurpose, statusListIndex, statusListCredential: list } = json
  if (type !== 'BitstringStatusListEntry' || statusPurpose !== 'revocation') return undefined
  if (typeof list !== 'string' || list.length === 0 || list.length > MAX_URI_LENGTH)
    return undefined
  if (typeof statusListIndex !== 'string' || !/^(0|[1-9]\d{0,6})$/.test(statusListIndex)) {
    return undefined
  }
  const index = Number(statusListIndex)
  return index < MAX_BITS ? { list, index } : undefined
}

const isLine = (value: unknown): value is string => typeof value === 'string' && LINE.test(value)

const malformed = (message: string) => refuse('CREDENTIAL_MALFORMED', message)
