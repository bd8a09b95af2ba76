import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  approve,
  authorizeAgreement,
  createClient,
  type Deployment,
  fund,
  openAgreement,
  registerMachine,
  type Wallet,
} from '@liquefy/client'
import { privateKeyFromBytes } from '@liquefy/protocol'
import { createPublicClient, createWalletClient, http } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openKeys } from '../src/index.ts'
import { RULE, termsOf } from './business.ts'
import { connectDevice } from './device.ts'

interface Where {
  url: string
  mqttUrl: string
  deployment: Deployment
}

const NEVER = '1000000000000'
let dataDir: string
let child: ChildProcess

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-kill-'))
})

afterAll(async () => {
  // The orderly end takes database and ledger with it.
  if (child.exitCode === null) {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  await rm(dataDir, { recursive: true, force: true })
})

async function start(minMinor: string): Promise<Where> {
  child = fork(new URL('./run-node.ts', import.meta.url), [dataDir, minMinor], { detached: true })
  const [where] = await once(child, 'message')
  return where as Where
}

/** The whole process group at once, as a power cut would. */
async function killGroup(): Promise<void> {
  const gone = once(child, 'exit')
  process.kill(-Number(child.pid), 'SIGKILL')
  await gone
}

test('INV-13 after kill -9 of the process group every receipt holds, and what was accepted is settled once', async () => {
  const before = await start(NEVER)
  const { deployment } = before
  const { people } = await openKeys(dataDir)
  const walletOf = (name: string): Wallet => {
    const account = people.find((person) => person.name === name)?.account
    if (!account) throw new Error(`no ${name}`)
    return createWalletClient({ account, chain: undefined, transport: http(deployment.rpcUrl) })
  }
  const [payer, payee] = [walletOf('Nordmühle GmbH'), walletOf('Silowerk AG')]
  const publicClient = createPublicClient({
    transport: http(deployment.rpcUrl),
    pollingInterval: 100,
    cacheTime: 0,
  })
  const [byPayer, byPayee] = [payer, payee].map((wallet) => ({ deployment, publicClient, wallet }))
  if (!byPayer || !byPayee) throw new Error('two parties')
  const client = createClient({ url: before.url })
  await client.submitRules([RULE])
  const key = privateKeyFromBytes('P-256', randomBytes(32))
  const machineId = await registerMachine({ ...byPayee, key })
  await activateMachine({ ...byPayee, machineId })
  const terms = termsOf(machineId, { deployment, payer, payee })
  const payerSignature = await authorizeAgreement({ ...byPayer, terms })
  const id = await openAgreement({ ...byPayee, terms, payerSignature })
  const amountMinor = 1_000_000n
  await approve({ ...byPayer, asset: terms.asset, amountMinor })
  await fund({ ...byPayer, agreementId: id, amountMinor })
  await expect
    .poll(async () => (await client.agreements()).map(({ escrowMinor }) => escrowMinor))
    .toEqual(['1000000'])

  const device = await connectDevice(before, machineId, key)
  await device.publish(0n)
  await device.publish(500n)
  const asOf = Math.floor(Date.now() / 1000)
  const answer = await device.meter({ agreementId: id, registers: [500n], asOf })
  expect(answer).toMatchObject({ code: 'ACCEPTED' })
  expect((await client.agreement(id)).includedMinor).toBe('0')
  // Under way while the lights go out.
  const late = Array.from({ length: 40 }, (_, index) => device.publish(501n + BigInt(index)))
  const receipts = Promise.allSettled(late)
  await Promise.race(late)
  await killGroup()
  const receipted = device.heard
    .filter(({ name }) => name === 'receipt')
    .flatMap(({ json }) => (json.entries as { digest: string }[]).map(({ digest }) => digest))
  await device.close()

  const after = await start('1')
  const again = createClient({ url: after.url })
  const logged = await again.envelopes(String(machineId), { limit: 500 })
  expect(logged.map(({ digest }) => digest)).toEqual(expect.arrayContaining(receipted))
  expect(receipted.length).toBeGreaterThan(2)
  await expect
    .poll(async () => (await again.agreement(id)).includedMinor, { timeout: 90_000 })
    .toBe('210000')
  expect(await again.agreement(id)).toMatchObject({
    escrowMinor: '790000',
    settlements: [{ registers: ['500'], paidMinor: '210000' }],
  })
  const health = await fetch(new URL('/healthz', after.url))
  expect(health.status).toBe(200)
  await receipts
})
