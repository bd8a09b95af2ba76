import { randomBytes } from 'node:crypto'
import {
  accountSigner,
  attestationToJson,
  type CoveringValue,
  encodeQuorumSignature,
  evidenceHead,
  type Hex,
  type MeterValue,
  machineSigner,
  meterValueDigest,
  meterValuesDigest,
  type PrivateKey,
  privateKeyFromBytes,
  quorumSigner,
  SIGNER_KIND,
  type SignedMeterValueJson,
  signDigest,
  signedMeterValueToJson,
  signTypedDigest,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { bytesToHex, concat, hexToBytes } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { readMeterValues } from '../../src/store/meter-values.ts'
import type { Metering } from '../../src/transact/metering.ts'
import { CHAIN, meteringBench, RULE, START_MS, temporaryDatabase, termsOf } from './fixture.ts'

const START = START_MS / 1000
let database: Database
let temporary: Awaited<ReturnType<typeof temporaryDatabase>>
let bench: Awaited<ReturnType<typeof meteringBench>>
let metering: Metering
let machineId = 5_000n
const clock = { now: START_MS }

beforeAll(async () => {
  temporary = await temporaryDatabase()
  database = temporary.database
})
afterAll(() => temporary.remove())

beforeEach(async () => {
  clock.now = START_MS + 600_000
  machineId += 1n
  bench = await meteringBench(database, clock)
  await bench.agreements.submitRules([RULE])
  metering = bench.start()
  return () => metering.close()
})

const accountKey = () => privateKeyFromBytes('secp256k1', randomBytes(32))
const addressOf = (key: PrivateKey) => privateKeyToAddress(bytesToHex(key.d))
const open = async (change: Partial<Terms>) => {
  const terms = termsOf(machineId, change)
  const id = await bench.openAgreement(terms)
  await bench.agreements.refresh()
  return id
}

/** Signs a value over nothing but registers, with whatever the caller changes. */
function voucher(
  agreementId: Hex,
  sign: (digest: Hex) => Hex,
  change: Partial<MeterValue> & { chain?: typeof CHAIN; heads?: [] } = {},
): SignedMeterValueJson {
  const { chain = CHAIN, ...changes } = change
  const value = {
    agreementId,
    period: 0,
    asOf: BigInt(START + 500),
    registers: [40n],
    evidenceHead: ZERO_DIGEST,
    heads: [],
    ...changes,
  }
  const signature = sign(meterValueDigest({ ...chain, value }))
  return signedMeterValueToJson({ ...value, signature })
}

describe("the buyer's voucher, without meters", () => {
  const buyer = accountKey()
  const byBuyer = (digest: Hex) => signTypedDigest(buyer, digest)
  const openVoucher = () =>
    open({
      machineId: 0n,
      meters: [],
      signerKind: SIGNER_KIND.account,
      signer: accountSigner(addressOf(buyer)),
      limits: [{ burst: 100n, perHour: 0n }],
    })

  test('is taken as signed, within the rate bound, and a higher one takes its place', async () => {
    const id = await openVoucher()
    const first = voucher(id, byBuyer)
    expect(await metering.submitMeterValue(first)).toMatchObject({ code: 'ACCEPTED' })
    expect(await metering.submitMeterValue(first)).toMatchObject({ code: 'ACCEPTED' })
    const higher = voucher(id, byBuyer, { registers: [100n] })
    expect(await metering.submitMeterValue(higher)).toMatchObject({ code: 'ACCEPTED' })
    expect(await readMeterValues(database.pool, id)).toMatchObject([
      { registers: [100n], owedMinor: 300n, signature: higher.signature },
    ])
    expect(await metering.submitMeterValue(first)).toMatchObject({ code: 'SUPERSEDED' })
    const above = voucher(id, byBuyer, { registers: [101n] })
    expect(await metering.submitMeterValue(above)).toMatchObject({ code: 'RATE_BOUND' })
  })

  /** The same content under the type of an attestation. */
  const underAnotherType = (id: Hex) => {
    const json = voucher(id, byBuyer)
    const value = { ...json, asOf: BigInt(json.asOf), registers: json.registers.map(BigInt) }
    return { ...json, signature: byBuyer(meterValuesDigest({ ...CHAIN, values: [value] })) }
  }

  test('ATK of another agreement, chain, house, type or signer it is worth nothing', async () => {
    const id = await openVoucher()
    const other = await openVoucher()
    const elsewhere = { ...CHAIN, chainId: 1 }
    const otherHouse = { ...CHAIN, clearingHouse: `0x${'c2'.repeat(20)}` as Hex }
    const stolen = { ...voucher(other, byBuyer), agreementId: id }
    const codes = []
    for (const json of [
      stolen,
      voucher(id, byBuyer, { chain: elsewhere }),
      voucher(id, byBuyer, { chain: otherHouse }),
      voucher(id, (digest) => signTypedDigest(accountKey(), digest)),
      { ...voucher(id, byBuyer), registers: ['99'] },
      underAnotherType(id),
      { ...voucher(id, byBuyer), signature: '0x' },
    ]) {
      codes.push((await metering.submitMeterValue(json)).code)
    }
    expect(new Set(codes)).toEqual(new Set(['METER_SIGNATURE_INVALID']))
    expect(await readMeterValues(database.pool, id)).toEqual([])
  })

  test('what cannot be read, or cannot be settled, has its code', async () => {
    const id = await openVoucher()
    const { signature: _, ...unsigned } = voucher(id, byBuyer)
    expect(await metering.submitMeterValue(unsigned)).toMatchObject({ code: 'METER_VALUE_INVALID' })
    const forbidden = { ...voucher(id, byBuyer), owed: '1' }
    expect(await metering.submitMeterValue(forbidden)).toMatchObject({ code: 'FIELD_FORBIDDEN' })
    for (const change of [
      { registers: [1n, 2n] },
      { asOf: BigInt(START + 3_601) },
      { asOf: BigInt(START + 700) },
    ]) {
      expect(await metering.submitMeterValue(voucher(id, byBuyer, change))).toMatchObject({
        code: 'METER_VALUE_INVALID',
      })
    }
    const never = voucher(`0x${'77'.repeat(32)}`, byBuyer)
    expect(await metering.submitMeterValue(never)).toMatchObject({ code: 'AGREEMENT_UNKNOWN' })
  })
})

describe('k of n over the evidence of a machine', () => {
  const keys = [accountKey(), accountKey(), privateKeyFromBytes('P-256', randomBytes(32))]
  const signerOf = (key: PrivateKey): Hex =>
    key.curve === 'secp256k1'
      ? addressOf(key)
      : concat([CHAIN.p256Sha256Verifier, key.publicKey.x, key.publicKey.y])
  const quorum = { threshold: 2, signers: keys.map(signerOf) }
  const by =
    (...signers: PrivateKey[]) =>
    (digest: Hex) =>
      encodeQuorumSignature(
        quorum,
        signers.map((key) => [signerOf(key), signTypedDigest(key, digest)]),
      )
  const [one, two, device] = keys as [PrivateKey, PrivateKey, PrivateKey]

  test('is relayed if enough have signed and the registers equal the fold; k - 1 are not enough', async () => {
    const machine = await bench.createMachine(machineId)
    const id = await open({ signerKind: SIGNER_KIND.quorum, signer: quorumSigner(quorum) })
    await machine.publish(100n, START_MS + 60_000)
    await machine.publish(150n, START_MS + 120_000)
    const value = (registers: bigint[]) => ({
      registers,
      evidenceHead: evidenceHead(machine.digests.slice(-1)),
      heads: [{ stream: 'weight', seq: 2n }] as never,
    })
    const submit = async (json: SignedMeterValueJson) =>
      (await metering.submitMeterValue(json)).code
    expect(await submit(voucher(id, by(one), value([50n])))).toBe('METER_SIGNATURE_INVALID')
    expect(await submit(voucher(id, by(one, device), value([51n])))).toBe('METER_MISMATCH')
    expect(await submit(voucher(id, by(one, device), value([50n])))).toBe('ACCEPTED')
    expect(await submit(voucher(id, by(one, two, device), value([50n])))).toBe('ACCEPTED')
  })
})

test('a key under the raw verifier signs the digest itself', async () => {
  const machine = await bench.createMachine(machineId, CHAIN.p256RawVerifier)
  const id = await open({
    meters: [],
    signerKind: SIGNER_KIND.machine,
    limits: [{ burst: 100n, perHour: 0n }],
  })
  const raw = (digest: Hex) => bytesToHex(signDigest(machine.key, hexToBytes(digest)))
  expect(await metering.submitMeterValue(voucher(id, raw))).toMatchObject({ code: 'ACCEPTED' })
  const hashed = voucher(id, (digest) => signTypedDigest(machine.key, digest), { registers: [50n] })
  expect(await metering.submitMeterValue(hashed)).toMatchObject({ code: 'METER_SIGNATURE_INVALID' })
})

test('an edge that the terms name signs for the machine measured, and is told of the agreement; that machine is not', async () => {
  const measured = await bench.createMachine(machineId)
  const edge = await bench.createMachine(machineId + 1_000n)
  const id = await open({ signer: machineSigner(edge.machineId) })
  await measured.publish(100n, START_MS + 60_000)
  await measured.publish(150n, START_MS + 120_000)
  const told = (of: bigint) =>
    bench.agreements.agreementsOf(of).map(({ agreementId }) => agreementId)
  expect(told(edge.machineId)).toContain(id)
  expect(told(machineId)).toEqual([])
  const value = { asOf: START + 120, registers: [50n], seq: 2n }
  const byMeasured = bench.sign(measured, id, value)
  const byEdge = bench.sign({ ...measured, key: edge.key }, id, value)
  const refused = { code: 'METER_SIGNATURE_INVALID' }
  expect(await metering.acceptMeterValue(machineId, byMeasured)).toMatchObject(refused)
  expect(await metering.acceptMeterValue(edge.machineId, byMeasured)).toMatchObject(refused)
  expect(await metering.acceptMeterValue(edge.machineId, byEdge)).toMatchObject({
    code: 'ACCEPTED',
  })
})

describe('an attestation', () => {
  const attestor = accountKey()
  const naming = {
    machineId: 0n,
    meters: [],
    signerKind: SIGNER_KIND.account,
    signer: accountSigner(addressOf(attestor)),
    limits: [{ burst: 100n, perHour: 0n }],
  }
  const valueOver = (agreementId: Hex, gram: bigint): CoveringValue => ({
    agreementId,
    period: 0,
    asOf: BigInt(START + 500),
    registers: [gram],
    evidenceHead: ZERO_DIGEST,
    heads: [],
  })
  const attest = (values: CoveringValue[], key = attestor) => {
    const signature = signTypedDigest(key, meterValuesDigest({ ...CHAIN, values }))
    const { signerKind, signer } = naming
    return attestationToJson({ signerKind, signer, values, signature })
  }

  test('is taken with what the ledger will skip, each with its code, and stands in the bundle as signed', async () => {
    const [one, foreign] = [
      await open(naming),
      await open({ ...naming, signer: accountSigner(addressOf(accountKey())) }),
    ]
    const unknown: Hex = `0x${'77'.repeat(32)}`
    const over = [valueOver(one, 40n), valueOver(foreign, 40n), valueOver(unknown, 1n)]
    const answer = await metering.submitAttestation(attest(over))
    expect(answer).toMatchObject({
      code: 'ACCEPTED',
      attestationId: meterValuesDigest({ ...CHAIN, values: over }),
      items: [{ code: 'ACCEPTED' }, { code: 'SIGNER_DIFFERS' }, { code: 'AGREEMENT_UNKNOWN' }],
    })
    expect(await readMeterValues(database.pool, one)).toMatchObject([
      { registers: [40n], owedMinor: 120n, signature: '0x' },
    ])
    expect(await readMeterValues(database.pool, foreign)).toEqual([])
    // A higher one takes its place, and nothing is kept of the first.
    const next = await metering.submitAttestation(attest([valueOver(one, 41n)]))
    expect(next).toMatchObject({ code: 'ACCEPTED' })
    const { rows } = await database.pool.query('SELECT count(*) AS count FROM attestations')
    expect(Number(rows[0].count)).toBe(1)
  })

  test('ATK signed by another, over other values, with nothing to pay, or not to be read', async () => {
    const id = await open(naming)
    const good = attest([valueOver(id, 40n)])
    const codes = []
    for (const json of [
      attest([valueOver(id, 40n)], accountKey()),
      { ...good, values: attest([valueOver(id, 41n)]).values },
      { ...good, values: [] },
      { ...good, relay: true },
      attest([valueOver(`0x${'77'.repeat(32)}`, 1n)]),
      attest([valueOver(id, 101n)]),
    ]) {
      codes.push((await metering.submitAttestation(json)).code)
    }
    expect(codes).toEqual([
      'ATTESTATION_INVALID',
      'ATTESTATION_INVALID',
      'ATTESTATION_INVALID',
      'FIELD_FORBIDDEN',
      'NOTHING_ACCEPTED',
      'NOTHING_ACCEPTED',
    ])
  })

  test('ATK a value that differs from the evidence keeps the whole batch from the ledger', async () => {
    const machine = await bench.createMachine(machineId)
    const { signerKind, signer } = naming
    const metered = await open({ signerKind, signer })
    const voucherId = await open(naming)
    await machine.publish(100n, START_MS + 60_000)
    await machine.publish(150n, START_MS + 120_000)
    const overEvidence = (gram: bigint): CoveringValue => ({
      ...valueOver(metered, gram),
      evidenceHead: evidenceHead(machine.digests.slice(-1)),
      heads: [{ stream: 'weight', seq: 2n }],
    })
    const raised = attest([valueOver(voucherId, 40n), overEvidence(51n)])
    expect(await metering.submitAttestation(raised)).toMatchObject({ code: 'METER_MISMATCH' })
    expect(await readMeterValues(database.pool, voucherId)).toEqual([])
    const right = attest([valueOver(voucherId, 40n), overEvidence(50n)])
    expect(await metering.submitAttestation(right)).toMatchObject({ code: 'ACCEPTED' })
  })
})

test('what nobody signs cannot be signed by anybody', async () => {
  const id = await open({
    machineId: 0n,
    meters: [],
    signerKind: SIGNER_KIND.nobody,
    signer: ZERO_DIGEST,
    limits: [],
    tariffData: termsOf(1n).tariffData,
  })
  const anybody = (digest: Hex) => signTypedDigest(accountKey(), digest)
  expect(await metering.submitMeterValue(voucher(id, anybody, { registers: [] }))).toMatchObject({
    code: 'METER_SIGNATURE_INVALID',
  })
})
