import type { Hex } from 'viem'
import { expect, test } from 'vitest'
import {
  ADJUSTMENT_TYPES,
  adjustmentDigest,
  authorizationNonce,
  encodeQuorumSignature,
  FUNDING_TYPES,
  fundingDigest,
  meterValuesDigest,
  parseQuorumSignature,
  quorumSigner,
  SIGNER_KIND,
  signedBy,
} from '../../src/index.ts'
import { readVectors } from './vectors.ts'

type Message = { agreementId: Hex; evidenceHead: Hex; period: number }
type Vectors = {
  types: Record<'Adjustment' | 'Funding', string[]>
  domains: { house: { chainId: number; verifyingContract: Hex } }
  p256Sha256Verifier: Hex
  meterValues: {
    message: { values: (Message & { asOf: string; registers: string[] })[] }
    digest: Hex
  }
  adjustment: { message: Message & { amount: string }; digest: Hex }
  funding: {
    message: Record<'agreementId' | 'from' | 'salt', Hex> & { amount: string; deadline: string }
    digest: Hex
  }
  authorization: Record<'agreementId' | 'salt' | 'nonce', Hex>
  quorum: {
    threshold: number
    signers: Hex[]
    signer: Hex
    digest: Hex
    signatures: Hex[]
    signature: Hex
  }
}
const vectors = readVectors('eip712') as Vectors
const house = {
  chainId: vectors.domains.house.chainId,
  clearingHouse: vectors.domains.house.verifyingContract,
}

test('the EIP-712 types are those of the contract', () => {
  const written = (fields: readonly { name: string; type: string }[]) =>
    fields.map(({ name, type }) => `${type} ${name}`)
  expect(written(ADJUSTMENT_TYPES.Adjustment)).toEqual(vectors.types.Adjustment)
  expect(written(FUNDING_TYPES.Funding)).toEqual(vectors.types.Funding)
})

test('many meter values under one signature', () => {
  const values = vectors.meterValues.message.values.map((value) => ({
    ...value,
    asOf: BigInt(value.asOf),
    registers: value.registers.map(BigInt),
  }))
  expect(meterValuesDigest({ ...house, values })).toBe(vectors.meterValues.digest)
})

test('adjustment, funding and the nonce of an ERC-3009 authorization', () => {
  const { message: adjusted } = vectors.adjustment
  const adjustment = { ...adjusted, amount: BigInt(adjusted.amount) }
  expect(adjustmentDigest({ ...house, adjustment })).toBe(vectors.adjustment.digest)
  const { message: funded } = vectors.funding
  const { amount, deadline } = funded
  const funding = { ...funded, amount: BigInt(amount), deadline: BigInt(deadline) }
  expect(fundingDigest({ ...house, funding })).toBe(vectors.funding.digest)
  const { agreementId, salt, nonce } = vectors.authorization
  expect(authorizationNonce(agreementId, salt)).toBe(nonce)
})

test('k of n: signer, encoding and what the ledger accepts', () => {
  const { quorum, p256Sha256Verifier } = vectors
  const pairs = quorum.signers.map(
    (signer, index) => [signer, quorum.signatures[index] ?? '0x'] as const,
  )
  expect(quorumSigner(quorum)).toBe(quorum.signer)
  expect(encodeQuorumSignature(quorum, pairs.toReversed())).toBe(quorum.signature)
  expect(parseQuorumSignature(quorum.signature)).toMatchObject({ signers: quorum.signers })
  const terms = { signerKind: SIGNER_KIND.quorum, signer: quorum.signer }
  const verifiers = { p256Sha256Verifier, p256RawVerifier: `0x${'77'.repeat(20)}` as Hex }
  const ledger = { keys: [], verifiers }
  expect(signedBy(terms, quorum.digest, quorum.signature, ledger)).toBe(quorum.signature)
})
