import { p256 } from '@noble/curves/nist.js'
import fc from 'fast-check'
import { bytesToHex, concat, type Hex, hexToBytes } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import {
  accountSigner,
  encodeQuorumSignature,
  lowS,
  machineSigner,
  NOBODY_SIGNER,
  type PrivateKey,
  privateKeyFromBytes,
  quorumSigner,
  SIGNER_KIND,
  type SignerContext,
  signDigest,
  signedBy,
  signTypedDigest,
} from '../../src/index.ts'

const DIGEST: Hex = `0x${'d1'.repeat(32)}`
const OTHER: Hex = `0x${'d2'.repeat(32)}`
const verifiers = {
  p256Sha256Verifier: `0x${'51'.repeat(20)}` as Hex,
  p256RawVerifier: `0x${'52'.repeat(20)}` as Hex,
}
const keyOf = (curve: PrivateKey['curve'], byte: number) =>
  privateKeyFromBytes(curve, new Uint8Array(32).fill(byte))
const addressOf = (key: PrivateKey) => privateKeyToAddress(bytesToHex(key.d)).toLowerCase() as Hex
const pointOf = ({ publicKey }: PrivateKey, verifier: Hex) =>
  concat([verifier, publicKey.x, publicKey.y])
const rawSignature = (key: PrivateKey, digest: Hex): Hex =>
  bytesToHex(signDigest(key, hexToBytes(digest)))
const highS = (signature: Hex): Hex => {
  const { r, s } = p256.Signature.fromBytes(lowS('P-256', hexToBytes(signature)))
  return bytesToHex(new p256.Signature(r, p256.Point.Fn.ORDER - s).toBytes())
}
const none: SignerContext = { keys: [], verifiers }

describe('a machine', () => {
  const terms = { signerKind: SIGNER_KIND.machine, signer: machineSigner(7n) }
  const key = keyOf('P-256', 5)
  const under = (signsRawDigest: boolean): SignerContext => ({
    keys: [{ key: key.publicKey, signsRawDigest }],
    verifiers,
  })

  test('signs by its key, and high s is made low, as the ledger wants it', () => {
    const signature = signTypedDigest(key, DIGEST)
    expect(signedBy(terms, DIGEST, signature, under(false))).toBe(signature)
    expect(signedBy(terms, DIGEST, highS(signature), under(false))).toBe(signature)
    expect(signedBy(terms, OTHER, signature, under(false))).toBeUndefined()
    expect(signedBy(terms, DIGEST, signature, none)).toBeUndefined()
    const edge = keyOf('secp256k1', 6)
    const both = { keys: [...under(false).keys, { key: edge.publicKey, signsRawDigest: false }] }
    const byEdge = signTypedDigest(edge, DIGEST)
    expect(signedBy(terms, DIGEST, byEdge, { ...both, verifiers })).toBe(byEdge)
  })

  test('under the raw verifier signs the digest itself, and nothing else', () => {
    const signature = rawSignature(key, DIGEST)
    expect(signedBy(terms, DIGEST, signature, under(true))).toBe(signature)
    expect(signedBy(terms, DIGEST, highS(signature), under(true))).toBe(signature)
    expect(signedBy(terms, DIGEST, signature, under(false))).toBeUndefined()
    expect(signedBy(terms, DIGEST, signTypedDigest(key, DIGEST), under(true))).toBeUndefined()
  })
})

test('an account signs by ECDSA alone', () => {
  const key = keyOf('secp256k1', 6)
  const terms = { signerKind: SIGNER_KIND.account, signer: accountSigner(addressOf(key)) }
  const signature = signTypedDigest(key, DIGEST)
  expect(signedBy(terms, DIGEST, signature, none)).toBe(signature)
  expect(signedBy(terms, OTHER, signature, none)).toBeUndefined()
  expect(signedBy({ ...terms, signer: NOBODY_SIGNER }, DIGEST, signature, none)).toBeUndefined()
})

test('nobody and unknown kinds sign nothing', () => {
  for (const signerKind of [0, SIGNER_KIND.nobody, 5]) {
    expect(signedBy({ signerKind, signer: NOBODY_SIGNER }, DIGEST, '0x', none)).toBeUndefined()
  }
})

describe('k of n', () => {
  const account = keyOf('secp256k1', 11)
  const device = keyOf('P-256', 12)
  const raw = keyOf('P-256', 13)
  const members = [
    { signer: addressOf(account), sign: (digest: Hex) => signTypedDigest(account, digest) },
    {
      signer: pointOf(device, verifiers.p256Sha256Verifier),
      sign: (digest: Hex) => signTypedDigest(device, digest),
    },
    {
      signer: pointOf(raw, verifiers.p256RawVerifier),
      sign: (digest: Hex) => rawSignature(raw, digest),
    },
  ]
  const quorum = { threshold: 2, signers: members.map(({ signer }) => signer) }
  const terms = { signerKind: SIGNER_KIND.quorum, signer: quorumSigner(quorum) }
  const signed = (who: readonly number[], digest = DIGEST) =>
    encodeQuorumSignature(
      quorum,
      members
        .filter((_, index) => who.includes(index))
        .map(({ signer, sign }) => [signer, sign(digest)]),
    )

  test('any k of them are enough, k - 1 are not', () => {
    fc.assert(
      fc.property(fc.subarray([0, 1, 2]), (who) => {
        const signature = signed(who)
        expect(signedBy(terms, DIGEST, signature, none)).toBe(
          who.length >= quorum.threshold ? signature : undefined,
        )
      }),
      { numRuns: 30 },
    )
  })

  test('high s of a member is made low, as the ledger wants it', () => {
    const pairs = members.map(({ signer, sign }) => [signer, sign(DIGEST)] as const)
    const raised = pairs.map(
      ([signer, signature], index) => [signer, index === 1 ? highS(signature) : signature] as const,
    )
    expect(signedBy(terms, DIGEST, encodeQuorumSignature(quorum, raised), none)).toBe(
      encodeQuorumSignature(quorum, pairs),
    )
  })

  test('ATK one bad signature among enough good ones spoils it, as on the ledger', () => {
    const pairs = members.map(
      ({ signer, sign }, index) => [signer, sign(index === 2 ? OTHER : DIGEST)] as const,
    )
    expect(signedBy(terms, DIGEST, encodeQuorumSignature(quorum, pairs), none)).toBeUndefined()
  })

  test('ATK another quorum, a lower threshold, a verifier of its own choice', () => {
    const lower = { threshold: 1, signers: quorum.signers }
    const one = encodeQuorumSignature(lower, [
      [members[0]?.signer ?? '0x', members[0]?.sign(DIGEST) ?? '0x'],
    ])
    expect(signedBy(terms, DIGEST, one, none)).toBeUndefined()
    const yesMan = pointOf(device, `0x${'66'.repeat(20)}`)
    const own = { threshold: 1, signers: [addressOf(account), yesMan] }
    const signature = encodeQuorumSignature(own, [
      [addressOf(account), signTypedDigest(account, DIGEST)],
    ])
    const ownTerms = { signerKind: SIGNER_KIND.quorum, signer: quorumSigner(own) }
    expect(signedBy(ownTerms, DIGEST, signature, none)).toBeUndefined()
    expect(signedBy(terms, DIGEST, '0x1234', none)).toBeUndefined()
  })
})
