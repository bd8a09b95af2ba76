import {
  accountSigner,
  type CoveringValue,
  type Hex,
  machineSigner,
  meterValueDigest,
  meterValuesDigest,
  parseAttestation,
  parseSignedMeterValue,
  privateKeyFromBytes,
  quorumSigner,
  SIGNER_KIND,
  signedBy,
} from '@liquefy/protocol'
import { createWalletClient, http } from 'viem'
import { privateKeyToAccount } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { attestMeterValues, combineSignatures, signMeterValue, type Wallet } from '../src/index.ts'

const deployment = { chainId: 31_337, clearingHouse: `0x${'c1'.repeat(20)}` as Hex }
const verifiers = {
  p256Sha256Verifier: `0x${'51'.repeat(20)}` as Hex,
  p256RawVerifier: `0x${'52'.repeat(20)}` as Hex,
}
const walletOf = (byte: string): Wallet => {
  const account = privateKeyToAccount(`0x${byte.repeat(32)}`)
  return createWalletClient({ account, transport: http('http://127.0.0.1:1') })
}
const [one, two, stranger] = [walletOf('11'), walletOf('12'), walletOf('13')]
const device = privateKeyFromBytes('P-256', new Uint8Array(32).fill(5))
const valueIn = (period: number): CoveringValue => ({
  agreementId: `0x${'a1'.repeat(32)}`,
  period,
  asOf: 1_760_000_000n,
  registers: [5n],
  evidenceHead: `0x${'00'.repeat(32)}`,
  heads: [],
})
const none = { keys: [], verifiers }

test("the buyer's voucher is a signature that the terms accept", async () => {
  const value = valueIn(0)
  const voucher = await signMeterValue({ deployment, by: { wallet: one }, value })
  const parsed = parseSignedMeterValue(voucher)
  expect(parsed).toMatchObject({ ok: true, value })
  const terms = { signerKind: SIGNER_KIND.account, signer: accountSigner(one.account.address) }
  const digest = meterValueDigest({ ...deployment, value })
  expect(signedBy(terms, digest, voucher.signature, none)).toBe(voucher.signature)
})

describe('k of n', () => {
  const addresses = [one, two].map(({ account }) => account.address)
  const quorum = { threshold: 2, signers: [...addresses, `0x${'99'.repeat(20)}` as Hex] }
  const signedPairs = async (values: readonly CoveringValue[], wallets: readonly Wallet[]) =>
    Promise.all(
      wallets.map(async (wallet, index) => {
        const value = values[index] ?? valueIn(0)
        const signed = await signMeterValue({ deployment, by: { wallet }, value })
        return [wallet.account.address, signed] as const
      }),
    )

  test('signatures are put together as the ledger takes them', async () => {
    const combined = combineSignatures(quorum, await signedPairs([], [two, one]))
    const terms = { signerKind: SIGNER_KIND.quorum, signer: quorumSigner(quorum) }
    const digest = meterValueDigest({ ...deployment, value: valueIn(0) })
    expect(signedBy(terms, digest, combined.signature, none)).toBe(combined.signature)
  })

  test('too few, over different values, or by a stranger they are not', async () => {
    const invalid = expect.objectContaining({ code: 'QUORUM_INVALID' })
    for (const pairs of [
      await signedPairs([], [one]),
      await signedPairs([valueIn(0), valueIn(1)], [one, two]),
      await signedPairs([], [one, stranger]),
    ]) {
      expect(() => combineSignatures(quorum, pairs)).toThrow(invalid)
    }
  })
})

test('an attestor signs many values once: an account or a machine', async () => {
  const values = [valueIn(0), valueIn(1)]
  const digest = meterValuesDigest({ ...deployment, values })
  const byAccount = await attestMeterValues({ deployment, by: { wallet: one }, values })
  expect(byAccount.signer).toBe(accountSigner(one.account.address))
  expect(signedBy(byAccount, digest, byAccount.signature, none)).toBe(byAccount.signature)
  const by = { machineId: 7n, key: device }
  const byMachine = await attestMeterValues({ deployment, by, values })
  expect(byMachine).toMatchObject({ signerKind: SIGNER_KIND.machine, signer: machineSigner(7n) })
  const keys = [{ key: device.publicKey, signsRawDigest: false }]
  expect(signedBy(byMachine, digest, byMachine.signature, { keys, verifiers })).toBeDefined()
  expect(parseAttestation(byMachine)).toMatchObject({ ok: true, attestation: { values } })
})
