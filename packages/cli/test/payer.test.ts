import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Machine, openMachine } from '@liquefy/machine'
import type { RunningNode } from '@liquefy/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
import { mint, runningNode } from './running-node.ts'

/** An electric truck of Silowerk's charges at a charger of Nordmühle's: two machines agree, and one pays the other. */
const root = mkdtempSync(join(tmpdir(), 'liquefy-payer-'))
const dataDir = join(root, 'data')
const [truck, charger] = [join(root, 'truck'), join(root, 'charger')]
chmodSync(root, 0o711)
const NEVER_MS = 2 ** 31 - 1
const WAIT = { timeout: 60_000, interval: 100 }
const POLICY = ['--per-payment', '30000000', '--per-day', '50000000', '--until', '2099-12-31']

const offerOf = (stream: string) => ({
  payer: 'machine 1',
  payee: 'machine 2',
  machineId: '2',
  meters: [
    {
      stream,
      rule: {
        rule: 'counter',
        version: 1,
        unit: 'Wh',
        scale: 0,
        registerUnit: 'Wh',
        factor: { numerator: 1, denominator: 1 },
        maxRate: { burst: '100000', perHour: '350000' },
      },
      limit: { burst: '100000', perHour: '350000' },
    },
  ],
  // 0.45 euros a kWh.
  tariff: { kind: 'linear', prices: ['450'], units: ['Wh'], scale: 0 },
  capMinor: '100000000',
})

let node: RunningNode
let device: Machine | undefined
let agreement: string
let truckAccount: `0x${string}`

const run = (...args: string[]): Promise<Run> =>
  liquefy([...args, '--json'], { LIQUEFY_DATA_DIR: dataDir })

async function done<T = Record<string, unknown>>(...args: string[]): Promise<T> {
  const { code, stdout, stderr, json } = await run(...args)
  expect(code, stdout + stderr).toBe(0)
  return json() as T
}

beforeAll(async () => {
  node = await runningNode(dataDir, {
    settle: { minMinor: 2n ** 96n, maxAgeMs: NEVER_MS },
    anchorIntervalMs: NEVER_MS,
  })
  await done('machine', 'keygen', truck)
  await done('machine', 'register', truck, '--as', 'silowerk')
  await done('machine', 'keygen', charger)
  await done('machine', 'register', charger, '--as', 'nordmühle')
  await node.idle()
  const show = await done<{ account: `0x${string}` }>('machine', 'account', 'show', '1')
  truckAccount = show.account
  await mint(node, truckAccount, 200_000_000n)
}, 300_000)

afterAll(async () => {
  await device?.close()
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

/** An offer of the charger's, which it has accepted. */
async function accepted(stream: string): Promise<string> {
  const [offer, file] = [join(root, `${stream}.json`), join(root, `${stream}.accepted.json`)]
  writeFileSync(offer, JSON.stringify(offerOf(stream)))
  await done('machine', 'accept', charger, offer, '--out', file)
  return file
}

const agree = (file: string, amount: string) =>
  run('machine', 'agree', truck, file, '--amount', amount, '--as', 'silowerk')

async function refused(ran: Promise<Run>, words: RegExp): Promise<void> {
  const { code, json, stdout } = await ran
  expect(code, stdout).toBe(2)
  expect(json()).toMatchObject({
    error: { code: 'TRANSACTION_REVERTED', message: expect.stringMatching(words) },
  })
}

test('a charger sells by its own key only once its owner lets it', async () => {
  await done('machine', 'policy', 'set', '1', ...POLICY, '--to', 'machine 2', '--as', 'silowerk')
  const file = await accepted('energy')
  await refused(agree(file, '20000000'), /has not signed agreement/)
  await done('machine', 'policy', 'sell', '2', '--until', '2099-12-31', '--as', 'nordmühle')
  expect(await done('machine', 'account', 'show', '2')).toMatchObject({
    sellsUntilMs: Date.parse('2099-12-31'),
  })
}, 300_000)

test('the truck opens an agreement, is charged by signed meter values, and they settle', async () => {
  const opened = await agree(await accepted('energy'), '20000000')
  expect(opened.code, opened.stdout).toBe(0)
  agreement = (opened.json() as { agreementId: string }).agreementId
  await node.idle()
  expect(await done('agreement', 'show', agreement)).toMatchObject({
    payer: truckAccount,
    payerMachine: { machineId: '1' },
    payeeMachine: { machineId: '2' },
    escrowMinor: '20000000',
  })
  device = await openMachine({ folder: charger, signEveryMs: NEVER_MS })
  await expect.poll(() => device?.agreements(), WAIT).toHaveLength(1)
  const wattHours = (mantissa: bigint) => ({ unit: 'Wh', value: { mantissa, exponent: 0 } })
  for (const value of [0n, 8_000n, 20_000n]) await device.sample('energy', wattHours(value))
  await device.flushed()
  await node.idle()
  expect((await device.meterNow()).map(({ kind }) => kind)).toContain('accepted')
  await node.settleNow()
  await node.idle()
  // 20 kWh at 0.45 euros.
  expect(await done('agreement', 'show', agreement)).toMatchObject({ includedMinor: '9000000' })
  await node.anchorNow()
  expect(await done('audit', agreement)).toMatchObject({ differenceMinor: '0', firstFault: null })
  await done('machine', 'fund', truck, agreement, '--amount', '5000000', '--as', 'silowerk')
  const income = await done('machine', 'reclaim', '2', '--as', 'city')
  expect(income).toEqual({ machineId: '2', amountMinor: '9000000' })
  expect(await done('machine', 'account', 'show', '2')).toMatchObject({ balanceMinor: '9000000' })
  await done('machine', 'account', 'withdraw', '2', '--amount', '9000000', '--as', 'nordmühle')
}, 300_000)

test('over the limits, to another, paused, expired: each refused with the line of the policy', async () => {
  const file = await accepted('energy-2')
  const policy = (...args: string[]) => done('machine', 'policy', ...args, '--as', 'silowerk')
  await refused(
    agree(file, '30000001'),
    /pay 30000000 smallest units at once, and these are 30000001/,
  )
  await refused(
    agree(file, '25000001'),
    /spend 50000000 smallest units a day: 25000000 are spent on .* 25000001 more/,
  )
  await refused(
    run('machine', 'fund', truck, agreement, '--amount', '30000001', '--as', 'silowerk'),
    /at once/,
  )
  await policy('set', '1', ...POLICY, '--to', 'nordmühle')
  await refused(agree(file, '1'), /not among those whom the owner lets the machine pay/)
  await policy('set', '1', ...POLICY, '--to', 'machine 2')
  await policy('pause', '1')
  await refused(agree(file, '1'), /paused all spending/)
  await policy('resume', '1')
  const past = ['--per-payment', '30000000', '--per-day', '50000000', '--until', '2020-01-01']
  await policy('set', '1', ...past, '--to', 'machine 2')
  await refused(agree(file, '1'), /policy was good until 2020-01-01/)
  await policy('set', '1', ...POLICY, '--to', 'machine 2')
}, 300_000)

test('the charger’s owner ends it, and what was left comes back to the truck', async () => {
  await done('machine', 'account', 'close', '2', agreement, '--as', 'nordmühle')
  expect(await done('machine', 'account', 'show', '1')).toMatchObject({ atHouseMinor: '16000000' })
  expect(await done('machine', 'reclaim', '1', '--as', 'silowerk')).toMatchObject({
    amountMinor: '16000000',
  })
  // 200 euros less 20 kWh.
  expect(await done('machine', 'account', 'show', '1')).toMatchObject({
    balanceMinor: '191000000',
    atHouseMinor: '0',
  })
}, 300_000)

test('an offer whose payee is one of the people needs no machine there', async () => {
  const offer = { ...offerOf('energy'), payee: 'Nordmühle GmbH' }
  const file = join(root, 'person.json')
  writeFileSync(file, JSON.stringify(offer))
  await done('machine', 'policy', 'set', '1', ...POLICY, '--to', 'nordmühle', '--as', 'silowerk')
  const opened = await agree(file, '1000000')
  expect(opened.code, opened.stdout).toBe(0)
  const { json } = await run(
    'machine',
    'agree',
    truck,
    join(root, 'energy.json'),
    '--amount',
    '1',
    '--as',
    'silowerk',
  )
  expect(json()).toMatchObject({ error: { code: 'PAYEE_SIGNATURE_MISSING' } })
}, 300_000)

test('the truck is sold: its key can spend nothing', async () => {
  const file = await accepted('energy-2')
  await done('machine', 'transfer', '1', '--to', 'City council', '--as', 'silowerk')
  await refused(agree(file, '1'), /lets the machine's key spend nothing/)
  await refused(
    run('machine', 'policy', 'set', '1', ...POLICY, '--to', 'machine 2', '--as', 'silowerk'),
    /only the machine's owner may do this/,
  )
}, 300_000)
