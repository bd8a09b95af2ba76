import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  createClient,
  type Hex,
  issueRight,
  lendRight,
  registerMachine,
  setCalendarZone,
  signStart,
  type Wallet,
} from '@liquefy/client'
import { createKey, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import { bitsOfHours, hoursText, mondayOf, wallHourAt } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type GuardedEngine, openGuardedEngine } from '../src/index.ts'

const ZONE = 'Europe/Berlin'
const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-guarded-'))
const folder = mkdtempSync(join(tmpdir(), 'liquefy-engine-'))
const problems: unknown[] = []
let node: RunningNode
let engine: GuardedEngine
let machineId: bigint
let rightId: bigint
let people: Wallet[]

const start = (ports: { port: number; mqttPort: number; rpcPort: number }) =>
  startNode({
    dataDir,
    ...ports,
    blockMs: 100,
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
  })

const portOf = (url: string) => Number(new URL(url).port)

const acting = (index: number) => {
  const wallet = people[index]
  if (!wallet) throw new Error('nobody')
  return { deployment: node.deployment, publicClient: node.chain.publicClient, wallet }
}
const addressOf = (index: number): Hex => acting(index).wallet.account.address

beforeAll(async () => {
  node = await start({ port: 0, mqttPort: 0, rpcPort: 0 })
  people = node.keys.people.map(
    ({ account }): Wallet => createWalletClient({ account, transport: http(node.rpcUrl) }),
  )
  const key = createKey(folder)
  machineId = await registerMachine({ ...acting(0), key })
  await activateMachine({ ...acting(0), machineId })
  await setCalendarZone({ ...acting(0), machineId, zone: ZONE })
  // This hour and the next, should it end meanwhile.
  const { week, hour } = wallHourAt(ZONE, Date.now())
  const bits = bitsOfHours([hour, Math.min(hour + 1, 167)])
  const hours = { firstWeek: week, weeksCount: 2, bits }
  rightId = await issueRight({ ...acting(0), machineId, hours, to: addressOf(1) })
  await node.idle()
  const { chainId, registry, clearingHouse, mqttUrl } = node.deployment
  const identity = { machineId, chainId, registry, clearingHouse, mqttUrl }
  saveIdentity(folder, identity)
  const usageRights = node.deployment.cooperation?.usageRights
  if (!usageRights) throw new Error('no rights on this ledger')
  engine = await openGuardedEngine({
    folder,
    identity,
    usageRights,
    nodeUrl: node.url,
    onProblem: (error) => problems.push(error),
  })
}, 300_000)

afterAll(async () => {
  await engine?.close()
  await node?.stop()
  for (const one of [dataDir, folder]) rmSync(one, { recursive: true, force: true })
})

async function signed(index: number) {
  const challenge = engine.challenge()
  const deadline = BigInt(Math.floor(Date.now() / 1_000) + 60)
  const { deployment, wallet } = acting(index)
  const message = { machineId, rightId, challenge, deadline }
  return { ...message, signature: await signStart({ deployment, wallet }, message) }
}

async function until(isMet: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (!(await isMet())) {
    if (Date.now() > end) throw new Error('waited 60 s')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

test('what the ledger says of hours is on the node', async () => {
  const client = createClient({ url: node.url })
  const { zone, thisWeek, weeks } = await client.machineCalendar(String(machineId), { weeks: 2 })
  expect([zone, weeks[0]?.week]).toEqual([ZONE, thisWeek])
  expect(weeks[0]?.monday).toBe(mondayOf(thisWeek ?? 0))
  expect(weeks.flatMap(({ holders }) => holders.map(({ holder }) => holder))).toEqual([
    addressOf(1).toLowerCase(),
    addressOf(1).toLowerCase(),
  ])
  const [right] = await client.rights(addressOf(1))
  expect(right).toMatchObject({
    rightId: String(rightId),
    machineId: String(machineId),
    sale: null,
  })
  expect(right?.words).toContain(hoursText(BigInt(right?.bits ?? '0x0')))
  await expect(client.right('99')).rejects.toMatchObject({ code: 'RIGHT_UNKNOWN' })
})

test('with the network down it refuses without a right, and starts with one', async () => {
  expect(await engine.hear()).toBe(true)
  const ports = {
    port: portOf(node.url),
    mqttPort: portOf(node.mqttUrl),
    rpcPort: portOf(node.rpcUrl),
  }
  await node.stop()
  await until(async () => !engine.machine.isOnline())
  expect(await engine.hear()).toBe(false)
  expect(engine.start(await signed(2))).toMatchObject({ ok: false, code: 'USER_UNKNOWN' })
  expect(engine.running()).toBe(false)
  expect(engine.start(await signed(1))).toMatchObject({ ok: true })
  expect(engine.running()).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 2_100))
  await engine.stop()
  // What it measured meanwhile is logged when the node is back.
  node = await start(ports)
  await engine.machine.flushed(60_000)
  const envelopes = await createClient({ url: node.url }).envelopes(String(machineId), {
    stream: 'use',
  })
  expect(envelopes.length).toBeGreaterThanOrEqual(2)
}, 300_000)

test('whom it is lent to starts it, once the machine has heard of it', async () => {
  await lendRight({ ...acting(1), rightId, user: addressOf(2), untilSeconds: 2n ** 40n })
  await node.idle()
  await until(async () => {
    await engine.hear()
    return engine.start(await signed(2)).ok
  })
  await engine.stop()
  expect(engine.start(await signed(1))).toMatchObject({ ok: false, code: 'USER_UNKNOWN' })
}, 300_000)
