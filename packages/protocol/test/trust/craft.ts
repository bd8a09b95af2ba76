import { concatBytes, fromHex } from '../../src/trust/bytes.ts'
import { type CborMap, type CborValue, encode } from '../../src/trust/cbor.ts'
import { sigStructure } from '../../src/trust/cose.ts'
import { signMessage } from '../../src/trust/crypto.browser.ts'
import { type Curve, keyId, type PrivateKey, privateKeyFromBytes } from '../../src/trust/key.ts'

/** Fixed keys: vectors and tests alike. */
export const KEYS: Record<Curve, PrivateKey> = {
  'P-256': privateKeyFromBytes('P-256', new Uint8Array(32).fill(0x11)),
  secp256k1: privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(0x22)),
}

export const ISSUER = {
  chainId: 31_337,
  registry: '0x5fbdb2315678afecb367f032d93f642f64180aa3',
  machineId: 7n,
} as const

export const ISS = `eip155:31337/erc721:${ISSUER.registry}/7`
export const START_SECONDS = 1_760_000_000
export const START_MS = START_SECONDS * 1_000

/** A SenML pack of one integer level. */
export const PACK: CborValue = [
  new Map<CborValue, CborValue>([
    [-2, 'level'],
    [-3, START_SECONDS],
    [-4, 'g'],
    [2, 12_345],
  ]),
]

/** The entries of a right protected header, to be spoilt. */
export function headerOf(key: PrivateKey): CborMap {
  return new Map<CborValue, CborValue>([
    [1, key.curve === 'P-256' ? -7 : -47],
    [4, fromHex(keyId(key.publicKey))],
    [15, claims()],
    [-70_001, 1],
    [-70_002, new Uint8Array(32)],
  ])
}

export function claims(changes: readonly [CborValue, CborValue][] = []): CborMap {
  return new Map<CborValue, CborValue>([[1, ISS], [2, '7/level'], [6, START_SECONDS], ...changes])
}

/** The right header with some entries replaced or, with undefined, left out. */
export function headerWith(
  key: PrivateKey,
  changes: readonly [CborValue, CborValue | undefined][],
): CborMap {
  const header = headerOf(key)
  for (const [label, value] of changes) {
    if (value === undefined) header.delete(label)
    else header.set(label, value)
  }
  return header
}

type Craft = {
  key?: PrivateKey
  /** Bytes before the protected header; default: tag 18 and an array of four. */
  prefix?: Uint8Array
  protectedBytes?: Uint8Array
  unprotected?: Uint8Array
  payload?: Uint8Array
  signature?: Uint8Array
}

/** An envelope put together by hand with a true, deterministic signature, so that only what is spoilt is wrong. */
export function craft(parts: Craft = {}): Uint8Array {
  const key = parts.key ?? KEYS['P-256']
  const protectedBytes = parts.protectedBytes ?? encode(headerOf(key))
  const payload = parts.payload ?? encode(PACK)
  const signed = sigStructure(protectedBytes, new Uint8Array(0), payload)
  return concatBytes(
    parts.prefix ?? Uint8Array.of(0xd2, 0x84),
    encode(protectedBytes),
    parts.unprotected ?? Uint8Array.of(0xa0),
    encode(payload),
    encode(parts.signature ?? signMessage(key, signed)),
  )
}
