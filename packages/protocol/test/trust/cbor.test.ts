import { decode as decodeLenient, Tagged } from 'cborg'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CborFloat, type CborValue, decodeStrict, encode } from '../../src/index.ts'
import { fromHex, toHex } from '../../src/trust/bytes.ts'
import { decodeWithCborg } from './cborg-strict.ts'

const CASES = process.env.LIQUEFY_NIGHTLY ? 1_000_000 : 20_000
const LIMITS = { maxBytes: 65_536, maxDepth: 8, tags: [4, 18] }
const decode = (hex: `0x${string}`) => decodeStrict(fromHex(hex), LIMITS)

const key = fc.oneof(
  fc.integer(),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
  fc.string({ unit: 'grapheme' }),
)
const { value } = fc.letrec<{ value: CborValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 6 },
    fc.integer({ min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER }),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 64n), max: -(2n ** 53n) - 1n }),
    fc.string({ unit: 'grapheme', maxLength: 400 }),
    fc.boolean(),
    fc.constant(null),
    fc.uint8Array({ maxLength: 400 }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((float) => new CborFloat(float)),
    fc.array(tie('value')),
    fc.array(fc.tuple(key, tie('value'))).map((entries) => new Map<CborValue, CborValue>(entries)),
    tie('value').map((content) => new Tagged(4, content)),
  ),
}))

describe('decodeStrict', () => {
  it('reads what encode writes', () => {
    fc.assert(
      fc.property(value, (original) => {
        expect(decodeStrict(encode(original), LIMITS)).toEqual({ ok: true, value: original })
      }),
      { numRuns: 300 },
    )
  })

  it('never throws, and what it accepts has one encoding but for the order of keys and the width of floats', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const decoded = decodeStrict(bytes, LIMITS)
        if (!decoded.ok || hasFloat(decoded.value)) return
        expect(encode(decoded.value).length).toBe(bytes.length)
      }),
      { numRuns: 3_000 },
    )
  })

  const verdict = ({ ...decoded }: ReturnType<typeof decodeStrict>) =>
    decoded.ok ? decoded : { ok: false, code: decoded.code }
  const opening = fc.constantFrom(0x1b, 0x3b, 0x5b, 0x7b, 0x9b, 0xbb, 0xdb, 0xf9, 0xfa, 0xfb)
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .tuple(opening, fc.uint8Array({ minLength: 2, maxLength: 9 }))
      .map(([first, rest]) => Uint8Array.of(first, ...rest)),
    fc.tuple(value, fc.nat(), fc.nat(255)).map(([original, where, byte]) => {
      const bytes = encode(original)
      return bytes.with(where % bytes.length, byte)
    }),
  )

  it('says of any bytes what cborg says', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(verdict(decodeStrict(bytes, LIMITS))).toEqual(
          verdict(decodeWithCborg(bytes, LIMITS)),
        )
      }),
      { numRuns: CASES },
    )
  })

  it('reads every number of 16 bits as cborg does', () => {
    for (let bits = 0; bits < 65_536; bits += 1) {
      const bytes = Uint8Array.of(0xf9, bits >> 8, bits & 255)
      expect(verdict(decodeStrict(bytes, LIMITS))).toEqual(verdict(decodeWithCborg(bytes, LIMITS)))
    }
  })

  it('bits flipped anywhere: no exception', () => {
    const flips = fc.tuple(value, fc.nat(), fc.nat(7))
    fc.assert(
      fc.property(flips, ([original, where, bit]) => {
        const bytes = encode(original)
        const at = where % bytes.length
        const decoded = decodeStrict(bytes.with(at, (bytes[at] ?? 0) ^ (1 << bit)), LIMITS)
        expect(typeof decoded.ok).toBe('boolean')
      }),
      { numRuns: 500 },
    )
  })

  it('__proto__ is a key like any other', () => {
    const decoded = decode('0xa1695f5f70726f746f5f5fa16178f5')
    expect(decoded).toEqual({ ok: true, value: new Map([['__proto__', new Map([['x', true]])]]) })
    expect(({} as Record<string, unknown>).x).toBeUndefined()
  })

  it('keeps a byte order mark, which cborg drops', () => {
    const bytes = encode('\uFEFFlevel')
    expect(decodeStrict(bytes, LIMITS)).toEqual({ ok: true, value: '\uFEFFlevel' })
    expect(decodeLenient(bytes)).toBe('level')
  })

  const refused: [string, `0x${string}`][] = [
    ['integer in two bytes that fits one', '0x1817'],
    ['integer in three bytes', '0x1900ff'],
    ['integer in five bytes', '0x1a0000ffff'],
    ['integer in nine bytes', '0x1b00000000ffffffff'],
    ['negative integer in two bytes', '0x3817'],
    ['negative integer in nine bytes', '0x3b00000000ffffffff'],
    ['length of text not shortest', '0x780161'],
    ['length of bytes not shortest', '0x580161'],
    ['length of map not shortest', '0xb800'],
    ['tag not shortest', '0xd80400'],
    ['indefinite array', '0x9fff'],
    ['indefinite map', '0xbfff'],
    ['indefinite text', '0x7fff'],
    ['indefinite bytes', '0x5fff'],
    ['break alone', '0xff'],
    ['break as value', '0xa101ff'],
    ['duplicate integer key', '0xa201000100'],
    ['duplicate text key', '0xa2616100616100'],
    ['duplicate key beyond 2^53', '0xa21b00200000000000010001'],
    ['byte string as key', '0xa1410100'],
    ['array as key', '0xa18000'],
    ['map as key', '0xa1a000'],
    ['float as key', '0xa1f93c0000'],
    ['boolean as key', '0xa1f500'],
    ['null as key', '0xa1f600'],
    ['tag as key', '0xa1c40000'],
    ['key after a nested map', '0xa201a1020340'],
    ['text that is no UTF-8', '0x61ff'],
    ['text with a surrogate', '0x63eda080'],
    ['text in overlong UTF-8', '0x62c080'],
    ['NaN', '0xf97e00'],
    ['infinity', '0xf97c00'],
    ['undefined', '0xf7'],
    ['simple value', '0xf0'],
    ['simple value in two bytes', '0xf8ff'],
    ['reserved additional information', '0x1c'],
    ['tag not allowed', '0xc100'],
    ['bignum', '0xc24101'],
    ['nothing', '0x'],
    ['two items', '0x0000'],
    ['array cut off', '0x8201'],
    ['array of 2^53 items', '0x9b001fffffffffffff'],
    ['text of 2^32 bytes', '0x7b0000000100000000'],
  ]
  it.each(refused)('ENVELOPE_MALFORMED: %s', (_name, hex) => {
    expect(decode(hex)).toMatchObject({ ok: false, code: 'ENVELOPE_MALFORMED' })
  })

  it('messages stay short, however long the key', () => {
    const entry = toHex(encode('k'.repeat(30_000))).slice(2)
    const decoded = decode(`0xa2${entry}00${entry}00`)
    expect(!decoded.ok && decoded.message.length).toBeLessThanOrEqual(200)
  })

  it.each(['81', 'a100', 'c4'])('TOO_LARGE: nesting of %s beyond 8', (opening) => {
    expect(decode(`0x${opening.repeat(8)}00`).ok).toBe(true)
    expect(decode(`0x${opening.repeat(9)}00`)).toMatchObject({ ok: false, code: 'TOO_LARGE' })
    const deep = fromHex(`0x${opening.repeat(30_000)}00`)
    expect(decodeStrict(deep, LIMITS)).toMatchObject({ ok: false, code: 'TOO_LARGE' })
  })

  it('ATK keys chosen to collide: a map has at most 64 entries', () => {
    const map = (entries: number) =>
      encode(new Map(Array.from({ length: entries }, (_, index) => [index, 0])))
    expect(decodeStrict(map(64), LIMITS).ok).toBe(true)
    expect(decodeStrict(map(65), LIMITS)).toMatchObject({ ok: false, code: 'ENVELOPE_MALFORMED' })
  })

  it('nesting counts depth, not containers', () => {
    expect(decode(`0x98c8${'80'.repeat(200)}`).ok).toBe(true)
    expect(decode(`0x98c8${'8101'.repeat(200)}`).ok).toBe(true)
  })

  it('does not share memory with what it was given', () => {
    const given = Buffer.from([0x41, 0x07])
    const decoded = decodeStrict(given, LIMITS)
    given[1] = 0
    expect(decoded).toEqual({ ok: true, value: Uint8Array.of(7) })
  })
})

function hasFloat(item: CborValue): boolean {
  if (item instanceof CborFloat) return true
  if (item instanceof Tagged) return hasFloat(item.value)
  if (Array.isArray(item)) return item.some(hasFloat)
  return item instanceof Map && [...item].flat().some(hasFloat)
}
