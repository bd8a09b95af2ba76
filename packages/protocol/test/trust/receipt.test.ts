import { createPublicKey, verify } from 'node:crypto'
import * as iana from '@ldclabs/cose-ts/iana'
import { Key } from '@ldclabs/cose-ts/key'
import { Sign1Message } from '@ldclabs/cose-ts/sign1'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  accountOf,
  coseKey,
  coseThumbprint,
  decodeEnvelope,
  decodeReceipt,
  decodeStrict,
  encodeInclusionReceipt,
  encodeSignedRoot,
  encodeStatement,
  type Hex,
  leafData,
  leafHash,
  type PublicKey,
  privateKeyFromBytes,
  type Receipt,
  splitStatement,
  verifyConsistencyReceipt,
  verifyInclusion,
  verifyInclusionReceipt,
  verifySignedRoot,
} from '../../src/index.ts'
import { concatBytes, fromHex, toHex } from '../../src/trust/bytes.ts'
import { type CborMap, encode } from '../../src/trust/cbor.ts'
import { sha256 } from '../../src/trust/crypto.node.ts'
import { KEYS } from './craft.ts'
import { type Entry, IDENTITY, LOG_KEY, memoryLog } from './memory-log.ts'
import { memoryStream } from './memory-stream.ts'

const COUNT = 13
const stream = memoryStream()
const entries: Entry[] = Array.from({ length: COUNT }, (_, index) => stream.read(BigInt(index)))
const log = memoryLog(entries)
const LOG = IDENTITY

function receiptIn(bytes: Uint8Array): Receipt {
  const decoded = decodeReceipt(bytes)
  if (!decoded.ok) throw new Error(decoded.message)
  return decoded.receipt
}

const digestOf = (index: number): Hex => entries[index]?.digest ?? '0x'

describe('receipts', () => {
  it('each leaf of each size has one that verifies, and for no other envelope', async () => {
    for (let size = 1; size <= COUNT; size += 1) {
      for (let index = 0; index < size; index += 1) {
        const receipt = receiptIn(await log.receipt(index, size))
        const verified = verifyInclusionReceipt(receipt, { digest: digestOf(index), log: LOG })
        expect(verified).toMatchObject({
          ok: true,
          signed: { size: BigInt(size), root: log.rootOf(size) },
          key: LOG_KEY.publicKey,
        })
        const other = digestOf((index + 1) % COUNT)
        expect(verifyInclusionReceipt(receipt, { digest: other, log: LOG }).ok).toBe(false)
      }
    }
  })

  it('each size is consistent with every one before, and with no other root', async () => {
    for (let size2 = 2; size2 <= COUNT; size2 += 1) {
      for (let size1 = 1; size1 < size2; size1 += 1) {
        const receipt = receiptIn(await log.consistency(size1, size2))
        const by = (root1: Hex) => verifyConsistencyReceipt(receipt, { root1, log: LOG })
        expect(by(log.rootOf(size1))).toMatchObject({
          ok: true,
          signed: { root: log.rootOf(size2) },
        })
        expect(by(log.rootOf(size1 + 1)).ok).toBe(false)
      }
    }
  })

  it('ATK a path that fits several sizes proves only the one that was signed', async () => {
    const signed = log.sign(5)
    const { loggedAt, code } = entries[0] as Entry
    const { proof } = receiptIn(await log.receipt(0, 5))
    if (proof.kind !== 'inclusion') throw new Error('it proves inclusion')
    const { path } = proof
    const hash = leafHash(leafData(digestOf(0), loggedAt, code))
    // RFC 9162 alone lets the same path stand for sizes 5 to 8: whoever leaves the size unsigned can be accused of four logs.
    for (const size of [5n, 6n, 7n, 8n]) {
      const claim = { leafHash: hash, index: 0n, size, proof: path, root: log.rootOf(5) }
      expect(verifyInclusion(claim)).toBe(true)
      const leaf = { index: 0n, path, loggedAt, code }
      const receipt = receiptIn(encodeInclusionReceipt({ ...signed, size }, leaf))
      const verified = verifyInclusionReceipt(receipt, { digest: digestOf(0), log: LOG })
      expect(verified.ok).toBe(size === 5n)
      if (!verified.ok) expect(verified.code).toBe('RECEIPT_PROOF_INVALID')
    }
  })

  it('ATK any bit that is flipped is refused, by decoding or by verifying', async () => {
    const bytes = await log.receipt(6)
    fc.assert(
      fc.property(fc.nat(8 * bytes.length - 1), (bit) => {
        const spoilt = bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
        const decoded = decodeReceipt(spoilt)
        const holds =
          decoded.ok &&
          verifyInclusionReceipt(decoded.receipt, { digest: digestOf(6), log: LOG }).ok
        expect(holds).toBe(false)
      }),
      { numRuns: 1_000 },
    )
  })

  it('another account, chain or anchor contract is another log', async () => {
    const receipt = receiptIn(await log.receipt(2))
    const others = [
      { ...LOG, log: accountOf(KEYS.secp256k1.publicKey) },
      { ...LOG, chainId: LOG.chainId + 1 },
      { ...LOG, anchor: LOG.log },
    ]
    for (const other of others) {
      expect(verifyInclusionReceipt(receipt, { digest: digestOf(2), log: other })).toMatchObject({
        code: 'RECEIPT_OF_ANOTHER_LOG',
      })
    }
    // A stranger who says that he is the log.
    const stranger = memoryLog(
      entries,
      privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(8)),
    )
    const { signature } = stranger.sign(COUNT)
    const forged = receiptIn(encodeSignedRoot({ ...log.sign(COUNT), signature }))
    expect(verifySignedRoot(forged, LOG)).toMatchObject({ code: 'RECEIPT_SIGNATURE_INVALID' })
  })

  it('a signed root has no proof, and stands for no envelope', () => {
    const receipt = receiptIn(encodeSignedRoot(log.sign(4)))
    expect(verifySignedRoot(receipt, LOG)).toMatchObject({ ok: true, signed: { size: 4n } })
    expect(verifyInclusionReceipt(receipt, { digest: digestOf(0), log: LOG })).toMatchObject({
      code: 'RECEIPT_MALFORMED',
    })
  })

  it('the largest proof that there can be fits', () => {
    const path = Array.from({ length: 63 }, (): Hex => `0x${'ab'.repeat(32)}`)
    const size = 2n ** 63n - 1n
    const leaf = { index: size - 1n, path, loggedAt: 2 ** 50, code: 'MACHINE_SUSPENDED' }
    const receipt = receiptIn(encodeInclusionReceipt({ ...log.sign(4), size }, leaf))
    expect(receipt.proof).toMatchObject({ kind: 'inclusion', size, index: size - 1n })
  })
})

describe('the log’s key', () => {
  it('kid is the thumbprint of RFC 9679: SHA-256 of the least COSE_Key in deterministic CBOR', () => {
    const { x, y } = LOG_KEY.publicKey
    // {1: 2, -1: 8, -2: x, -3: y}
    const bytes = concatBytes(
      fromHex('0xa401022008215820'),
      fromHex(x),
      fromHex('0x225820'),
      fromHex(y),
    )
    expect(coseThumbprint(LOG_KEY.publicKey)).toBe(toHex(sha256(bytes)))
    expect(receiptIn(encodeSignedRoot(log.sign(1))).kid).toBe(toHex(sha256(bytes)))
  })
})

describe('transparent statements', () => {
  it('give back the envelope byte for byte, and its receipts', async () => {
    const { bytes } = entries[3] as Entry
    const receipt = await log.receipt(3)
    const split = splitStatement(encodeStatement(bytes, [receipt, receipt]))
    if (!split.ok) throw new Error(split.message)
    expect(toHex(split.envelope)).toBe(toHex(bytes))
    expect(split.receipts.map(toHex)).toEqual([toHex(receipt), toHex(receipt)])
  })

  it('are no envelopes: nobody logs them again', async () => {
    expect(decodeEnvelope(await log.statement(3))).toMatchObject({ code: 'ENVELOPE_MALFORMED' })
    expect(splitStatement((entries[3] as Entry).bytes)).toMatchObject({ ok: false })
  })
})

describe('a COSE library that nobody here wrote (@ldclabs/cose-ts)', () => {
  /** It knows the number of ES256K and has no such key: the point is OpenSSL's, everything else its own. */
  class ForeignKey extends Key {
    readonly #key
    constructor({ curve, x, y }: PublicKey) {
      super()
      this.kty = iana.KeyTypeEC2
      this.alg = curve === 'P-256' ? iana.AlgorithmES256 : iana.AlgorithmES256K
      const part = (hex: Hex) => Buffer.from(hex.slice(2), 'hex').toString('base64url')
      const jwk = { kty: 'EC', crv: curve, x: part(x), y: part(y) }
      this.#key = createPublicKey({ key: jwk, format: 'jwk' })
    }
    verify(message: Uint8Array, signature: Uint8Array): boolean {
      return verify('sha256', message, { key: this.#key, dsaEncoding: 'ieee-p1363' }, signature)
    }
  }
  const logKey = new ForeignKey(LOG_KEY.publicKey)
  let statement: Uint8Array
  beforeAll(async () => {
    statement = await log.statement(6)
  })

  it('verifies the envelope within a statement, and finds the receipt at label 394', () => {
    const message = Sign1Message.fromBytes(new ForeignKey(KEYS['P-256'].publicKey), statement)
    const receipts = message.unprotected?.toRaw().get(394)
    expect(receipts).toHaveLength(1)
    expect(() => Sign1Message.fromBytes(logKey, statement)).toThrow()
  })

  it('verifies the receipt, whose payload is the root that a verifier of RFC 9162 computes', async () => {
    const bytes = await log.receipt(6)
    const attached = withPayload(bytes, log.rootOf(COUNT))
    const message = Sign1Message.fromBytes(logKey, attached)
    expect(message.protected?.toRaw().get(395)).toBe(1)
    const proofs = message.unprotected?.toRaw().get(396) as Map<number, Uint8Array[]>
    const limits = { maxBytes: 4_096, maxDepth: 4, tags: [] }
    const decoded = decodeStrict(proofs.get(-1)?.[0] ?? new Uint8Array(0), limits)
    const [size, index, path] = (decoded.ok ? decoded.value : []) as [number, number, Uint8Array[]]
    const { loggedAt, code } = entries[6] as Entry
    const claim = {
      leafHash: leafHash(leafData(digestOf(6), loggedAt, code)),
      index: BigInt(index),
      size: BigInt(size),
      proof: path.map(toHex),
      root: toHex(message.payload),
    }
    expect(verifyInclusion(claim)).toBe(true)
    const wrong = withPayload(bytes, log.rootOf(COUNT - 1))
    expect(() => Sign1Message.fromBytes(logKey, wrong)).toThrow('signature mismatch')
  })

  it('verifies a signed root, and reads the key set', () => {
    const message = Sign1Message.fromBytes(logKey, encodeSignedRoot(log.sign(3)))
    expect(toHex(message.payload)).toBe(log.rootOf(3))
    const key = Key.fromBytes(encode(coseKey(LOG_KEY.publicKey)))
    expect([key.kty, key.alg]).toEqual([iana.KeyTypeEC2, iana.AlgorithmES256K])
    expect(toHex(key.kid)).toBe(coseThumbprint(LOG_KEY.publicKey))
  })

  /** The payload put in, as whoever verifies a detached one does. */
  function withPayload(receipt: Uint8Array, root: Hex): Uint8Array {
    const limits = { maxBytes: 4_096, maxDepth: 8, tags: [18] }
    const decoded = decodeStrict(receipt, limits)
    if (!decoded.ok) throw new Error(decoded.message)
    const tagged = decoded.value as unknown as { value: [Uint8Array, CborMap, null, Uint8Array] }
    const [protect, unprotected, , signature] = tagged.value
    return concatBytes(
      Uint8Array.of(0xd2),
      encode([protect, unprotected, fromHex(root), signature]),
    )
  }
})
