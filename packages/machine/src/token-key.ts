import { randomBytes } from 'node:crypto'
import {
  type Curve,
  type Hex,
  LiquefyError,
  type PublicKey,
  parsePublicKey,
  sign,
  type TokenKey,
  verify,
} from '@liquefy/protocol'
import {
  asking,
  CK,
  closeSession,
  isSessionLost,
  openToken,
  requireMechanism,
  type TokenPlace,
  type TokenSession,
} from './cryptoki.ts'

/** Which key of which token. Label and `CKA_ID` are the same. */
export interface TokenKeyPlace extends TokenPlace {
  label: string
}

/** A key that is in a token, and where. */
export interface PlacedTokenKey {
  key: TokenKey
  place: TokenKeyPlace
}

/** Object identifiers of the curves in DER: prime256v1 (RFC 5480), secp256k1 (SEC 2). */
const CURVE_OID = {
  'P-256': Buffer.from('06082a8648ce3d030107', 'hex'),
  secp256k1: Buffer.from('06052b8104000a', 'hex'),
} as const satisfies Record<Curve, Buffer>

const SIGNATURE_BYTES = 64
const POINT_BYTES = 65

/**
 * Makes a key pair in a token, by the token itself: the private key is sensitive and not extractable, so nobody has ever seen it.
 *
 * @throws LiquefyError `TOKEN_…` and `PKCS11_…`, as `openToken`; `TOKEN_MECHANISM_MISSING`, `TOKEN_CURVE_MISSING`.
 */
export function generateTokenKey(
  { module, token }: TokenPlace,
  curve: Curve,
  pin: string | undefined,
): PlacedTokenKey {
  // Made anew for each key: what a process that was killed has left behind gets in nobody's way.
  const place = { module, token, label: `liquefy-${randomBytes(8).toString('hex')}` }
  const session = openSession(place, pin)
  try {
    const pair = generatePair(session, place.label, curve)
    const publicKey = pointOf(session, pair.publicKey, curve)
    return { key: openTokenKey(place, publicKey, pin), place }
  } finally {
    closeSession(session)
  }
}

/**
 * Opens the key of a token. One signature is made and checked, so that a key that cannot sign is found here and not with the first reading.
 * A token that was away signs again once it is back; one that refuses the PIN then is not asked again.
 *
 * @throws LiquefyError as `generateTokenKey`; `TOKEN_KEY_MISSING` if the token has no such key, `KEY_DIFFERS` if it is another one.
 */
export function openTokenKey(
  place: TokenKeyPlace,
  publicKey: PublicKey,
  pin: string | undefined,
): TokenKey {
  let held = openHandle(place, pin)
  let refusal: LiquefyError | undefined
  const openAgain = (): HeldKey => {
    if (refusal) throw refusal
    try {
      return openHandle(place, pin)
    } catch (error) {
      // Tokens lock themselves after a few wrong ones.
      if (error instanceof LiquefyError && error.code.startsWith('TOKEN_PIN_')) refusal = error
      throw error
    }
  }
  const key: TokenKey = {
    curve: publicKey.curve,
    publicKey,
    signDigest(digest32) {
      try {
        return signWith(held, digest32)
      } catch (error) {
        if (!isSessionLost(error)) throw error
        closeSession(held)
        held = openAgain()
        return signWith(held, digest32)
      }
    },
  }
  const message = new Uint8Array(randomBytes(32))
  if (verify(publicKey, message, sign(key, message))) return key
  closeSession(held)
  throw new LiquefyError(
    'KEY_DIFFERS',
    `The key "${place.label}" of the token is not the one that the folder's key.json names.`,
  )
}

interface HeldKey extends TokenSession {
  handle: Buffer
}

function openHandle(place: TokenKeyPlace, pin: string | undefined): HeldKey {
  const session = openSession(place, pin)
  try {
    const handle = find(session, place.label)
    if (handle) return { ...session, handle }
    throw new LiquefyError(
      'TOKEN_KEY_MISSING',
      `The token "${place.token}" has no key "${place.label}". Is it the token that the key was made in?`,
    )
  } catch (error) {
    closeSession(session)
    throw error
  }
}

function openSession(place: TokenPlace, pin: string | undefined): TokenSession {
  const token = openToken(place, pin)
  try {
    requireMechanism(token, CK.ECDSA)
    return token
  } catch (error) {
    closeSession(token)
    throw error
  }
}

function signWith({ cryptoki, session, handle }: HeldKey, digest32: Uint8Array): Uint8Array {
  return asking('sign', () => {
    cryptoki.C_SignInit(session, { mechanism: CK.ECDSA }, handle)
    const into = Buffer.alloc(SIGNATURE_BYTES)
    return Uint8Array.from(cryptoki.C_Sign(session, Buffer.from(digest32), into))
  })
}

function generatePair(token: TokenSession, label: string, curve: Curve) {
  requireMechanism(token, CK.EC_KEY_PAIR_GEN)
  const both = [
    { type: CK.KEY_TYPE, value: CK.EC },
    { type: CK.TOKEN, value: true },
    { type: CK.LABEL, value: label },
    { type: CK.ID, value: Buffer.from(label) },
  ]
  const publicTemplate = [
    ...both,
    { type: CK.CLASS, value: CK.PUBLIC_KEY },
    { type: CK.PRIVATE, value: false },
    { type: CK.VERIFY, value: true },
    { type: CK.EC_PARAMS, value: CURVE_OID[curve] },
  ]
  const privateTemplate = [
    ...both,
    { type: CK.CLASS, value: CK.PRIVATE_KEY },
    { type: CK.PRIVATE, value: true },
    { type: CK.SENSITIVE, value: true },
    { type: CK.EXTRACTABLE, value: false },
    { type: CK.SIGN, value: true },
  ]
  const mechanism = { mechanism: CK.EC_KEY_PAIR_GEN }
  return asking('make a key', () =>
    token.cryptoki.C_GenerateKeyPair(token.session, mechanism, publicTemplate, privateTemplate),
  )
}

function find({ cryptoki, session }: TokenSession, label: string): Buffer | undefined {
  return asking('look for a key', () => {
    cryptoki.C_FindObjectsInit(session, [
      { type: CK.CLASS, value: CK.PRIVATE_KEY },
      { type: CK.LABEL, value: label },
    ])
    try {
      return cryptoki.C_FindObjects(session, 1)[0]
    } finally {
      cryptoki.C_FindObjectsFinal(session)
    }
  })
}

/** `CKA_EC_POINT`: `04 || x || y` in a DER octet string, as the standard says, or bare, as some tokens answer. */
function pointOf({ cryptoki, session }: TokenSession, publicKey: Buffer, curve: Curve): PublicKey {
  const [point] = asking('tell its public key', () =>
    cryptoki.C_GetAttributeValue(session, publicKey, [{ type: CK.EC_POINT }]),
  )
  const bytes = point?.value.subarray(-POINT_BYTES) ?? Buffer.alloc(0)
  const hex = (from: number): Hex => `0x${bytes.subarray(from, from + 32).toString('hex')}`
  const parsed = parsePublicKey({ curve, x: hex(1), y: hex(33) })
  if (parsed.ok) return parsed.key
  throw new LiquefyError('TOKEN_FAILED', `The token made no ${curve} key: ${parsed.message}.`)
}
