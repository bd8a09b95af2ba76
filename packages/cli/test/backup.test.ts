import { appendFileSync, mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import { type Client, createClient } from '@liquefy/client'
import { createKey, type Machine, openMachine } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import type { CounterRule, Hex } from '@liquefy/protocol'
import pino from 'pino'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy } from './liquefy.ts'
import { type LiveNode, startLiveNode } from './live-node.ts'

const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '1000000', perHour: '1000000' },
}
const PRICE = 7n
const DEVICES = 2
const SETTLE = { minMinor: 1n, maxAgeMs: 200 }
const PATIENCE = { timeout: 90_000 }
const SIGN_EVERY_MS = 300

interface Site {
  folder: string
  machineId: bigint
  id: Hex
  /** What its counter shows; it began at 0. */
  shown: bigint
}

let live: LiveNode
let dataDir: string
let sites: Site[]

beforeAll(async () => {
  live = await startLiveNode({ settle: SETTLE })
  dataDir = join(live.folder, 'data')
  sites = []
  for (let index = 0; index < DEVICES; index += 1) {
    const folder = join(live.folder, `device-${index}`)
    const machineId = await live.register(createKey(folder))
    const escrowMinor = 50_000_000n
    const tariff = { price: PRICE, scale: 0 }
    const id = await live.open({ machineId, rule: RULE, tariff, escrowMinor })
    sites.push({ folder, machineId, id, shown: 0n })
  }
})
afterAll(() => rmSync(live.folder, { recursive: true, force: true }))

function openDevices(node: RunningNode, resend: boolean): Promise<Machine[]> {
  const { chainId, registry, clearingHouse } = node.deployment
  return Promise.all(
    sites.map(({ folder, machineId }) =>
      openMachine({
        folder,
        machineId,
        chainId,
        registry,
        clearingHouse,
        mqttUrl: node.mqttUrl,
        resend,
        signEveryMs: SIGN_EVERY_MS,
      }),
    ),
  )
}

/** Every device counts on until it is told to stop; answers what does that. */
function keepCounting(devices: readonly Machine[]): () => Promise<void> {
  let counting = true
  const all = devices.map(async (device, index) => {
    const site = sites[index]
    while (counting && site) {
      await device.publish('weight', [{ unit: 'g', value: site.shown }])
      site.shown += 3n
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    if (site) site.shown -= 3n
  })
  return async () => {
    counting = false
    await Promise.all(all)
    for (const device of devices) await device.flushed(PATIENCE.timeout)
  }
}

const paid = async (client: Client): Promise<bigint[]> =>
  Promise.all(sites.map(async ({ id }) => BigInt((await client.agreement(id)).includedMinor)))

async function auditOf({ node, client }: { node: RunningNode; client: Client }, { id }: Site) {
  await node.anchorNow()
  const { chainId, registry, clearingHouse, evidenceAnchor } = node.deployment
  return auditBundle({
    lines: client.bundle(id),
    ledger: viemLedgerReader({ rpcUrl: node.rpcUrl, tariffs: node.deployment }),
    expected: { agreementId: id, chainId, registry, clearingHouse, evidenceAnchor },
  })
}

test('INV-27 the drill: backup under load, all destroyed, restored, sent again: nothing is lost that a device keeps, and nobody is paid twice', async () => {
  const devices = await openDevices(live.node, false)
  const stopCounting = keepCounting(devices)
  await expect
    .poll(async () => (await paid(live.client)).every((minor) => minor > 0n), PATIENCE)
    .toBe(true)

  const backup = join(live.folder, 'backup')
  const taken = await liquefy(['backup', '--to', backup, '--data-dir', dataDir, '--json'])
  expect(taken.code, taken.stderr).toBe(0)
  const atBackup = await paid(live.client)

  // Work that the backup does not have, settled money among it.
  await expect
    .poll(
      async () => (await paid(live.client)).every((minor, at) => minor > (atBackup[at] ?? 0n)),
      PATIENCE,
    )
    .toBe(true)
  await stopCounting()
  for (const device of devices) await device.close()
  await live.node.stop()
  rmSync(dataDir, { recursive: true })

  const begunMs = performance.now()
  const restored = await liquefy(['restore', '--from', backup, '--data-dir', dataDir, '--json'])
  expect(restored.code, restored.stderr).toBe(0)
  const node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    settle: SETTLE,
    anchorIntervalMs: 2 ** 31 - 1,
    logger: pino({ level: 'silent' }),
  })
  try {
    const client = createClient({ url: node.url })
    const again = await openDevices(node, true)
    for (const device of again) await device.flushed(PATIENCE.timeout)
    const stopAgain = keepCounting(again)
    await expect
      .poll(async () => (await client.status()).envelopes.logged, PATIENCE)
      .toBeGreaterThan(0)
    await stopAgain()

    for (const site of sites) {
      const owedMinor = String(PRICE * site.shown)
      await expect
        .poll(() => client.agreement(site.id), PATIENCE)
        .toMatchObject({ owedMinor, includedMinor: owedMinor })
      const { streams } = await client.machine(String(site.machineId))
      // Every envelope that a device ever signed is there: none was lost between backup and end.
      expect(streams[0]?.envelopes).toBe(Number(streams[0]?.lastSeq))
      const report = await auditOf({ node, client }, site)
      expect(report).toMatchObject({ firstFault: null, differenceMinor: '0' })
    }
    expect(await node.checkMoney()).toMatchObject({ ok: true })
    const minutes = (performance.now() - begunMs) / 60_000
    process.stdout.write(`restore drill: ${minutes.toFixed(2)} minutes until all was paid again\n`)
    for (const device of again) await device.close()
  } finally {
    await node.stop()
  }

  // What was changed, is not whole or would be overwritten is refused, and nothing is left behind.
  const elsewhere = join(live.folder, 'elsewhere')
  const into = (folder: string, from: string) =>
    liquefy(['restore', '--from', from, '--data-dir', folder, '--json'])
  expect((await into(dataDir, backup)).stdout).toContain('FOLDER_NOT_EMPTY')
  appendFileSync(join(backup, 'tables', 'envelopes.copy'), 'x')
  expect((await into(elsewhere, backup)).stdout).toContain('BACKUP_CHANGED')
  rmSync(join(backup, 'tables', 'envelopes.copy'))
  expect((await into(elsewhere, backup)).stdout).toContain('BACKUP_INCOMPLETE')
  const none = join(live.folder, 'none')
  mkdirSync(none)
  expect((await into(elsewhere, none)).stdout).toContain('BACKUP_INCOMPLETE')
  expect(() => statSync(elsewhere)).toThrow()
  const args = ['backup', '--to', join(live.folder, 'b2'), '--data-dir', none, '--json']
  const stopped = await liquefy(args)
  expect(stopped.stdout).toContain('NODE_NOT_RUNNING')
}, 400_000)
