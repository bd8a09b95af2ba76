import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  createClient,
  fund,
  openAgreement,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import { encodeEnvelope, privateKeyFromBytes, ZERO_DIGEST } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'
import { RULE, termsOf } from '../business.ts'
import { connectDevice, type Device } from '../device.ts'
import { signIn } from '../sign-in.ts'

const BILLION = 1_000_000_000n
const hamburg = { latitudeE7: 535_180_000, longitudeE7: 99_890_000 }

let dataDir: string
let node: RunningNode
let machineId: bigint
let device: Device
let payer: Wallet
let payee: Wallet

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-machines-'))
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    blockMs: 100,
    logger: pino({ level: 'silent' }),
  })
  const { publicClient } = node.chain
  const [first, second] = node.keys.people.map(
    ({ account }): Wallet =>
      createWalletClient({ account, chain: publicClient.chain, transport: http(node.rpcUrl) }),
  )
  if (!first || !second) throw new Error('business takes two')
  payer = first
  payee = second
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  machineId = await registerMachine({ ...by(payee), key })
  await activateMachine({ ...by(payee), machineId })
  await node.idle()
  device = await connectDevice(node, machineId, key)
}, 300_000)

afterAll(async () => {
  await device?.close()
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

const by = (wallet: Wallet) => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet,
})
const anybody = () => createClient({ url: node.url })
const id = () => String(machineId)

const signedIn = async ({ account }: Wallet) => (await signIn(node, account)).client

test('ATK its owner alone says where a machine stands, within the globe', async () => {
  const owner = await signedIn(payee)
  const stranger = await signedIn(payer)
  const place = async () => (await anybody().machine(id())).place
  expect(await place()).toBeNull()
  await expect(anybody().placeMachine(id(), hamburg)).rejects.toMatchObject({
    code: 'SESSION_MISSING',
  })
  await expect(stranger.placeMachine(id(), hamburg)).rejects.toMatchObject({ code: 'NOT_OWNER' })
  for (const beyond of [
    { latitudeE7: 900_000_001 },
    { longitudeE7: -1_800_000_001 },
    { latitudeE7: 0.5 },
  ]) {
    await expect(owner.placeMachine(id(), { ...hamburg, ...beyond })).rejects.toMatchObject({
      code: 'REQUEST_INVALID',
    })
  }
  await expect(owner.placeMachine('99', hamburg)).rejects.toMatchObject({ code: 'MACHINE_UNKNOWN' })
  await owner.placeMachine(id(), hamburg)
  expect(await place()).toEqual({ ...hamburg, from: 'owner' })
  await expect(stranger.forgetPlace(id())).rejects.toMatchObject({ code: 'NOT_OWNER' })
  await owner.forgetPlace(id())
  expect(await place()).toBeNull()
})

test('what a machine measures of its position goes before what its owner says', async () => {
  const owner = await signedIn(payee)
  await owner.placeMachine(id(), hamburg)
  const { chainId, registry } = node.deployment
  const nowMs = Date.now()
  const position = (unit: 'lat' | 'lon', mantissa: bigint) => ({
    timeMs: nowMs,
    unit,
    value: { mantissa, exponent: -7 },
  })
  const { bytes } = encodeEnvelope({
    signer: device.key,
    iss: { chainId, registry, machineId },
    machineId,
    stream: 'position',
    iat: Math.floor(nowMs / 1_000),
    seq: 1n,
    prev: ZERO_DIGEST,
    content: {
      kind: 'readings',
      readings: [position('lat', -338_568_000n), position('lon', 1_512_153_000n)],
    },
  })
  await device.send(bytes)
  await expect
    .poll(async () => (await anybody().machines())[0]?.place)
    .toEqual({ latitudeE7: -338_568_000, longitudeE7: 1_512_153_000, from: 'readings' })
})

test('what it earned since a time, what is not priced and why, and its life in words', async () => {
  const client = anybody()
  await client.submitRules([RULE])
  const terms = termsOf(machineId, { deployment: node.deployment, payer, payee })
  const payerSignature = await authorizeAgreement({ ...by(payer), terms })
  const agreementId = await openAgreement({ ...by(payee), terms, payerSignature })
  await approve({ ...by(payer), asset: terms.asset, amountMinor: BILLION })
  await fund({ ...by(payer), agreementId, amountMinor: BILLION })
  await node.idle()
  const beforeMs = Date.now() - 3_600_000
  expect(await device.publish(1_000n)).toBe('OK')
  expect(await device.publish(1_500n)).toBe('OK')
  await node.idle()
  const asOf = Math.floor(Date.now() / 1_000)
  expect(await device.meter({ agreementId, registers: [500n], asOf })).toMatchObject({
    code: 'ACCEPTED',
  })
  await node.settleNow()
  const earned = async (sinceMs?: number) => {
    const { settledMinor, settledSinceMinor } = await client.machine(
      id(),
      sinceMs === undefined ? {} : { sinceMs },
    )
    return [settledMinor, settledSinceMinor]
  }
  expect(await earned()).toEqual(['210000', '210000'])
  expect(await earned(beforeMs)).toEqual(['210000', '210000'])
  expect(await earned(Date.now() + 3_600_000)).toEqual(['210000', '0'])

  // It falls: nobody pays that, and the page says why.
  expect(await device.publish(900n)).toBe('OK')
  await node.idle()
  expect(await client.unpriced(id())).toMatchObject([
    { stream: 'weight', seq: '3', code: 'COUNTER_ROLLBACK', readings: 1 },
  ])
  const words = (await client.timeline(id())).map((entry) => entry.words)
  expect(words).toContain(
    'Not priced, weight number 3: The counter fell without a declared replacement.',
  )
  expect(words).toContain('Registered on the ledger.')
  const machine = await client.machine(id())
  expect(machine).toMatchObject({ silentAfterMs: 900_000, lastRefusalMs: null })
  expect(machine.streams.map(({ stream, metered }) => [stream, metered]).sort()).toEqual([
    ['position', false],
    ['weight', true],
  ])
})
