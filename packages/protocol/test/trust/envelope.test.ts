import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeEnvelope,
  type EnvelopeInput,
  encodeEnvelope,
  formatIss,
  keyId,
  MAX_ENVELOPE_BYTES,
  parseIss,
  parseSub,
  privateKeyFromBytes,
  type ReadingInput,
  verifyEnvelope,
  ZERO_DIGEST,
} from '../../src/index.ts'
import { toHex } from '../../src/trust/bytes.ts'
import { sha256 } from '../../src/trust/crypto.browser.ts'
import { craft, ISS, ISSUER, KEYS, START_MS, START_SECONDS } from './craft.ts'

const readings: ReadingInput[] = [{ unit: 'g', timeMs: START_MS, value: 12_345n }]
const usual: EnvelopeInput = {
  signer: KEYS['P-256'],
  iss: ISSUER,
  machineId: 7n,
  stream: 'level',
  iat: START_SECONDS,
  seq: 1n,
  prev: ZERO_DIGEST,
  content: { kind: 'readings', readings },
}
const opened = (bytes: Uint8Array) => {
  const decoded = decodeEnvelope(bytes)
  if (!decoded.ok) throw new Error(decoded.message)
  return decoded.envelope
}

describe('encodeEnvelope and decodeEnvelope', () => {
  it.each([KEYS['P-256'], KEYS.secp256k1])('say the same ($curve)', (signer) => {
    const { bytes, digest } = encodeEnvelope({ ...usual, signer })
    const envelope = opened(bytes)
    expect(envelope).toMatchObject({
      alg: signer.curve,
      kid: keyId(signer.publicKey),
      iss: ISSUER,
      machineId: 7n,
      stream: 'level',
      iat: START_SECONDS,
      seq: 1n,
      prev: ZERO_DIGEST,
      digest,
    })
    expect(digest).toBe(toHex(sha256(envelope.signedBytes)))
    expect(envelope.content).toEqual({
      kind: 'readings',
      readings: [
        {
          name: 'level',
          unit: 'g',
          timeMs: START_MS,
          value: { kind: 'decimal', mantissa: 12_345n, exponent: 0 },
        },
      ],
    })
    expect(verifyEnvelope(envelope, signer.publicKey)).toBe(true)
  })

  it('declarations', () => {
    const declarations = [
      {
        kind: 'gap',
        fromMs: START_MS,
        toMs: START_MS + 9,
        reason: 'moved',
        missing: [3n, 2n ** 60n],
      },
      { kind: 'gap', fromMs: START_MS, toMs: START_MS, reason: '' },
      { kind: 'replacement', atMs: START_MS, reason: 'new scale' },
      { kind: 'replacement', atMs: START_MS, reason: 'new', newPart: 'SN 7' },
      {
        kind: 'replacement',
        atMs: START_MS,
        reason: 'new',
        oldPart: 'did:key:zOld',
        newPart: 'did:key:zNew',
        handover: {
          last: { mantissa: 91_205n, exponent: -1 },
          first: { mantissa: 2n ** 60n, exponent: 0 },
        },
      },
      { kind: 'excuse', fromMs: START_MS, toMs: START_MS + 9, reason: 'defrost' },
      {
        kind: 'clock',
        fromMs: START_MS,
        toMs: START_MS + 9,
        reason: 'jumped',
        source: 'steady',
        offsetMs: -7_200_000,
        uncertaintyMs: 2_026,
      },
    ] as const
    for (const each of declarations) {
      const declaration =
        each.kind === 'gap' && 'missing' in each
          ? { ...each, missing: [...each.missing] as [bigint, bigint] }
          : each
      const { bytes } = encodeEnvelope({ ...usual, content: { kind: 'declaration', declaration } })
      expect(opened(bytes).content).toEqual({ kind: 'declaration', declaration })
    }
  })

  it('sixty readings stay below 1 KiB', () => {
    const sixty = Array.from({ length: 60 }, (_, minute) => ({
      unit: 'g',
      timeMs: START_MS + 60_000 * minute,
      value: BigInt(100_000 - minute),
    }))
    const content = { kind: 'readings', readings: sixty } as const
    expect(encodeEnvelope({ ...usual, content }).bytes.length).toBeLessThan(1_024)
  })

  it('the same content has the same digest, whatever the signature', () => {
    const [first, second] = [encodeEnvelope(usual), encodeEnvelope(usual)]
    expect(first.digest).toBe(second.digest)
  })

  const mistakes: [string, Partial<EnvelopeInput>, string][] = [
    ['seq 0', { seq: 0n }, 'ENVELOPE_MALFORMED'],
    ['seq of 65 bits', { seq: 2n ** 64n, prev: `0x${'11'.repeat(32)}` }, 'ENVELOPE_MALFORMED'],
    ['prev at seq 1', { prev: `0x${'11'.repeat(32)}` }, 'ENVELOPE_MALFORMED'],
    ['prev of odd length', { prev: '0x123' }, 'ENVELOPE_MALFORMED'],
    ['stream in upper case', { stream: 'Level' }, 'ENVELOPE_MALFORMED'],
    ['machine 0', { machineId: 0n }, 'ENVELOPE_MALFORMED'],
    ['iat not whole', { iat: 0.5 }, 'ENVELOPE_MALFORMED'],
    ['no readings', { content: { kind: 'readings', readings: [] } }, 'ENVELOPE_MALFORMED'],
    [
      'value of 65 bits',
      { content: { kind: 'readings', readings: [{ timeMs: START_MS, value: 2n ** 64n }] } },
      'ENVELOPE_MALFORMED',
    ],
    [
      'value NaN',
      { content: { kind: 'readings', readings: [{ timeMs: START_MS, value: Number.NaN }] } },
      'ENVELOPE_MALFORMED',
    ],
    [
      'text of 64 KiB',
      {
        content: { kind: 'readings', readings: [{ timeMs: START_MS, value: 'x'.repeat(65_536) }] },
      },
      'TOO_LARGE',
    ],
  ]
  it.each(mistakes)('nothing is signed that would be refused: %s', (_name, change, code) => {
    expect(() => encodeEnvelope({ ...usual, ...change })).toThrow(expect.objectContaining({ code }))
  })
})

describe('verifyEnvelope', () => {
  it('INV-18 only the key that the envelope names', () => {
    const envelope = opened(encodeEnvelope(usual).bytes)
    const other = privateKeyFromBytes('P-256', new Uint8Array(32).fill(5))
    expect(verifyEnvelope(envelope, other.publicKey)).toBe(false)
    expect(verifyEnvelope(envelope, KEYS.secp256k1.publicKey)).toBe(false)
    const renamed = { ...envelope, kid: keyId(other.publicKey) }
    expect(verifyEnvelope(renamed, KEYS['P-256'].publicKey)).toBe(false)
    expect(verifyEnvelope(renamed, other.publicKey)).toBe(false)
  })
})

describe('fuzz', () => {
  const valid = [encodeEnvelope(usual).bytes, craft(), craft({ key: KEYS.secp256k1 })]

  it('random bytes never throw and are never envelopes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(decodeEnvelope(bytes).ok).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })

  it('INV-23 one flipped bit anywhere: refused, or does not verify; nothing throws', () => {
    for (const bytes of valid) {
      const key = opened(bytes).alg === 'P-256' ? KEYS['P-256'] : KEYS.secp256k1
      for (let at = 0; at < bytes.length; at++) {
        const bit = 1 << (at % 8)
        const decoded = decodeEnvelope(bytes.with(at, (bytes[at] ?? 0) ^ bit))
        const verified = decoded.ok && verifyEnvelope(decoded.envelope, key.publicKey)
        if (verified) throw new Error(`byte ${at} flipped, and it verifies`)
      }
    }
    expect(valid.length).toBe(3)
  })

  it('any number of changed, inserted and removed bytes: never another content that verifies', () => {
    const edit = fc.record({ at: fc.nat(), kind: fc.nat(2), byte: fc.nat(255) })
    const change = fc.tuple(
      fc.constantFrom(...valid),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
    )
    fc.assert(
      fc.property(change, ([bytes, edits]) => {
        const changed = edits.reduce(applyEdit, [...bytes])
        const decoded = decodeEnvelope(Uint8Array.from(changed))
        if (!decoded.ok) return
        const key = KEYS[decoded.envelope.alg].publicKey
        const isSame = decoded.envelope.digest === opened(bytes).digest
        expect(verifyEnvelope(decoded.envelope, key) && !isSame).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })

  it('INV-28 64 KiB of openings, lengths and tags are refused', () => {
    const shapes = [
      '81',
      'a100',
      '9b7fffffffffffffff',
      '78ff',
      'bb7fffffffffffffff',
      'd2',
      '5b7fff',
    ]
    for (const shape of shapes) {
      const hex = shape.repeat(MAX_ENVELOPE_BYTES).slice(0, 2 * MAX_ENVELOPE_BYTES)
      const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
      expect(decodeEnvelope(bytes).ok).toBe(false)
      expect(decodeEnvelope(craft({ payload: bytes.subarray(0, 65_000) })).ok).toBe(false)
    }
  })
})

describe('iss and sub', () => {
  it('iss reads back', () => {
    expect(parseIss(ISS)).toEqual(ISSUER)
    expect(formatIss({ ...ISSUER, registry: `0x${'AB'.repeat(20)}` })).toBe(
      `eip155:31337/erc721:0x${'ab'.repeat(20)}/7`,
    )
  })

  it('token ids reach 2^256 - 1 and no further', () => {
    const most = 2n ** 256n - 1n
    expect(parseSub(`${most}/level`)?.machineId).toBe(most)
    expect(parseSub(`${most + 1n}/level`)).toBeUndefined()
    expect(parseIss(`eip155:1/erc721:${ISSUER.registry}/${most + 1n}`)).toBeUndefined()
  })
})

function applyEdit(
  bytes: number[],
  { at, kind, byte }: { at: number; kind: number; byte: number },
): number[] {
  const index = at % bytes.length
  if (kind === 0) return bytes.with(index, byte)
  return kind === 1 ? bytes.toSpliced(index, 0, byte) : bytes.toSpliced(index, 1)
}
