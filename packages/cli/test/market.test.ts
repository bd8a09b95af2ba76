import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RunningNode } from '@liquefy/node'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
import { runningNode } from './running-node.ts'

const root = mkdtempSync(join(tmpdir(), 'liquefy-market-'))
const dataDir = join(root, 'data')
// As root, the database runs under an account of its own, which has to pass through.
chmodSync(root, 0o711)

let node: RunningNode

const run = (...args: string[]): Promise<Run> => liquefy(args, { LIQUEFY_DATA_DIR: dataDir })

async function done<Told>(...args: string[]): Promise<Told> {
  const { code, stdout, stderr, json } = await run(...args, '--json')
  expect(code, stdout + stderr).toBe(0)
  await node.idle()
  return json() as Told
}

const refused = async (...args: string[]): Promise<string> => {
  const { code, json } = await run(...args, '--json')
  expect(code).toBe(2)
  return (json() as { error: { code: string } }).error.code
}

beforeAll(async () => {
  node = await runningNode(dataDir)
  await done('machine', 'keygen', join(root, 'pump'))
  await done('machine', 'register', join(root, 'pump'), '--as', 'silowerk')
}, 120_000)

afterAll(async () => {
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

interface Listed {
  orders: { orderId: string; title: string; state: string }[]
}

test('a machine is put up for sale, found, looked at, bought, and cannot be bought again', async () => {
  const sell = ['market', 'sell', '--machine', '1', '--price', '5000000', '--as', 'silowerk']
  const { orderId } = await done<{ orderId: string }>(...sell)
  const found = await done<Listed>('market', 'list', '--kind', 'machine', '--max-price', '5000000')
  expect(found.orders.map((one) => one.orderId)).toEqual([orderId])
  const list = await run('market', 'list', '--near', '53.5,-9.9', '--within', '10')
  expect(list.stdout).toContain('Nothing of this kind')
  const shown = await run('market', 'show', orderId.slice(0, 12))
  expect(shown.stdout).toMatch(/for sale +machine 1|for sale +1/)
  expect(shown.stdout).toMatch(/price +5\.000000 tEUR/)
  expect(shown.stdout).toMatch(/its owner can take it out/)
  expect(await refused('market', 'accept', orderId, '--as', 'city')).toBe('ORDER_OTHER_SIDE')
  expect((await run('market', 'list')).stdout).toContain('for sale')

  await done('market', 'buy', orderId.slice(0, 12), '--as', 'city')
  expect(await refused('market', 'buy', orderId, '--as', 'nordm')).toBe('TRANSACTION_REVERTED')
  expect(await refused('market', 'buy', orderId.slice(0, 12), '--as', 'nordm')).toBe(
    'ORDER_UNKNOWN',
  )
  const { owner } = await done<{ owner: string }>('machine', 'show', '1')
  const city = node.keys.people.find(({ name }) => name === 'City council')?.account.address
  expect(owner).toBe(city?.toLowerCase())
}, 120_000)

test('a price is offered, taken back, offered again and accepted', async () => {
  const offer = ['market', 'offer', '--machine', '1', '--price', '7000000', '--as', 'nordm']
  const first = await done<{ orderId: string }>(...offer)
  expect(await refused('market', 'cancel', first.orderId, '--as', 'city')).toBe(
    'TRANSACTION_REVERTED',
  )
  await done('market', 'cancel', first.orderId, '--as', 'nordm')
  const second = await done<{ orderId: string }>(...offer, '--days', '2')
  await done('market', 'cancel', '--all', '--as', 'nordm')
  expect((await done<Listed>('market', 'list')).orders).toEqual([])
  const third = await done<{ orderId: string }>(...offer)
  await done('market', 'accept', third.orderId, '--as', 'city')
  const maker = node.keys.people.find(({ name }) => name === 'Nordmühle GmbH')?.account.address
  const all = await done<Listed>('market', 'list', '--maker', maker ?? '')
  expect(all.orders.map(({ orderId, state }) => [orderId, state])).toEqual([
    [third.orderId, 'filled'],
    [second.orderId, 'cancelled'],
    [first.orderId, 'cancelled'],
  ])
}, 120_000)

test('what was typed wrongly is said', async () => {
  const sell = ['market', 'sell', '--as', 'silowerk', '--price', '5']
  expect(await refused(...sell)).toBe('GOOD_MISSING')
  expect(await refused(...sell, '--machine', '1', '--right', '2')).toBe('GOOD_MISSING')
  expect(await refused(...sell, '--share', '0x12')).toBe('GOOD_MISSING')
  expect(await refused(...sell, '--share', `0x${'12'.repeat(20)}`)).toBe('AMOUNT_INVALID')
  expect(await refused(...sell, '--machine', '1', '--days', '400')).toBe('AMOUNT_INVALID')
  expect(await refused('market', 'cancel', '--as', 'silowerk')).toBe('ORDER_INVALID')
  expect(await refused('market', 'show', 'xyz')).toBe('ORDER_INVALID')
  expect(await refused('market', 'list', '--near', '12')).toBe('PLACE_INVALID')
}, 60_000)
