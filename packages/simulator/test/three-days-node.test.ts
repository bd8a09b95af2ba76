import { mkdtempSync, rmSync } from 'node:fs'
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
import { createKey, passwordToken, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import {
  decodeEnvelope,
  type Hex,
  machineSigner,
  type PrivateKey,
  tariffContracts,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import mqtt, { type MqttClient } from 'mqtt'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterEach, expect, test } from 'vitest'
import { heldLine, type Message } from './evidence-node.ts'
import {
  OFFLINE_TO_MS,
  play,
  RULES,
  START_MS,
  storyOf,
  termsOf,
  undisturbed,
  type Wire,
  type World,
} from './three-days.ts'

const HOUR_MS = 3_600_000
const ANSWERS_MS = 3_000
const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

async function startBusiness(world: World) {
  const [dataDir, root] = ['node', 'machine'].map((name) => {
    const folder = mkdtempSync(join(tmpdir(), `liquefy-three-days-${name}-`))
    cleanUps.push(() => rmSync(folder, { recursive: true, force: true }))
    return folder
  }) as [string, string]
  const node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    clock: { nowMs: () => world.nowMs },
    settle: { minMinor: 1n, maxAgeMs: 1_000 },
    logger: pino({ level: process.env.LIQUEFY_LOG_LEVEL ?? 'silent' }),
  })
  cleanUps.push(() => node.stop())
  const walletOf = (name: string): Wallet => {
    const person = node.keys.people.find((one) => one.name === name)
    if (!person) throw new Error(`nobody is called ${name}`)
    return createWalletClient({ account: person.account, transport: http(node.rpcUrl) })
  }
  const actionOf = (wallet: Wallet) => ({
    deployment: node.deployment,
    publicClient: node.chain.publicClient,
    wallet,
  })
  const payer = walletOf('Nordmühle GmbH')
  const payee = walletOf('Silowerk AG')
  const folder = join(root, 'machine')
  const key = createKey(folder)
  const machineId = await registerMachine({ ...actionOf(payee), key })
  await activateMachine({ ...actionOf(payee), machineId })
  const client = createClient({ url: node.url })
  await client.submitRules([...RULES])
  const terms = termsOf({
    payer: payer.account?.address.toLowerCase() as Hex,
    payee: payee.account?.address.toLowerCase() as Hex,
    asset: node.deployment.asset.address,
    machineId,
    signer: machineSigner(machineId),
    tariff: node.deployment.linearTariff,
    salt: ZERO_DIGEST,
  })
  const payerSignature = await authorizeAgreement({ ...actionOf(payer), terms })
  const agreementId = await openAgreement({ ...actionOf(payee), terms, payerSignature })
  const amountMinor = 10n ** 10n
  await approve({ ...actionOf(payer), asset: terms.asset, amountMinor })
  await fund({ ...actionOf(payer), agreementId, amountMinor })
  await node.idle()
  const { chainId, registry, clearingHouse } = node.deployment
  const tariffs = tariffContracts(node.deployment)
  saveIdentity(folder, { machineId, chainId, registry, clearingHouse, tariffs })
  return { node, client, folder, key, machineId, agreementId }
}

/** A wire over the node's broker. Frames wait in the line, and what the node says is handed out when it has said it. */
function brokerWire(node: RunningNode, key: PrivateKey, machineId: bigint, world: World): Wire {
  const { chainId, registry } = node.deployment

  const line = heldLine()
  const heard: Message[] = []
  let connected: MqttClient | undefined

  async function connect(): Promise<MqttClient> {
    if (connected?.connected) return connected
    const client = await mqtt.connectAsync(node.mqttUrl, {
      protocolVersion: 4,
      clientId: String(machineId),
      username: String(machineId),
      password: passwordToken(key, { machineId, chainId, registry }, world.nowMs),
      reconnectPeriod: 0,
    })
    client.on('message', (topic, payload) => heard.push({ topic, payload }))
    const topics = ['receipt', 'refused', 'agreement', 'meter/answer']
    await client.subscribeAsync(
      topics.map((name) => `liquefy/v1/${machineId}/${name}`),
      { qos: 1 },
    )
    connected = client
    cleanUps.push(() => client.endAsync(true))
    return client
  }

  /** Waits for a receipt of each envelope, as far as one comes. */
  async function answers(frames: readonly Message[]): Promise<Message[]> {
    const digests = new Set(
      frames.flatMap(({ payload }) => {
        const decoded = decodeEnvelope(payload)
        return decoded.ok ? [decoded.envelope.digest] : []
      }),
    )
    const deadline = performance.now() + ANSWERS_MS
    const isMissing = () => {
      const text = heard.map(({ payload }) => Buffer.from(payload).toString()).join()
      return [...digests].some((digest) => !text.includes(digest))
    }
    while (isMissing() && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return heard.splice(0)
  }

  const wire: Wire = {
    line,
    async deliver(frames) {
      const client = await connect()
      world.nowMs += 1
      for (const { topic, payload } of frames) {
        await client.publishAsync(topic, Buffer.from(payload), { qos: 1 })
      }
      return answers(frames)
    },
  }
  return wire
}

test.each([10, 20])(
  'seed %i before a real node: broker, database and ledger come to the same registers and the same money',
  async (seed) => {
    const world = { nowMs: START_MS - HOUR_MS }
    const { node, client, folder, key, machineId, agreementId } = await startBusiness(world)
    const story = storyOf(seed)
    const expected = undisturbed(story)
    world.nowMs = START_MS
    const wire = brokerWire(node, key, machineId, world)
    const machine = await play(story, { folder, seed, world, wire })
    cleanUps.push(() => machine.close())
    expect(world.nowMs).toBeGreaterThan(OFFLINE_TO_MS)
    await node.idle()

    // The machine signs what it folded itself; the node pays what equals its own fold.
    let isAnswered = false
    const answered = machine.meterNow(120_000).finally(() => {
      isAnswered = true
    })
    while (!isAnswered) {
      for (const answer of await wire.deliver(wire.line.sent.splice(0))) wire.line.tell(answer)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    const kinds = (await answered).map(({ kind }) => kind)
    expect([...new Set(kinds)].sort()).toEqual(['accepted', 'signed'])
    const owedMinor = expected.minor.reduce((sum, minor) => sum + minor, 0n)
    await expect
      .poll(async () => {
        world.nowMs += 1_000
        return (await client.agreement(agreementId)).includedMinor
      })
      .toBe(String(owedMinor))
    expect(await node.checkMoney()).toMatchObject({ ok: true, differences: [] })

    const periods = await client.periods(agreementId, { limit: 100 })
    const figures = new Map(periods.map((one) => [one.period, one]))
    for (const [period, registers] of expected.registers.entries()) {
      const figure = figures.get(period)
      expect([period, figure?.registers ?? ['0', '0']]).toEqual([period, registers.map(String)])
      expect([period, figure?.owedMinor ?? '0']).toEqual([period, String(expected.minor[period])])
    }

    const { unpriced, refused } = (await client.status()).envelopes
    // A long time between two readings may be a gap, here as in the undisturbed run.
    expect({ unpriced: { ...unpriced, GAP: 0 }, refused }).toEqual({
      unpriced: { GAP: 0 },
      refused: {},
    })
    const { swap, moments } = story
    const swapped = Object.entries({ meter: swap.meter, level: swap.level })
      .filter(([, first]) => first !== undefined)
      .map(([stream]) => stream)
    const parts = await client.parts(String(machineId))
    expect(parts.map(({ stream }) => stream).sort()).toEqual(swapped.sort())
    for (const part of parts) {
      expect(part).toMatchObject({
        atMs: moments[swap.at]?.atMs,
        oldPart: 'did:key:zOld',
        newPart: 'serial 0815',
        last: expect.stringMatching(/^\d+(\.\d)?$/),
      })
    }
    expect(await client.parts(String(machineId), { limit: 1 })).toEqual(parts.slice(0, 1))
    const words = (await client.timeline(String(machineId))).map((entry) => entry.words)
    expect(words.filter((one) => one.includes('2 h ahead of')).length).toBeGreaterThan(0)
    expect(words.filter((one) => one.includes('did:key:zOld')).length).toBe(parts.length)
  },
  300_000,
)
