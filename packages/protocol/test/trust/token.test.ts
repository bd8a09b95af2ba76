import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeToken, registryAudience, verifyToken } from '../../src/index.ts'
import { signMessage } from '../../src/trust/crypto.browser.ts'
import { ISSUER, KEYS } from './craft.ts'

const audience = registryAudience(ISSUER.chainId, ISSUER.registry.toUpperCase().replace('0X', '0x'))
const NOW = 1_760_000_000
const key = KEYS['P-256']
const expected = { machineId: 7n, audience, now: NOW }
const claims = { sub: '7', aud: audience, iat: NOW, exp: NOW + 3_600 }
const good = encodeToken({ key, machineId: 7n, audience, issuedAt: NOW, expiresAt: NOW + 3_600 })
const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

const signed = (header: unknown, body: unknown, signer = key): string => {
  const text = `${base64url(header)}.${base64url(body)}`
  const signature = signMessage(signer, new TextEncoder().encode(text))
  return `${text}.${Buffer.from(signature).toString('base64url')}`
}
const withClaims = (changes: object) =>
  signed({ alg: 'ES256', typ: 'JWT' }, { ...claims, ...changes })

describe('password tokens', () => {
  it('audience is the CAIP-19 id of the registry, in lower case', () => {
    expect(audience).toBe(`eip155:31337/erc721:${ISSUER.registry}`)
  })

  it.each([KEYS['P-256'], KEYS.secp256k1])(
    'one by the right key ($curve) is accepted',
    (signer) => {
      const token = encodeToken({
        key: signer,
        machineId: 7n,
        audience,
        issuedAt: NOW,
        expiresAt: NOW + 60,
      })
      const [header] = token.split('.')
      expect(JSON.parse(Buffer.from(header ?? '', 'base64url').toString())).toEqual({
        alg: signer.curve === 'P-256' ? 'ES256' : 'ES256K',
        typ: 'JWT',
      })
      expect(verifyToken(token, signer.publicKey, expected)).toEqual({ ok: true })
    },
  )

  const accepted: [string, string, number][] = [
    ['as issued', good, NOW],
    ['issued 60 s in the future', good, NOW - 60],
    ['expired 59 s ago', good, NOW + 3_659],
    ['signed elsewhere', withClaims({}), NOW],
    ['with claims that we do not know', withClaims({ iss: 'x', jti: 'y' }), NOW],
    ['with nbf in the past', withClaims({ nbf: NOW - 5 }), NOW],
  ]
  it.each(accepted)('accepts: %s', (_name, token, now) => {
    expect(verifyToken(token, key.publicKey, { ...expected, now })).toEqual({ ok: true })
  })

  const [header = '', body = '', signature = ''] = good.split('.')
  const refused: [string, string, number?][] = [
    ['issued 61 s in the future', good, NOW - 61],
    ['expired 60 s ago', good, NOW + 3_660],
    ['of another machine', withClaims({ sub: '8' })],
    ['sub a number', withClaims({ sub: 7 })],
    ['for another registry', withClaims({ aud: `${audience}0` })],
    ['aud a list', withClaims({ aud: [audience] })],
    ['longer than an hour', withClaims({ exp: NOW + 3_601 })],
    ['expires before it is issued', withClaims({ exp: NOW - 1 })],
    ['without exp', withClaims({ exp: undefined })],
    ['exp as text', withClaims({ exp: `${NOW + 60}` })],
    ['iat not whole', withClaims({ iat: NOW + 0.5 })],
    ['nbf in the future', withClaims({ nbf: NOW + 61 })],
    ['alg none', `${base64url({ alg: 'none' })}.${body}.`],
    ['alg of another curve', signed({ alg: 'ES256K' }, claims)],
    ['alg HS256', signed({ alg: 'HS256' }, claims)],
    ['alg missing', signed({ typ: 'JWT' }, claims)],
    ['critical extension', signed({ alg: 'ES256', crit: ['b64'], b64: false }, claims)],
    ['by another curve', signed({ alg: 'ES256' }, claims, KEYS.secp256k1)],
    ['claims swapped', `${header}.${base64url({ ...claims, sub: '7 ' })}.${signature}`],
    ['signature cut', `${header}.${body}.${signature.slice(0, -4)}`],
    ['padding', `${header}.${body}.${signature}==`],
    ['standard alphabet', `${header}.${body}.${signature.slice(0, -1)}+`],
    ['spare bits', `${header}.${body}.${signature.slice(0, -1)}${spareBit(signature)}`],
    ['four parts', `${good}.x`],
    ['two parts', `${header}.${body}`],
    ['header a list', `${base64url([])}.${body}.${signature}`],
    ['header null', `${base64url(null)}.${body}.${signature}`],
    ['empty', ''],
    ['huge', 'a'.repeat(2_049)],
  ]
  it.each(refused)('TOKEN_INVALID: %s', (_name, token, now = NOW) => {
    expect(verifyToken(token, key.publicKey, { ...expected, now })).toMatchObject({
      ok: false,
      code: 'TOKEN_INVALID',
    })
  })

  it('never throws, whatever it is given', () => {
    const part = fc.oneof(fc.string(), fc.base64String(), fc.constantFrom(header, body, signature))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        const token = parts.join('.')
        expect(verifyToken(token, key.publicKey, expected).ok).toBe(token === good)
      }),
      { numRuns: 500 },
    )
  })
})

/** The last character with one of the bits set that encode nothing. */
function spareBit(text: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(text.at(-1) ?? '') | 1] ?? ''
}
