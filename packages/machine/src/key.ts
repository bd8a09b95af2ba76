import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
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

const file = (folder: string) => join(folder, 'key.json')

const nextFile = (folder: string) => join(folder, 'key.next.json')

const toBase64Url = (hex: Hex) => Buffer.from(hex.slice(2), 'hex').toString('base64url')

/**
 * Makes the key of a machine and keeps it in `<folder>/key.json` (a JWK, mode 0600). P-256 is what secure elements
 * speak, and the default.
 *
 * @throws LiquefyError `KEY_EXISTS` if the folder has a key: a lost key is a lost machine, so none is overwritten.
 */
export function createKey(folder: string, curve: Curve = 'P-256'): PrivateKey {
  if (existsSync(file(folder))) {
    throw new LiquefyError(
      'KEY_EXISTS',
      `${file(folder)} exists already. Load it, or choose another folder for a new machine.`,
    )
  }
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const key = randomKey(curve)
  writeKey(file(folder), key)
  return key
}

/**
 * The key that a machine is about to change to, kept in `<folder>/key.next.json`: made once, the same when asked again, so that a rotation
 * which was cut short goes on with it.
 */
export function nextKey(folder: string, curve: Curve = 'P-256'): PrivateKey {
  const path = nextFile(folder)
  if (existsSync(path)) {
    const key = parseKeyFile(readFileSync(path, 'utf8'))
    if (!key)
      throw new LiquefyError('KEY_INVALID', `${path} holds no key. Remove it and try again.`)
    return key
  }
  const key = randomKey(curve)
  writeKey(path, key)
  return key
}

/** Makes the next key the machine's own; the old one is kept beside it in `key.old.json`. Call it when the ledger has the new one. */
export function adoptNextKey(folder: string): void {
  if (existsSync(file(folder))) renameSync(file(folder), join(folder, 'key.old.json'))
  renameSync(nextFile(folder), file(folder))
}

/**
 * Reads the key of `createKey`.
 *
 * @throws LiquefyError `KEY_MISSING` if there is none, `KEY_INVALID` if the file is no EC key of ours or its public
 * part does not belong to its private one.
 */
export function loadKey(folder: string): PrivateKey {
  if (!existsSync(file(folder))) {
    throw new LiquefyError(
      'KEY_MISSING',
      `${file(folder)} does not exist. Make a key first: createKey('${folder}').`,
    )
  }
  chmodSync(file(folder), 0o600)
  const key = parseKeyFile(readFileSync(file(folder), 'utf8'))
  if (!key) {
    throw new LiquefyError('KEY_INVALID', `${file(folder)} holds no P-256 or secp256k1 JWK.`)
  }
  return key
}

/** Whether the folder holds a key. */
export function hasKey(folder: string): boolean {
  return existsSync(file(folder))
}

function writeKey(path: string, { curve, publicKey, d }: PrivateKey): void {
  const jwk: KeyFile = {
    kty: 'EC',
    crv: curve,
    x: toBase64Url(publicKey.x),
    y: toBase64Url(publicKey.y),
    d: Buffer.from(d).toString('base64url'),
  }
  writeDurably(path, `${JSON.stringify(jwk, undefined, 2)}\n`, 0o600)
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
