import type { Hex } from 'viem'
import { describe, expect, it } from 'vitest'
import {
  type Curve,
  keyId,
  lowS,
  parsePublicKey,
  privateKeyFromBytes,
  recoverAccount,
  sha256,
  sign,
  signDigest,
  signTypedDigest,
  type TokenKey,
  verify,
  verifyTypedDigest,
} from '../../src/index.ts'
import { fromHex, toHex } from '../../src/trust/bytes.ts'
import * as browser from '../../src/trust/crypto.browser.ts'
import * as node from '../../src/trust/crypto.node.ts'
import { KEYS } from './craft.ts'

const ORDER: Record<Curve, bigint> = {
  'P-256': 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
  secp256k1: 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n,
}
const FIELD: Record<Curve, bigint> = {
  'P-256': 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
  secp256k1: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2fn,
}
const message = new TextEncoder().encode('12 litres')
const digest = toHex(sha256(message))
const curves: Curve[] = ['P-256', 'secp256k1']

const otherS = (curve: Curve, signature: Uint8Array): Uint8Array => {
  const s = ORDER[curve] - BigInt(toHex(signature.subarray(32)))
  return fromHex(`${toHex(signature.subarray(0, 32))}${s.toString(16).padStart(64, '0')}`)
}

it('a token that signs with another key than it was asked for is found out', () => {
  const other = privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(9))
  const wrong: TokenKey = {
    curve: 'secp256k1',
    publicKey: KEYS.secp256k1.publicKey,
    signDigest: (digest32) => signDigest(other, digest32),
  }
  expect(() => signTypedDigest(wrong, digest)).toThrow(
    expect.objectContaining({ code: 'KEY_DIFFERS' }),
  )
})

describe.each(curves)('%s', (curve) => {
  const key = KEYS[curve]
  const other = privateKeyFromBytes(curve, new Uint8Array(32).fill(9))

  it('what node signs the browser verifies, and the reverse', () => {
    const byNode = node.signMessage(key, message)
    const byBrowser = browser.signMessage(key, message)
    for (const signature of [byNode, byBrowser]) {
      expect(signature.length).toBe(64)
      expect(node.verifyMessage(key.publicKey, message, signature)).toBe(true)
      expect(browser.verifyMessage(key.publicKey, message, signature)).toBe(true)
      expect(verify(other.publicKey, message, signature)).toBe(false)
      expect(verify(key.publicKey, message.with(0, 0), signature)).toBe(false)
    }
    expect(node.sha256(message)).toEqual(browser.sha256(message))
  })

  it('a key that signs digests alone, as one in a token, signs all that a machine signs', () => {
    for (const twin of [false, true]) {
      const inToken: TokenKey = {
        curve,
        publicKey: key.publicKey,
        signDigest: (digest32) => {
          const signature = signDigest(key, digest32)
          return twin ? otherS(curve, signature) : signature
        },
      }
      expect(verify(key.publicKey, message, sign(inToken, message))).toBe(true)
      expect(signDigest(inToken, fromHex(digest))).toEqual(signDigest(key, fromHex(digest)))
      const typed = signTypedDigest(inToken, digest)
      expect(verifyTypedDigest(key.publicKey, digest, typed)).toBe(true)
      expect(2n * BigInt(`0x${typed.slice(66, 130)}`)).toBeLessThan(ORDER[curve])
    }
  })

  it('low and high s verify; lowS makes both the same', () => {
    const signature = sign(key, message)
    const twin = otherS(curve, signature)
    for (const implementation of [node, browser]) {
      expect(implementation.verifyMessage(key.publicKey, message, twin)).toBe(true)
    }
    expect(lowS(curve, signature)).toEqual(lowS(curve, twin))
    expect(2n * BigInt(toHex(lowS(curve, twin).subarray(32)))).toBeLessThan(ORDER[curve])
  })

  it('signs a digest as it signs the message', () => {
    expect(verify(key.publicKey, message, signDigest(key, fromHex(digest)))).toBe(true)
  })

  it('typed digests: signs, verifies, and nothing else verifies', () => {
    const signature = signTypedDigest(key, digest)
    expect(verifyTypedDigest(key.publicKey, digest, signature)).toBe(true)
    expect(verifyTypedDigest(other.publicKey, digest, signature)).toBe(false)
    expect(verifyTypedDigest(key.publicKey, `0x${'00'.repeat(32)}`, signature)).toBe(false)
    for (const odd of ['0x', '0xzz', `${signature}00`, signature.slice(0, -2)] as Hex[]) {
      expect(verifyTypedDigest(key.publicKey, digest, odd)).toBe(false)
    }
    expect(verifyTypedDigest(key.publicKey, '0x12', signature)).toBe(false)
  })

  it('signatures of zeros, of the order and of another length verify nothing and throw nothing', () => {
    const order = fromHex(`0x${ORDER[curve].toString(16)}`)
    const zeros = new Uint8Array(64)
    const orders = fromHex(`${toHex(order)}${toHex(order).slice(2)}`)
    for (const odd of [zeros, orders, new Uint8Array(0), new Uint8Array(63), new Uint8Array(65)]) {
      expect(verify(key.publicKey, message, odd)).toBe(false)
    }
  })

  it('KEY_INVALID off the curve, at infinity, beyond the field, of another curve', () => {
    const { x, y } = key.publicKey
    const wrap = (value: bigint): Hex => `0x${value.toString(16).padStart(64, '0')}`
    const zero = wrap(0n)
    const bad: unknown[] = [
      { curve, x, y: wrap(BigInt(y) ^ 1n) },
      { curve, x: zero, y: zero },
      { curve, x: y, y: x },
      { curve, x: wrap(FIELD[curve]), y },
      { curve, x, y: wrap(FIELD[curve]) },
      { curve: curve === 'P-256' ? 'secp256k1' : 'P-256', x, y },
      { curve: 'P-384', x, y },
      { curve, x: x.slice(2), y },
      { curve, x: `${x}00`, y },
      { curve, x },
      null,
      'key',
      [],
    ]
    for (const input of bad) {
      expect(parsePublicKey(input)).toMatchObject({ ok: false, code: 'KEY_INVALID' })
    }
    expect(parsePublicKey(key.publicKey)).toEqual({ ok: true, key: key.publicKey })
    const upper = { curve, x: `0x${x.slice(2).toUpperCase()}`, y }
    expect(parsePublicKey(upper)).toEqual({ ok: true, key: key.publicKey })
  })

  it('a key off its curve verifies nothing and throws nothing', () => {
    const odd = { ...key.publicKey, y: key.publicKey.x }
    expect(verify(odd, message, sign(key, message))).toBe(false)
  })

  it('KEY_INVALID for a scalar of zero, of the order, or too short', () => {
    const order = fromHex(`0x${ORDER[curve].toString(16)}`)
    for (const d of [new Uint8Array(32), order, new Uint8Array(31)]) {
      expect(() => privateKeyFromBytes(curve, d)).toThrow(
        expect.objectContaining({ code: 'KEY_INVALID' }),
      )
    }
  })
})

describe('accounts', () => {
  const key = KEYS.secp256k1
  const signature = signTypedDigest(key, digest)

  it('ATK high s of a voucher is refused; of a P-256 device it is not', () => {
    const high = otherS('secp256k1', fromHex(signature).subarray(0, 64))
    const flipped: Hex = `${toHex(high)}${signature.endsWith('1b') ? '1c' : '1b'}`
    expect(recoverAccount(digest, flipped)).toBeUndefined()
    expect(verifyTypedDigest(key.publicKey, digest, flipped)).toBe(false)
    const device = KEYS['P-256']
    const low = fromHex(signTypedDigest(device, digest))
    const twin = toHex(otherS('P-256', low))
    expect(verifyTypedDigest(device.publicKey, digest, twin)).toBe(true)
  })

  it('v is 27 or 28', () => {
    expect(recoverAccount(digest, signature)).toMatch(/^0x[0-9a-f]{40}$/)
    for (const v of ['00', '01', '1d', '25']) {
      expect(recoverAccount(digest, `${signature.slice(0, -2)}${v}` as Hex)).toBeUndefined()
    }
  })

  it('a key id tells curves apart', () => {
    const { x, y } = key.publicKey
    expect(keyId({ curve: 'P-256', x, y })).not.toBe(keyId({ curve: 'secp256k1', x, y }))
  })
})
