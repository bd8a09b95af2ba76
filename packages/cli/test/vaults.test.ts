import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Hex, MarketOrder, NewVault, Portfolio, Vault, VaultProposal } from '@liquefy/client'
import type { RunningNode } from '@liquefy/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy } from './liquefy.ts'
import { runningNode } from './running-node.ts'

const SLOW = 240_000
const root = mkdtempSync(join(tmpdir(), 'liquefy-vault-'))
const dataDir = join(root, 'data')
// As root, the database runs under an account of its own, which has to pass through.
chmodSync(root, 0o711)

let node: RunningNode

const run = (...args: string[]) => liquefy(args, { LIQUEFY_DATA_DIR: dataDir })

async function said(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args)
  expect(code, stdout + stderr).toBe(0)
  await node.idle()
  return stdout
}

async function done<Answer = never>(...args: string[]): Promise<Answer> {
  const { code, stdout, stderr, json } = await run(...args, '--json')
  expect(code, stdout + stderr).toBe(0)
  await node.idle()
  return json()
}

async function refused(...args: string[]): Promise<string> {
  const { code, stderr } = await run(...args)
  expect(code).toBe(2)
  return stderr
}

function fileOf(name: string, json: unknown): string {
  const path = join(root, name)
  writeFileSync(path, JSON.stringify(json))
  return path
}

const boat = {
  name: 'Boat',
  symbol: 'BOAT',
  machines: ['1'],
  operator: 'Silowerk AG',
  founderShares: '10',
  sale: { priceMinor: '2000000', cap: '10', goal: '5', days: 1 },
  waterfall: { reserveTargetMinor: '1000000', fees: [{ to: 'Silowerk AG', bps: 1_000 }] },
  governance: { votingDelaySeconds: 1, votingPeriodSeconds: 15, timelockSeconds: 1 },
}

beforeAll(async () => {
  node = await runningNode(dataDir)
  await said('machine', 'keygen', join(root, 'engine'))
  await said('machine', 'register', join(root, 'engine'), '--as', 'Silowerk')
}, SLOW)

afterAll(async () => {
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

test('friends buy a boat, earn, vote for a new engine, and are paid, all by the terminal', {
  timeout: SLOW,
}, async () => {
  expect(
    await refused('vault', 'create', fileOf('bad.json', { ...boat, cap: 1 }), '--as', 'Silo'),
  ).toContain('file.cap')
  const made = await done<NewVault>(
    'vault',
    'create',
    fileOf('boat.json', boat),
    '--as',
    'Silowerk',
  )
  expect(await said('vault', 'list', '--machine', '1')).toContain(made.vault)
  expect(await refused('share', 'claim', 'Yacht', '--as', 'City')).toContain(
    'No vault is called "Yacht"',
  )

  await said('share', 'buy', 'Boat', '--shares', '7', '--as', 'City')
  await said('share', 'buy', 'boat', '--shares', '3', '--as', 'Collector')
  const shown = await said('vault', 'show', 'Boat')
  expect(shown).toContain('live')
  expect(shown).toContain('20 of 3 owners')
  await said('share', 'credit', 'Boat', '--as', 'Silowerk')
  expect(await refused('share', 'buy', 'Boat', '--shares', '1', '--as', 'City')).not.toBe('')

  // A charter that costs by time alone, paid to the vault; its operator signs for it.
  const charter = {
    payer: 'Nordmühle GmbH',
    payee: made.vault,
    machineId: '1',
    meters: [],
    signer: 'nobody',
    tariff: { kind: 'plan', prices: [], scale: 0, fee: '3000000', feeSeconds: 1 },
    capMinor: '3000000',
    fundMinor: '3000000',
    periods: 1,
    periodSeconds: 3_600,
  }
  await said('agreement', 'open', fileOf('charter.json', charter))
  const collectable = async () => (await done<Vault>('vault', 'show', 'Boat')).collectable.minor
  await expect.poll(collectable, { timeout: 120_000, interval: 1_000 }).toBe('3000000')
  await said('vault', 'collect', 'Boat', '--as', 'City')
  // 3.0: reserve 1.0, a tenth of 2.0 to the builder, 1.8 to 20 shares.
  const earned = await done<Vault>('vault', 'show', made.vault.slice(0, 12))
  expect(earned).toMatchObject({ reserveMinor: '1000000', ownersMinor: '1800000' })
  expect(await said('vault', 'income', 'Boat')).toContain('3.000000 tEUR')
  expect(await said('vault', 'income', 'Boat', '--months')).toContain('1.800000 tEUR')
  const mine = await done<Portfolio>('share', 'list', '--as', 'City')
  expect(mine.holdings[0]).toMatchObject({ shares: '7', claimableMinor: '630000' })
  expect(await said('share', 'claim', 'Boat', '--as', 'City')).toContain('0.630000 tEUR')
  await said('share', 'transfer', 'Boat', '--to', 'Nordmühle', '--shares', '2', '--as', 'City')
  await said('share', 'delegate', 'Boat', '--to', 'City', '--as', 'Collector')
  expect(await said('vault', 'owners', 'Boat')).toContain('Nordmühle GmbH')
  const csv = join(root, 'city.csv')
  await said('vault', 'statement', 'Boat', '--as', 'City', '--out', csv)
  expect(readFileSync(csv, 'utf8').split('\r\n')).toHaveLength(6)
  expect(await said('vault', 'statement', 'Boat', '--of', 'City')).toContain(
    'may claim 0.000000 tEUR',
  )

  const proposal = fileOf('engine.json', {
    description: 'A new engine',
    actions: [
      { kind: 'spend', to: 'Collector Ltd', amountMinor: '900000', purpose: 'engine' },
      { kind: 'suspend', machineId: '1', reason: 'engine is changed' },
      { kind: 'sell-machine', machineId: '1', priceMinor: '25000000', days: 60 },
    ],
  })
  const { proposalId } = await done<{ proposalId: string }>(
    'vote',
    'propose',
    'Boat',
    proposal,
    '--as',
    'City',
  )
  const id = proposalId.slice(0, 10)
  const words = await said('vote', 'show', 'Boat', id)
  expect(words).toContain('Pays 0.9 tEUR out of the reserve to Collector Ltd (0x')
  expect(words).toContain('Suspends machine 1, since: “engine is changed”.')
  const stateIs = async (wanted: VaultProposal['state']) => {
    const state = async () => {
      // The ledger's time goes on with its blocks.
      await said('share', 'delegate', 'Boat', '--to', 'City', '--as', 'Collector')
      return (await done<VaultProposal>('vote', 'show', 'Boat', id)).state
    }
    await expect.poll(state, { timeout: 120_000 }).toBe(wanted)
  }
  await stateIs('active')
  expect(await said('share', 'list', '--as', 'City')).toContain('votes on "A new engine"')
  expect(await refused('vote', 'cast', 'Boat', id, 'perhaps', '--as', 'City')).toContain('no vote')
  await said('vote', 'cast', 'Boat', id, 'for', '--reason', 'it smokes', '--as', 'City')
  await stateIs('succeeded')
  await said('vote', 'queue', 'Boat', id, '--as', 'Nordmühle')
  await stateIs('ready')
  await said('vote', 'execute', 'Boat', id, '--as', 'Nordmühle')
  expect(await said('vote', 'list', 'Boat')).toContain('executed')
  const after = await done<Vault>('vault', 'show', 'Boat')
  expect(after.reserveMinor).toBe('100000')
  const { state } = await done<{ state: string }>('machine', 'show', '1')
  expect(state).toBe('suspended')
  expect(after.vault).toBe(made.vault satisfies Hex)

  // What was put up for sale by it is listed, and taken by nobody: an offer comes, which is voted on as well.
  expect(words).toContain('machine 1 for 25 tEUR')
  expect(await said('vote', 'post', 'Boat', id, '--as', 'City')).toContain('for sale. Order 0x')
  const offer = ['market', 'offer', '--machine', '1', '--price', '7000000', '--as', 'Nordmühle']
  const { orderId } = await done<MarketOrder>(...offer)
  const accept = { kind: 'accept-offer', order: orderId }
  const file = fileOf('sale.json', { description: 'Sell it', actions: [accept] })
  const sale = await done<{ proposalId: string }>('vote', 'propose', 'Boat', file, '--as', 'City')
  const saleId = sale.proposalId.slice(0, 12)
  expect(await said('vote', 'show', 'Boat', saleId)).toContain('the vault gets 7 tEUR and gives')
  expect(await refused('vote', 'post', 'Boat', saleId, '--as', 'City')).toContain('nothing up')
  const brief = await done<MarketOrder>(...offer, '--days', '1')
  for (const [order, why] of [
    [brief.orderId, 'one that lasts longer'],
    [`0x${'12'.repeat(32)}`, 'Nobody has posted'],
  ] as const) {
    const refusedFile = fileOf('no.json', { description: 'No', actions: [{ ...accept, order }] })
    expect(await refused('vote', 'propose', 'Boat', refusedFile, '--as', 'City')).toContain(why)
  }
})
