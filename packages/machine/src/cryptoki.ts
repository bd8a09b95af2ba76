import { existsSync } from 'node:fs'
// Not by name: a bundle for devices begins with an import of that name.
import nodeModule from 'node:module'
import { LiquefyError } from '@liquefy/protocol'

interface Attribute {
  type: number
  value?: number | boolean | string | Buffer
}

interface Mechanism {
  mechanism: number
  parameter?: Buffer
}

/** What is asked of a PKCS#11 module (OASIS PKCS #11 2.40), as `pkcs11js` offers it. */
interface Cryptoki {
  load(path: string): void
  C_Initialize(options: { flags: number }): void
  C_GetSlotList(tokenPresent: boolean): Buffer[]
  C_GetTokenInfo(slot: Buffer): { label: string }
  C_GetMechanismList(slot: Buffer): number[]
  C_OpenSession(slot: Buffer, flags: number): Buffer
  C_CloseSession(session: Buffer): void
  C_Login(session: Buffer, userType: number, pin: string): void
  C_FindObjectsInit(session: Buffer, template: Attribute[]): void
  C_FindObjects(session: Buffer, most: number): Buffer[]
  C_FindObjectsFinal(session: Buffer): void
  C_GetAttributeValue(session: Buffer, object: Buffer, template: Attribute[]): { value: Buffer }[]
  C_GenerateKeyPair(
    session: Buffer,
    mechanism: Mechanism,
    publicTemplate: Attribute[],
    privateTemplate: Attribute[],
  ): { publicKey: Buffer; privateKey: Buffer }
  C_SignInit(session: Buffer, mechanism: Mechanism, key: Buffer): void
  C_Sign(session: Buffer, data: Buffer, into: Buffer): Buffer
}

/** Where a token is: the PKCS#11 module (a shared library) that reaches it, and the token's label. */
export interface TokenPlace {
  module: string
  token: string
}

/** A token that its user is logged in to. */
export interface TokenSession {
  cryptoki: Cryptoki
  session: Buffer
  slot: Buffer
}

/** Numbers of the standard's header, pkcs11t.h. */
export const CK = {
  OS_LOCKING_OK: 0x2,
  RW_SESSION: 0x2,
  SERIAL_SESSION: 0x4,
  USER: 1,
  PUBLIC_KEY: 2,
  PRIVATE_KEY: 3,
  EC: 3,
  CLASS: 0x0,
  TOKEN: 0x1,
  PRIVATE: 0x2,
  LABEL: 0x3,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  SIGN: 0x108,
  VERIFY: 0x10a,
  EXTRACTABLE: 0x162,
  EC_PARAMS: 0x180,
  EC_POINT: 0x181,
  EC_KEY_PAIR_GEN: 0x1040,
  ECDSA: 0x1041,
} as const

const NO_ECDSA = {
  code: 'TOKEN_MECHANISM_MISSING',
  message:
    'The token has no ECDSA, or makes no such keys: it needs CKM_ECDSA and CKM_EC_KEY_PAIR_GEN.',
}
/** What a module answers, by the standard's names. */
const REFUSALS: Readonly<Record<string, { code: string; message: string }>> = {
  CKR_PIN_INCORRECT: {
    code: 'TOKEN_PIN_WRONG',
    message:
      'The PIN does not open the token. Do not guess: tokens lock themselves after a few wrong ones.',
  },
  CKR_PIN_LOCKED: {
    code: 'TOKEN_PIN_LOCKED',
    message: 'The token is locked after too many wrong PINs: its security officer unlocks it.',
  },
  CKR_MECHANISM_INVALID: NO_ECDSA,
}
/** Answers that mean that the token does not know the curve. */
const CURVE_REFUSED = [
  'CKR_CURVE_NOT_SUPPORTED',
  'CKR_DOMAIN_PARAMS_INVALID',
  'CKR_ATTRIBUTE_VALUE_INVALID',
  'CKR_TEMPLATE_INCONSISTENT',
]
/** Answers of a token that was away: the session, and what was found in it, is gone. */
const SESSION_LOST = [
  'CKR_SESSION_HANDLE_INVALID',
  'CKR_SESSION_CLOSED',
  'CKR_DEVICE_REMOVED',
  'CKR_DEVICE_ERROR',
  'CKR_TOKEN_NOT_PRESENT',
  'CKR_USER_NOT_LOGGED_IN',
  'CKR_KEY_HANDLE_INVALID',
  'CKR_OBJECT_HANDLE_INVALID',
]
const ALREADY_INITIALIZED = 'CKR_CRYPTOKI_ALREADY_INITIALIZED'
const ALREADY_LOGGED_IN = 'CKR_USER_ALREADY_LOGGED_IN'

/** A module is initialized once in a process. */
const modules = new Map<string, Cryptoki>()

/**
 * Opens a session with a token, its user logged in.
 *
 * @throws LiquefyError `PKCS11_UNAVAILABLE`, `PKCS11_MODULE_INVALID`, `TOKEN_MISSING`, `TOKEN_PIN_MISSING`, `TOKEN_PIN_WRONG`,
 * `TOKEN_PIN_LOCKED`, `TOKEN_FAILED`.
 */
export function openToken(place: TokenPlace, pin: string | undefined): TokenSession {
  if (pin === undefined) {
    throw new LiquefyError(
      'TOKEN_PIN_MISSING',
      `The key is in the token "${place.token}". Give its PIN: \`pin\`, or LIQUEFY_MACHINE_PIN(_FILE) on the command line.`,
    )
  }
  const cryptoki = modules.get(place.module) ?? loadModule(place.module)
  const slot = slotOf(cryptoki, place)
  const flags = CK.RW_SESSION | CK.SERIAL_SESSION
  const session = asking('open a session', () => cryptoki.C_OpenSession(slot, flags))
  try {
    asking('log in', () => cryptoki.C_Login(session, CK.USER, pin))
  } catch (error) {
    // Its state is the token's, not the session's: another key of this process has logged in.
    if (!isAnswer(error, ALREADY_LOGGED_IN)) {
      cryptoki.C_CloseSession(session)
      throw error
    }
  }
  return { cryptoki, session, slot }
}

/** Ends a session; one that is gone has ended. */
export function closeSession({ cryptoki, session }: TokenSession): void {
  try {
    cryptoki.C_CloseSession(session)
  } catch (error) {
    if (!SESSION_LOST.includes(answerOf(error))) throw error
  }
}

/** Whether a session failed since its token was away: another one may do. */
export function isSessionLost(error: unknown): boolean {
  return error instanceof LiquefyError && SESSION_LOST.includes(answerOf(error.cause))
}

/** @throws LiquefyError `TOKEN_MECHANISM_MISSING` if the token does not name it. */
export function requireMechanism({ cryptoki, slot }: TokenSession, mechanism: number): void {
  const known = asking('say what it can do', () => cryptoki.C_GetMechanismList(slot))
  if (!known.includes(mechanism)) throw new LiquefyError(NO_ECDSA.code, NO_ECDSA.message)
}

/** Calls a module, and says what its refusal means. @throws LiquefyError `TOKEN_…`. */
export function asking<T>(what: string, call: () => T): T {
  try {
    return call()
  } catch (cause) {
    const answer = answerOf(cause)
    const known = REFUSALS[answer]
    if (known) throw new LiquefyError(known.code, known.message, { cause })
    if (CURVE_REFUSED.includes(answer)) {
      const message = `The token does not take this curve (${answer}). Try --curve P-256.`
      throw new LiquefyError('TOKEN_CURVE_MISSING', message, { cause })
    }
    throw new LiquefyError(
      'TOKEN_FAILED',
      `The token does not ${what}: ${answer}. Look whether it is plugged in and its module is set up.`,
      { cause },
    )
  }
}

function loadModule(path: string): Cryptoki {
  const cryptoki = newCryptoki()
  if (!existsSync(path)) throw moduleInvalid(path, 'does not exist')
  try {
    cryptoki.load(path)
  } catch (cause) {
    throw moduleInvalid(path, 'is no PKCS#11 module for this computer', cause)
  }
  try {
    asking('start', () => cryptoki.C_Initialize({ flags: CK.OS_LOCKING_OK }))
  } catch (error) {
    if (!isAnswer(error, ALREADY_INITIALIZED)) throw error
  }
  modules.set(path, cryptoki)
  return cryptoki
}

function newCryptoki(): Cryptoki {
  const require = nodeModule.createRequire(import.meta.url)
  try {
    const { PKCS11 } = require('pkcs11js') as { PKCS11: new () => Cryptoki }
    return new PKCS11()
  } catch (cause) {
    throw new LiquefyError(
      'PKCS11_UNAVAILABLE',
      'Keys in a token need the package pkcs11js, which `npm ci` builds where there are a C++ compiler, make and Python. Install these, then: npm ci',
      { cause },
    )
  }
}

function slotOf(cryptoki: Cryptoki, { module, token }: TokenPlace): Buffer {
  const slots = asking('list its slots', () => cryptoki.C_GetSlotList(true)).map((slot) => ({
    slot,
    label: asking('say its label', () => cryptoki.C_GetTokenInfo(slot).label.trim()),
  }))
  const [found, another] = slots.filter(({ label }) => label === token)
  if (found && !another) return found.slot
  const labels = slots.map(({ label }) => `"${label}"`).join(', ')
  throw new LiquefyError(
    found ? 'TOKEN_AMBIGUOUS' : 'TOKEN_MISSING',
    found
      ? `${module} shows more than one token "${token}": give them labels of their own.`
      : `${module} shows no token "${token}". It shows: ${labels}.`,
  )
}

function moduleInvalid(path: string, what: string, cause?: unknown): LiquefyError {
  return new LiquefyError(
    'PKCS11_MODULE_INVALID',
    `${path} ${what}. Name the library that came with the token, such as libsofthsm2.so.`,
    { cause },
  )
}

const isAnswer = (error: unknown, answer: string) =>
  error instanceof LiquefyError && answerOf(error.cause) === answer

function answerOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
