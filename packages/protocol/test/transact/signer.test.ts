import fc from 'fast-check'
import {
  decodeAbiParameters,
  encodeAbiParameters,
  type Hex,
  keccak256,
  parseAbiParameters,
} from 'viem'
import { expect, test } from 'vitest'
import {
  accountOfSigner,
  accountSigner,
  encodeQuorumSignature,
  machineSigner,
  NOBODY_SIGNER,
  parseQuorumSignature,
  quorumSigner,
} from '../../src/index.ts'

const address = (byte: number): Hex => `0x${byte.toString(16).padStart(2, '0').repeat(20)}`
const SHAPE = parseAbiParameters('uint8, bytes[], bytes[]')
const bytes = (length: number) =>
  fc
    .uint8Array({ minLength: length, maxLength: length })
    .map((read) => `0x${Buffer.from(read).toString('hex')}` as Hex)
const quorums = fc
  .uniqueArray(fc.oneof(bytes(20), bytes(84)), { minLength: 1, maxLength: 16 })
  .chain((signers) =>
    fc.record({
      signers: fc.constant(signers),
      threshold: fc.integer({ min: 1, max: signers.length }),
      signatures: fc.array(fc.oneof(bytes(64), bytes(65), fc.constant<Hex>('0x')), {
        minLength: signers.length,
        maxLength: signers.length,
      }),
    }),
  )

test('a machine and an account as signer', () => {
  expect(machineSigner(7n)).toBe(`0x${'00'.repeat(31)}07`)
  const account = `0x${'AB'.repeat(20)}` as Hex
  expect(accountSigner(account)).toBe(`0x${'00'.repeat(12)}${'ab'.repeat(20)}`)
  expect(accountOfSigner(accountSigner(account))).toBe(account.toLowerCase())
  expect(accountOfSigner(NOBODY_SIGNER)).toBeUndefined()
  expect(accountOfSigner(`0x${'11'.repeat(32)}`)).toBeUndefined()
})

test('a quorum is the same in whatever order its signers are named, and another with another threshold', () => {
  fc.assert(
    fc.property(quorums, ({ signers, threshold }) => {
      const reversed = [...signers].reverse()
      expect(quorumSigner({ threshold, signers: reversed })).toBe(
        quorumSigner({ threshold, signers }),
      )
      if (threshold === 1) return
      expect(quorumSigner({ threshold: threshold - 1, signers })).not.toBe(
        quorumSigner({ threshold, signers }),
      )
    }),
    { numRuns: 100 },
  )
})

test('a quorum signature is read back as written: ascending by hash, one entry a signer', () => {
  fc.assert(
    fc.property(quorums, ({ signers, threshold, signatures }) => {
      const pairs = signers.map((signer, index) => [signer, signatures[index] ?? '0x'] as const)
      const encoded = encodeQuorumSignature({ threshold, signers }, pairs)
      const read = parseQuorumSignature(encoded)
      expect(read && quorumSigner(read)).toBe(quorumSigner({ threshold, signers }))
      expect(new Map(read?.signers.map((signer, at) => [signer, read.signatures[at]]))).toEqual(
        new Map(pairs),
      )
      const hashes = read?.signers.map((signer) => keccak256(signer)) ?? []
      expect(hashes).toEqual([...hashes].sort())
      expect(decodeAbiParameters(SHAPE, encoded)[1]).toEqual(read?.signers)
    }),
    { numRuns: 100 },
  )
})

test('what is no quorum is refused', () => {
  const invalid = expect.objectContaining({ code: 'QUORUM_INVALID' })
  const three = [1, 2, 3].map(address)
  for (const threshold of [0, 4, 1.5, -1]) {
    expect(() => quorumSigner({ threshold, signers: three })).toThrow(invalid)
  }
  expect(() => quorumSigner({ threshold: 1, signers: [...three, address(1)] })).toThrow(invalid)
  expect(() => quorumSigner({ threshold: 1, signers: ['0x1234'] })).toThrow(invalid)
  const many = Array.from({ length: 17 }, (_, index) => address(index + 1))
  expect(() => quorumSigner({ threshold: 1, signers: many })).toThrow(invalid)
  expect(() =>
    encodeQuorumSignature({ threshold: 1, signers: three }, [[address(9), '0x11']]),
  ).toThrow(invalid)
})

test('ATK a quorum signature in any other encoding is read as none', () => {
  const quorum = { threshold: 2, signers: [1, 2, 3].map(address) }
  const good = encodeQuorumSignature(quorum, [[address(1), '0x11']])
  const [threshold, signers, signatures] = decodeAbiParameters(SHAPE, good)
  const encoded = (changed: readonly Hex[], by = signatures) =>
    encodeAbiParameters(SHAPE, [threshold, changed, by])
  expect(parseQuorumSignature(encoded(signers))).toBeDefined()
  expect(parseQuorumSignature(encoded([...signers].reverse()))).toBeUndefined()
  expect(parseQuorumSignature(encoded(signers, signatures.slice(1)))).toBeUndefined()
  expect(parseQuorumSignature(`${good}00`)).toBeUndefined()
  expect(parseQuorumSignature(good.slice(0, -64) as Hex)).toBeUndefined()
  expect(parseQuorumSignature(`0x${'00'.repeat(6000)}`)).toBeUndefined()
  expect(parseQuorumSignature('0x')).toBeUndefined()
})
