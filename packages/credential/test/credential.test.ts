import { type Curve, didKey, keyId } from '@liquefy/protocol'
import { createJWT } from 'did-jwt'
import { verifyCredential } from 'did-jwt-vc'
import { Resolver } from 'did-resolver'
import { getResolver } from 'key-did-resolver'
import { describe, expect, test } from 'vitest'
import {
  credentialStanding,
  emptyBits,
  isRevoked,
  issueCredential,
  issueStatusList,
  parseTrustedIssuers,
  readCredential,
  readStatusList,
  revoked,
  type StandingContext,
} from '../src/index.ts'
import { issuerOf } from '../src/issuer.ts'
import { newKey } from './keys.ts'

const DAY_MS = 86_400_000
const NOW_MS = 1_790_000_000_000
const LIST = 'urn:uuid:8f6f9d2c-0a34-4c3e-9b55-6f3f2f1f0c01'
const maker = newKey()
const makers = [{ did: didKey(maker.publicKey), name: 'Silotech' }]
const device = newKey()
const outside = new Resolver(getResolver() as ConstructorParameters<typeof Resolver>[0])
const INPUT = {
  id: 'urn:uuid:0b6d1b3e-55c7-4f0e-a9a5-1f8a6d1f7a10',
  key: device.publicKey,
  manufacturer: 'Silotech GmbH',
  model: 'Level 3000',
  serial: 'SN-0042',
  validFromMs: NOW_MS - DAY_MS,
  validUntilMs: NOW_MS + 365 * DAY_MS,
  status: { list: LIST, index: 94_567 },
}
const LIST_INPUT = { id: LIST, validFromMs: NOW_MS - DAY_MS, validUntilMs: NOW_MS + 7 * DAY_MS }

const credentialOf = async (changed: Partial<typeof INPUT> = {}) => {
  const read = await readCredential(await issueCredential(maker, { ...INPUT, ...changed }), makers)
  if (!read.ok) throw new Error(read.message)
  return read.credential
}
const listOf = async (bits = emptyBits(), by = maker, changed: Partial<typeof LIST_INPUT> = {}) => {
  const read = await readStatusList(await issueStatusList(by, { ...LIST_INPUT, ...changed, bits }))
  if (!read.ok) throw new Error(read.message)
  return read.list
}
const contextOf = async (changed: Partial<StandingContext> = {}): Promise<StandingContext> => ({
  nowMs: NOW_MS,
  keyId: keyId(device.publicKey),
  issuers: makers,
  statusList: await listOf(),
  ...changed,
})

describe('tools that nobody here wrote', () => {
  const policies = { now: NOW_MS / 1_000 }

  test.each<[Curve, Curve]>([
    ['P-256', 'P-256'],
    ['P-256', 'secp256k1'],
    ['secp256k1', 'P-256'],
  ])('verify what a %s maker issues for a %s device', async (makerCurve, deviceCurve) => {
    const by = newKey(makerCurve)
    const key = newKey(deviceCurve).publicKey
    const jwt = await issueCredential(by, { ...INPUT, key })
    const { verifiableCredential } = await verifyCredential(jwt, outside, { policies })
    expect(verifiableCredential).toMatchObject({
      id: INPUT.id,
      issuer: { id: didKey(by.publicKey) },
      type: ['VerifiableCredential', 'MachineOnboardingCredential'],
      issuanceDate: new Date(INPUT.validFromMs).toISOString().replace('.000', '.000'),
      expirationDate: new Date(INPUT.validUntilMs).toISOString(),
      credentialSubject: {
        id: didKey(key),
        manufacturer: 'Silotech GmbH',
        model: 'Level 3000',
        serialNumber: 'SN-0042',
      },
      credentialStatus: {
        id: `${LIST}#94567`,
        type: 'BitstringStatusListEntry',
        statusPurpose: 'revocation',
        statusListIndex: '94567',
        statusListCredential: LIST,
      },
    })
    // And the same device's key comes out of its name by another's resolver.
    const { didDocument } = await outside.resolve(didKey(key))
    const [method] = didDocument?.verificationMethod ?? []
    expect(method?.controller).toBe(didKey(key))
  })

  test('and their signature is not that of somebody else', async () => {
    const jwt = await issueCredential(maker, INPUT)
    const forged = resigned(jwt, await issueCredential(newKey(), INPUT))
    await expect(verifyCredential(forged, outside, { policies })).rejects.toThrow(
      'invalid_signature',
    )
  })

  test('a did:key of the method’s own test vectors is the key that it names', async () => {
    const did = 'did:key:zDnaerDaTF5BXEavCrfRZEk316dpbLsfPDZ3WJ5hRTPFU2169'
    const { didDocument } = await outside.resolve(did)
    const jwk = didDocument?.verificationMethod?.[0]?.publicKeyJwk
    const hex = (text?: string) =>
      `0x${Buffer.from(text ?? '', 'base64url').toString('hex')}` as const
    expect(didKey({ curve: 'P-256', x: hex(jwk?.x), y: hex(jwk?.y) })).toBe(did)
  })
})

describe('a credential is read as it was issued', () => {
  test('and is good for the machine with its key', async () => {
    const credential = await credentialOf()
    expect(credential).toMatchObject({ ...INPUT, issuer: makers[0]?.did })
    expect(credentialStanding(credential, await contextOf())).toEqual({ ok: true })
  })

  test('one without a status entry needs no list, and cannot be revoked', async () => {
    const jwt = await issueCredential(maker, { ...INPUT, status: undefined })
    const read = await readCredential(jwt, makers)
    if (!read.ok) throw new Error(read.message)
    const context = await contextOf({ statusList: undefined })
    expect(credentialStanding(read.credential, context)).toEqual({ ok: true })
  })

  test.each([
    ['an empty model', { model: '' }],
    ['a serial of two lines', { serial: 'a\nb' }],
    ['an end before its beginning', { validUntilMs: INPUT.validFromMs }],
    ['a place in no list', { status: { list: LIST, index: 2_000_000 } }],
  ])('none is issued with %s', async (_, changed) => {
    await expect(issueCredential(maker, { ...INPUT, ...changed })).rejects.toMatchObject({
      code: 'CREDENTIAL_INVALID',
    })
  })
})

/** The same words under another signature. */
function resigned(jwt: string, other: string): string {
  return [...jwt.split('.').slice(0, 2), other.split('.')[2]].join('.')
}

type Payload = { vc: { credentialSubject: object } }

/** A credential whose payload was changed before its maker signed it. */
async function signedAs(
  change: (payload: Payload) => void,
  header: { alg?: string; crit?: string[]; cty?: string } = {},
): Promise<string> {
  const [, claims] = (await issueCredential(maker, INPUT)).split('.')
  const payload = JSON.parse(Buffer.from(claims ?? '', 'base64url').toString())
  change(payload)
  const { did, signer } = issuerOf(maker)
  return createJWT(payload, { issuer: did, signer }, { alg: 'ES256', ...header })
}

const unsigned = (header: object, payload: object) =>
  `${[header, payload].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')}.`

describe('is refused by code', () => {
  const nothing = () => undefined
  test.each<[string, string, () => Promise<string> | string]>([
    [
      'a forged one',
      'CREDENTIAL_FORGED',
      async () =>
        resigned(await issueCredential(maker, INPUT), await issueCredential(newKey(), INPUT)),
    ],
    [
      'one whose words were changed',
      'CREDENTIAL_FORGED',
      async () => {
        const jwt = await issueCredential(maker, INPUT)
        const other = await issueCredential(maker, { ...INPUT, serial: 'SN-0043' })
        return resigned(other, jwt)
      },
    ],
    ['one by somebody else', 'ISSUER_UNTRUSTED', () => issueCredential(newKey(), INPUT)],
    ['one too large', 'CREDENTIAL_TOO_LARGE', () => 'x'.repeat(8_193)],
    ['no JWT', 'CREDENTIAL_MALFORMED', () => 'what is this'],
    ['a JWT of two parts', 'CREDENTIAL_MALFORMED', () => 'eyJhbGciOiJFUzI1NiJ9.e30'],
    ['an empty JWT', 'CREDENTIAL_MALFORMED', () => unsigned({ alg: 'none' }, {})],
    [
      'one without a signature',
      'CREDENTIAL_ALG',
      async () => {
        const [, claims = ''] = (await issueCredential(maker, INPUT)).split('.')
        const payload = JSON.parse(Buffer.from(claims, 'base64url').toString())
        return `${unsigned({ alg: 'none', typ: 'JWT' }, payload)}AA`
      },
    ],
    ['another curve’s algorithm', 'CREDENTIAL_ALG', () => signedAs(nothing, { alg: 'ES256K' })],
    ['critical extensions', 'CREDENTIAL_ALG', () => signedAs(nothing, { crit: ['b64'] })],
    ['a JWT in a JWT', 'CREDENTIAL_ALG', () => signedAs(nothing, { cty: 'JWT' })],
    [
      'a status list in its place',
      'CREDENTIAL_MALFORMED',
      () => issueStatusList(maker, { ...LIST_INPUT, bits: emptyBits() }),
    ],
    [
      'one of another type',
      'CREDENTIAL_MALFORMED',
      () => signedAs(({ vc }) => Object.assign(vc, { type: ['X'] })),
    ],
    [
      'one without an end',
      'CREDENTIAL_MALFORMED',
      () => signedAs((payload) => Object.assign(payload, { exp: undefined })),
    ],
    [
      'times in milliseconds',
      'CREDENTIAL_MALFORMED',
      () => signedAs((payload) => Object.assign(payload, { exp: 1_790_000_000_000 })),
    ],
    [
      'two subjects',
      'CREDENTIAL_MALFORMED',
      () => signedAs((payload) => Object.assign(payload, { sub: didKey(newKey().publicKey) })),
    ],
    [
      'a context that is not that of credentials',
      'CREDENTIAL_MALFORMED',
      () => signedAs(({ vc }) => Object.assign(vc, { '@context': ['x'] })),
    ],
    [
      'a status of another kind',
      'CREDENTIAL_MALFORMED',
      () =>
        signedAs(({ vc }) =>
          Object.assign(vc, { credentialStatus: { type: 'StatusList2021Entry' } }),
        ),
    ],
    [
      'a subject that is no key',
      'CREDENTIAL_MALFORMED',
      () =>
        signedAs((payload) => {
          Object.assign(payload, { sub: 'did:web:example.com' })
          Object.assign(payload.vc.credentialSubject, { id: 'did:web:example.com' })
        }),
    ],
  ])('%s: %s', async (_, code, make) => {
    expect(await readCredential(await make(), makers)).toMatchObject({ ok: false, code })
  })

  test.each<[string, string, () => Promise<Partial<StandingContext>>]>([
    ['an expired one', 'CREDENTIAL_EXPIRED', async () => ({ nowMs: INPUT.validUntilMs })],
    [
      'one not yet valid',
      'CREDENTIAL_NOT_YET_VALID',
      async () => ({ nowMs: INPUT.validFromMs - 60_001 }),
    ],
    [
      'another machine’s key',
      'CREDENTIAL_KEY_DIFFERS',
      async () => ({ keyId: keyId(newKey().publicKey) }),
    ],
    ['a machine without a key', 'CREDENTIAL_KEY_DIFFERS', async () => ({ keyId: undefined })],
    ['an issuer no longer trusted', 'ISSUER_UNTRUSTED', async () => ({ issuers: [] })],
    [
      'a revoked one',
      'CREDENTIAL_REVOKED',
      async () => ({ statusList: await listOf(revoked(emptyBits(), INPUT.status.index)) }),
    ],
    [
      'a revoked one whose list is out of date',
      'CREDENTIAL_REVOKED',
      async () => ({
        nowMs: LIST_INPUT.validUntilMs,
        statusList: await listOf(revoked(emptyBits(), INPUT.status.index)),
      }),
    ],
    ['one whose list is not there', 'STATUS_LIST_MISSING', async () => ({ statusList: undefined })],
    [
      'one whose list is another’s',
      'STATUS_LIST_MISSING',
      async () => ({ statusList: await listOf(emptyBits(), newKey()) }),
    ],
    [
      'one whose list has another name',
      'STATUS_LIST_MISSING',
      async () => ({ statusList: await listOf(emptyBits(), maker, { id: 'urn:other' }) }),
    ],
    [
      'one whose list is out of date',
      'STATUS_LIST_STALE',
      async () => ({ nowMs: LIST_INPUT.validUntilMs }),
    ],
  ])('%s: %s', async (_, code, changed) => {
    const context = await contextOf(await changed())
    expect(credentialStanding(await credentialOf(), context)).toMatchObject({ ok: false, code })
  })
})

describe('a status list', () => {
  test('tells the one that it revokes from all others', async () => {
    const list = await listOf(revoked(revoked(emptyBits(), 0), 131_071))
    expect(isRevoked(list, 0)).toBe(true)
    expect(isRevoked(list, 131_071)).toBe(true)
    expect([1, 7, 8, 131_070].some((index) => isRevoked(list, index))).toBe(false)
    expect(isRevoked(list, 131_072)).toBe(true)
    expect(() => revoked(emptyBits(), 131_072)).toThrow(
      expect.objectContaining({ code: 'STATUS_INDEX_INVALID' }),
    )
  })

  test('the first place is the leftmost bit, as W3C counts', async () => {
    const jwt = await issueStatusList(maker, { ...LIST_INPUT, bits: revoked(emptyBits(), 0) })
    const { verifiableCredential } = await verifyCredential(jwt, outside, {
      policies: { now: NOW_MS / 1_000 },
    })
    const { encodedList } = verifiableCredential.credentialSubject
    const { gunzipSync } = await import('node:zlib')
    const bytes = gunzipSync(Buffer.from(encodedList.slice(1), 'base64url'))
    expect(bytes.length).toBe(16_384)
    expect(bytes[0]).toBe(0x80)
  })

  test.each<[string, string, () => Promise<string>]>([
    [
      'a forged one',
      'CREDENTIAL_FORGED',
      async () => {
        const [ours, theirs] = await Promise.all(
          [maker, newKey()].map((by) => issueStatusList(by, { ...LIST_INPUT, bits: emptyBits() })),
        )
        return resigned(ours ?? '', theirs ?? '')
      },
    ],
    [
      'one by somebody else',
      'ISSUER_UNTRUSTED',
      () => issueStatusList(newKey(), { ...LIST_INPUT, bits: emptyBits() }),
    ],
    [
      'one that has too few places to hide in',
      'CREDENTIAL_MALFORMED',
      () => issueStatusList(maker, { ...LIST_INPUT, bits: new Uint8Array(1_024) }),
    ],
    [
      'one that unfolds without end',
      'CREDENTIAL_MALFORMED',
      () => issueStatusList(maker, { ...LIST_INPUT, bits: new Uint8Array(50_000_000) }),
    ],
    ['one too large', 'CREDENTIAL_TOO_LARGE', async () => 'x'.repeat(262_145)],
  ])('%s is refused: %s', async (_, code, make) => {
    expect(await readStatusList(await make(), makers)).toMatchObject({ ok: false, code })
  })
})

describe('the operator’s list of issuers', () => {
  const did = didKey(maker.publicKey)
  test('names whom to trust', () => {
    expect(parseTrustedIssuers(JSON.stringify([{ did, name: 'Silotech' }]))).toEqual(makers)
  })

  test.each([
    ['no JSON', 'what'],
    ['no list', '{}'],
    ['no did:key', JSON.stringify([{ did: 'did:web:example.com', name: 'x' }])],
    ['no name', JSON.stringify([{ did }])],
    ['nothing', JSON.stringify([null])],
    ['one of them twice', JSON.stringify([1, 2].map(() => ({ did, name: 'x' })))],
  ])('is refused with %s', (_, text) => {
    expect(() => parseTrustedIssuers(text)).toThrow(
      expect.objectContaining({ code: 'ISSUERS_INVALID' }),
    )
  })
})
