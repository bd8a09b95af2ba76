import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditBundle } from '@liquefy/audit'
import { provenLedgerReader } from '@liquefy/audit/proof'
import { createClient, refund, type Wallet } from '@liquefy/client'
import { createKey, type Machine, openMachine, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import {
  type CounterRule,
  encodeTariffData,
  type Hex,
  machineSigner,
  ruleHash,
  type Terms,
  tariffContracts,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAgreements } from '../src/agreement-opening.ts'
import { quietLogger } from '../src/logger.ts'
import { registerMachines } from '../src/machine-registration.ts'
import { settableClock } from '../src/replay/settable-clock.ts'
import { openLedger, type Signer } from '../src/transactions.ts'

const HOUR_SECONDS = 3_600
const MINUTE_MS = 60_000
const PRICE = 7n
const rule: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'Wh',
  scale: 0,
  registerUnit: 'Wh',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000', perHour: '1000' },
}

const folder = mkdtempSync(join(tmpdir(), 'liquefy-late-'))
const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-late-node-'))
const startMs = Date.UTC(2026, 4, 4, 8)
const clock = settableClock(startMs - HOUR_SECONDS * 1000)
let node: RunningNode
let machine: Machine
let payee: Signer
let id: Hex
let terms: Terms

beforeAll(async () => {
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    clock,
    genesisTimestampMs: clock.nowMs(),
    blockMs: 50,
    settle: { minMinor: 2n ** 96n, maxAgeMs: Number.MAX_SAFE_INTEGER },
    anchorIntervalMs: Number.MAX_SAFE_INTEGER,
    logger: quietLogger(),
  })
  const { deployment } = node
  const ledger = await openLedger(node.rpcUrl)
  const [payer, owner] = node.keys.people.map(({ account }) => account)
  if (!payer || !owner) throw new Error('The embedded ledger has too few people.')
  payee = owner
  const key = createKey(join(folder, 'meter'))
  const [machineId = 0n] = await registerMachines(ledger, deployment.registry, payee, [key])
  await createClient({ url: node.url }).submitRules([rule])
  terms = {
    payer: payer.address,
    payee: payee.address,
    asset: deployment.asset.address,
    machineId,
    meters: [{ stream: 'energy', ruleHash: ruleHash(rule), startHead: ZERO_DIGEST }],
    signerKind: 1,
    signer: machineSigner(machineId),
    tariff: deployment.linearTariff,
    tariffData: encodeTariffData({ kind: 'linear', prices: [PRICE], scale: 0 }),
    limits: [{ burst: 1_000n, perHour: 1_000n }],
    capMinor: 1_000_000n,
    start: BigInt(startMs / 1000),
    periodSeconds: HOUR_SECONDS,
    periods: 24,
    backfillSeconds: 86_400,
    lateSeconds: 600,
    gapTimeoutSeconds: 600,
    settleSeconds: 2 * HOUR_SECONDS,
    shared: false,
    openBy: BigInt(startMs / 1000),
    salt: ZERO_DIGEST,
  }
  const offers = [{ terms, fundMinor: 100_000n }]
  const opened = await openAgreements(ledger, deployment.clearingHouse, { payer, payee }, offers)
  id = opened[0] ?? ZERO_DIGEST
  const { chainId, registry, clearingHouse } = deployment
  saveIdentity(join(folder, 'meter'), {
    machineId,
    chainId,
    registry,
    clearingHouse,
    tariffs: tariffContracts(deployment),
    mqttUrl: node.mqttUrl,
  })
  clock.advanceTo(startMs)
  machine = await openMachine({
    folder: join(folder, 'meter'),
    clock,
    signEveryMs: Number.MAX_SAFE_INTEGER,
  })
})

afterAll(async () => {
  await machine?.close()
  await node?.stop()
  for (const path of [folder, dataDir]) rmSync(path, { recursive: true, force: true })
})

const at = (minutes: number) => startMs + minutes * MINUTE_MS
const show = async (minutes: number, value: bigint) => {
  await machine.publish('energy', [{ unit: 'Wh', timeMs: at(minutes), value }])
  await machine.flushed(60_000)
  await node.idle()
}
const view = () => createClient({ url: node.url }).agreement(id)
const kinds = (events: readonly { kind: string }[]) => events.map(({ kind }) => kind)
const audit = async (change: (line: string) => string = (line) => line) => {
  const { chainId, registry, clearingHouse, evidenceAnchor } = node.deployment
  const lines: string[] = []
  for await (const line of createClient({ url: node.url }).bundle(id)) lines.push(change(line))
  const { hash: blockHash } = await node.chain.publicClient.getBlock()
  return auditBundle({
    lines,
    ledger: provenLedgerReader({ rpcUrl: node.rpcUrl, blockHash }),
    expected: { agreementId: id, chainId, registry, clearingHouse, evidenceAnchor },
  })
}

describe('a device is off beyond the finality of a period, and brings its readings then', () => {
  test('what came in time is settled', async () => {
    await expect.poll(() => machine.agreements(), { timeout: 60_000 }).toHaveLength(1)
    await show(0, 100n)
    clock.advanceTo(at(30))
    await show(30, 150n)
    expect(kinds(await machine.meterNow(60_000))).toContain('accepted')
    await node.settleNow()
    expect((await view()).periods[0]).toMatchObject({ includedMinor: String(50n * PRICE) })
  })

  test('INV-20 late readings leave the period as it is, and each counts once', async () => {
    clock.advanceTo(at(75))
    await show(50, 170n)
    await show(72, 180n)
    const { periods } = await view()
    expect(periods.map(({ registers }) => registers)).toEqual([['50'], ['10']])
    expect((await audit()).unpriced).toEqual({ LATE_FOR_PERIOD: 1 })
  })

  test('before half of the settle window has passed the machine waits for stragglers', async () => {
    expect(kinds(await machine.meterNow(60_000))).not.toContain('adjustment-signed')
  })

  test('ATK an adjustment that the meter has not signed is refused', async () => {
    const answers: { code?: string; ownAmount?: string }[] = []
    const forged = {
      agreementId: id,
      period: 0,
      amount: '999',
      evidenceHead: ZERO_DIGEST,
      heads: [{ stream: 'energy', seq: '3' }],
      signature: `0x${'11'.repeat(64)}`,
    }
    const payload = new TextEncoder().encode(JSON.stringify(forged))
    answers.push(await node.metering.acceptMeterValue(terms.machineId, payload))
    expect(answers).toMatchObject([{ code: 'METER_SIGNATURE_INVALID' }])
  })

  test('one adjustment, signed by the meter, is paid on the ledger', async () => {
    expect(kinds(await machine.adjustNow(60_000))).toEqual([
      'adjustment-signed',
      'adjustment-accepted',
    ])
    await node.settleNow()
    await node.idle()
    await expect
      .poll(async () => (await view()).periods[0])
      .toMatchObject({
        adjustedMinor: String(20n * PRICE),
        includedMinor: String(70n * PRICE),
        arrearsMinor: '0',
      })
    expect((await view()).settlements).toContainEqual(
      expect.objectContaining({ kind: 'adjusted', period: 0 }),
    )
    expect(await node.checkMoney()).toMatchObject({ ok: true })
  })

  test('a second one is not signed', async () => {
    await show(74, 181n)
    expect(await machine.adjustNow(60_000)).toEqual([])
  })

  test('the audit recomputes it from the readings: difference 0', async () => {
    expect(await audit()).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      settledMinor: String(80n * PRICE),
      periods: [{ period: 0, adjustedMinor: String(20n * PRICE) }, { period: 1 }],
    })
  })

  test('a late reading left out of the bundle, and an adjustment that was altered, are named', async () => {
    const withoutLate = await audit((line) =>
      line.includes('LATE_FOR_PERIOD') ? line.replace('"seq":"3"', '"seq":"9"') : line,
    )
    expect(withoutLate.firstFault).not.toBeNull()
    const altered = await audit((line) =>
      line.startsWith('{"type":"adjustment"')
        ? line.replace(/"amount":"\d+"/, '"amount":"1"')
        : line,
    )
    expect(altered.firstFault).toMatchObject({ code: 'SIGNATURE_INVALID' })
  })

  test('what the payee gives back stands beside what was paid', async () => {
    const wallet = createWalletClient({
      account: payee,
      chain: node.chain.publicClient.chain,
      transport: http(node.rpcUrl),
    }) as Wallet
    const { deployment } = node
    await refund({
      deployment,
      publicClient: node.chain.publicClient,
      wallet,
      agreementId: id,
      period: 0,
      amountMinor: 5n,
    })
    await expect
      .poll(async () => (await view()).periods[0])
      .toMatchObject({ refundedMinor: '5', includedMinor: String(70n * PRICE) })
    expect(await audit()).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      periods: [{ refundedMinor: '5' }, {}],
    })
    expect(await node.checkMoney()).toMatchObject({ ok: true })
  })
})
