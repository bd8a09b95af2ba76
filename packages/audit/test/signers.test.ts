import {
  accountSigner,
  agreementId,
  batchDigest,
  encodeQuorumSignature,
  type Hex,
  keyId,
  type MeterValue,
  machineSigner,
  meterValueHash,
  NOBODY_SIGNER,
  type PrivateKey,
  privateKeyFromBytes,
  quorumSigner,
  SIGNER_KIND,
  signDigest,
  signTypedDigest,
  type Terms,
} from '@liquefy/protocol'
import { bytesToHex, hexToBytes } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { describe, expect, test } from 'vitest'
import { auditBundle, type LedgerReader } from '../src/index.ts'
import {
  CHAIN_ID,
  CLEARING_HOUSE,
  EDGE_KEY,
  emptyBusiness,
  MACHINE_KEY,
  type SignValue,
  signBy,
  TERMS,
} from './synthetic/business.ts'

const START = 1_760_000_000
const BUYER = privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(21))
const addressOf = (key: PrivateKey) => privateKeyToAddress(bytesToHex(key.d))
const by = (key: PrivateKey) => signBy((digest) => signTypedDigest(key, digest))
const fault = (code: string) => expect.objectContaining({ code })

async function audit(
  business: Pick<ReturnType<typeof emptyBusiness>, 'bundle' | 'ledger'>,
  ledger: Partial<LedgerReader> = {},
  writtenSeconds = START + 7_000,
) {
  const lines = await business.bundle(writtenSeconds * 1000)
  return auditBundle({ lines, ledger: { ...business.ledger, ...ledger } })
}

/** Two streams metered, one value settled in the first period. */
function metered(change: Partial<Terms>, sign: SignValue) {
  const business = emptyBusiness({ ...TERMS, ...change })
  for (const [step, mass, volume] of [
    [0, 0n, 0n],
    [1, 1_000n, 100n],
  ] as const) {
    for (const [meter, stream, value] of [
      [0, 'mass', mass],
      [1, 'volume', volume],
    ] as const) {
      const entry = business.log(stream, value, START + step * 900)
      const registers: Record<number, string> = step === 0 ? {} : { 0: String(value) }
      entry.metered.push({ meter, code: 'OK', registers })
    }
  }
  business.settle(0, START + 900, ['2', '2'], [1_000n, 100n], 3_070n, START + 1_000, sign)
  business.claim(0, ['2', '2'], [1_000n, 100n], 3_070n, 3_070n)
  return business
}

describe('who signed the meter value', () => {
  const account = { signerKind: SIGNER_KIND.account, signer: accountSigner(addressOf(BUYER)) }

  test('an account', async () => {
    expect(await audit(metered(account, by(BUYER)))).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      metersSignedBy: `account ${addressOf(BUYER).toLowerCase()}`,
    })
    expect((await audit(metered(account, by(EDGE_KEY)))).firstFault).toEqual(
      fault('SIGNATURE_INVALID'),
    )
  })

  const members = [BUYER, EDGE_KEY, privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(22))]
  const quorum = { threshold: 2, signers: members.map(addressOf) }
  const byQuorum = (...keys: PrivateKey[]) =>
    signBy((digest) =>
      encodeQuorumSignature(
        quorum,
        keys.map((key) => [addressOf(key), signTypedDigest(key, digest)]),
      ),
    )

  test('ATK k of n: k - 1 signatures are none', async () => {
    const terms = { signerKind: SIGNER_KIND.quorum, signer: quorumSigner(quorum) }
    expect((await audit(metered(terms, byQuorum(BUYER, EDGE_KEY)))).firstFault).toBeNull()
    expect((await audit(metered(terms, byQuorum(BUYER)))).firstFault).toEqual(
      fault('SIGNATURE_INVALID'),
    )
  })

  test('an edge, by the key of its own that the ledger names', async () => {
    const business = metered({ signer: machineSigner(9n) }, by(EDGE_KEY))
    const measured = await business.ledger.machine('0x', 7n)
    if (!measured) throw new Error('the ledger knows machine 7')
    const keys = measured.keys.map((epoch) => ({
      ...epoch,
      keyId: keyId(EDGE_KEY.publicKey),
      key: EDGE_KEY.publicKey,
    }))
    const machine: LedgerReader['machine'] = async (_, machineId) =>
      machineId === 9n ? { ...measured, machineId, keys } : measured
    expect(await audit(business, { machine })).toMatchObject({
      firstFault: null,
      signedBy: ['machine 7'],
      metersSignedBy: 'the edge (machine 9)',
    })
  })

  test('a key under the raw verifier, which signs the digest itself', async () => {
    const raw = signBy((digest) => bytesToHex(signDigest(MACHINE_KEY, hexToBytes(digest))))
    const business = metered({}, raw)
    const machine = await business.ledger.machine('0x', 7n)
    if (!machine) throw new Error('the ledger knows machine 7')
    const keys = machine.keys.map((epoch) => ({ ...epoch, signsRawDigest: true }))
    const ledger = { machine: async () => ({ ...machine, keys }) }
    expect((await audit(business, ledger)).firstFault).toBeNull()
    expect((await audit(business)).firstFault).toEqual(fault('SIGNATURE_INVALID'))
    expect((await audit(metered({}, by(MACHINE_KEY)), ledger)).firstFault).toEqual(
      fault('SIGNATURE_INVALID'),
    )
  })

  test('an attestor, together with values of agreements that the bundle does not show', async () => {
    const others: Hex[] = [`0x${'a1'.repeat(32)}`, `0x${'a2'.repeat(32)}`]
    const attested =
      (batchOf: (value: MeterValue) => Hex[]): SignValue =>
      (value) => {
        const batch = batchOf(value)
        const house = { chainId: CHAIN_ID, clearingHouse: CLEARING_HOUSE }
        return {
          signature: signTypedDigest(BUYER, batchDigest({ ...house, hashes: batch })),
          batch,
        }
      }
    const good = metered(
      account,
      attested((value) => [...others, meterValueHash(value)]),
    )
    expect((await audit(good)).firstFault).toBeNull()
    const elsewhere = metered(
      account,
      attested(() => others),
    )
    expect((await audit(elsewhere)).firstFault).toEqual(fault('SIGNATURE_INVALID'))
  })
})

describe('without meters', () => {
  const bare = { machineId: 0n, meters: [] as [] }
  const voucherTerms: Partial<Terms> = {
    ...bare,
    signerKind: SIGNER_KIND.account,
    signer: accountSigner(addressOf(BUYER)),
  }

  function vouchers(sign: SignValue = by(BUYER)) {
    const business = emptyBusiness({ ...TERMS, ...voucherTerms })
    business.settle(0, START + 900, [], [1_000n, 100n], 3_070n, START + 1_000, sign)
    business.claim(0, [], [1_000n, 100n], 3_070n, 3_070n, START + 900)
    return business
  }

  test("the buyer's voucher is all the evidence there is", async () => {
    expect(await audit(vouchers())).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      settledMinor: '3070',
      owedMinor: '3070',
      signedBy: [],
    })
  })

  test('ATK a voucher of another agreement, and a claim that nobody signed', async () => {
    const stolen = vouchers((value) =>
      by(BUYER)({
        ...value,
        agreementId: agreementId({
          chainId: CHAIN_ID,
          clearingHouse: CLEARING_HOUSE,
          terms: TERMS,
        }),
      }),
    )
    expect((await audit(stolen)).firstFault).toEqual(fault('SIGNATURE_INVALID'))
    const invented = vouchers()
    invented.claim(1, [], [1_000n, 100n], 3_070n, 0n, START + 4_000)
    expect((await audit(invented)).firstFault).toEqual(fault('REGISTER_MISMATCH'))
  })

  /** Half a unit a second, floored. */
  const byTime: Partial<LedgerReader> = {
    tariffKind: async () => 'other',
    callTariff: async (_tariff, _data, _registers, elapsed) => elapsed / 2n,
  }
  const subscription = () =>
    emptyBusiness({
      ...TERMS,
      ...bare,
      signerKind: SIGNER_KIND.nobody,
      signer: NOBODY_SIGNER,
      limits: [],
    })
  const billed = () => {
    const business = subscription()
    business.settleTime(0, START + 601, 300n, START + 700)
    business.settleTime(0, START + 3_600, 1_500n, START + 3_700)
    business.claim(0, [], [], 1_800n, 1_800n, START + 3_600)
    business.claim(1, [], [], 1_700n, 0n, START + 7_000)
    return business
  }

  test('what nobody signs is exactly the tariff of the time elapsed', async () => {
    expect(await audit(billed(), byTime)).toMatchObject({
      firstFault: null,
      settledMinor: '1800',
      owedMinor: '3500',
      differenceMinor: '0',
      metersSignedBy: 'nobody: time alone counts',
    })
  })

  test('ATK one unit more, time that had not passed, a signature where none belongs', async () => {
    const more = billed()
    more.settleTime(1, START + 4_000, 201n, START + 4_100)
    const raised = await audit(more, byTime)
    expect(raised.firstFault).toEqual(fault('AMOUNT_MISMATCH'))
    const ahead = subscription()
    ahead.settleTime(0, START + 3_600, 1_800n, START + 700)
    ahead.claim(0, [], [], 1_800n, 1_800n, START + 3_600)
    expect((await audit(ahead, byTime)).firstFault).toEqual(fault('SETTLED_REGISTER_MISMATCH'))
    const signed = subscription()
    signed.settle(0, START + 600, [], [], 300n, START + 700, by(MACHINE_KEY))
    expect((await audit(signed, byTime)).firstFault).toEqual(fault('SIGNATURE_INVALID'))
  })

  test('OWED_MISMATCH: a period that the node keeps silent about, unless the agreement was closed', async () => {
    const silent = subscription()
    silent.claim(0, [], [], 1_800n, 0n, START + 3_600)
    expect((await audit(silent, byTime)).firstFault).toEqual(fault('OWED_MISMATCH'))
    const opening = async () => ({ openedSeconds: START - 50, closedSeconds: START + 3_600 })
    expect(await audit(silent, { ...byTime, opening })).toMatchObject({
      firstFault: null,
      owedMinor: '1800',
    })
    // A period that has not begun owes nothing, even under a minimum charge.
    const minimum = { ...byTime, callTariff: async () => 1_800n }
    const early = START + 3_630
    expect((await audit(silent, minimum, early)).firstFault).toBeNull()
    expect((await audit(silent, minimum)).firstFault).toEqual(fault('OWED_MISMATCH'))
  })
})

describe('an agreement that begins behind an envelope', () => {
  function continued() {
    const first = emptyBusiness()
    const heads = ['mass', 'volume'].map((stream) => first.log(stream, 500n, START))
    const terms: Terms = {
      ...TERMS,
      meters: TERMS.meters.map((meter, index) => ({
        ...meter,
        startHead: heads[index]?.digest ?? '0x',
      })),
    }
    const business = emptyBusiness(terms)
    for (const stream of ['mass', 'volume']) business.log(stream, 500n, START)
    for (const [step, value] of [700n, 900n].entries()) {
      for (const [meter, stream] of ['mass', 'volume'].entries()) {
        const entry = business.log(stream, value, START + 900 + step * 900)
        const registers: Record<number, string> = step === 0 ? {} : { 0: '200' }
        entry.metered.push({ meter, code: 'OK', registers })
      }
    }
    business.settle(0, START + 1_800, ['3', '3'], [200n, 200n], 740n, START + 1_900)
    business.claim(0, ['3', '3'], [200n, 200n], 740n, 740n)
    return business
  }

  test('is audited from there: that envelope is shown, checked, and not counted', async () => {
    expect(await audit(continued())).toMatchObject({
      firstFault: null,
      envelopes: 4,
      readings: 4,
      priced: 4,
      differenceMinor: '0',
    })
  })

  test('ENVELOPE_MISSING without it', async () => {
    const business = continued()
    const lines = (await business.bundle((START + 7_000) * 1000)).filter(
      (line) => !(line.includes('"envelope"') && line.includes('"seq":"1"')),
    )
    const end = JSON.stringify({ type: 'end', lines: lines.length })
    const report = await auditBundle({
      lines: [...lines.slice(0, -1), end],
      ledger: business.ledger,
    })
    expect(report.firstFault).toEqual(fault('ENVELOPE_MISSING'))
  })
})
