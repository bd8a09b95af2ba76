import { describe, expect, it, test } from 'vitest'
import { didEthr, didKey, didKeyMethod, multikey, parseDidKey } from '../../src/trust/did.ts'
import type { PublicKey } from '../../src/trust/key.ts'
import { readVector, vectorsFolder } from './shared-vectors.ts'

type Jwk = { kty: string; crv: string; x: string; y: string }
type Vectors = Record<
  string,
  { verificationMethod?: { publicKeyJwk?: Jwk }; didDocument: { verificationMethod: Method[] } }
>
type Method = { id: string; publicKeyJwk?: Jwk; publicKeyBase58?: string }

const folder = vectorsFolder('did-key')
const hex = (base64url: string) =>
  `0x${Buffer.from(base64url, 'base64url').toString('hex')}` as const

/** The vectors of W3C CCG whose key is on a curve of ours, as JWK. */
function keysOf(file: string, crv: string): [string, PublicKey, string][] {
  if (folder === undefined) return []
  return Object.entries(readVector<Vectors>(folder, `test-vectors/${file}`)).flatMap(
    ([did, { didDocument }]) => {
      const [method] = didDocument.verificationMethod
      const jwk = method?.publicKeyJwk
      if (!method || jwk?.crv !== crv) return []
      const curve = crv === 'P-256' ? 'P-256' : 'secp256k1'
      return [[did, { curve, x: hex(jwk.x), y: hex(jwk.y) }, method.id]]
    },
  )
}

describe.skipIf(folder === undefined)('did:key, by the vectors of its specification', () => {
  const cases = [...keysOf('nist-curves.json', 'P-256'), ...keysOf('secp256k1.json', 'secp256k1')]

  it('inspected keys of both curves', () => {
    expect(new Set(cases.map(([, { curve }]) => curve))).toEqual(new Set(['P-256', 'secp256k1']))
  })

  it.each(cases)('%s', (did, key, method) => {
    expect(didKey(key)).toBe(did)
    expect(didKeyMethod(key)).toBe(method)
    expect(parseDidKey(did)).toEqual({ ok: true, key })
  })

  it('refuses keys of other kinds', () => {
    const others = ['ed25519-x25519.json', 'bls12381.json', 'rsa.json'].flatMap((file) =>
      Object.keys(readVector<Vectors>(folder ?? '', `test-vectors/${file}`)),
    )
    const p384 = keysOf('nist-curves.json', 'P-384').map(([did]) => did)
    expect(others.length + p384.length).toBeGreaterThan(5)
    for (const did of [...others, ...p384]) {
      expect(parseDidKey(did)).toMatchObject({ ok: false, code: 'KEY_INVALID' })
    }
  })
})

const key: PublicKey = {
  curve: 'P-256',
  x: '0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296',
  y: '0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5',
}

test('a changed, cut or lengthened did:key is refused, and never throws', () => {
  const did = didKey(key)
  expect(parseDidKey(did)).toEqual({ ok: true, key })
  for (const other of [
    did.slice(0, -1),
    `${did}1`,
    did.replace('key:z', 'key:f'),
    multikey(key),
    'did:key:z',
    `did:key:z${'1'.repeat(50)}`,
    `did:key:z${'z'.repeat(5_000)}`,
    `did:key:z0OIl`,
    '',
  ]) {
    expect(parseDidKey(other), other.slice(0, 80)).toMatchObject({ ok: false })
  }
})

test('did:ethr names chain and account in lower case', () => {
  expect(
    didEthr({ chainId: 0x6c716679, account: '0xABCDEF0000000000000000000000000000000001' }),
  ).toBe('did:ethr:0x6c716679:0xabcdef0000000000000000000000000000000001')
})
