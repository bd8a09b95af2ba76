import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Sign1 } from '@auth0/cose'
import { describe, expect, test } from 'vitest'
import {
  type CalibrationStatement,
  certificateInForce,
  decodeEnvelope,
  encodeCalibrationCertificate,
  encodeEnvelope,
  encodeSign1,
  type Hex,
  keyId,
  MAX_CERTIFICATE_BYTES,
  readCalibrationCertificate,
  type SensorDeclaration,
  sign,
  sigStructure,
  ZERO_DIGEST,
} from '../../src/index.ts'
import { fromHex, toHex } from '../../src/trust/bytes.ts'
import { type CborMap, type CborValue, encode } from '../../src/trust/cbor.ts'
import { ISSUER, KEYS, START_MS, START_SECONDS } from './craft.ts'

const STATEMENT: CalibrationStatement = {
  calibrationLaboratory: 'Prüfstelle Bern',
  machineId: 7n,
  stream: 'level',
  iat: START_SECONDS,
  unit: 'g',
  validFromMs: START_MS,
  validUntilMs: START_MS + 365 * 86_400_000,
  expandedUncertaintyPpm: 5_000,
  uniqueIdentifier: 'PB-2026-0017',
  item: 'SN-4711',
  documentDigest: `0x${'ab'.repeat(32)}`,
}
const LAB = KEYS['P-256']

interface Vector {
  name: string
  bytes: Hex
  says?: Record<string, unknown>
}
const vectors = JSON.parse(
  readFileSync(
    join(import.meta.dirname, '../../../../docs/protocol/vectors/calibration.json'),
    'utf8',
  ),
) as { accepted: Vector[]; refused: Vector[] }

test('docs/protocol/vectors/calibration.json', () => {
  expect(vectors.accepted.length).toBeGreaterThan(1)
  expect(vectors.refused.length).toBeGreaterThan(5)
  for (const { name, bytes, says } of vectors.accepted) {
    const read = readCalibrationCertificate(fromHex(bytes))
    if (!read.ok) throw new Error(`${name}: ${read.message}`)
    const { machineId, ...certificate } = read.certificate
    expect({ ...certificate, machineId: String(machineId) }, name).toEqual(says)
  }
  for (const { name, bytes } of vectors.refused) {
    expect(readCalibrationCertificate(fromHex(bytes)), name).toMatchObject({
      code: 'CERTIFICATE_INVALID',
    })
  }
})

test.each([['P-256'], ['secp256k1']] as const)('what is signed on %s is read', (curve) => {
  const key = KEYS[curve]
  const { documentDigest: _, ...short } = STATEMENT
  for (const statement of [STATEMENT, short]) {
    const read = readCalibrationCertificate(encodeCalibrationCertificate(key, statement))
    expect(read).toMatchObject({
      ok: true,
      certificate: { ...statement, laboratoryKey: key.publicKey, laboratory: keyId(key.publicKey) },
    })
  }
})

test('a COSE library that nobody here wrote (@auth0/cose) verifies it', async () => {
  const { x, y } = LAB.publicKey
  const [jwkX, jwkY] = [x, y].map((part) => Buffer.from(part.slice(2), 'hex').toString('base64url'))
  const jwk = { kty: 'EC', crv: 'P-256', x: jwkX ?? '', y: jwkY ?? '' }
  const theirs = Sign1.decode(encodeCalibrationCertificate(LAB, STATEMENT))
  await expect(theirs.verify(createPublicKey({ key: jwk, format: 'jwk' }))).resolves.toBeUndefined()
})

describe('refused', () => {
  const coseKey = new Map<CborValue, CborValue>([
    [1, 2],
    [-1, 1],
    [-2, fromHex(LAB.publicKey.x)],
    [-3, fromHex(LAB.publicKey.y)],
  ])
  const mapOf = (entries: [CborValue, CborValue][]): CborMap => new Map(entries)
  const header = (changes: [CborValue, CborValue][] = []) =>
    mapOf([
      [1, -7],
      [3, 'application/vnd.liquefy.calibration+cbor'],
      [4, fromHex(keyId(LAB.publicKey))],
      [14, mapOf([[8, mapOf([[1, coseKey]])]])],
      [
        15,
        mapOf([
          [1, 'Prüfstelle Bern'],
          [2, '7/level'],
          [6, START_SECONDS],
        ]),
      ],
      ...changes,
    ])
  const payload = (changes: [CborValue, CborValue][] = []) =>
    mapOf([
      [1, 'g'],
      [2, START_MS],
      [3, START_MS + 1],
      [4, 5_000],
      [5, 'PB-1'],
      [6, 'SN-1'],
      ...changes,
    ])
  const craft = (head: CborValue, body: CborValue, key = LAB) => {
    const [protectedBytes, bytes] = [encode(head), encode(body)]
    const signature = sign(key, sigStructure(protectedBytes, new Uint8Array(0), bytes))
    return encodeSign1(protectedBytes, bytes, signature)
  }

  test('but not the one that each is made of', () => {
    expect(readCalibrationCertificate(craft(header(), payload()))).toMatchObject({ ok: true })
  })

  test.each<[string, Uint8Array]>([
    ['a signature by another key than the one inside', craft(header(), payload(), KEYS.secp256k1)],
    ['the id of another key', craft(header([[4, new Uint8Array(32)]]), payload())],
    ['the other algorithm', craft(header([[1, -47]]), payload())],
    ['another content type', craft(header([[3, 'application/cbor']]), payload())],
    ['a header that nobody knows', craft(header([[99, 1]]), payload())],
    ['no key', craft(header([[14, mapOf([])]]), payload())],
    [
      'a key off its curve',
      craft(
        header([[14, mapOf([[8, mapOf([[1, mapOf([...coseKey, [-2, new Uint8Array(32)]])]])]])]]),
        payload(),
      ),
    ],
    ['a field that nobody knows', craft(header(), payload([[8, 1]]))],
    ['a validity that ends where it begins', craft(header(), payload([[3, START_MS]]))],
    ['an uncertainty of more than all', craft(header(), payload([[4, 1_000_001]]))],
    ['a negative uncertainty', craft(header(), payload([[4, -1]]))],
    ['a number of two lines', craft(header(), payload([[5, 'a\nb']]))],
    ['an escape for terminals', craft(header(), payload([[6, '\u001b[2J']]))],
    ['no serial number', craft(header(), payload([[6, '']]))],
    ['a unit with a space', craft(header(), payload([[1, 'k g']]))],
    ['a document’s digest of 31 bytes', craft(header(), payload([[7, new Uint8Array(31)]]))],
    ['a list', craft(header(), [])],
    ['no bytes at all', new Uint8Array(0)],
    [
      'an envelope',
      encodeEnvelope({
        signer: LAB,
        iss: ISSUER,
        machineId: 7n,
        stream: 'level',
        iat: START_SECONDS,
        seq: 1n,
        prev: ZERO_DIGEST,
        content: { kind: 'readings', readings: [{ unit: 'g', timeMs: START_MS, value: 1n }] },
      }).bytes,
    ],
    ['more than a certificate may have', new Uint8Array(MAX_CERTIFICATE_BYTES + 1)],
  ])('%s', (_, bytes) => {
    expect(readCalibrationCertificate(bytes)).toMatchObject({
      ok: false,
      code: 'CERTIFICATE_INVALID',
    })
  })

  test('before it is signed', () => {
    expect(() => encodeCalibrationCertificate(LAB, { ...STATEMENT, item: 'a\nb' })).toThrow(
      /Correct the certificate: item/,
    )
  })
})

test('the signature is no part of what identifies it', () => {
  const [one, other] = [STATEMENT, STATEMENT].map((statement) =>
    encodeCalibrationCertificate(LAB, statement),
  )
  if (!one || !other) throw new Error('two certificates')
  expect(toHex(one)).not.toBe(toHex(other))
  const digests = [one, other].map((bytes) => {
    const read = readCalibrationCertificate(bytes)
    return read.ok ? read.certificate.digest : undefined
  })
  expect(digests[0]).toMatch(/^0x/)
  expect(digests[0]).toBe(digests[1])
})

describe('declared in a stream', () => {
  const enveloped = (declaration: SensorDeclaration) =>
    decodeEnvelope(
      encodeEnvelope({
        signer: LAB,
        iss: ISSUER,
        machineId: 7n,
        stream: 'level',
        iat: START_SECONDS,
        seq: 1n,
        prev: ZERO_DIGEST,
        content: { kind: 'declaration', declaration },
      }).bytes,
    )

  test('it arrives as it was issued, whatever its bytes are', () => {
    for (const certificate of [encodeCalibrationCertificate(LAB, STATEMENT), Uint8Array.of(1)]) {
      const declaration = { kind: 'calibration', certificate } as const
      expect(enveloped(declaration)).toMatchObject({
        ok: true,
        envelope: { content: { kind: 'declaration', declaration } },
      })
    }
  })

  test('more bytes than a certificate has are refused', () => {
    const certificate = new Uint8Array(MAX_CERTIFICATE_BYTES + 1)
    expect(() => enveloped({ kind: 'calibration', certificate })).toThrow(/at most 2048 bytes/)
  })

  test('a replacement may name the new part', () => {
    const declaration = {
      kind: 'replacement',
      atMs: START_MS,
      reason: 'broken',
      newPart: 'SN-2',
    } as const
    expect(enveloped(declaration)).toMatchObject({ envelope: { content: { declaration } } })
  })
})

describe('what is in force, for whoever looks', () => {
  const of = { machineId: 7n, stream: 'level' }
  const declared = (changes: Partial<CalibrationStatement> = {}): SensorDeclaration => ({
    kind: 'calibration',
    certificate: encodeCalibrationCertificate(LAB, { ...STATEMENT, ...changes }),
  })
  const numberAt = (list: SensorDeclaration[], atMs: number) =>
    certificateInForce(of, list, atMs)?.certificate.uniqueIdentifier

  test('the newest of those whose time it is', () => {
    const list = [
      declared({ uniqueIdentifier: '1' }),
      declared({ uniqueIdentifier: '2', validFromMs: START_MS + 10 }),
    ]
    expect(numberAt(list, START_MS - 1)).toBeUndefined()
    expect(numberAt(list, START_MS)).toBe('1')
    expect(numberAt(list, START_MS + 10)).toBe('2')
    expect(numberAt(list, STATEMENT.validUntilMs)).toBeUndefined()
  })

  test('nothing that is forged or of another stream', () => {
    const list: SensorDeclaration[] = [
      declared({ uniqueIdentifier: '1' }),
      declared({ uniqueIdentifier: '2', stream: 'other' }),
      { kind: 'calibration', certificate: Uint8Array.of(1, 2, 3) },
    ]
    expect(numberAt(list, START_MS + 1)).toBe('1')
  })

  test('nothing of a sensor that is gone', () => {
    const gone: SensorDeclaration = { kind: 'replacement', atMs: START_MS + 100, reason: '' }
    expect(certificateInForce(of, [declared(), gone], START_MS + 99)?.untilMs).toBe(START_MS + 100)
    expect(numberAt([declared(), gone], START_MS + 100)).toBeUndefined()
  })
})
