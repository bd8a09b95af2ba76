import { createPublicKey, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope, decodeSign1, sigStructure } from '../../src/index.ts'
import { fromHex, toHex } from '../../src/trust/bytes.ts'
import { encode } from '../../src/trust/cbor.ts'
import { craft, headerOf, KEYS } from './craft.ts'
import { listVectors, readVector, vectorsFolder } from './shared-vectors.ts'

type CoseKey = { kty: string; crv: string; x?: string; y?: string; x_hex?: string }
type CoseVector = {
  title: string
  input: { sign0: { key: CoseKey; alg: string; external?: string } }
  intermediates: { ToBeSign_hex: string }
  output: { cbor: string }
}

const folder = vectorsFolder('cose')

/** Our envelopes allow less than COSE: each example is refused there, for a stated reason. */
const REFUSALS: Record<string, { code: string; message: string }> = {
  'ecdsa-sig-01.json': { code: 'ENVELOPE_MALFORMED', message: 'content type can only be' },
  'ecdsa-sig-02.json': { code: 'ALG_MISMATCH', message: 'alg -35' },
  'ecdsa-sig-03.json': { code: 'ALG_MISMATCH', message: 'alg -36' },
  'ecdsa-sig-04.json': { code: 'ALG_MISMATCH', message: 'alg -36' },
  'eddsa-sig-01.json': { code: 'ALG_MISMATCH', message: 'alg -8' },
  'eddsa-sig-02.json': { code: 'ALG_MISMATCH', message: 'alg -8' },
  'sign-pass-01.json': { code: 'ENVELOPE_MALFORMED', message: 'alg must be an integer' },
  'sign-pass-02.json': { code: 'ENVELOPE_MALFORMED', message: 'must hold alg, kid' },
  'sign-pass-03.json': { code: 'ENVELOPE_MALFORMED', message: 'must hold alg, kid' },
}

const HASHES: Record<string, string | null> = {
  ES256: 'sha256',
  ES384: 'sha384',
  ES512: 'sha512',
  EdDSA: null,
}

describe.skipIf(!folder)('COSE_Sign1 examples of the COSE working group', () => {
  if (!folder) return
  const files = listVectors(folder, /\.json$/)

  it('are those that have a verdict here', () => {
    console.log(`cose: ${files.length} vectors`)
    expect(files).toEqual(Object.keys(REFUSALS).sort())
  })

  it.each(files)('%s verifies at the COSE layer, and is refused as an envelope', (file) => {
    const vector = readVector<CoseVector>(folder, file)
    const bytes = fromHex(`0x${vector.output.cbor}`)
    const decoded = decodeSign1(bytes)
    if (!decoded.ok) throw new Error(decoded.message)
    const { sign1 } = decoded
    expect(sign1.tagged).toBe(file !== 'sign-pass-03.json')
    const aad = fromHex(`0x${vector.input.sign0.external ?? ''}`)
    const signed = sigStructure(sign1.protectedBytes, aad, sign1.payload ?? new Uint8Array(0))
    expect(toHex(signed)).toBe(`0x${vector.intermediates.ToBeSign_hex.toLowerCase()}`)
    const verifies = (message: Uint8Array) => {
      const key = { key: importKey(vector), dsaEncoding: 'ieee-p1363' as const }
      return verify(HASHES[vector.input.sign0.alg], message, key, sign1.signature)
    }
    expect(verifies(signed)).toBe(true)
    expect(verifies(signed.with(signed.length - 1, 0))).toBe(false)
    const refusal = decodeEnvelope(bytes)
    expect(refusal).toMatchObject({ ok: false, code: REFUSALS[file]?.code })
    expect(!refusal.ok && refusal.message).toContain(REFUSALS[file]?.message)
  })
})

describe('the COSE layer', () => {
  it('takes a detached payload', () => {
    expect(decodeSign1(fromHex('0xd28440a0f640'))).toMatchObject({
      ok: true,
      sign1: { tagged: true, payload: null },
    })
  })

  it.each([
    ['0xd28440a040', 'three parts'],
    ['0xd284a0a04040', 'protected header a map'],
    ['0xd28440404040', 'unprotected header bytes'],
    ['0xd28440a0a040', 'payload a map'],
    ['0xd28440a040a0', 'signature a map'],
    ['0xd2844101a04040', 'protected header an integer'],
    ['0xf6', 'null'],
  ] as const)('refuses %s: %s', (hex, _why) => {
    expect(decodeSign1(fromHex(hex))).toMatchObject({ ok: false, code: 'ENVELOPE_MALFORMED' })
  })

  it('writes byte strings of every length as CBOR does', () => {
    for (const length of [0, 23, 24, 255, 256, 65_535, 65_536]) {
      const payload = new Uint8Array(length)
      const none = new Uint8Array(0)
      const expected = encode(['Signature1', none, none, payload])
      expect(sigStructure(none, none, payload)).toEqual(expected)
    }
  })

  it('puts CWT claims under label 15 as RFC 9597 says, with the claim keys of RFC 8392', () => {
    const decoded = decodeSign1(craft())
    if (!decoded.ok) throw new Error(decoded.message)
    const claims = decoded.sign1.protectedHeader.get(15)
    expect(claims).toEqual(headerOf(KEYS['P-256']).get(15))
    expect(claims instanceof Map && [...claims.keys()].sort()).toEqual([1, 2, 6])
  })
})

function importKey({ input }: CoseVector) {
  const { kty, crv, x, y, x_hex } = input.sign0.key
  const point = x ?? Buffer.from(x_hex ?? '', 'hex').toString('base64url')
  return createPublicKey({ key: { kty, crv, x: point, ...(y && { y }) }, format: 'jwk' })
}
