import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clearingHouseAbi } from '@liquefy/abi'
import { auditBundle, type LedgerReader, viemLedgerReader } from '@liquefy/audit'
import { provenLedgerReader } from '@liquefy/audit/proof'
import {
  activateMachine,
  approve,
  attestMeterValues,
  authorizeAgreement,
  type Client,
  createClient,
  fund,
  openAgreement,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import {
  accountSigner,
  attestationToJson,
  type CoveringValue,
  encodeQuorumSignature,
  encodeTariffData,
  type Hex,
  meterValueDigest,
  meterValuesDigest,
  NO_MAXIMUM,
  NOBODY_SIGNER,
  type PrivateKey,
  privateKeyFromBytes,
  quorumSigner,
  SIGNER_KIND,
  signedMeterValueToJson,
  signTypedDigest,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import pino from 'pino'
import { bytesToHex, concat, createWalletClient, http } from 'viem'
import { privateKeyToAddress } from 'viem/accounts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'
import { RULE, termsOf } from './business.ts'
import { connectDevice } from './device.ts'

let dataDir: string
let node: RunningNode
let client: Client
let payer: Wallet
let payee: Wallet

const seconds = () => BigInt(Math.floor(Date.now() / 1000))
const by = (wallet: Wallet) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})
const accountKey = () => privateKeyFromBytes('secp256k1', randomBytes(32))
const addressOf = (key: PrivateKey) => privateKeyToAddress(bytesToHex(key.d))

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-signers-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    settle: { minMinor: 1n, maxAgeMs: 1_000 },
    anchorIntervalMs: 3_600_000,
    logger: pino({ level: process.env.LOG_LEVEL ?? 'silent' }),
  })
  client = createClient({ url: node.url })
  const [one, two] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({
        account,
        chain: node.chain.publicClient.chain,
        transport: http(node.rpcUrl),
      }),
  )
  if (!one || !two) throw new Error('business takes two')
  payer = one
  payee = two
}, 120_000)

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** Opens an agreement without meters, one register, 420 units a gram, and funds it. */
async function open(change: Partial<Terms>): Promise<Hex> {
  const terms: Terms = {
    ...termsOf(0n, { deployment: node.deployment, payer, payee }),
    meters: [],
    ...change,
  }
  const payerSignature = await authorizeAgreement({ ...by(payer), terms })
  const agreementId = await openAgreement({ ...by(payee), terms, payerSignature })
  const amountMinor = 1_000_000n
  await approve({ ...by(payer), asset: terms.asset, amountMinor })
  await fund({ ...by(payer), agreementId, amountMinor })
  await node.idle()
  return agreementId
}

const valueOver = (agreementId: Hex, gram: bigint): CoveringValue => ({
  agreementId,
  period: 0,
  asOf: seconds() - 2n,
  registers: [gram],
  evidenceHead: ZERO_DIGEST,
  heads: [],
})
const signed = (value: CoveringValue, sign: (digest: Hex) => Hex) =>
  signedMeterValueToJson({
    ...value,
    signature: sign(meterValueDigest({ ...node.deployment, value })),
  })
const includedMinor = async (id: Hex) => (await client.agreement(id)).includedMinor
/** Audits twice, believing the RPC and proving what it says: the same comes of it. */
const audited = async (agreementId: Hex) => {
  const { rpcUrl, deployment } = node
  const lines: string[] = []
  for await (const line of client.bundle(agreementId)) lines.push(line)
  const { hash: blockHash } = await node.chain.publicClient.getBlock()
  const auditOn = (ledger: LedgerReader) =>
    auditBundle({ lines, ledger, expected: { ...deployment, agreementId } })
  const believed = await auditOn(viemLedgerReader({ rpcUrl, tariffs: deployment }))
  const { ledgerProof, ...proven } = await auditOn(provenLedgerReader({ rpcUrl, blockHash }))
  expect({ ...proven, ledgerProof: null }).toEqual(believed)
  expect(ledgerProof?.facts.length).toBeGreaterThan(4)
  return believed
}

describe("the buyer's voucher", () => {
  const buyer = accountKey()
  const byBuyer = (digest: Hex) => signTypedDigest(buyer, digest)
  const voucherTerms = () => ({
    signerKind: SIGNER_KIND.account,
    signer: accountSigner(addressOf(buyer)),
  })

  test('is given over HTTP, relayed, paid and audited', async () => {
    const id = await open(voucherTerms())
    const voucher = signed(valueOver(id, 100n), byBuyer)
    expect(await client.submitMeterValue(voucher)).toMatchObject({ code: 'ACCEPTED' })
    await node.settleNow()
    expect(await client.agreement(id)).toMatchObject({
      owedMinor: '42000',
      includedMinor: '42000',
      machineName: 'no machine',
      metersSignedBy: `account ${addressOf(buyer).toLowerCase()}`,
    })
    expect(await audited(id)).toMatchObject({
      firstFault: null,
      settledMinor: '42000',
      differenceMinor: '0',
    })
    expect((await client.moneyHistory(id)).owed.at(-1)).toMatchObject({
      timeMs: voucher.asOf * 1000,
      minor: '42000',
    })
    expect(await client.escrow(id)).toMatchObject({ kind: 'lasts', paceMinor: '42000' })
    const [settlement] = await client.settlements(id)
    expect(await client.settlement(id, settlement?.place ?? '')).toMatchObject({
      value: { amountInWords: expect.stringMatching(/= 0.042 tEUR$/), key: null },
      covers: [],
    })
  })

  test('ATK one of another agreement is refused, and a lower one settled directly moves nothing', async () => {
    const [id, other] = [await open(voucherTerms()), await open(voucherTerms())]
    const early = signed(valueOver(id, 50n), byBuyer)
    await client.submitMeterValue(signed(valueOver(id, 100n), byBuyer))
    const refused = { status: 422, code: 'METER_SIGNATURE_INVALID' }
    const stolen = { ...early, agreementId: other }
    await expect(client.submitMeterValue(stolen)).rejects.toMatchObject(refused)
    const superseded = { status: 409, code: 'SUPERSEDED' }
    await expect(client.submitMeterValue(early)).rejects.toMatchObject(superseded)
    const forbidden = { ...early, paid: '1' }
    await expect(client.submitMeterValue(forbidden)).rejects.toMatchObject({
      status: 422,
      code: 'FIELD_FORBIDDEN',
    })
    const unknown = signed(valueOver(`0x${'77'.repeat(32)}`, 1n), byBuyer)
    await expect(client.submitMeterValue(unknown)).rejects.toMatchObject({ status: 404 })
    await node.settleNow()
    const hash = await payee.writeContract({
      chain: node.chain.publicClient.chain,
      account: payee.account,
      address: node.deployment.clearingHouse,
      abi: clearingHouseAbi,
      functionName: 'settle',
      args: [
        [{ ...early, asOf: BigInt(early.asOf), registers: early.registers.map(BigInt) }],
        [early.signature],
      ],
    })
    await node.chain.publicClient.waitForTransactionReceipt({ hash })
    await node.idle()
    expect(await includedMinor(id)).toBe('42000')
    expect(await includedMinor(other)).toBe('0')
    expect(await node.checkMoney()).toMatchObject({ ok: true })
  })
})

test('k of n, an account and a device: two of three are paid, one is refused', async () => {
  const { p256Sha256Verifier } = node.deployment
  const [one, two, device] = [
    accountKey(),
    accountKey(),
    privateKeyFromBytes('P-256', randomBytes(32)),
  ]
  const members = [
    [addressOf(one), one],
    [addressOf(two), two],
    [concat([p256Sha256Verifier, device.publicKey.x, device.publicKey.y]), device],
  ] as const
  const quorum = { threshold: 2, signers: members.map(([signer]) => signer) }
  const byMembers =
    (...who: number[]) =>
    (digest: Hex) =>
      encodeQuorumSignature(
        quorum,
        who.map((index) => {
          const [signer, key] = members[index] as (typeof members)[number]
          return [signer, signTypedDigest(key, digest)]
        }),
      )
  const id = await open({ signerKind: SIGNER_KIND.quorum, signer: quorumSigner(quorum) })
  const value = valueOver(id, 100n)
  await expect(client.submitMeterValue(signed(value, byMembers(2)))).rejects.toMatchObject({
    code: 'METER_SIGNATURE_INVALID',
  })
  await client.submitMeterValue(signed(value, byMembers(0, 2)))
  await node.settleNow()
  expect(await includedMinor(id)).toBe('42000')
  expect(await audited(id)).toMatchObject({ firstFault: null, differenceMinor: '0' })
})

test('ATK one signature over many agreements: a wrong item is skipped, the rest is paid and audited', async () => {
  const attestor = accountKey()
  const signer = accountSigner(addressOf(attestor))
  const naming = { signerKind: SIGNER_KIND.account, signer }
  const [first, second] = [await open(naming), await open(naming)]
  const foreign = await open({ ...naming, signer: accountSigner(addressOf(accountKey())) })
  const values = [first, second, foreign].map((id, index) => valueOver(id, BigInt(index + 1)))
  const signature = signTypedDigest(attestor, meterValuesDigest({ ...node.deployment, values }))
  const attestation = attestationToJson({ ...naming, values, signature })
  const forged = { ...attestation, values: attestation.values.slice(1) }
  await expect(client.submitAttestation(forged)).rejects.toMatchObject({
    status: 422,
    code: 'ATTESTATION_INVALID',
  })
  const answer = await client.submitAttestation(attestation)
  expect(answer.items.map(({ code }) => code)).toEqual(['ACCEPTED', 'ACCEPTED', 'SIGNER_DIFFERS'])
  await node.settleNow()
  expect(await Promise.all([first, second, foreign].map(includedMinor))).toEqual([
    '420',
    '840',
    '0',
  ])
  const { rows } = await node.database.pool.query(
    `SELECT DISTINCT tx_hash FROM agreement_events WHERE kind = 'settled' AND amount IN (420, 840)`,
  )
  expect(rows).toHaveLength(1)
  expect(await audited(second)).toMatchObject({ firstFault: null, settledMinor: '840' })
  await expect(client.submitAttestation(attestation)).resolves.toMatchObject({
    attestationId: answer.attestationId,
  })
})

test('an attestor recomputes from the evidence and signs what it found', async () => {
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...by(payee), key })
  await activateMachine({ ...by(payee), machineId })
  await client.submitRules([RULE])
  const { meters } = termsOf(machineId, { deployment: node.deployment, payer, payee })
  const attestor = payer
  const id = await open({
    machineId,
    meters,
    signerKind: SIGNER_KIND.account,
    signer: accountSigner(attestor.account.address),
  })
  const device = await connectDevice(node, machineId, key)
  for (const gram of [1_000n, 2_000n]) expect(await device.publish(gram)).toBe('OK')
  await device.close()
  await node.idle()
  const { firstFault, evidence, periods } = await audited(id)
  expect(firstFault).toBeNull()
  const values = periods.map(({ period, asOf, registers }) => ({
    agreementId: id,
    period,
    asOf: BigInt(asOf),
    registers: registers.map(BigInt),
    evidenceHead: evidence?.evidenceHead ?? ZERO_DIGEST,
    heads: (evidence?.heads ?? []).map(({ stream, seq }) => ({ stream, seq: BigInt(seq) })),
  }))
  const { deployment } = node
  const raised = values.map((value) => ({ ...value, registers: [1_001n] }))
  const attesting = { wallet: attestor }
  await expect(
    client.submitAttestation(
      await attestMeterValues({ deployment, by: attesting, values: raised }),
    ),
  ).rejects.toMatchObject({ status: 409, code: 'METER_MISMATCH' })
  await client.submitAttestation(await attestMeterValues({ deployment, by: attesting, values }))
  await node.settleNow()
  expect(await includedMinor(id)).toBe('420000')
  expect(await audited(id)).toMatchObject({
    firstFault: null,
    differenceMinor: '0',
    settledMinor: '420000',
    metersSignedBy: `the payer (${attestor.account.address.toLowerCase()})`,
  })
})

test('by time: owed grows by itself, is relayed without a signature, and is to the unit what time says', async () => {
  const perSecond = 1_000n
  const change: Partial<Terms> = {
    signerKind: SIGNER_KIND.nobody,
    signer: NOBODY_SIGNER,
    limits: [],
    tariff: node.deployment.planTariff,
    tariffData: encodeTariffData({
      kind: 'plan',
      prices: [],
      scale: 0,
      fee: perSecond,
      feeSeconds: 1,
      minimum: 0n,
      maximum: NO_MAXIMUM,
    }),
    start: seconds(),
    periodSeconds: 5,
    periods: 3,
  }
  const told: string[] = []
  const stop = node.events.on((event) => event.type === 'owed' && told.push(event.owedMinor))
  const id = await open(change)
  await expect
    .poll(async () => BigInt((await client.agreement(id)).owedMinor), { timeout: 30_000 })
    .toBeGreaterThan(0n)
  await expect.poll(() => includedMinor(id), { timeout: 60_000 }).toBe(String(15n * perSecond))
  stop()
  expect(told.length).toBeGreaterThan(1)
  const { periods, metersSignedBy, owedMinor } = await client.agreement(id)
  expect(periods.map(({ owedMinor: owed }) => owed)).toEqual(Array(3).fill('5000'))
  expect({ owedMinor, metersSignedBy }).toEqual({
    owedMinor: '15000',
    metersSignedBy: 'nobody: time alone counts',
  })
  const lines: string[] = []
  for await (const line of client.bundle(id)) lines.push(JSON.parse(line).type)
  expect(lines).not.toContain('meterValue')
  expect(await audited(id)).toMatchObject({
    firstFault: null,
    settledMinor: '15000',
    owedMinor: '15000',
    differenceMinor: '0',
  })
  expect(await node.checkMoney()).toMatchObject({ ok: true })
  const { fromMs, owed } = await client.moneyHistory(id)
  expect(owed.length).toBeGreaterThan(3)
  expect(owed).toEqual(
    owed.map(({ timeMs }) => ({
      timeMs,
      minor: String(BigInt(timeMs - fromMs) * (perSecond / 1_000n)),
    })),
  )
  expect(await client.escrow(id)).toMatchObject({
    kind: 'ended',
    inWords: 'nothing more will be owed',
  })
})
