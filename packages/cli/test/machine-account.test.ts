import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningNode } from '@liquefy/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
import { mint, runningNode } from './running-node.ts'

const root = mkdtempSync(join(tmpdir(), 'liquefy-account-'))
const dataDir = join(root, 'data')
const folder = join(root, 'pump')
// As root, the database runs under an account of its own, which has to pass through.
chmodSync(root, 0o711)

let node: RunningNode

const run = (...args: string[]): Promise<Run> =>
  liquefy(['machine', ...args, '--json'], { LIQUEFY_DATA_DIR: dataDir })
const words = (...args: string[]): Promise<Run> =>
  liquefy(['machine', ...args], { LIQUEFY_DATA_DIR: dataDir })

async function done(...args: string[]): Promise<never> {
  const { code, stdout, stderr, json } = await run(...args)
  expect(code, stdout + stderr).toBe(0)
  return json()
}

beforeAll(async () => {
  node = await runningNode(dataDir)
  await done('keygen', folder)
  await done('register', folder, '--as', 'silowerk')
  await node.idle()
}, 120_000)

afterAll(async () => {
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

test('a machine’s account is paid, gets a policy, pays within it, and is paused', async () => {
  const before = (await done('account', 'show', '1')) as { account: `0x${string}` }
  expect(before).toMatchObject({ machineId: '1', created: false, policy: null })
  await mint(node, before.account, 9_000_000n)
  const policy = ['--per-payment', '5000000', '--per-day', '6000000', '--until', '2099-12-31']
  await done('policy', 'set', '1', ...policy, '--to', 'nordmühle', '--as', 'silowerk')
  await done('pay', folder, '--to', 'nordmühle', '--amount', '4000000', '--as', 'silowerk')
  expect(await done('account', 'show', '1')).toMatchObject({
    created: true,
    balanceMinor: '5000000',
    spentTodayMinor: '4000000',
    policy: { perPaymentMinor: '5000000', perDayMinor: '6000000' },
  })
  const tooMuch = ['pay', folder, '--to', 'nordmühle', '--amount', '2000001', '--as', 'silowerk']
  const refused = await run(...tooMuch)
  expect(refused.code).toBe(2)
  expect(refused.json()).toMatchObject({
    error: {
      code: 'TRANSACTION_REVERTED',
      message: expect.stringMatching(/spend 6000000 smallest units a day: 4000000 are spent/),
    },
  })
  await done('policy', 'pause', '1', '--as', 'silowerk')
  const paused = await run('pay', folder, '--to', 'nordmühle', '--amount', '1', '--as', 'silowerk')
  expect(paused.json()).toMatchObject({ error: { message: expect.stringMatching(/paused/) } })
  await done('policy', 'resume', '1', '--as', 'silowerk')
  await done('pay', folder, '--to', 'nordmühle', '--amount', '1', '--as', 'silowerk')
  const said = await words('account', 'show', '1')
  expect(said.stdout).toMatch(/a day +6\.000000 tEUR; today 4\.000001 tEUR/)
}, 120_000)

test('its DID names its key once anybody has published it', async () => {
  const { did } = (await done('show', '1')) as { did: string }
  expect(await done('did', '1')).toMatchObject({
    did,
    deactivated: false,
    didDocument: { id: did, verificationMethod: [{ id: `${did}#controller` }] },
  })
  await done('publish-key', '1', '--as', 'nordmühle')
  expect(await done('did', '1')).toMatchObject({
    didDocument: { verificationMethod: [{}, { type: 'Multikey', controller: did }] },
  })
}, 60_000)

test.each([
  [['policy', 'pause', '1', '--as', 'nordmühle'], 'TRANSACTION_REVERTED'],
  [['account', 'show', 'one'], 'MACHINE_INVALID'],
  [['account', 'show', '99'], 'MACHINE_UNKNOWN'],
  [['pay', folder, '--to', 'nobody', '--amount', '1', '--as', 'silowerk'], 'PERSON_UNKNOWN'],
  [['pay', folder, '--to', 'nordmühle', '--amount', '1.5', '--as', 'silowerk'], 'AMOUNT_INVALID'],
  [
    ['pay', '/nowhere', '--to', 'nordmühle', '--amount', '1', '--as', 'silowerk'],
    'MACHINE_UNREGISTERED',
  ],
])('%j is refused: %s', async (args, code) => {
  expect((await run(...args)).json()).toMatchObject({ error: { code } })
})
