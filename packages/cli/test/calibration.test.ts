import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auditBundle, viemLedgerReader } from '@liquefy/audit'
import { createClient } from '@liquefy/client'
import { createKey, type Machine, openMachine, saveIdentity } from '@liquefy/machine'
import { type RunningNode, startNode } from '@liquefy/node'
import {
  type CounterRule,
  encodeTariffData,
  type Hex,
  keyId,
  machineSigner,
  readCalibrationCertificate,
  ruleHash,
  type Terms,
  tariffContracts,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAgreements } from '../src/agreement-opening.ts'
import { quietLogger } from '../src/logger.ts'
import { registerMachines } from '../src/machine-registration.ts'
import { settableClock } from '../src/replay/settable-clock.ts'
import { openLedger } from '../src/transactions.ts'
import { liquefy } from './liquefy.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const PRICE = 7n

const folder = mkdtempSync(join(tmpdir(), 'liquefy-calibration-'))
const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-calibration-node-'))
const startMs = Date.UTC(2026, 4, 4)
const clock = settableClock(startMs - HOUR_MS)
const laboratory = createKey(join(folder, 'laboratory'))
const rule: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'Wh',
  scale: 0,
  registerUnit: 'Wh',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '100000', perHour: '1000' },
  calibration: { laboratories: [keyId(laboratory.publicKey)], maxUncertaintyPpm: 5_000 },
}

let node: RunningNode
let machine: Machine
let machineId = 0n
let id: Hex
let terms: Terms

const day = (days: number) => startMs + days * DAY_MS
const iso = (days: number) => new Date(day(days)).toISOString()
const file = (name: string) => join(folder, name)

const optionsOf = (options: Record<string, string>) =>
  Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])

/** A certificate as the laboratory issues it on the command line. */
async function issued(
  number: string,
  {
    of = `${machineId}/energy`,
    days,
    percent = '0.5',
  }: { of?: string; days: [number, number]; percent?: string },
): Promise<Uint8Array> {
  const out = file(`${number}.calibration`)
  const answer = await liquefy([
    'calibration',
    'issue',
    join(folder, 'laboratory'),
    ...optionsOf({ of, unit: 'Wh', from: iso(days[0]), until: iso(days[1]), uncertainty: percent }),
    ...optionsOf({ number, item: 'SN-4711', name: 'Prüfstelle Bern', out }),
  ])
  expect(answer.code, answer.stderr).toBe(0)
  return new Uint8Array(readFileSync(out))
}

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
  const [payer, payee] = node.keys.people.map(({ account }) => account)
  if (!payer || !payee) throw new Error('The embedded ledger has too few people.')
  const key = createKey(file('meter'))
  machineId = (await registerMachines(ledger, deployment.registry, payee, [key]))[0] ?? 0n
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
    limits: [{ burst: 100_000n, perHour: 1_000n }],
    capMinor: 10_000_000n,
    start: BigInt(startMs / 1000),
    periodSeconds: 10 * 86_400,
    periods: 3,
    backfillSeconds: 86_400,
    lateSeconds: 600,
    gapTimeoutSeconds: 600,
    settleSeconds: 7_200,
    shared: false,
    openBy: BigInt(startMs / 1000),
    salt: ZERO_DIGEST,
  }
  const offers = [{ terms, fundMinor: 1_000_000n }]
  const opened = await openAgreements(ledger, deployment.clearingHouse, { payer, payee }, offers)
  id = opened[0] ?? ZERO_DIGEST
  const { chainId, registry, clearingHouse } = deployment
  saveIdentity(file('meter'), {
    machineId,
    chainId,
    registry,
    clearingHouse,
    tariffs: tariffContracts(deployment),
    mqttUrl: node.mqttUrl,
  })
  clock.advanceTo(startMs)
  machine = await openMachine({
    folder: file('meter'),
    clock,
    signEveryMs: Number.MAX_SAFE_INTEGER,
  })
}, 300_000)

afterAll(async () => {
  await machine?.close()
  await node?.stop()
  for (const path of [folder, dataDir]) rmSync(path, { recursive: true, force: true })
})

const env = () => ({ LIQUEFY_URL: node.url, LIQUEFY_DATA_DIR: dataDir })
const client = () => createClient({ url: node.url })
const show = async (days: number, value: bigint) => {
  clock.advanceTo(day(days))
  await machine.publish('energy', [{ unit: 'Wh', timeMs: day(days), value }])
  await machine.flushed(60_000)
  await node.idle()
}
const declared = async (certificate: Uint8Array) => {
  await machine.declareCalibration('energy', certificate)
  await machine.flushed(60_000)
  await node.idle()
}
const settle = async () => {
  const events = await machine.meterNow(60_000)
  expect(events.map(({ kind }) => kind)).not.toContain('refused')
  await node.settleNow()
}
const owed = async () => (await client().agreement(id)).periods.map(({ owedMinor }) => owedMinor)
const told = async () =>
  (await client().notices({ party: terms.payee.toLowerCase() as Hex })).map(({ kind }) => kind)
const codes = async () =>
  (await client().envelopes(String(machineId), { limit: 100 })).map(({ code }) => code).reverse()
const audit = async () => {
  const { chainId, registry, clearingHouse, evidenceAnchor } = node.deployment
  return auditBundle({
    lines: client().bundle(id),
    ledger: viemLedgerReader({ rpcUrl: node.rpcUrl, tariffs: node.deployment }),
    expected: { agreementId: id, chainId, registry, clearingHouse, evidenceAnchor },
  })
}

describe('a meter that is billed only while calibrated', () => {
  test('before any certificate nothing is owed, and the owner is told', async () => {
    await expect.poll(() => machine.agreements(), { timeout: 60_000 }).toHaveLength(1)
    await show(0.1, 1_000n)
    await show(0.2, 5_000n)
    expect(await codes()).toEqual(['UNCALIBRATED', 'UNCALIBRATED'])
    expect(await owed()).toEqual(['0'])
    await expect.poll(told, { timeout: 30_000 }).toEqual(['uncalibrated'])
  })

  test('a certificate of another stream is not even declared', async () => {
    const other = await issued('other', { of: `${machineId}/power`, days: [0, 12] })
    await expect(machine.declareCalibration('energy', other)).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
    })
  })

  test('one that is too uncertain changes nothing', async () => {
    await declared(await issued('rough', { days: [0, 12], percent: '0.5001' }))
    await show(0.3, 6_000n)
    expect((await codes()).slice(2)).toEqual(['CERTIFICATE_NOT_AGREED', 'UNCALIBRATED'])
  })

  test('under a good one it is billed, with its band, and paid', async () => {
    await declared(await issued('2026-1', { days: [0, 12], percent: '0.25' }))
    await show(1, 7_000n)
    await show(2, 7_999n)
    await show(9, 9_000n)
    const [period] = (await client().agreement(id)).periods
    // 2,000 Wh, 0.25 % of which is 5.
    expect(period).toMatchObject({
      registers: ['2000'],
      owedMinor: String(2_000n * PRICE),
      band: {
        lowerMinor: String(1_995n * PRICE),
        upperMinor: String(2_005n * PRICE),
        uncertaintyPpm: 2_500,
      },
    })
    await settle()
    await expect
      .poll(async () => (await client().agreement(id)).includedMinor)
      .toBe(String(2_000n * PRICE))
    await expect.poll(told, { timeout: 30_000 }).toEqual(['calibration-ends'])
  })

  test('the machine’s page says by whom, until when, in which unit', async () => {
    const [stream] = (await client().machine(String(machineId))).streams
    expect(stream).toMatchObject({
      unit: 'Wh',
      ucum: 'W.h',
      calibration: {
        calibrationLaboratory: 'Prüfstelle Bern',
        laboratory: keyId(laboratory.publicKey),
        unit: 'W.h',
        validUntilMs: day(12),
        uniqueIdentifier: '2026-1',
        item: 'SN-4711',
      },
    })
    const timeline = (await client().timeline(String(machineId))).map(({ words }) => words)
    expect(timeline).toContain(
      'Declared that energy was calibrated by Prüfstelle Bern within 0.25 %, certificate 2026-1.',
    )
  })

  test('past its date nothing is owed any more, and the owner is told', async () => {
    await show(11, 9_500n)
    await show(12, 20_000n)
    await show(15, 60_000n)
    expect((await codes()).slice(-2)).toEqual(['UNCALIBRATED', 'UNCALIBRATED'])
    expect(await owed()).toEqual([String(2_000n * PRICE), String(500n * PRICE)])
    await expect.poll(told, { timeout: 30_000 }).toEqual(['uncalibrated'])
    const [stream] = (await client().machine(String(machineId))).streams
    expect(stream?.calibration).toBeNull()
  })

  test('under a new certificate it is billed again, without what flowed in between', async () => {
    await declared(await issued('2026-2', { days: [14, 380], percent: '0.5' }))
    await show(16, 70_000n)
    await show(17, 70_300n)
    expect((await codes()).slice(-3)).toEqual(['OK', 'OK', 'OK'])
    const { periods } = await client().agreement(id)
    expect(periods[1]).toMatchObject({
      registers: ['800'],
      // 500 at 0.25 % and 300 at 0.5 %: 2.75, floored below and rounded up above; 3,437.5 parts in a million.
      band: {
        lowerMinor: String(797n * PRICE),
        upperMinor: String(803n * PRICE),
        uncertaintyPpm: 3_438,
      },
    })
    await settle()
    await expect
      .poll(async () => (await client().agreement(id)).includedMinor)
      .toBe(String(2_800n * PRICE))
    await expect.poll(told, { timeout: 30_000 }).toEqual([])
  })

  test('the audit finds the same to the unit, with the same bands', async () => {
    await node.anchorNow()
    const report = await audit()
    const { periods } = await client().agreement(id)
    expect(report).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      owedMinor: String(2_800n * PRICE),
      settledMinor: String(2_800n * PRICE),
      unpriced: { UNCALIBRATED: 5, CERTIFICATE_NOT_AGREED: 1 },
    })
    expect(report.periods.map(({ band }) => band)).toEqual(periods.map(({ band }) => band))
    expect(await node.checkMoney()).toMatchObject({ ok: true })
  })

  test('the command line shows the bands', async () => {
    const shown = await liquefy(['agreement', 'show', id], env())
    expect(shown.stdout).toMatch(/to .* \(0\.3438 %\)/)
    const audited = await liquefy(['audit', id, '--rpc', node.rpcUrl], env())
    expect(audited.stdout).toMatch(/period 1 .*to .* \(0\.3438 %\)/)
    expect(audited.code).toBe(0)
  })
})

describe('liquefy calibration', () => {
  test('check says what a certificate says', async () => {
    const bytes = await issued('shown', { days: [0, 1] })
    expect(readCalibrationCertificate(bytes).ok).toBe(true)
    const checked = await liquefy(['calibration', 'check', file('shown.calibration')])
    expect(checked.code).toBe(0)
    expect(checked.stdout).toContain(`signed by    ${keyId(laboratory.publicKey)}`)
    expect(checked.stdout).toContain('0.5 % of the reading (k = 2)')
  })

  test('check of a forged one names the fault, exit code 1', async () => {
    const bytes = await issued('forged', { days: [0, 1] })
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    writeFileSync(file('forged.calibration'), bytes)
    const checked = await liquefy(['calibration', 'check', file('forged.calibration'), '--json'])
    expect(checked.code).toBe(1)
    expect(checked.json()).toMatchObject({ fault: { code: 'CERTIFICATE_INVALID' } })
  })

  test.each([
    ['a stream', ['--of', 'level'], 'STREAM_INVALID'],
    ['a time', ['--from', 'soon'], 'TIME_INVALID'],
    ['more than all', ['--uncertainty', '101'], 'UNCERTAINTY_INVALID'],
    ['an end before the beginning', ['--until', '2020-01-01'], 'CERTIFICATE_INVALID'],
  ])('issue refuses %s', async (_, wrong, code) => {
    const answer = await liquefy([
      'calibration',
      'issue',
      join(folder, 'laboratory'),
      ...optionsOf({ of: '7/level', unit: 'mm', from: '2026-01-01', until: '2027-01-01' }),
      ...optionsOf({ uncertainty: '1', number: '1', item: '2', name: 'x' }),
      '--json',
      ...wrong,
    ])
    expect(answer.code).toBe(2)
    expect(answer.json()).toMatchObject({ error: { code } })
  })
})
