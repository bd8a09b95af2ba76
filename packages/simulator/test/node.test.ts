import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import type { MeterEvent } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { owed } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningProduct, runProduct, walletLedger } from '../src/index.ts'
import { smallProduct } from './small-product.ts'

const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-simulator-node-'))
const meterEvents: MeterEvent[] = []
const problems: unknown[] = []
let node: RunningNode
let product: RunningProduct

async function start(): Promise<void> {
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    settle: { minMinor: 1n, maxAgeMs: 1_000 },
    anchorIntervalMs: 2_000,
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
  })
  product = await runProduct(smallProduct, {
    deployment: node.deployment,
    client: createClient({ url: node.url }),
    ledger: walletLedger({
      deployment: node.deployment,
      publicClient: node.chain.publicClient,
      walletOf,
    }),
    dataDir,
    nameMachine: (machineId, name) => node.nameMachine(machineId, name),
    placeMachine: (machineId, place) => node.placeMachine(machineId, place),
    onProblem: (_, error) => problems.push(error),
  })
  for (const { machine } of product.machines)
    machine.on('meter', (event) => meterEvents.push(event))
}

function walletOf(name: string) {
  const person = node.keys.people.find((one) => one.name === name)
  if (!person) throw new Error(`nobody is called ${name}`)
  return createWalletClient({ account: person.account, transport: http(node.rpcUrl) })
}

beforeAll(start, 300_000)
afterAll(async () => {
  await product?.stop()
  await node?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

async function until(isMet: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 40_000
  while (!(await isMet())) {
    if (Date.now() > deadline) throw new Error('waited 40 s')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

const agreement = () => {
  const [one] = product.machines
  if (!one) throw new Error('no machine')
  return createClient({ url: node.url }).agreement(one.agreementId)
}

test('a simulated silo against a real node: readings become settled money', async () => {
  await until(async () => BigInt((await agreement()).includedMinor) > 1_000_000n)
  const { settlements, rules, terms } = await agreement()
  expect(rules).toHaveLength(1)
  expect(terms).toMatchObject({ machineId: '1' })
  for (const { registers, paidMinor } of settlements.slice(0, 1)) {
    const { tariff } = smallProduct.machines[0]?.agreement ?? {}
    if (!tariff) throw new Error('no tariff')
    expect(BigInt(paidMinor)).toBe(owed(tariff, registers.map(BigInt), 0n))
  }
  const kinds = new Set(meterEvents.map(({ kind }) => kind))
  expect([...kinds].sort()).toEqual(['accepted', 'agreement', 'signed'])
})

test('machine and node agree to the unit, all is priced, nothing is refused', async () => {
  const [one] = product.machines
  if (!one) throw new Error('no machine')
  await product.stop()
  await node.idle()
  const status = await createClient({ url: node.url }).status()
  expect(status.envelopes).toMatchObject({ refused: {}, waiting: 0 })
  expect(Object.keys(status.envelopes.unpriced).filter((code) => code !== 'UNBILLED')).toEqual([])
  const { logged, priced, unpriced } = status.envelopes
  expect(priced).toBe(logged - (unpriced.UNBILLED ?? 0))
  expect(priced).toBeGreaterThan(1)
  expect(problems).toEqual([])
})

test('node and machines stopped and started: the same machine, the same agreement, more money', async () => {
  const before = await agreement()
  await node.stop()
  meterEvents.splice(0)
  await start()
  const after = await agreement()
  expect(after.agreementId).toBe(before.agreementId)
  expect(BigInt(after.includedMinor)).toBeGreaterThanOrEqual(BigInt(before.includedMinor))
  await until(async () => BigInt((await agreement()).includedMinor) > BigInt(after.includedMinor))
  const [one] = product.machines
  await one?.machine.flushed()
  expect(one?.machine.isOnline()).toBe(true)
  expect(new Set(meterEvents.map(({ kind }) => kind))).not.toContain('mismatch')
})
