import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createKey, type Machine, openMachine } from '@liquefy/machine'
import type { CounterRule, Hex, PrivateKey } from '@liquefy/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
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
const TARIFF = { price: 7n, scale: 0 }
const ESCROW = 50_000_000n
const PATIENCE = { timeout: 60_000 }
const ENVELOPES = 40

interface Site {
  folder: string
  key: PrivateKey
  machineId: bigint
  id: Hex
  device: Machine
}

let live: LiveNode
let archive: string
/** Its agreement ends before its envelopes are archived. */
let over: Site
/** Its agreement goes on. */
let open: Site
/** Of each envelope its bytes, as the node showed them before. */
let raws: string[]
let file: string

beforeAll(async () => {
  live = await startLiveNode({ settle: { minMinor: 1n, maxAgeMs: 200 } })
  archive = join(live.folder, 'archive')
  over = await begin('over')
  open = await begin('open')
  for (const { device } of [over, open]) {
    for (let value = 0n; value < ENVELOPES; value += 1n) {
      await device.publish('weight', [{ unit: 'g', value }])
    }
    await device.flushed(PATIENCE.timeout)
  }
}, 180_000)

afterAll(async () => {
  await open.device.close()
  await live.stop()
})

async function begin(name: string): Promise<Site> {
  const folder = join(live.folder, name)
  const key = createKey(folder)
  const machineId = await live.register(key)
  const id = await live.open({ machineId, rule: RULE, tariff: TARIFF, escrowMinor: ESCROW })
  return { folder, key, machineId, id, device: await connect(folder, machineId, false) }
}

function connect(folder: string, machineId: bigint, resend: boolean): Promise<Machine> {
  const { chainId, registry, clearingHouse } = live.node.deployment
  const { mqttUrl } = live.node
  const signEveryMs = 300
  return openMachine({
    folder,
    machineId,
    chainId,
    registry,
    clearingHouse,
    mqttUrl,
    resend,
    signEveryMs,
  })
}

/** Runs a command on the live node's folder. */
function run(...args: string[]): Promise<Run> {
  const env = { LIQUEFY_URL: live.node.url }
  return liquefy([...args, '--data-dir', join(live.folder, 'data'), '--json'], env)
}

/** Runs one that knows nothing of the node: as an outsider. */
function runOutside(...args: string[]): Promise<Run> {
  return liquefy([...args, '--data-dir', join(live.folder, 'nowhere'), '--json'])
}

async function closeAgreement(id: Hex): Promise<void> {
  const closed = await run('agreement', 'close', id, '--as', 'Silowerk AG')
  expect(closed.code, closed.stdout + closed.stderr).toBe(0)
  await live.node.idle()
}

const verify = (folder: string) =>
  runOutside('archive', 'verify', '--from', folder, '--rpc', live.node.rpcUrl)

test('two agreements are settled, and one of them is over', async () => {
  const all = String(TARIFF.price * BigInt(ENVELOPES - 1))
  for (const { id } of [over, open]) {
    await expect
      .poll(() => live.client.agreement(id), PATIENCE)
      .toMatchObject({ owedMinor: all, includedMinor: all })
  }
  await over.device.close()
  await closeAgreement(over.id)
  await live.node.anchorNow()
  await live.node.idle()
  raws = []
  for (let index = 0; index < 2 * ENVELOPES; index += 1) {
    raws.push((await live.client.envelope(String(index))).raw)
  }
}, 180_000)

test('a date that is none, or has not come, is refused, and so is a folder that is no archive', async () => {
  for (const before of ['yesterday', '2026-02-30', '2999-01-01', '23.11.2026', '']) {
    const refused = await run('archive', '--to', archive, '--before', before)
    expect(refused.code).toBe(2)
    expect(refused.json()).toMatchObject({ error: { code: 'DATE_INVALID' } })
  }
  const empty = join(live.folder, 'empty')
  mkdirSync(empty)
  expect((await verify(empty)).json()).toMatchObject({ error: { code: 'ARCHIVE_EMPTY' } })
  const nowhere = await verify(join(empty, 'nowhere'))
  expect(nowhere.json()).toMatchObject({ error: { code: 'ARCHIVE_UNREADABLE' } })
  const old = await run('archive', '--to', empty, '--before', '2020-01-01')
  expect(old.code, old.stderr).toBe(0)
  expect(old.json()).toMatchObject({ files: [], archived: 0 })
  expect(readdirSync(empty)).toEqual([])
})

test('the envelopes of an agreement that is over leave while the node takes in others', async () => {
  const { device } = open
  let isSending = true
  let value = BigInt(ENVELOPES)
  const sending = (async () => {
    for (; isSending; value += 1n) await device.publish('weight', [{ unit: 'g', value }])
  })()
  const before = new Date().toISOString()
  const written = await run('archive', '--to', archive, '--before', before)
  isSending = false
  await sending
  expect(written.code, written.stdout + written.stderr).toBe(0)
  const result = written.json() as { files: string[]; held: Record<string, number> }
  expect(result).toMatchObject({ archived: ENVELOPES - 1, held: { newest: 1 } })
  // All that the open agreement has had so far, anchored or not.
  expect(Number(result.held.agreement)).toBe(ENVELOPES)
  ;[file = ''] = result.files
  expect(readdirSync(archive).sort()).toEqual([file, `${file}.sha256`])
  execFileSync('sha256sum', ['--check', '--strict', `${file}.sha256`], { cwd: archive })

  await device.flushed(PATIENCE.timeout)
  const owedMinor = String(TARIFF.price * (value - 1n))
  await expect
    .poll(() => live.client.agreement(open.id), PATIENCE)
    .toMatchObject({ owedMinor, includedMinor: owedMinor, problem: null })
  expect(await live.node.checkMoney()).toMatchObject({ ok: true })
})

test('whoever asks for an archived envelope is told which file has it', async () => {
  const places = await live.client.envelopes(String(over.machineId), { limit: 500 })
  expect(places).toHaveLength(ENVELOPES)
  const [newest, ...rest] = places
  expect((await live.client.envelope(newest?.logIndex ?? '')).raw).toBe(
    raws[Number(newest?.logIndex)],
  )
  for (const { logIndex } of rest) {
    await expect(live.client.envelope(logIndex)).rejects.toMatchObject({
      code: 'ARCHIVED',
      message: expect.stringContaining(file),
    })
  }
  const audited = await run('audit', over.id)
  expect(audited.code).toBe(2)
  expect(audited.json()).toMatchObject({
    error: { code: 'ARCHIVED', message: expect.stringContaining(file) },
  })
  // The page's audit, which has no folder.
  const report = await auditBundle({
    lines: live.client.bundle(over.id),
    ledger: viemLedgerReader({ rpcUrl: live.node.rpcUrl, tariffs: live.node.deployment }),
  })
  expect(report.firstFault).toMatchObject({
    code: 'ENVELOPE_ARCHIVED',
    message: expect.stringContaining(file),
  })
  const now = Date.now()
  const chart = await live.client.readings(String(over.machineId), {
    stream: 'weight',
    fromMs: now - 300_000,
    toMs: now + 1,
    points: 300,
  })
  expect(chart[0]?.buckets.at(-1)).toMatchObject({ last: ENVELOPES - 1 })
})

test('with the archive the bill is audited to the last reading; a bundle exported with it needs it no more', async () => {
  const audited = await run('audit', over.id, '--archive', archive)
  expect(audited.code, audited.stdout + audited.stderr).toBe(0)
  expect(audited.json()).toMatchObject({
    firstFault: null,
    differenceMinor: '0',
    envelopes: ENVELOPES,
    settledMinor: String(TARIFF.price * BigInt(ENVELOPES - 1)),
  })
  const out = join(live.folder, 'over.ndjson')
  expect((await run('evidence', 'export', over.id, '--out', out)).json()).toMatchObject({
    error: { code: 'ARCHIVED' },
  })
  const exported = await run('evidence', 'export', over.id, '--out', out, '--archive', archive)
  expect(exported.code, exported.stdout).toBe(0)
  const { rpcUrl } = live.node
  const outside = await runOutside('audit', over.id, '--bundle', out, '--rpc', rpcUrl)
  expect(outside.json()).toMatchObject({ firstFault: null, differenceMinor: '0' })
  const empty = join(live.folder, 'empty')
  expect((await run('audit', over.id, '--archive', empty)).json()).toMatchObject({
    error: { code: 'ARCHIVED' },
  })
})

test('a backup holds the rest of an archived envelope, says where the bytes are not, and is restored', async () => {
  const backup = join(live.folder, 'backup')
  const taken = await run('backup', '--to', backup)
  expect(taken.code, taken.stdout).toBe(0)
  const manifest = JSON.parse(readFileSync(join(backup, 'manifest.json'), 'utf8'))
  expect(manifest.elsewhere).toEqual([expect.stringContaining('archived envelopes')])
  const dataDir = join(live.folder, 'restored')
  const restored = await liquefy(['restore', '--from', backup, '--data-dir', dataDir, '--json'])
  expect(restored.code, restored.stdout + restored.stderr).toBe(0)
}, 60_000)

test('a device that sends all of it again hears of duplicates, and nothing is logged or paid twice', async () => {
  const before = await live.client.status()
  const again = await connect(over.folder, over.machineId, true)
  await again.flushed(PATIENCE.timeout)
  await again.close()
  const after = await live.client.status()
  expect(after.envelopes.duplicate - before.envelopes.duplicate).toBe(ENVELOPES)
  expect(after.envelopes.logged).toBe(before.envelopes.logged)
  expect(after.settledMinor).toBe(before.settledMinor)
})

test('an outsider checks each archived envelope against the ledger alone; one changed byte is found and named', async () => {
  const good = await verify(archive)
  expect(good.code, good.stdout + good.stderr).toBe(0)
  const { chainId, evidenceAnchor, registry, log } = live.node.deployment
  expect(good.json()).toMatchObject({
    files: 1,
    envelopes: ENVELOPES - 1,
    faulty: 0,
    restsOn: [{ chainId, evidenceAnchor, registry, log }],
  })

  const path = join(archive, file)
  const whole = readFileSync(path)
  const copy = join(live.folder, 'changed')
  const change = async (at: number) => {
    rmSync(copy, { recursive: true, force: true })
    cpSync(archive, copy, { recursive: true })
    const bytes = Buffer.from(whole)
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    writeFileSync(join(copy, basename(path)), bytes)
    const { code, json } = await verify(copy)
    expect(code).toBe(1)
    return json() as { faulty: number; faults: { file: string; logIndex?: string }[] }
  }
  // In the readings, and in the signature: bytes that do not repeat stand in the file as they are.
  const index = raws.findIndex((_, at) => at >= 17)
  const raw = Buffer.from(raws[index] ?? '', 'base64')
  const signature = whole.indexOf(raw.subarray(-24))
  expect(signature).toBeGreaterThan(0)
  const named = { file, logIndex: String(index) }
  expect(await change(signature)).toMatchObject({ faulty: 1, faults: [named] })
  expect(await change(signature + 23)).toMatchObject({ faulty: 1, faults: [named] })
  // Anywhere.
  for (let part = 0; part < 6; part += 1) {
    const found = await change(Math.floor((part * whole.length) / 6))
    expect(found.faulty).toBeGreaterThan(0)
    expect(found.faults[0]?.file).toBe(file)
  }
}, 120_000)

test('an archive of a log that is not trusted, or of another ledger, holds nothing', async () => {
  const stranger: Hex = `0x${'ab'.repeat(20)}`
  const { rpcUrl } = live.node
  const args = ['archive', 'verify', '--from', archive, '--rpc', rpcUrl, '--log', stranger]
  const other = await runOutside(...args)
  expect(other.code).toBe(1)
  expect(other.json()).toMatchObject({ envelopes: 0, faulty: 1 })
})

test('an agreement that begins before what was archived says so, and is metered once it is back', async () => {
  const { machineId } = over
  const id = await live.open({ machineId, rule: RULE, tariff: TARIFF, escrowMinor: ESCROW })
  expect((await live.client.agreement(id)).problem).toContain(file)
  const restored = await run('archive', 'restore', '--from', archive)
  expect(restored.code, restored.stdout + restored.stderr).toBe(0)
  expect(restored.json()).toEqual({ restored: ENVELOPES - 1 })
  const owedMinor = String(TARIFF.price * BigInt(ENVELOPES - 1))
  await expect
    .poll(() => live.client.agreement(id), PATIENCE)
    .toMatchObject({ owedMinor, problem: null })
  for (const [index, raw] of raws.entries()) {
    expect((await live.client.envelope(String(index))).raw).toBe(raw)
  }
  // It needs them now: they stay.
  const kept = await run('archive', '--to', archive, '--before', new Date().toISOString())
  expect(kept.json()).toMatchObject({ archived: 0 })
}, 120_000)
