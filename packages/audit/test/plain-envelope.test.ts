import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBase64 } from '../src/base64.ts'
import { lineReader } from '../src/line.ts'
import { plainEnvelopeReader } from '../src/plain-envelope.ts'

const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,20}$/)
const hash = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => `0x${Buffer.from(bytes).toString('hex')}`)
const number = fc.bigInt({ min: 0n, max: 2n ** 70n }).map(String)
const line = fc
  .record({
    stream: name,
    seq: number,
    logIndex: number,
    loggedAt: fc.nat(2 ** 31),
    code: fc.constantFrom('OK', 'MACHINE_SUSPENDED'),
    raw: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    proof: fc.array(hash, { maxLength: 20 }),
    metered: fc.array(
      fc.record({
        meter: fc.nat(3),
        code: name,
        registers: fc.dictionary(fc.nat(50).map(String), number, { maxKeys: 3 }),
      }),
      { maxLength: 2 },
    ),
  })
  .map((fields) => JSON.stringify({ type: 'envelope', ...fields }))

/** The same line in another order of its fields, which only JSON can read. */
const turned = (text: string) =>
  JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(text) as object).reverse()))

function isCanonical(text: string): boolean {
  try {
    return JSON.stringify(JSON.parse(text)) === text
  } catch {
    return false
  }
}

describe('an envelope line in the form in which nodes write it', () => {
  test('says the same as JSON says', () => {
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 4 }), (lines) => {
        const read = lineReader()
        const readTurned = lineReader()
        for (const text of lines) {
          const found = read(text)
          expect(found).toEqual(readTurned(turned(text)))
          expect(found.ok).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('with any character changed is refused, or says what JSON says', () => {
    fc.assert(
      fc.property(line, fc.nat(), fc.nat(126), (text, where, letter) => {
        const at = where % text.length
        const changed =
          text.slice(0, at) + String.fromCharCode(32 + (letter % 95)) + text.slice(at + 1)
        if (!plainEnvelopeReader()(changed)) return
        const isRead = lineReader()(changed).ok
        expect(isRead).toBe(isCanonical(changed) && lineReader()(turned(changed)).ok)
      }),
      { numRuns: 5_000 },
    )
  })

  test('is read without JSON', () => {
    const text =
      '{"type":"envelope","stream":"level","seq":"1","logIndex":"0","loggedAt":5,"code":"OK","raw":"AQID","proof":[],"metered":[]}'
    expect(plainEnvelopeReader()(text)).toEqual({
      stream: 'level',
      seq: 1n,
      logIndex: 0n,
      loggedAt: 5,
      code: 'OK',
      raw: Uint8Array.of(1, 2, 3),
      proof: [],
      metered: '[]',
    })
  })
})

describe('base64', () => {
  test('is read as Buffer writes it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        expect(readBase64(Buffer.from(bytes).toString('base64'))).toEqual(Uint8Array.from(bytes))
      }),
    )
  })

  test('has one spelling: whatever is read is how it is written', () => {
    const text = fc.stringMatching(/^[AB9+/=Q-]{0,8}$/)
    fc.assert(
      fc.property(text, (text) => {
        const bytes = readBase64(text)
        if (bytes) expect(Buffer.from(bytes).toString('base64')).toBe(text)
        else expect(Buffer.from(text, 'base64').toString('base64')).not.toBe(text)
      }),
      { numRuns: 5_000 },
    )
  })
})
