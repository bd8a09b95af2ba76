import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testEuroAbi } from '@liquefy/abi'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  balanceOf,
  type Client,
  createClient,
  credit,
  fund,
  type NodeEvent,
  openAgreement,
  registerMachine,
  type Wallet,
  withdraw,
} from '@liquefy/client'
import {
  agreementId,
  type Hex,
  type PrivateKey,
  privateKeyFromBytes,
  ruleHash,
} from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'
import { RULE, termsOf } from './business.ts'
import { connectDevice, type Device } from './device.ts'

const logger = pino({ level: process.env.LOG_LEVEL ?? 'silent' })

let dataDir: string
let node: RunningNode
let client: Client
let payer: Wallet
let payee: Wallet
let device: Device
let id: Hex

const seconds = () => Math.floor(Date.now() / 1000)
const start = () =>
  startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    settle: { minMinor: 1n, maxAgeMs: 1_000 },
    anchorIntervalMs: 2_000,
    logger,
  })
const walletOf = (name: string): Wallet => {
  const person = node.keys.people.find((one) => one.name === name)
  if (!person) throw new Error(`no ${name}`)
  return createWalletClient({
    account: person.account,
    chain: node.chain.publicClient.chain,
    transport: http(node.rpcUrl),
  })
}
const actionOf = (wallet: Wallet) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})
const begin = async () => {
  node = await start()
  client = createClient({ url: node.url })
  payer = walletOf('Nordmühle GmbH')
  payee = walletOf('Silowerk AG')
}
const register = async (key: PrivateKey) => {
  const machineId = await registerMachine({ ...actionOf(payee), key })
  await activateMachine({ ...actionOf(payee), machineId })
  await node.idle()
  return machineId
}
const settled = async (minor: bigint) => {
  await expect
    .poll(async () => (await client.agreement(id)).includedMinor, { timeout: 90_000 })
    .toBe(String(minor))
}

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-node-'))
  await begin()
}, 300_000)

afterAll(async () => {
  await device?.close()
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

describe('a signed reading becomes settled money', () => {
  test('register, open, fund', async () => {
    const key = privateKeyFromBytes('P-256', randomBytes(32))
    const machineId = await register(key)
    await node.nameMachine(machineId, 'Silo 1')
    device = await connectDevice(node, machineId, key)
    expect(await client.submitRules([RULE])).toEqual({ ruleHashes: [ruleHash(RULE)] })
    const terms = termsOf(machineId, { ...actionOf(payee), payer, payee })
    id = await openAgreement({
      ...actionOf(payee),
      terms,
      payerSignature: await authorizeAgreement({ ...actionOf(payer), terms }),
    })
    expect(id).toBe(agreementId({ ...node.deployment, terms }))
    const amountMinor = 5_000_000n
    await approve({ ...actionOf(payer), asset: terms.asset, amountMinor })
    await fund({ ...actionOf(payer), agreementId: id, amountMinor })
    expect(await device.hears('agreement', (json) => json.agreementId === id)).toMatchObject({
      rules: [RULE],
    })
    await node.idle()
    expect(await client.agreement(id)).toMatchObject({
      machineName: 'Silo 1',
      open: true,
      escrowMinor: '5000000',
      problem: null,
      tariffInWords: '0.42 tEUR per kg',
      registerUnits: ['g'],
    })
  })

  test('readings get receipts, the amount owed is told at once, and the signed value is paid', async () => {
    const events: NodeEvent[] = []
    const stop = new AbortController()
    const following = client.events({ signal: stop.signal, onEvent: (event) => events.push(event) })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(await device.publish(1_000n)).toBe('OK')
    expect(await device.publish(2_000n)).toBe('OK')
    await node.idle()
    expect((await client.agreement(id)).owedMinor).toBe('420000')
    const answer = await device.meter({ agreementId: id, registers: [1_000n], asOf: seconds() })
    expect(answer).toMatchObject({ code: 'ACCEPTED' })
    await settled(420_000n)
    await expect
      .poll(() => events.map(({ type }) => type))
      .toEqual(expect.arrayContaining(['logged', 'owed', 'meter-value', 'settled', 'status']))
    stop.abort()
    await following
    expect(await client.agreement(id)).toMatchObject({
      owedMinor: '420000',
      finalMinor: '420000',
      escrowMinor: '4580000',
      position: { accruedMinor: '420000' },
      settlements: [{ period: 0, registers: ['1000'], paidMinor: '420000', final: true }],
    })
  })

  test('the payee withdraws', async () => {
    const asset = node.deployment.asset.address
    const account = payee.account.address
    const held = () =>
      node.chain.publicClient.readContract({
        address: asset,
        abi: testEuroAbi,
        functionName: 'balanceOf',
        args: [account],
      })
    const before = await held()
    await credit({ ...actionOf(payee), agreementIds: [id] })
    expect(await balanceOf({ ...actionOf(payee), account, asset })).toBe(420_000n)
    await withdraw({ ...actionOf(payee), asset, amountMinor: 420_000n })
    expect((await held()) - before).toBe(420_000n)
  })

  test('INV-5 the view of money equals a replay of the ledger, and shows when it does not', async () => {
    await node.idle()
    expect(await node.checkMoney()).toMatchObject({ ok: true, differences: [] })
    const { pool } = node.database
    await pool.query(`UPDATE agreement_events SET amount = amount + 1 WHERE kind = 'settled'`)
    expect(await node.checkMoney()).toMatchObject({
      ok: false,
      differences: [{ what: `${id} settled`, database: '420001', ledger: '420000' }],
    })
    await pool.query(`UPDATE agreement_events SET amount = amount - 1 WHERE kind = 'settled'`)
  })
})

describe('what does not fit gets its code, and the good reading behind it is priced', () => {
  test('ATK a falling counter and an impossible rate are logged and unpriced', async () => {
    expect(await device.publish(1_500n)).toBe('OK')
    expect(await device.publish(900_000n)).toBe('OK')
    expect(await device.publish(2_100n)).toBe('OK')
    await node.idle()
    const codes = (await client.envelopes(String(device.machineId))).map(({ code }) => code)
    expect(codes.slice(0, 3)).toEqual(['OK', 'IMPLAUSIBLE', 'COUNTER_ROLLBACK'])
    expect((await client.agreement(id)).periods[0]?.registers).toEqual(['1100'])
  })

  test('ATK METER_MISMATCH is answered with the own registers, and pays nothing', async () => {
    const answer = await device.meter({ agreementId: id, registers: [9_999n], asOf: seconds() })
    expect(answer).toMatchObject({
      code: 'METER_MISMATCH',
      registers: ['1100'],
      heads: [{ stream: 'weight', seq: '5' }],
    })
    const forged = await device.meter({
      agreementId: id,
      registers: [1_100n],
      asOf: seconds(),
      key: privateKeyFromBytes('P-256', randomBytes(32)),
    })
    expect(forged).toMatchObject({ code: 'METER_SIGNATURE_INVALID' })
    await settled(420_000n)
  })

  test('ATK equivocation is kept as proof; a repetition is a duplicate', async () => {
    const fork = device.next(2_050n, { fork: true })
    await device.send(fork.bytes)
    await device.send(fork.bytes)
    const stranger = privateKeyFromBytes('P-256', randomBytes(32))
    await device.send(device.next(3_000n, { key: stranger }).bytes)
    const good = device.next(3_000n)
    const broken = Uint8Array.from(good.bytes)
    broken[broken.length - 1] = (broken.at(-1) ?? 0) ^ 1
    await device.send(broken)
    expect(await device.publish(3_000n)).toBe('OK')
    await node.idle()
    const answer = await device.meter({ agreementId: id, registers: [2_000n], asOf: seconds() })
    expect(answer).toMatchObject({ code: 'ACCEPTED' })
    await settled(840_000n)
    await expect
      .poll(async () => (await client.status()).envelopes)
      .toEqual({
        logged: 7,
        duplicate: 1,
        refused: { KEY_UNKNOWN: 1, SIGNATURE_INVALID: 1 },
        priced: 4,
        unpriced: { COUNTER_ROLLBACK: 1, IMPLAUSIBLE: 1, EQUIVOCATION: 1 },
        waiting: 0,
      })
  })

  test('the machine page has it all', async () => {
    const machineId = String(device.machineId)
    expect(await client.machine(machineId)).toMatchObject({
      name: 'Silo 1',
      state: 'active',
      mainStream: 'weight',
      envelopes: 7,
      refused: 2,
      owedMinor: '840000',
      settledMinor: '840000',
      agreements: [id],
      streams: [{ stream: 'weight', envelopes: 7, lastSeq: '6', unit: 'g' }],
    })
    const kinds = new Set((await client.timeline(machineId)).map(({ kind }) => kind))
    expect(kinds).toEqual(
      new Set([
        'registered',
        'owner',
        'key',
        'state',
        'agreement',
        'refused',
        'unpriced',
        'settled',
      ]),
    )
    const now = Date.now()
    const series = await client.readings(machineId, {
      stream: 'weight',
      fromMs: now - 3_600_000,
      toMs: now + 60_000,
      points: 60,
    })
    expect(series[0]?.buckets.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(0)
  })

  test('the bundle is whole, and every proof in it leads to its checkpoint', async () => {
    await node.anchorNow()
    const lines: Record<string, unknown>[] = []
    for await (const line of client.bundle(id)) lines.push(JSON.parse(line))
    expect(lines.map(({ type }) => type)).toEqual([
      'header',
      'checkpoint',
      'anchor',
      ...Array(7).fill('envelope'),
      'claim',
      'meterValue',
      'meterValue',
      'end',
    ])
    expect(lines.at(-1)).toEqual({ type: 'end', lines: lines.length })
    expect((await client.envelope('0')).checkpoint.size).toBe('7')
  })
})

describe('low escrow', () => {
  test('both parties are told when it begins and when a top-up ends it', async () => {
    const key = privateKeyFromBytes('P-256', randomBytes(32))
    const scale = await connectDevice(node, await register(key), key)
    const terms = termsOf(scale.machineId, { ...actionOf(payee), payer, payee })
    const events: NodeEvent[] = []
    const stopListening = node.events.on((event) => events.push(event))
    const agreementId = await openAgreement({
      ...actionOf(payee),
      terms,
      payerSignature: await authorizeAgreement({ ...actionOf(payer), terms }),
    })
    const topUp = async (amountMinor: bigint) => {
      await approve({ ...actionOf(payer), asset: terms.asset, amountMinor })
      await fund({ ...actionOf(payer), agreementId, amountMinor })
    }
    const noticed = async (kind: string | undefined) => {
      const both = [terms.payer, terms.payee].map((party) => [party, kind])
      await expect
        .poll(async () => (await client.notices()).map((notice) => [notice.party, notice.kind]), {
          timeout: 90_000,
        })
        .toEqual(kind === undefined ? [] : both)
    }
    await topUp(800_000n)
    await node.idle()
    expect(await scale.publish(1_000n)).toBe('OK')
    expect(await scale.publish(3_000n)).toBe('OK')
    await scale.close()
    await noticed('escrow-short')
    expect(await client.notices({ party: terms.payee })).toEqual([
      {
        agreementId,
        party: terms.payee,
        role: 'payee',
        kind: 'escrow-short',
        escrowMinor: '800000',
        unpaidMinor: '840000',
        fundedMinor: '800000',
      },
    ])
    await topUp(100_000n)
    await noticed('escrow-low')
    const metrics = await (await fetch(new URL('/metrics', node.url))).text()
    expect(metrics).toContain('liquefy_notices{kind="escrow-low"} 1')
    await topUp(1_000_000n)
    await noticed(undefined)
    stopListening()
    const told = events.flatMap((event) =>
      event.type === 'notice' && event.role === 'payer' ? [`${event.kind} ${event.change}`] : [],
    )
    expect(told.slice(-4)).toEqual([
      'escrow-short began',
      'escrow-short ended',
      'escrow-low began',
      'escrow-low ended',
    ])
  })
})

describe('stop and start', () => {
  test('keeps everything, and goes on where it was', async () => {
    const before = await Promise.all([client.status(), client.agreement(id)])
    const { key, digests, machineId } = device
    await device.close()
    await node.stop()
    await node.stop()
    await begin()
    const [status, agreement] = await Promise.all([client.status(), client.agreement(id)])
    expect(status.envelopes).toEqual(before[0].envelopes)
    expect(status.settledMinor).toBe('840000')
    expect(agreement).toEqual(before[1])
    device = await connectDevice(node, machineId, key, digests)
    expect(await device.hears('agreement', (json) => json.agreementId === id)).toBeDefined()
    expect(await device.publish(3_100n)).toBe('OK')
    const answer = await device.meter({ agreementId: id, registers: [2_100n], asOf: seconds() })
    expect(answer).toMatchObject({ code: 'ACCEPTED' })
    await node.settleNow()
    expect((await client.agreement(id)).includedMinor).toBe('882000')
    expect(await node.checkMoney()).toMatchObject({ ok: true })
  })

  test('a second node on the folder is refused, with what to do', async () => {
    await expect(start()).rejects.toMatchObject({ code: 'DATA_FOLDER_IN_USE' })
    expect((await client.status()).machines).toBe(2)
  })
})
