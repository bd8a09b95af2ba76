import { createPrivateKey, type KeyObject, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { extname, join } from 'node:path'
import {
  type Curve,
  type Hex,
  LiquefyError,
  type PrivateKey,
  parsePublicKey,
  privateKeyFromBytes,
} from '@liquefy/protocol'
import { writeDurably } from './durable-file.ts'

/** JSON Web Key (RFC 7518, section 6.2; RFC 8812 for secp256k1) as it stands in `key.json`. */
interface KeyFile {
  kty: 'EC'
  crv: Curve
  x: string
  y: string
  d: string
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
  const path = find(folder, 'key')
  if (path) {
    throw new LiquefyError(
      'KEY_EXISTS',
      `${path} exists already. Load it, or choose another folder for a new machine.`,
    )
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const key = randomKey(curve)
  writeKey(join(folder, 'key'), key, passphrase)
  return key
}

/**
 * The key that a machine is about to change to, kept in `<folder>/key.next.json` or `.pem`: made once, the same when asked again, so that a
 * rotation which was cut short goes on with it.
 */
export function nextKey(folder: string, curve: Curve = 'P-256', passphrase?: string): PrivateKey {
  const path = find(folder, 'key.next')
  if (path) {
    const key = readKey(path, passphrase)
    if (!key)
      throw new LiquefyError('KEY_INVALID', `${path} holds no key. Remove it and try again.`)
    return key
  }
  const key = randomKey(curve)
  writeKey(join(folder, 'key.next'), key, passphrase)
  return key
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
 * Reads the key of `createKey`.
 *
 * @throws LiquefyError `KEY_MISSING` if there is none, `KEY_INVALID` if the file is no EC key of ours or its public
 * part does not belong to its private one, `KEY_PASSPHRASE_MISSING` or `KEY_PASSPHRASE_WRONG` if it is under another passphrase.
 */
export function loadKey(folder: string, passphrase?: string): PrivateKey {
  const path = find(folder, 'key')
  if (!path) {
    throw new LiquefyError(
      'KEY_MISSING',
      `${join(folder, 'key.json')} does not exist. Make a key first: createKey('${folder}').`,
    )
  }
  chmodSync(path, 0o600)
  const key = readKey(path, passphrase)
  if (!key) throw new LiquefyError('KEY_INVALID', `${path} holds no P-256 or secp256k1 key.`)
  return key
}

/** Whether the folder holds a key. */
export function hasKey(folder: string): boolean {
  return find(folder, 'key') !== undefined
}

function jwkOf({ curve, publicKey, d }: PrivateKey): KeyFile {
  return {
    kty: 'EC',
    crv: curve,
    x: toBase64Url(publicKey.x),
    y: toBase64Url(publicKey.y),
    d: Buffer.from(d).toString('base64url'),
  }
}

function writeKey(base: string, key: PrivateKey, passphrase: string | undefined): void {
  const jwk = jwkOf(key)
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

function readKey(path: string, passphrase: string | undefined): PrivateKey | undefined {
  const text = readFileSync(path, 'utf8')
  if (path.endsWith(JWK)) return parseKeyFile(text)
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
  try {
    const jwk = JSON.parse(text) as Partial<KeyFile>
    if (jwk.kty !== 'EC' || (jwk.crv !== 'P-256' && jwk.crv !== 'secp256k1')) return undefined
    const bytes = (text?: string) => Buffer.from(text ?? '', 'base64url')
    const key = privateKeyFromBytes(jwk.crv, new Uint8Array(bytes(jwk.d)))
    const stated = parsePublicKey({
      curve: jwk.crv,
      x: `0x${bytes(jwk.x).toString('hex')}`,
      y: `0x${bytes(jwk.y).toString('hex')}`,
    })
    if (!stated.ok) return undefined
    return stated.key.x === key.publicKey.x && stated.key.y === key.publicKey.y ? key : undefined
  } catch {
    return undefined
  }
}
