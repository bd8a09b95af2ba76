import { createHash, createPublicKey } from 'node:crypto'
import { Algorithms, Headers, Sign1 } from '@auth0/cose'
import { decode } from 'cborg'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Build,
  checkOrigin,
  type Design,
  decodeSign1,
  didKey,
  encode,
  encodeSign1,
  type Hex,
  isSigned,
  type PublicKey,
  parseDidKey,
  readOrigin,
  signOrigin,
} from '../../src/index.ts'
import { KEYS } from './craft.ts'

const maker = KEYS['P-256']
const digestOf = (text: string): Hex => `0x${createHash('sha256').update(text).digest('hex')}`
const ISSUED_AT = 1_760_000_000

const design: Design = {
  kind: 'design',
  name: 'silo radar',
  version: '2.1',
  files: [
    { name: 'housing.step', digest: digestOf('housing') },
    { name: 'board.kicad_pcb', digest: digestOf('board') },
  ],
}
const designBytes = signOrigin(maker, design, ISSUED_AT)
const buildOf = (change: Partial<Build> = {}): Build => ({
  kind: 'build',
  model: 'SR-2',
  serial: '000417',
  artefact: digestOf('firmware'),
  design: idOf(designBytes),
  builtAt: ISSUED_AT - 60,
  inputs: [{ name: 'compiler', digest: digestOf('gcc') }],
  ...change,
})

function idOf(bytes: Uint8Array): Hex {
  const read = readOrigin(bytes)
  if (!read.ok) throw new Error(read.message)
  return read.record.recordId
}

const jwkOf = ({ x, y }: PublicKey) => ({
  kty: 'EC',
  crv: 'P-256',
  x: Buffer.from(x.slice(2), 'hex').toString('base64url'),
  y: Buffer.from(y.slice(2), 'hex').toString('base64url'),
})

describe('did:key', () => {
  // Test vectors of the did:key method (W3C CCG).
  test.each([
    ['did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169', 'P-256'],
    ['did:key:zQ3shokFTS3brHcDQrn82RUDfCZESWL1ZdCEJwekUDPQiYBme', 'secp256k1'],
  ])('%s of its specification is read and written back', (did, curve) => {
    const parsed = parseDidKey(did)
    if (!parsed.ok) throw new Error(parsed.message)
    expect(parsed.key.curve).toBe(curve)
    expect(didKey(parsed.key)).toBe(did)
  })

  test('ATK whatever else is refused, and nothing throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.base64String().map((text) => `did:key:z${text}`),
        ),
        (text) => {
          expect(parseDidKey(text).ok).toBe(false)
        },
      ),
    )
    expect(parseDidKey('did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK')).toMatchObject({
      ok: false,
      code: 'KEY_INVALID',
    })
  })
})

describe('origin', () => {
  test.each(['P-256', 'secp256k1'] as const)(
    'on %s what was signed is read back, with its maker',
    (curve) => {
      const bytes = signOrigin(KEYS[curve], buildOf(), ISSUED_AT)
      const read = readOrigin(bytes)
      if (!read.ok) throw new Error(read.message)
      expect(read.record).toMatchObject({
        issuer: didKey(KEYS[curve].publicKey),
        subject: 'SR-2/000417',
        issuedAt: ISSUED_AT,
        content: buildOf(),
        recordId: `0x${createHash('sha256').update(bytes).digest('hex')}`,
      })
      expect(isSigned(read.record)).toBe(true)
    },
  )

  test('a COSE library that nobody here wrote verifies it under the key in iss, and reads the terms of SCITT', async () => {
    const theirs = Sign1.decode(designBytes)
    const claims = decode(
      (theirs as unknown as { encodedProtectedHeaders: Uint8Array }).encodedProtectedHeaders,
      { useMaps: true },
    ).get(15)
    const parsed = parseDidKey(claims.get(1))
    if (!parsed.ok) throw new Error(parsed.message)
    expect(parsed.key).toEqual(maker.publicKey)
    expect(claims.get(2)).toBe('silo radar@2.1')
    expect(theirs.alg).toBe(Algorithms.ES256)
    expect(theirs.protectedHeaders.get(Headers.ContentType)).toBe(
      'application/vnd.liquefy.design+cbor',
    )
    const key = createPublicKey({ key: jwkOf(parsed.key), format: 'jwk' })
    await expect(theirs.verify(key)).resolves.toBeUndefined()
    const changed = designBytes.with(-70, (designBytes.at(-70) ?? 0) ^ 1)
    await expect(Sign1.decode(changed).verify(key)).rejects.toThrow()
  })

  test('a part that is what it says has no fault', () => {
    const build = signOrigin(maker, buildOf(), ISSUED_AT)
    const given = {
      build,
      design: designBytes,
      artefact: digestOf('firmware'),
      maker: didKey(maker.publicKey),
    }
    expect(checkOrigin(given).faults).toEqual([])
  })

  test.each<[string, Parameters<typeof checkOrigin>[0], string[]]>([
    [
      'a design of another version',
      {
        build: signOrigin(maker, buildOf(), ISSUED_AT),
        design: signOrigin(maker, { ...design, version: '2.2' }, ISSUED_AT),
      },
      ['ORIGIN_DESIGN_DIFFERS'],
    ],
    [
      'other firmware',
      {
        build: signOrigin(maker, buildOf(), ISSUED_AT),
        artefact: digestOf('malware'),
      },
      ['ORIGIN_ARTEFACT_DIFFERS'],
    ],
    [
      'another maker than the buyer knows',
      {
        build: signOrigin(KEYS.secp256k1, buildOf(), ISSUED_AT),
        maker: didKey(maker.publicKey),
      },
      ['ORIGIN_MAKER_DIFFERS'],
    ],
    ['a design in the place of a build', { build: designBytes }, ['ORIGIN_MALFORMED']],
    ['no record at all', { build: Uint8Array.of(1, 2, 3) }, ['ORIGIN_MALFORMED']],
  ])('ATK %s is named', (_, given, codes) => {
    expect(checkOrigin(given).faults.map(({ code }) => code)).toEqual(codes)
  })

  test('ATK no byte of a record can be changed unseen', () => {
    const build = signOrigin(maker, buildOf(), ISSUED_AT)
    for (let at = 0; at < build.length; at += 1) {
      const changed = build.with(at, (build[at] ?? 0) ^ 1)
      const { faults } = checkOrigin({ build: changed })
      expect(faults.length, `byte ${at}`).toBeGreaterThan(0)
    }
  })

  test('ATK bytes of a stranger are read without a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(readOrigin(bytes)).toMatchObject({ ok: false, code: 'ORIGIN_MALFORMED' })
      }),
    )
    expect(() => signOrigin(maker, buildOf({ serial: 'two\nlines' }), ISSUED_AT)).toThrow(
      'serial must be',
    )
  })
})

test('ATK what nobody has signed may not stand in a record: else it had many ids', () => {
  const opened = decodeSign1(designBytes)
  if (!opened.ok || !opened.sign1.payload) throw new Error('it is a record')
  const { protectedBytes, payload, signature } = opened.sign1
  expect(readOrigin(encodeSign1(protectedBytes, payload, signature))).toMatchObject({ ok: true })
  const unsigned = encode(new Map([[99, 'anything']]))
  for (const bytes of [
    encodeSign1(protectedBytes, payload, signature, unsigned),
    designBytes.subarray(1),
  ]) {
    expect(readOrigin(bytes)).toMatchObject({ ok: false, code: 'ORIGIN_MALFORMED' })
  }
})
