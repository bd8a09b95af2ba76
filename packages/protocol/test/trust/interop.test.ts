import { createPrivateKey, createPublicKey } from 'node:crypto'
import { Algorithms, Headers, Sign1 } from '@auth0/cose'
import { describe, expect, it } from 'vitest'
import {
  decodeEnvelope,
  decodeSign1,
  encodeEnvelope,
  encodeSign1,
  sigStructure,
  verify,
  verifyEnvelope,
  ZERO_DIGEST,
} from '../../src/index.ts'
import { encode } from '../../src/trust/cbor.ts'
import { headerOf, ISSUER, KEYS, PACK, START_MS, START_SECONDS } from './craft.ts'

const key = KEYS['P-256']
const base64url = (hex: string) => Buffer.from(hex.slice(2), 'hex').toString('base64url')
const jwk = {
  kty: 'EC',
  crv: 'P-256',
  x: base64url(key.publicKey.x),
  y: base64url(key.publicKey.y),
}
const privateJwk = { ...jwk, d: Buffer.from(key.d).toString('base64url') }
const none = new Uint8Array(0)

describe('a COSE library that nobody here wrote (@auth0/cose)', () => {
  it('verifies our envelope, and not a changed one', async () => {
    const { bytes } = encodeEnvelope({
      signer: key,
      iss: ISSUER,
      machineId: 7n,
      stream: 'level',
      iat: START_SECONDS,
      seq: 1n,
      prev: ZERO_DIGEST,
      content: { kind: 'readings', readings: [{ unit: 'g', timeMs: START_MS, value: 12n }] },
    })
    const theirs = Sign1.decode(bytes)
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    await expect(theirs.verify(publicKey)).resolves.toBeUndefined()
    expect(theirs.alg).toBe(Algorithms.ES256)
    const changed = bytes.with(bytes.length - 70, (bytes.at(-70) ?? 0) ^ 1)
    await expect(Sign1.decode(changed).verify(publicKey)).rejects.toThrow()
  })

  it('signs what we verify at the COSE layer', async () => {
    const payload = new TextEncoder().encode('signed elsewhere')
    const theirs = await Sign1.sign(
      [
        [Headers.Algorithm, Algorithms.ES256],
        [Headers.KeyID, Uint8Array.of(1, 2)],
      ],
      undefined,
      payload,
      createPrivateKey({ key: privateJwk, format: 'jwk' }),
    )
    const decoded = decodeSign1(theirs.encode())
    if (!decoded.ok) throw new Error(decoded.message)
    const { protectedBytes, signature } = decoded.sign1
    expect(decoded.sign1.payload).toEqual(payload)
    const signed = sigStructure(protectedBytes, none, payload)
    expect(verify(key.publicKey, signed, signature)).toBe(true)
    expect(decodeEnvelope(theirs.encode())).toMatchObject({ ok: false, code: 'ENVELOPE_MALFORMED' })
  })

  it('signs an envelope of ours', async () => {
    const payload = encode(PACK)
    const header = headerOf(key)
    const theirs = await Sign1.sign(
      [...header] as never,
      undefined,
      payload,
      createPrivateKey({ key: privateJwk, format: 'jwk' }),
    )
    const decoded = decodeSign1(theirs.encode())
    if (!decoded.ok) throw new Error(decoded.message)
    const { protectedBytes, signature } = decoded.sign1
    const envelope = decodeEnvelope(encodeSign1(protectedBytes, payload, signature))
    if (!envelope.ok) throw new Error(envelope.message)
    expect(verifyEnvelope(envelope.envelope, key.publicKey)).toBe(true)
  })
})
