import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  type Client,
  createClient,
  fund,
  openAgreement,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import { evidenceHead, type Hex, keyId, privateKeyFromBytes } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { RULE, termsOf } from '../business.ts'
import { connectDevice, type Device } from '../device.ts'

const FUNDED = 5_000_000n
let dataDir: string
let node: RunningNode
let client: Client
let device: Device
let id: Hex

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-money-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    settle: { minMinor: 1n, maxAgeMs: 500 },
    anchorIntervalMs: 500,
    logger: pino({ level: 'silent' }),
  })
  client = createClient({ url: node.url })
  const { deployment } = node
  const { publicClient } = node.chain
  const [payer, payee] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({ account, chain: publicClient.chain, transport: http(node.rpcUrl) }),
  )
  if (!payer || !payee) throw new Error('business takes two')
  const by = (wallet: Wallet) => ({ deployment, publicClient, wallet })
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...by(payee), key })
  await activateMachine({ ...by(payee), machineId })
  await client.submitRules([RULE])
  const terms = termsOf(machineId, { deployment, payer, payee })
  const payerSignature = await authorizeAgreement({ ...by(payer), terms })
  id = await openAgreement({ ...by(payee), terms, payerSignature })
  await approve({ ...by(payer), asset: terms.asset, amountMinor: FUNDED })
  await fund({ ...by(payer), agreementId: id, amountMinor: FUNDED })
  await node.idle()
  device = await connectDevice(node, machineId, key)
}, 300_000)

afterAll(async () => {
  await device?.close()
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const publish = async (...grams: bigint[]) => {
  for (const gram of grams) expect(await device.publish(gram)).toBe('OK')
  await node.idle()
}

/** Signs what was published, and waits until it is final. */
const settle = async (register: bigint) => {
  const asOf = Math.floor(Date.now() / 1000)
  const answer = await device.meter({ agreementId: id, registers: [register], asOf })
  expect(answer).toMatchObject({ code: 'ACCEPTED' })
  await expect
    .poll(async () => (await client.agreement(id)).finalMinor, { timeout: 90_000 })
    .toBe(String(register * 420n))
  return asOf
}

const places = async () => (await client.settlements(id)).map(({ place }) => place)

describe('before anything is measured', () => {
  test('no money over time, and no end of escrow in sight', async () => {
    const history = await client.moneyHistory(id)
    const nothing = [{ timeMs: history.fromMs, minor: '0' }]
    expect(history).toMatchObject({ owed: nothing, included: nothing, final: nothing })
    const outlook = await client.escrow(id)
    expect(outlook).toMatchObject({ kind: 'idle', escrowMinor: String(FUNDED), lastsSeconds: null })
    expect(outlook.inWords).toMatch(/^no end in sight: nothing was owed/)
  })
})

describe('a settlement opens to what it rests on', () => {
  test('the first covers all from the first envelope on', async () => {
    await publish(1_000n, 1_500n, 2_000n)
    const asOf = await settle(1_000n)
    const [settlement] = await client.settlements(id)
    const evidence = await client.settlement(id, settlement?.place ?? '')
    expect(evidence).toMatchObject({
      ...settlement,
      asOf: String(asOf),
      registers: ['1000'],
      paidMinor: '420000',
      final: true,
      value: {
        registersBefore: ['0'],
        owedMinor: '420000',
        owedBeforeMinor: '0',
        amountInWords: '1 kg × 0.42 tEUR = 0.42 tEUR',
        signedBy: `machine ${device.machineId}`,
        key: {
          machineId: String(device.machineId),
          epoch: '1',
          keyId: keyId(device.key.publicKey),
        },
        evidenceHead: evidenceHead([device.digests[2] ?? '0x']),
      },
      covers: [{ stream: 'weight', seq: '3', firstSeq: '1', envelopes: 3, readings: 3 }],
    })
    const { hash } = await node.chain.publicClient.getBlock({ blockNumber: BigInt(evidence.block) })
    expect(evidence.blockHash).toBe(hash)
    const [covered] = evidence.covers ?? []
    expect(await client.envelope(covered?.first ?? '')).toMatchObject({ seq: '1' })
    expect(await client.envelope(covered?.last ?? '')).toMatchObject({ seq: '3' })
  })

  test('it is kept when a higher value comes, which covers what came since', async () => {
    const [before = ''] = await places()
    await publish(2_500n, 3_000n)
    await settle(2_000n)
    const [place = ''] = await places()
    expect(place).not.toBe(before)
    expect(await client.settlement(id, place)).toMatchObject({
      paidMinor: '420000',
      value: { registersBefore: ['1000'], owedMinor: '840000', owedBeforeMinor: '420000' },
      covers: [{ seq: '5', firstSeq: '4', envelopes: 2 }],
    })
    expect(await client.settlement(id, before)).toMatchObject({
      covers: [{ seq: '3', firstSeq: '1', envelopes: 3 }],
    })
  })

  test('the anchor that covers it is named as soon as the ledger has one', async () => {
    const [place = ''] = await places()
    await expect
      .poll(async () => (await client.settlement(id, place)).anchor, { timeout: 90_000 })
      .toMatchObject({ size: '5' })
  })

  test('an envelope tells what paid for it; the one that is not paid yet says so', async () => {
    await publish(3_100n)
    const [second, first] = await places()
    const paid = async (logIndex: string) =>
      (await client.envelopePayments(logIndex)).map(({ settlement, ...rest }) => ({
        ...rest,
        place: settlement?.place,
      }))
    const of = { agreementId: id, machineName: String(device.machineId), period: 0 }
    expect(await paid('2')).toEqual([{ ...of, place: first }])
    expect(await paid('3')).toEqual([{ ...of, place: second }])
    expect(await paid('5')).toEqual([{ ...of, place: undefined }])
    expect(await paid('99')).toEqual([])
  })

  test('what it covers outlives the signed value; of what somebody else relayed it is not known', async () => {
    const [place = ''] = await places()
    const { pool } = node.database
    const isKept = async () => (await pool.query('SELECT FROM settled_values')).rowCount
    await expect.poll(isKept, { timeout: 90_000 }).toBe(2)
    await pool.query('DELETE FROM meter_values')
    expect(await client.settlement(id, place)).toMatchObject({ covers: [{ seq: '5' }] })
    await pool.query('DELETE FROM settled_values')
    expect(await client.settlement(id, place)).toMatchObject({ covers: null, anchor: null })
  })

  test('a place where no settlement of the agreement stands is unknown', async () => {
    await expect(client.settlement(id, '1-0')).rejects.toMatchObject({
      status: 404,
      code: 'SETTLEMENT_UNKNOWN',
    })
  })
})

describe('page by page', () => {
  test('settlements and periods, newest first, each once', async () => {
    const [newest = '', oldest = ''] = await places()
    expect((await client.settlements(id, { limit: 1 })).map(({ place }) => place)).toEqual([newest])
    expect((await client.settlements(id, { before: newest })).map(({ place }) => place)).toEqual([
      oldest,
    ])
    expect(await client.settlements(id, { before: oldest })).toEqual([])
    expect(await client.periods(id)).toEqual((await client.agreement(id)).periods.toReversed())
    expect(await client.periods(id, { before: 0 })).toEqual([])
  })
})

describe('money over time', () => {
  test('each line ends in the figures of the agreement, and only rises', async () => {
    const agreement = await client.agreement(id)
    expect(agreement.owedMinor).toBe(String(2_100n * 420n))
    for (const points of [2, 3, 200]) {
      const history = await client.moneyHistory(id, { points })
      expect(history.owed.at(-1)?.minor).toBe(agreement.owedMinor)
      expect(history.included.at(-1)?.minor).toBe(agreement.includedMinor)
      expect(history.final.at(-1)?.minor).toBe(agreement.finalMinor)
      for (const line of [history.owed, history.included, history.final]) {
        expect(line.length).toBeLessThanOrEqual(points + 1)
        for (const [index, { timeMs, minor }] of line.entries()) {
          const before = line[index - 1]
          if (!before) continue
          expect(timeMs).toBeGreaterThanOrEqual(before.timeMs)
          expect(BigInt(minor) > BigInt(before.minor)).toBe(true)
        }
      }
    }
  })

  test('what was owed at each reading is its register times the price', async () => {
    const { owed } = await client.moneyHistory(id)
    const minors = new Set(owed.map(({ minor }) => minor))
    const possible = [0, 500, 1_000, 1_500, 2_000, 2_100].map((gram) => String(gram * 420))
    expect(minors.size).toBeGreaterThan(1)
    expect(possible).toEqual(expect.arrayContaining([...minors]))
  })

  test('from a time on it begins with what had been reached', async () => {
    const { toMs, owed } = await client.moneyHistory(id)
    const later = await client.moneyHistory(id, { fromMs: toMs })
    expect(later.owed).toEqual([{ timeMs: toMs, minor: owed.at(-1)?.minor }])
  })

  test('the pace of late is what was owed since the agreement began', async () => {
    const outlook = await client.escrow(id)
    expect(outlook).toMatchObject({ kind: 'lasts', paceMinor: String(2_100n * 420n) })
    expect(outlook.unpaidMinor).toBe('42000')
    const left = FUNDED - 2_100n * 420n
    const seconds = (left * BigInt(outlook.paceSeconds)) / (2_100n * 420n)
    expect(outlook.lastsSeconds).toBe(String(seconds))
    expect(outlook.inWords).toMatch(/^lasts about .+ at the pace of the last /)
  })
})
