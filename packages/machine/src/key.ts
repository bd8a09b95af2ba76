import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { extname, join } from 'node:path'
import {
  type Curve,
  type Hex,
  LiquefyError,
  type PrivateKey,
  type PublicKey,
  parsePublicKey,
  privateKeyFromBytes,
  type SigningKey,
  type TokenKey,
} from '@liquefy/protocol'
import type { TokenPlace } from './cryptoki.ts'
import { writeDurably } from './durable-file.ts'
import {
  generateTokenKey,
  openTokenKey,
  type PlacedTokenKey,
  type TokenKeyPlace,
} from './token-key.ts'

/** JSON Web Key (RFC 7518, section 6.2; RFC 8812 for secp256k1), as its public part stands in every `key.json`. */
interface PublicKeyFile {
  kty: 'EC'
  crv: Curve
  x: string
  y: string
}

interface PrivateKeyFile extends PublicKeyFile {
  d: string
}

/** A key in a token: the file says where, and holds no secret. */
interface TokenKeyFile extends PublicKeyFile {
  pkcs11: TokenKeyPlace
}

/** In the open, or under a passphrase. Where both are, the latter counts. */
const JWK = '.json'
const PEM = '.pem'

/** Where a key lies: `key`, `key.next` or `key.old`; undefined if there is none. */
function find(folder: string, name: string): string | undefined {
  return [PEM, JWK].map((kind) => join(folder, name + kind)).find((path) => existsSync(path))
}

const toBase64Url = (hex: Hex) => Buffer.from(hex.slice(2), 'hex').toString('base64url')

/**
 * Makes the key of a machine and keeps it in `<folder>/key.json` (a JWK, mode 0600), or, with a passphrase, in `<folder>/key.pem`
 * (PKCS #8 under AES-256, as openssl reads it). P-256 is what secure elements speak, and the default.
 *
 * @throws LiquefyError `KEY_EXISTS` if the folder has a key: a lost key is a lost machine, so none is overwritten.
 */
export function createKey(folder: string, curve: Curve = 'P-256', passphrase?: string): PrivateKey {
  prepareFolder(folder)
  const key = randomKey(curve)
  writeKey(join(folder, 'key'), key, passphrase)
  return key
}

/**
 * Makes the key of a machine in a token (PKCS#11), which it never leaves; `<folder>/key.json` names module, token and key.
 *
 * @param pin of the token's user.
 * @throws LiquefyError `KEY_EXISTS`, as `createKey`; `PKCS11_…` or `TOKEN_…` if the token makes no such key, each saying what to do.
 */
export function createTokenKey(
  folder: string,
  place: TokenPlace,
  curve: Curve = 'P-256',
  pin?: string,
): TokenKey {
  prepareFolder(folder)
  return keepTokenKey(join(folder, 'key'), generateTokenKey(place, curve, pin))
}

/**
 * The key that a machine is about to change to, kept in `<folder>/key.next.json` or `.pem`: made once, the same when asked again, so that a
 * rotation which was cut short goes on with it. It is made where the machine's key is: in a file, or in the same token.
 */
export function nextKey(
  folder: string,
  curve: Curve = 'P-256',
  passphrase?: string,
  pin?: string,
): SigningKey {
  const place = tokenOf(folder)
  if (place) return nextTokenKey(folder, place, curve, pin)
  const known = knownNextKey(folder, passphrase, pin)
  if (known) return known
  const key = randomKey(curve)
  writeKey(join(folder, 'key.next'), key, passphrase)
  return key
}

/** The same with a key in the named token: so a machine whose key was in a file, or in another token, moves there. */
export function nextTokenKey(
  folder: string,
  { module, token }: TokenPlace,
  curve: Curve = 'P-256',
  pin?: string,
): SigningKey {
  return (
    knownNextKey(folder, undefined, pin) ??
    keepTokenKey(join(folder, 'key.next'), generateTokenKey({ module, token }, curve, pin))
  )
}

function knownNextKey(folder: string, passphrase?: string, pin?: string): SigningKey | undefined {
  const path = find(folder, 'key.next')
  if (!path) return undefined
  const key = readKey(path, passphrase, pin)
  if (key) return key
  throw new LiquefyError('KEY_INVALID', `${path} holds no key. Remove it and try again.`)
}

/** Which token the folder's key is in; undefined if it is in a file, or there is none. */
function tokenOf(folder: string): TokenKeyPlace | undefined {
  const path = find(folder, 'key')
  return path?.endsWith(JWK) ? parseTokenKeyFile(readFileSync(path, 'utf8'))?.place : undefined
}

/** Makes the next key the machine's own; the old one is kept beside it in `key.old`. Call it when the ledger has the new one. */
export function adoptNextKey(folder: string): void {
  const old = find(folder, 'key')
  const next = find(folder, 'key.next')
  if (!next) {
    throw new LiquefyError(
      'KEY_MISSING',
      `${folder} holds no next key. Make it: nextKey('${folder}').`,
    )
  }
  if (old) renameSync(old, join(folder, `key.old${extname(old)}`))
  renameSync(next, join(folder, `key${extname(next)}`))
}

/**
 * Reads the key of `createKey`, or opens that of `createTokenKey`.
 *
 * @throws LiquefyError `KEY_MISSING` if there is none, `KEY_INVALID` if the file is no EC key of ours or its public
 * part does not belong to its private one, `KEY_PASSPHRASE_MISSING` or `KEY_PASSPHRASE_WRONG` if it is under another passphrase;
 * `PKCS11_…`, `TOKEN_…` or `KEY_DIFFERS` if the token does not sign with it.
 */
export function loadKey(folder: string, passphrase?: string, pin?: string): SigningKey {
  const path = find(folder, 'key')
  if (!path) {
    throw new LiquefyError(
      'KEY_MISSING',
      `${join(folder, 'key.json')} does not exist. Make a key first: createKey('${folder}').`,
    )
  }
  chmodSync(path, 0o600)
  const key = readKey(path, passphrase, pin)
  if (!key) throw new LiquefyError('KEY_INVALID', `${path} holds no P-256 or secp256k1 key.`)
  return key
}

/** Whether the folder holds a key. */
export function hasKey(folder: string): boolean {
  return find(folder, 'key') !== undefined
}

function prepareFolder(folder: string): void {
  const path = find(folder, 'key')
  if (path) {
    throw new LiquefyError(
      'KEY_EXISTS',
      `${path} exists already. Load it, or choose another folder for a new machine.`,
    )
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
}

function publicJwkOf({ curve, x, y }: PublicKey): PublicKeyFile {
  return { kty: 'EC', crv: curve, x: toBase64Url(x), y: toBase64Url(y) }
}

function keepTokenKey(base: string, { key, place }: PlacedTokenKey): TokenKey {
  const file: TokenKeyFile = { ...publicJwkOf(key.publicKey), pkcs11: place }
  writeDurably(base + JWK, `${JSON.stringify(file, undefined, 2)}\n`, 0o600)
  return key
}

function writeKey(base: string, key: PrivateKey, passphrase: string | undefined): void {
  const d = Buffer.from(key.d).toString('base64url')
  const jwk: PrivateKeyFile = { ...publicJwkOf(key.publicKey), d }
  if (passphrase === undefined) {
    writeDurably(base + JWK, `${JSON.stringify(jwk, undefined, 2)}\n`, 0o600)
    return
  }
  const encryption = { cipher: 'aes-256-cbc', passphrase }
  const pem = createPrivateKey({ key: { ...jwk }, format: 'jwk' }).export({
    type: 'pkcs8',
    format: 'pem',
    ...encryption,
  })
  writeDurably(base + PEM, pem, 0o600)
}

function readKey(
  path: string,
  passphrase: string | undefined,
  pin: string | undefined,
): SigningKey | undefined {
  const text = readFileSync(path, 'utf8')
  if (path.endsWith(JWK)) {
    const inToken = parseTokenKeyFile(text)
    if (inToken) return openTokenKey(inToken.place, inToken.publicKey, pin)
    return parseKeyFile(text)
  }
  if (passphrase === undefined) {
    throw new LiquefyError(
      'KEY_PASSPHRASE_MISSING',
      `${path} is encrypted. Give its passphrase: \`passphrase\`, or LIQUEFY_MACHINE_PASSPHRASE(_FILE) on the command line.`,
    )
  }
  return parseKeyFile(JSON.stringify(openPem(path, text, passphrase).export({ format: 'jwk' })))
}

function openPem(path: string, pem: string, passphrase: string): KeyObject {
  try {
    return createPrivateKey({ key: pem, passphrase })
  } catch (cause) {
    throw new LiquefyError(
      'KEY_PASSPHRASE_WRONG',
      `The passphrase does not open ${path}, or the file is damaged.`,
      { cause },
    )
  }
}

function randomKey(curve: Curve): PrivateKey {
  for (;;) {
    try {
      return privateKeyFromBytes(curve, new Uint8Array(randomBytes(32)))
    } catch (error) {
      // About one in 2^32 draws (P-256) lies beyond the group order: draw again.
      if (!(error instanceof LiquefyError)) throw error
    }
  }
}

function parseKeyFile(text: string): PrivateKey | undefined {
  const jwk = parseJwk<PrivateKeyFile>(text)
  if (!jwk?.file.d) return undefined
  try {
    const d = new Uint8Array(Buffer.from(jwk.file.d, 'base64url'))
    const key = privateKeyFromBytes(jwk.publicKey.curve, d)
    const { x, y } = key.publicKey
    return jwk.publicKey.x === x && jwk.publicKey.y === y ? key : undefined
  } catch {
    return undefined
  }
}

function parseTokenKeyFile(
  text: string,
): { publicKey: PublicKey; place: TokenKeyPlace } | undefined {
  const jwk = parseJwk<TokenKeyFile>(text)
  const { module, token, label } = jwk?.file.pkcs11 ?? {}
  if (!jwk || !module || !token || !label) return undefined
  return { publicKey: jwk.publicKey, place: { module, token, label } }
}

function parseJwk<File extends PublicKeyFile>(
  text: string,
): { file: Partial<File>; publicKey: PublicKey } | undefined {
  try {
    const file = JSON.parse(text) as Partial<File>
    if (file.kty !== 'EC') return undefined
    const hex = (text?: string) => `0x${Buffer.from(text ?? '', 'base64url').toString('hex')}`
    const parsed = parsePublicKey({ curve: file.crv, x: hex(file.x), y: hex(file.y) })
    return parsed.ok ? { file, publicKey: parsed.key } : undefined
  } catch {
    return undefined
  }
}
