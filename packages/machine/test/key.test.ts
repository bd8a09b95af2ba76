import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { keyId, registerDigest, verifyToken, verifyTypedDigest } from '@liquefy/protocol'
import { expect, test } from 'vitest'
import {
  adoptNextKey,
  createKey,
  loadIdentity,
  loadKey,
  nextKey,
  passwordToken,
  proofOfPossession,
  saveIdentity,
} from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { ledger } from './tiny-node.ts'

const OPENSSL = 'openssl'

test.each(['P-256', 'secp256k1'] as const)('a %s key comes back as it was made', (curve) => {
  const folder = scratchFolder()
  const key = createKey(folder, curve)
  expect(loadKey(folder)).toEqual(key)
  expect(key.curve).toBe(curve)
})

test('only its owner may read the key, and no second one replaces it', () => {
  const folder = scratchFolder()
  createKey(folder)
  expect(statSync(join(folder, 'key.json')).mode & 0o777).toBe(0o600)
  expect(() => createKey(folder)).toThrow(expect.objectContaining({ code: 'KEY_EXISTS' }))
})

test.each(['P-256', 'secp256k1'] as const)(
  'a %s key under a passphrase opens with it only, and openssl knows it',
  (curve) => {
    const folder = scratchFolder()
    const key = createKey(folder, curve, 'from the device’s secret store')
    const path = join(folder, 'key.pem')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(readFileSync(path, 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/)
    expect(loadKey(folder, 'from the device’s secret store')).toEqual(key)
    const code = (code: string) => expect.objectContaining({ code })
    expect(() => loadKey(folder)).toThrow(code('KEY_PASSPHRASE_MISSING'))
    expect(() => loadKey(folder, 'guess')).toThrow(code('KEY_PASSPHRASE_WRONG'))
    expect(() => createKey(folder)).toThrow(code('KEY_EXISTS'))

    const pass = ['-passin', 'pass:from the device’s secret store']
    const { stdout } = spawnSync(OPENSSL, ['pkey', '-in', path, '-text', '-noout', ...pass])
    const shown = String(stdout).replaceAll(/[^0-9a-f]/g, '')
    expect(shown).toContain(Buffer.from(key.d).toString('hex'))
    expect(shown).toContain(key.publicKey.x.slice(2) + key.publicKey.y.slice(2))
  },
)

test('a rotation puts a key from the open under a passphrase; cut short, it goes on', () => {
  const folder = scratchFolder()
  createKey(folder)
  const next = nextKey(folder, 'P-256', 'words')
  expect(nextKey(folder, 'P-256', 'words')).toEqual(next)
  adoptNextKey(folder)
  expect(loadKey(folder, 'words')).toEqual(next)
  expect(() => adoptNextKey(folder)).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
  expect(loadKey(folder, 'words')).toEqual(next)
})

test('a missing key and a tampered one are told apart', () => {
  const folder = scratchFolder()
  expect(() => loadKey(folder)).toThrow(expect.objectContaining({ code: 'KEY_MISSING' }))
  createKey(folder)
  const path = join(folder, 'key.json')
  const other = createKey(scratchFolder())
  const jwk = JSON.parse(readFileSync(path, 'utf8'))
  writeFileSync(path, JSON.stringify({ ...jwk, d: Buffer.from(other.d).toString('base64url') }))
  expect(() => loadKey(folder)).toThrow(expect.objectContaining({ code: 'KEY_INVALID' }))
})

test('the proof of possession is what the registry verifies', () => {
  const key = createKey(scratchFolder())
  const request = {
    chainId: ledger.chainId,
    registry: ledger.registry,
    owner: `0x${'ee'.repeat(20)}`,
    verifier: `0x${'ff'.repeat(20)}`,
    deadline: 2_000_000_000n,
  } as const
  const { proof, ...registration } = proofOfPossession(key, request)
  const digest = registerDigest({ ...request, keyId: keyId(key.publicKey) })
  expect(registration).toEqual({ ...key.publicKey, ...request, keyId: keyId(key.publicKey) })
  expect(verifyTypedDigest(key.publicKey, digest, proof)).toBe(true)
})

test('the password is a token for this machine on this registry, valid an hour', () => {
  const folder = scratchFolder()
  const key = createKey(folder)
  const identity = { machineId: 7n, chainId: ledger.chainId, registry: ledger.registry }
  saveIdentity(folder, identity)
  expect(loadIdentity(folder)).toEqual(identity)
  const token = passwordToken(key, identity, 1_760_000_000_000)
  const audience = `eip155:${ledger.chainId}/erc721:${ledger.registry}`
  const at = (now: number) => verifyToken(token, key.publicKey, { machineId: 7n, audience, now })
  expect(at(1_760_000_000).ok).toBe(true)
  expect(at(1_760_000_000 + 3_700).ok).toBe(false)
})
