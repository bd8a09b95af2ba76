import {
  createCipheriv,
  createDecipheriv,
  pbkdf2Sync,
  randomBytes,
  randomUUID,
  scryptSync,
  timingSafeEqual,
} from 'node:crypto'
import { type Hex, keccak256 } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'

interface Scrypt {
  dklen: number
  n: number
  r: number
  p: number
  salt: string
}

interface Pbkdf2 {
  dklen: number
  c: number
  prf: string
  salt: string
}

/** A private key under a passphrase: Web3 Secret Storage, version 3. Bytes are hex without 0x. */
export interface Web3Secret {
  version: 3
  id: string
  /** Without 0x; some writers leave it out. */
  address?: string
  crypto: {
    cipher: string
    cipherparams: { iv: string }
    ciphertext: string
    kdf: string
    kdfparams: Scrypt | Pbkdf2
    mac: string
  }
}

/** What scrypt costs here: 128 MiB and some tenths of a second, the least that OWASP advises. */
const SCRYPT = { n: 2 ** 17, r: 8, p: 1, dklen: 32 }
/** Files from elsewhere may cost more; beyond this they are refused. */
const MAX_SCRYPT_BYTES = 2 ** 30 + 2 ** 20
const CIPHER = 'aes-128-ctr'

const bytesOf = (hex: string) => Buffer.from(hex, 'hex')

function deriveKey(kdf: string, params: Scrypt | Pbkdf2, passphrase: string): Buffer {
  const salt = bytesOf(params.salt)
  if (kdf === 'scrypt' && 'n' in params) {
    const { n: N, r, p, dklen } = params
    return scryptSync(passphrase, salt, dklen, { N, r, p, maxmem: MAX_SCRYPT_BYTES })
  }
  if (kdf === 'pbkdf2' && 'c' in params && params.prf === 'hmac-sha256') {
    return pbkdf2Sync(passphrase, salt, params.c, params.dklen, 'sha256')
  }
  throw new RangeError(`the key derivation ${kdf} is not known`)
}

function macOf(derived: Buffer, ciphertext: Buffer): Buffer {
  const mac = keccak256(Buffer.concat([derived.subarray(16, 32), ciphertext]), 'bytes')
  return Buffer.from(mac)
}

/** Puts a private key under a passphrase (scrypt, AES-128-CTR, Keccak-256). The passphrase counts as UTF-8, as it is. */
export function encryptKey(privateKey: Hex, passphrase: string): Web3Secret {
  const iv = randomBytes(16)
  const params = { ...SCRYPT, salt: randomBytes(32).toString('hex') }
  const derived = deriveKey('scrypt', params, passphrase)
  const cipher = createCipheriv(CIPHER, derived.subarray(0, 16), iv)
  const ciphertext = Buffer.concat([cipher.update(bytesOf(privateKey.slice(2))), cipher.final()])
  return {
    version: 3,
    id: randomUUID(),
    address: privateKeyToAddress(privateKey).slice(2).toLowerCase(),
    crypto: {
      cipher: CIPHER,
      cipherparams: { iv: iv.toString('hex') },
      ciphertext: ciphertext.toString('hex'),
      kdf: 'scrypt',
      kdfparams: params,
      mac: macOf(derived, ciphertext).toString('hex'),
    },
  }
}

/**
 * The private key, with scrypt or PBKDF2; undefined if the passphrase does not open it.
 *
 * @throws Error if it is none of the format's ciphers or derivations.
 */
export function decryptKey(secret: Web3Secret, passphrase: string): Hex | undefined {
  const { cipher, cipherparams, ciphertext, kdf, kdfparams, mac } = secret.crypto
  if (cipher !== CIPHER) throw new RangeError(`the cipher ${cipher} is not known`)
  const derived = deriveKey(kdf, kdfparams, passphrase)
  const expected = bytesOf(mac)
  const actual = macOf(derived, bytesOf(ciphertext))
  if (expected.length !== actual.length || !timingSafeEqual(actual, expected)) return undefined
  const decipher = createDecipheriv(CIPHER, derived.subarray(0, 16), bytesOf(cipherparams.iv))
  const key = Buffer.concat([decipher.update(bytesOf(ciphertext)), decipher.final()])
  return `0x${key.toString('hex')}`
}
