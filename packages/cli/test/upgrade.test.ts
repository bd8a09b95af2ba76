import { type ChildProcess, execFileSync, fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createClient, suspendMachine } from '@liquefy/client'
import { createKey, openMachine } from '@liquefy/machine'
import { openKeys } from '@liquefy/node'
import {
  encodeTariffData,
  machineSigner,
  ruleHash,
  type Terms,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { afterAll, expect, test } from 'vitest'
import { openAgreements } from '../src/agreement-opening.ts'
import { registerMachines } from '../src/machine-registration.ts'
import { openLedger, senderOf } from '../src/transactions.ts'

/** The last commit before migration 0006: schema, code and contracts of then. */
const OLD = '5dc0d89'

const root = join(import.meta.dirname, '../../..')
const runner = fileURLToPath(new URL('./upgrade-node.ts', import.meta.url))
const git = (args: string[]) => spawnSync('git', ['-C', root, ...args], { encoding: 'utf8' })
const hasHistory = git(['cat-file', '-e', `${OLD}^{commit}`]).status === 0

const RULE = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '100000', perHour: '1000000' },
} as const
const PRICE = 42n
const DAY = 86_400
const MACHINES = 3

const ends: (() => Promise<unknown>)[] = []
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

function newFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `liquefy-${name}-`))
  // As root, the database runs under an account of its own, which has to pass through.
  chmodSync(folder, 0o711)
  ends.push(async () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The old version as it was, on the dependencies installed here. Answers its runner. */
function checkOutOld(): string {
  const folder = newFolder('old')
  const archive = execFileSync('git', ['-C', root, 'archive', OLD, 'packages', 'contracts/abi'], {
    maxBuffer: 2 ** 28,
  })
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, '@liquefy'), { recursive: true })
  const installed = readdirSync(join(root, 'node_modules')).filter((name) => name !== '@liquefy')
  for (const name of installed) symlinkSync(join(root, 'node_modules', name), join(modules, name))
  for (const name of readdirSync(join(folder, 'packages'))) {
    symlinkSync(join(folder, 'packages', name), join(modules, '@liquefy', name))
  }
  symlinkSync(join(folder, 'contracts/abi'), join(modules, '@liquefy/abi'))
  copyFileSync(runner, join(folder, 'upgrade-node.ts'))
  return join(folder, 'upgrade-node.ts')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** Starts a version on a data folder. */
async function start(version: string, dataDir: string, mqttPort: number) {
  const env = { ...process.env, LIQUEFY_MQTT_PORT: String(mqttPort), LIQUEFY_LOG_LEVEL: 'warn' }
  const child = fork(version, [dataDir], { env, stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  const said: string[] = []
  child.stderr?.on('data', (chunk: Buffer) => said.push(String(chunk)))
  ends.push(() => stop(child))
  const where = once(child, 'message').then(([message]) => message)
  const gone = once(child, 'exit').then(() => {
    throw new Error(`the node ended: ${said.join('')}`)
  })
  const found = (await Promise.race([where, gone])) as Record<'url' | 'mqttUrl' | 'rpcUrl', string>
  gone.catch(() => undefined)
  return { ...found, child, client: createClient({ url: found.url }) }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  await gone
}

/** Machines that measure, each with a funded agreement that pays for it. */
async function doBusiness(old: Awaited<ReturnType<typeof start>>, dataDir: string) {
  const { client, rpcUrl } = old
  const deployment = await client.deployment()
  const ledger = await openLedger(rpcUrl)
  const [payer, payee] = (await openKeys(dataDir)).people.map(({ account }) => account)
  if (!payer || !payee) throw new Error('nobody is there')
  await client.submitRules([RULE])
  const folders = Array.from({ length: MACHINES }, () => newFolder('device'))
  const keys = folders.map((folder) => createKey(folder))
  const machineIds = await registerMachines(ledger, deployment.registry, payee, keys)
  const now = Math.floor(Date.now() / 1_000)
  const offers = machineIds.map((machineId) => {
    const terms: Terms = {
      payer: payer.address,
      payee: payee.address,
      asset: deployment.asset.address,
      machineId,
      meters: [{ stream: 'weight', ruleHash: ruleHash(RULE), startHead: ZERO_DIGEST }],
      signerKind: 1,
      signer: machineSigner(machineId),
      tariff: deployment.linearTariff,
      tariffData: encodeTariffData({ kind: 'linear', prices: [PRICE], scale: 0 }),
      limits: [{ burst: 1_000_000n, perHour: 1_000_000n }],
      capMinor: 1_000_000_000n,
      start: BigInt(now - 60),
      periodSeconds: DAY,
      periods: 30,
      backfillSeconds: DAY,
      lateSeconds: 3_600,
      gapTimeoutSeconds: 3_600,
      settleSeconds: DAY,
      shared: false,
      openBy: BigInt(now + 3_600),
      salt: ZERO_DIGEST,
    }
    return { terms, fundMinor: 10_000_000n }
  })
  const parties = { payer, payee }
  const ids = await openAgreements(ledger, deployment.clearingHouse, parties, offers)
  const { chainId, registry, clearingHouse } = deployment
  const devices = await Promise.all(
    folders.map((folder, index) =>
      openMachine({
        folder,
        machineId: machineIds[index] ?? 0n,
        chainId,
        registry,
        clearingHouse,
        mqttUrl: old.mqttUrl,
        signEveryMs: 500,
      }),
    ),
  )
  for (const device of devices) ends.push(() => device.close())
  return { devices, machineIds: machineIds.map(String), ids }
}

/** The ledger of then goes on, with a registry that knows no reasons: that is said, and all else works. */
async function suspendOnOldRegistry(
  { client, rpcUrl }: Awaited<ReturnType<typeof start>>,
  dataDir: string,
  machineId: string,
): Promise<void> {
  const payee = (await openKeys(dataDir)).people[1]?.account
  if (!payee) throw new Error('nobody is there')
  const action = {
    ...senderOf(await openLedger(rpcUrl), payee),
    deployment: await client.deployment(),
    machineId: BigInt(machineId),
  }
  await expect(suspendMachine({ ...action, reason: 'worn out' })).rejects.toMatchObject({
    code: 'REASON_UNKNOWN',
  })
  await suspendMachine(action)
  await expect
    .poll(() => client.machine(machineId), { timeout: 60_000 })
    .toMatchObject({ state: 'suspended', suspension: { reason: null } })
}

test('devices keep sending while a node is replaced by one with a newer schema: nothing is lost, nothing counts twice', async (context) => {
  if (!hasHistory) {
    const isShallow = git(['rev-parse', '--is-shallow-repository']).stdout.trim() !== 'false'
    if (process.env.CI && !isShallow) throw new Error(`Commit ${OLD} is not in the history.`)
    return context.skip(
      'no history of the repository here: there is no old version to upgrade from',
    )
  }
  const dataDir = newFolder('upgrade')
  const mqttPort = await freePort()
  const oldRunner = checkOutOld()
  const schemaOf = (folder: string) =>
    readdirSync(join(folder, 'packages/node/src/store/migrations'))
  const newer = schemaOf(root).filter((name) => !schemaOf(dirname(oldRunner)).includes(name))
  expect(newer).toContain('0006_adjustment_retry.sql')
  const old = await start(oldRunner, dataDir, mqttPort)
  const { devices, machineIds, ids } = await doBusiness(old, dataDir)

  const sent = devices.map(() => 0)
  let isSending = true
  const sending = Promise.all(
    devices.map(async (device, index) => {
      for (let value = 0n; isSending; value += 1n) {
        await device.publish('weight', [{ unit: 'g', value }])
        sent[index] = Number(value) + 1
      }
    }),
  )
  const logged = async (client: typeof old.client) => (await client.status()).envelopes.logged
  await expect.poll(() => logged(old.client), { timeout: 60_000 }).toBeGreaterThan(300)
  await stop(old.child)
  const atStop = sent.reduce((sum, count) => sum + count, 0)

  const next = await start(runner, dataDir, mqttPort)
  expect(sent.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(atStop)
  const before = await logged(next.client)
  await expect.poll(() => logged(next.client), { timeout: 60_000 }).toBeGreaterThan(before + 300)
  isSending = false
  await sending
  await Promise.all(devices.map((device) => device.flushed(120_000)))

  const total = sent.reduce((sum, count) => sum + count, 0)
  await expect
    .poll(async () => (await next.client.status()).envelopes, { timeout: 60_000 })
    .toMatchObject({ logged: total, priced: total, unpriced: {}, waiting: 0 })
  for (const [index, id] of ids.entries()) {
    // The first value is where the counter begins.
    const owedMinor = String(PRICE * BigInt((sent[index] ?? 0) - 1))
    await expect
      .poll(async () => next.client.agreement(id), { timeout: 60_000 })
      .toMatchObject({ owedMinor, includedMinor: owedMinor })
    const machine = await next.client.machine(machineIds[index] ?? '')
    expect(machine.streams).toMatchObject([
      { envelopes: sent[index], lastSeq: String(sent[index]) },
    ])
  }
  // Its contracts are those of then, and nobody changes them: its machines have no accounts.
  expect((await next.client.deployment()).accounts).toBeNull()
  const machineId = machineIds[0] ?? ''
  expect(await next.client.machine(machineId)).toMatchObject({ account: null, did: null })
  await expect(next.client.machineAccount(machineId)).rejects.toMatchObject({
    code: 'ACCOUNTS_MISSING',
  })
  await suspendOnOldRegistry(next, dataDir, machineIds[0] ?? '')
  const health = await fetch(new URL('/healthz', next.url))
  expect(await health.json()).toMatchObject({ ok: true, money: { ok: true } })
}, 300_000)
