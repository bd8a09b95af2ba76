import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuditReport, auditBundle, viemLedgerReader } from '@liquefy/audit'
import { provenLedgerReader } from '@liquefy/audit/proof'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  type Client,
  closeAgreement,
  createClient,
  fund,
  openAgreement,
  refund,
  registerMachine,
  rekeyMachine,
  resumeMachine,
  revokeMachineKey,
  rotateMachineKey,
  suspendMachine,
  type Wallet,
} from '@liquefy/client'
import { type Hex, privateKeyFromBytes } from '@liquefy/protocol'
import fc from 'fast-check'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'
import { RULE, termsOf } from './business.ts'
import { connectDevice } from './device.ts'
import { liesOf } from './lies.ts'
import { type Recorded, type ReplayingRpc, startReplayingRpc } from './replaying-rpc.ts'

const PROOF_CODES = ['BLOCK_HASH_DIFFERS', 'LEDGER_PROOF_INVALID', 'CONTRACT_UNKNOWN']
const SEED = Number(process.env.LIQUEFY_SEED ?? 7)
const NIGHTLY = process.env.LIQUEFY_NIGHTLY === '1'

/**
 * Places of answers of which nothing is believed: a change of them may go unseen, since nothing is read there.
 * - Of blocks: what is no part of the header. The hash is computed, transactions are committed to by their own root.
 * - Of receipts: what the receipts root does not commit to; block, place and time come from the header.
 * - Of `eth_getLogs`: all of it. It only tells where to begin, and a later beginning is seen by what is missing.
 * - Of `eth_getProof`: what is said in plain beside the nodes; and nodes are found by their hash, wherever they stand and however often.
 */
const UNREAD = [
  /^eth_getBlockBy(Hash|Number) result\.(hash|size|totalDifficulty|uncles|transactions|withdrawals)\b/,
  /^eth_getBlockReceipts result\[\]\.(blockHash|blockNumber|blockTimestamp|transactionHash|transactionIndex|from|to|contractAddress|gasUsed|effectiveGasPrice|blobGasPrice|blobGasUsed|authorizationList)\b/,
  /^eth_getBlockReceipts result\[\]\.logs\[\]\.(blockHash|blockNumber|blockTimestamp|transactionHash|transactionIndex|logIndex|removed)\b/,
  /^eth_getLogs /,
  /^eth_getProof result\.(address|balance|codeHash|nonce|storageHash)\b/,
  /^eth_getProof result\.storageProof\[\]\.(key|value)\b/,
  /^eth_getProof result\.(accountProof|storageProof\[\]\.proof): (one twice|turned round)$/,
]

let dataDir: string
let node: RunningNode
let client: Client
let payer: Wallet
let payee: Wallet
let agreementId: Hex
let lines: string[]
let blockHash: Hex

const by = (wallet: Wallet) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})
const newKey = () => privateKeyFromBytes('P-256', randomBytes(32))
const nowSeconds = () => Math.floor(Date.now() / 1_000)

/** A machine that is suspended, resumed, rotated, revoked and given a new key; an agreement paid three times, short of escrow, refunded, closed. */
async function live(): Promise<void> {
  const keys = [newKey(), newKey(), newKey()] as const
  const machineId = await registerMachine({ ...by(payee), key: keys[0] })
  await activateMachine({ ...by(payee), machineId })
  const terms = termsOf(machineId, { deployment: node.deployment, payer, payee })
  const payerSignature = await authorizeAgreement({ ...by(payer), terms })
  agreementId = await openAgreement({ ...by(payee), terms, payerSignature })
  const give = async (amountMinor: bigint) => {
    await approve({ ...by(payer), asset: terms.asset, amountMinor })
    await fund({ ...by(payer), agreementId, amountMinor })
  }
  await give(60_000n)
  await node.idle()

  let device = await connectDevice(node, machineId, keys[0])
  const settle = async (gram: bigint) => {
    await node.idle()
    const answer = await device.meter({ agreementId, registers: [gram], asOf: nowSeconds() })
    expect(answer).toMatchObject({ code: 'ACCEPTED' })
    await node.settleNow()
  }
  for (const gram of [0n, 100n]) expect(await device.publish(gram)).toBe('OK')
  await settle(100n)
  await node.anchorNow()
  await suspendMachine({ ...by(payee), machineId })
  await resumeMachine({ ...by(payee), machineId })
  const head = { stream: 'weight', seq: 2n, digest: device.digests[1] ?? '0x' }
  await rotateMachineKey({
    ...by(payee),
    machineId,
    oldKey: keys[0],
    newKey: keys[1],
    heads: [head],
  })
  await node.idle()
  await device.close()
  device = await connectDevice(node, machineId, keys[1], device.digests)
  expect(await device.publish(300n)).toBe('OK')
  await settle(300n)
  await give(200_000n)
  expect(await device.publish(400n)).toBe('OK')
  await settle(400n)
  // Sent is not included, and what comes next closes the agreement.
  await vi.waitFor(
    async () => expect((await client.agreement(agreementId)).includedMinor).toBe('168000'),
    { timeout: 60_000, interval: 100 },
  )
  await node.anchorNow()
  await refund({ ...by(payee), agreementId, period: 0, amountMinor: 20n })
  await revokeMachineKey({ ...by(payee), machineId })
  await rekeyMachine({ ...by(payee), machineId, newKey: keys[2] })
  await closeAgreement({ ...by(payee), agreementId })
  await device.close()
  await node.idle()
  await node.anchorNow()
}

const start = () =>
  startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    settle: { minMinor: 2n ** 96n, maxAgeMs: 3_600_000 },
    anchorIntervalMs: 3_600_000,
    blockMs: 100,
    logger: pino({ level: process.env.LOG_LEVEL ?? 'silent' }),
  })

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-proof-'))
  node = await start()
  client = createClient({ url: node.url })
  const [first, second] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({
        account,
        chain: node.chain.publicClient.chain,
        transport: http(node.rpcUrl),
      }),
  )
  if (!first || !second) throw new Error('business takes two')
  payer = first
  payee = second
  await client.submitRules([RULE])
  await live()
  lines = []
  for await (const line of client.bundle(agreementId)) lines.push(line)
  blockHash = (await node.chain.publicClient.getBlock()).hash
}, 300_000)

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const audited = (rpcUrl: string, hash = blockHash): Promise<AuditReport> =>
  auditBundle({
    lines,
    ledger: provenLedgerReader({ rpcUrl, blockHash: hash }),
    expected: { ...node.deployment, agreementId },
  })

test('of an honest RPC the proven audit says what the believing one says', async () => {
  const believed = await auditBundle({
    lines,
    ledger: viemLedgerReader({ rpcUrl: node.rpcUrl, tariffs: node.deployment }),
    expected: { ...node.deployment, agreementId },
  })
  const { ledgerProof, ...proven } = await audited(node.rpcUrl)
  expect(believed).toMatchObject({ firstFault: null, ledgerProof: null, differenceMinor: '0' })
  expect(BigInt(believed.settledMinor)).toBe(400n * 420n)
  expect({ ...proven, ledgerProof: null }).toEqual(believed)
  expect(ledgerProof).toMatchObject({ blockHash })
  expect(ledgerProof?.facts).toEqual([
    expect.stringMatching(/^agreement 0x[0-9a-f]{64}: its terms, opened, \d+ payments/),
    expect.stringContaining('clearing house'),
    expect.stringContaining('evidence anchor'),
    expect.stringMatching(/^log .* all 2 anchors/),
    expect.stringMatching(/^machine 1: 3 keys and 4 states/),
    expect.stringContaining('machine registry'),
    expect.stringContaining('the code of the linear tariff'),
  ])
})

test('an RPC without the trusted block is told apart', async () => {
  const other: Hex = `0x${'ab'.repeat(32)}`
  expect(await audited(node.rpcUrl, other)).toMatchObject({
    firstFault: { code: 'BLOCK_HASH_DIFFERS', expected: other, found: 'none' },
    settledMinor: '0',
  })
})

test('other contracts than ours are named, and what a foreign tariff answers is not believed', async () => {
  const { clearingHouse, registry, asset } = node.deployment
  const ledger = provenLedgerReader({ rpcUrl: node.rpcUrl, blockHash })
  expect(await ledger.chainId(registry)).toBe(node.chain.chainId)
  await expect(ledger.chainId(clearingHouse)).rejects.toMatchObject({ code: 'CONTRACT_UNKNOWN' })
  await expect(ledger.registryOf(payer.account.address)).rejects.toMatchObject({
    code: 'CONTRACT_UNKNOWN',
    fault: { found: 'no code' },
  })
  expect(await ledger.tariffKind(asset.address)).toBe('other')
  await expect(ledger.callTariff(asset.address, '0x', [1n], 1n)).rejects.toMatchObject({
    code: 'LEDGER_PROOF_INVALID',
  })
})

describe('an RPC that lies in one place of one answer', () => {
  let rpc: ReplayingRpc
  let honest: string
  /** What an audit asks that is told the truth; one that is lied to asks for more. */
  let asked: Recorded[]
  const textOf = ({ ledgerProof: _, ...report }: AuditReport) => JSON.stringify(report)

  beforeAll(async () => {
    rpc = await startReplayingRpc(node.rpcUrl)
    honest = textOf(await audited(rpc.url))
    asked = [...rpc.recorded]
  }, 60_000)
  afterAll(() => rpc?.close())

  interface Told {
    index: number
    place: string
    way: string
    result: string
  }

  /** All lies about one answer; those that say the same are none. */
  function* liesAbout({ call, result }: Recorded, index: number): Generator<Told> {
    for (const { place, way, result: changed } of liesOf(JSON.parse(result))) {
      const text = JSON.stringify(changed)
      if (text !== result) yield { index, place: `${call.method} ${place}`, way, result: text }
    }
  }

  const some = (lies: Told[], count: number): Told[] => {
    const length = Math.min(count, lies.length)
    const subarray = fc.shuffledSubarray(lies, { minLength: length, maxLength: length })
    return fc.sample(subarray, { seed: SEED, numRuns: 1 }).flat()
  }
  const isUnread = ({ place, way }: Told) =>
    UNREAD.some((pattern) => pattern.test(`${place}: ${way}`))

  test('by events that it leaves out at the beginning, or altogether, is caught by what the contracts keep', async () => {
    let lies = 0
    for (const [index, { call, result }] of asked.entries()) {
      if (call.method !== 'eth_getLogs') continue
      for (const kept of [[], (JSON.parse(result) as unknown[]).slice(-1)]) {
        rpc.lie = { index, result: JSON.stringify(kept) }
        expect((await audited(rpc.url)).firstFault).toMatchObject({
          code: 'LEDGER_PROOF_INVALID',
          message: expect.stringContaining('missing'),
        })
        lies += 1
      }
    }
    rpc.lie = undefined
    expect(lies).toBe(6)
  })

  test('is caught by the proof, or told nothing that is read', { timeout: 900_000 }, async () => {
    const byPlace = new Map<string, Told[]>()
    for (const [index, recorded] of asked.entries()) {
      for (const told of liesAbout(recorded, index)) {
        byPlace.set(told.place, [...(byPlace.get(told.place) ?? []), told])
      }
    }
    const methods = new Set(asked.map(({ call }) => call.method))
    expect([...methods].sort()).toEqual([
      'eth_getBlockByHash',
      'eth_getBlockByNumber',
      'eth_getBlockReceipts',
      'eth_getCode',
      'eth_getLogs',
      'eth_getProof',
    ])
    const unseen: string[] = []
    let caught = 0
    for (const [place, lies] of byPlace) {
      for (const told of some(lies, NIGHTLY ? 12 : lies.every(isUnread) ? 1 : 3)) {
        rpc.lie = told
        const report = await audited(rpc.url)
        const code = report.firstFault?.code
        if (code && PROOF_CODES.includes(code)) caught += 1
        else if (textOf(report) !== honest || !isUnread(told)) {
          unseen.push(`${place}: ${told.way} (answer ${told.index}) -> ${code ?? 'no fault'}`)
        }
      }
    }
    rpc.lie = undefined
    expect(unseen).toEqual([])
    expect(caught).toBeGreaterThan(100)
    expect(textOf(await audited(rpc.url))).toBe(honest)
  })
})

test('a ledger that was started anew from its journal proves the same by the same block', async () => {
  const before = await audited(node.rpcUrl)
  await node.stop()
  node = await start()
  expect(await audited(node.rpcUrl)).toEqual(before)
}, 120_000)
