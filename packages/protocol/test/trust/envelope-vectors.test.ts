import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  decodeEnvelope,
  keyId,
  type PublicKey,
  parsePublicKey,
  verifyEnvelope,
} from '../../src/index.ts'
import { fromHex } from '../../src/trust/bytes.ts'
import { buildEnvelopeVectors, type EnvelopeVectors, toJson } from './envelope-vectors.ts'

const root = join(import.meta.dirname, '..', '..', '..', '..')
const vectors: EnvelopeVectors = JSON.parse(
  readFileSync(join(root, 'docs', 'protocol', 'vectors', 'envelopes.json'), 'utf8'),
)

const keys = vectors.keys.map((vector): PublicKey => {
  const parsed = parsePublicKey(vector)
  if (!parsed.ok) throw new Error(parsed.message)
  expect(keyId(parsed.key)).toBe(vector.keyId)
  return parsed.key
})

describe('docs/protocol/vectors/envelopes.json', () => {
  it('is what the script writes', () => {
    expect(buildEnvelopeVectors()).toEqual(vectors)
  })

  it.each(vectors.accepted)('accepts: $name', (vector) => {
    const decoded = decodeEnvelope(fromHex(vector.bytes))
    if (!decoded.ok) throw new Error(decoded.message)
    expect(decoded.envelope.digest).toBe(vector.digest)
    expect(toJson(decoded.envelope)).toEqual(vector.envelope)
    for (const key of keys) {
      expect(verifyEnvelope(decoded.envelope, key)).toBe(
        vector.verifies && key.curve === vector.curve,
      )
    }
  })

  it.each(vectors.refused)('refuses: $name', (vector) => {
    const given = fromHex(vector.bytes)
    const bytes = new Uint8Array(vector.paddedTo ?? given.length)
    bytes.set(given)
    expect(decodeEnvelope(bytes)).toMatchObject({ ok: false, code: vector.code })
  })

  it('a digest is the same for low and high s', () => {
    const named = (name: string) => vectors.accepted.find((vector) => vector.name === name)
    expect(named('low s')?.digest).toBe(named('high s')?.digest)
    expect(named('low s')?.bytes).not.toBe(named('high s')?.bytes)
  })

  it('inspected both kinds', () => {
    console.log(`envelopes: ${vectors.accepted.length} accepted, ${vectors.refused.length} refused`)
    expect(vectors.accepted.length).toBeGreaterThan(10)
    expect(vectors.refused.length).toBeGreaterThan(70)
  })
})
