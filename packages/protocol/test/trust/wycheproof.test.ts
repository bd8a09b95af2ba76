import { createPublicKey, verify as nodeVerify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type Curve, decodeEnvelope, parsePublicKey, verify } from '../../src/index.ts'
import { fromHex } from '../../src/trust/bytes.ts'
import { encode } from '../../src/trust/cbor.ts'
import * as browser from '../../src/trust/crypto.browser.ts'
import * as node from '../../src/trust/crypto.node.ts'
import type { PublicKey } from '../../src/trust/key.ts'
import { craft, headerWith, KEYS } from './craft.ts'
import { parseDerSignature } from './der.ts'
import { listVectors, readVector, vectorsFolder } from './shared-vectors.ts'

type WycheproofTest = { tcId: number; msg: string; sig: string; result: 'valid' | 'invalid' }
type EcdsaFile = {
  numberOfTests: number
  testGroups: { type: string; publicKey: { uncompressed: string }; tests: WycheproofTest[] }[]
}
type EddsaFile = {
  numberOfTests: number
  testGroups: { publicKey: { pk: string }; tests: WycheproofTest[] }[]
}

const folder = vectorsFolder('wycheproof')
const CURVES: Record<string, Curve> = { secp256r1: 'P-256', secp256k1: 'secp256k1' }

describe.skipIf(!folder)('Wycheproof', () => {
  if (!folder) return
  const files = listVectors(folder, /^ecdsa_secp256(r1|k1)_sha256.*_test\.json$/)

  it('has a file for each curve', () => {
    expect(files.length).toBeGreaterThanOrEqual(2)
  })

  it.each(files)('%s: node and browser agree, and are right', (file) => {
    const vectors = readVector<EcdsaFile>(folder, file)
    const curve = CURVES[/secp256[rk]1/.exec(file)?.[0] ?? '']
    if (!curve) throw new Error(`no curve known for ${file}`)
    const count = { verified: 0, refusedByVerify: 0, refusedByDer: 0 }
    for (const group of vectors.testGroups) {
      const key = keyOf(curve, group.publicKey.uncompressed)
      for (const test of group.tests) {
        count[judge(key, test, group.type.includes('P1363'))]++
      }
    }
    console.log(`${file}: ${JSON.stringify(count)}`)
    const total = count.verified + count.refusedByVerify + count.refusedByDer
    expect(total).toBe(vectors.numberOfTests)
    expect(count.refusedByVerify).toBeGreaterThan(50)
  })

  it('Ed25519: right below, refused as ALG_MISMATCH in an envelope', () => {
    const vectors = readVector<EddsaFile>(folder, 'ed25519_test.json')
    const protectedBytes = encode(headerWith(KEYS['P-256'], [[1, -8]]))
    let run = 0
    for (const group of vectors.testGroups) {
      const x = Buffer.from(group.publicKey.pk, 'hex').toString('base64url')
      const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
      for (const test of group.tests) {
        const signature = Buffer.from(test.sig, 'hex')
        const verdict = nodeVerify(null, Buffer.from(test.msg, 'hex'), key, signature)
        expect(verdict, `tcId ${test.tcId}`).toBe(test.result === 'valid')
        const refused = decodeEnvelope(craft({ protectedBytes, signature }))
        expect(refused).toMatchObject({ ok: false, code: 'ALG_MISMATCH' })
        run++
      }
    }
    console.log(`ed25519_test.json: ${run} run`)
    expect(run).toBe(vectors.numberOfTests)
  })
})

function judge(
  key: PublicKey,
  test: WycheproofTest,
  isP1363: boolean,
): 'verified' | 'refusedByVerify' | 'refusedByDer' {
  const bytes = fromHex(`0x${test.sig}`)
  const signature = isP1363 ? bytes : parseDerSignature(bytes)
  const label = `tcId ${test.tcId}`
  if (!signature) {
    expect(test.result, label).toBe('invalid')
    return 'refusedByDer'
  }
  const message = fromHex(`0x${test.msg}`)
  const isValid = test.result === 'valid'
  expect(
    attempt(() => node.verifyMessage(key, message, signature)),
    label,
  ).toBe(isValid)
  expect(
    attempt(() => browser.verifyMessage(key, message, signature)),
    label,
  ).toBe(isValid)
  expect(verify(key, message, signature), label).toBe(isValid)
  return isValid ? 'verified' : 'refusedByVerify'
}

function attempt(verifyOnce: () => boolean): boolean {
  try {
    return verifyOnce()
  } catch {
    return false
  }
}

function keyOf(curve: Curve, uncompressed: string): PublicKey {
  const parsed = parsePublicKey({
    curve,
    x: `0x${uncompressed.slice(2, 66)}`,
    y: `0x${uncompressed.slice(66)}`,
  })
  if (!parsed.ok) throw new Error(parsed.message)
  return parsed.key
}
