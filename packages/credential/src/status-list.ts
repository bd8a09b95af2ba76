import { LiquefyError, type SigningKey } from '@liquefy/protocol'
import { createVerifiableCredentialJwt } from 'did-jwt-vc'
import { bitAt, decodeBits, encodeBits, MIN_BITS, withBit } from './bitstring.ts'
import { CONTEXT } from './credential.ts'
import { issuerOf, type TrustedIssuer } from './issuer.ts'
import { type Refused, refuse } from './refusal.ts'
import { readSigned } from './signed.ts'

/** Which credentials of an issuer are revoked, as of a time, good until another. Times in milliseconds since 1970. */
export interface StatusList {
  jwt: string
  /** A URI, the name of the list. */
  id: string
  issuer: string
  validFromMs: number
  validUntilMs: number
  bits: Uint8Array<ArrayBuffer>
}

/** The outcome of reading a status list. */
export type ReadStatusList = { ok: true; list: StatusList } | Refused

const TYPE = 'BitstringStatusListCredential'
/** A full list of `MAX_BITS` that cannot be compressed, in base64 twice. */
export const MAX_STATUS_LIST_LENGTH = 262_144

/** A list that revokes nothing. */
export function emptyBits(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(MIN_BITS / 8)
}

/** The bits of a list with one more credential revoked. @throws LiquefyError `STATUS_INDEX_INVALID` if it has no such place. */
export function revoked(bits: Uint8Array<ArrayBuffer>, index: number): Uint8Array<ArrayBuffer> {
  if (Number.isSafeInteger(index) && index >= 0 && index < bits.length * 8) {
    return withBit(bits, index)
  }
  throw new LiquefyError(
    'STATUS_INDEX_INVALID',
    `The list has places from 0 to ${bits.length * 8 - 1}, and no ${index}.`,
  )
}

/** Whether a list revokes the credential at a place; one beyond its end counts as revoked: the list is not the credential's. */
export function isRevoked({ bits }: StatusList, index: number): boolean {
  return index >= bits.length * 8 || bitAt(bits, index)
}

/** Issues a status list credential (W3C Bitstring Status List 1.0) in a JWT. Times are cut to whole seconds. */
export async function issueStatusList(
  key: SigningKey,
  { id, bits, ...input }: Omit<StatusList, 'jwt' | 'issuer'>,
): Promise<string> {
  const subject = `${id}#list`
  return createVerifiableCredentialJwt(
    {
      sub: subject,
      jti: id,
      nbf: Math.floor(input.validFromMs / 1_000),
      exp: Math.floor(input.validUntilMs / 1_000),
      vc: {
        '@context': [CONTEXT],
        type: ['VerifiableCredential', TYPE],
        credentialSubject: {
          id: subject,
          type: 'BitstringStatusList',
          statusPurpose: 'revocation',
          encodedList: await encodeBits(bits),
        },
      },
    },
    issuerOf(key),
  )
}

/** Reads a status list and verifies its signature, as `readCredential` does. Never throws. */
export async function readStatusList(
  jwt: string,
  issuers?: readonly TrustedIssuer[],
): Promise<ReadStatusList> {
  const read = await readSigned(jwt, { type: TYPE, maxLength: MAX_STATUS_LIST_LENGTH, issuers })
  if (!read.ok) return read
  const { subject, status: _, ...claims } = read.claims
  const { type, statusPurpose, encodedList } = subject
  if (type !== 'BitstringStatusList' || statusPurpose !== 'revocation') {
    return refuse('CREDENTIAL_MALFORMED', 'It must be a BitstringStatusList for revocation.')
  }
  const bits = typeof encodedList === 'string' ? await decodeBits(encodedList) : undefined
  if (!bits) {
    return refuse(
      'CREDENTIAL_MALFORMED',
      `encodedList must be u, then base64url of gzip, of 16 to 128 KiB of bits.`,
    )
  }
  return { ok: true, list: { ...claims, bits } }
}
