import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@liquefy/client'
import type { RunningNode } from '@liquefy/node'
import { bitsToHex, mondayOf, parseHours, wallHourAt } from '@liquefy/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy, type Run } from './liquefy.ts'
import { runningNode } from './running-node.ts'

const ZONE = 'Europe/Berlin'
const root = mkdtempSync(join(tmpdir(), 'liquefy-right-'))
const dataDir = join(root, 'data')
const folder = join(root, 'boat')
// As root, the database runs under an account of its own, which has to pass through.
chmodSync(root, 0o711)

let node: RunningNode

const run = (...args: string[]): Promise<Run> =>
  liquefy([...args, '--json'], { LIQUEFY_DATA_DIR: dataDir })

async function done<T = unknown>(...args: string[]): Promise<T> {
  const { code, stdout, stderr, json } = await run(...args)
  expect(code, stdout + stderr).toBe(0)
  await node.idle()
  return json() as T
}

async function words(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await liquefy(args, { LIQUEFY_DATA_DIR: dataDir })
  expect(code, stdout + stderr).toBe(0)
  return stdout
}

async function refused(...args: string[]): Promise<{ code: string; message: string }> {
  const { code, json } = await run(...args)
  expect(code).toBe(2)
  return (json() as { error: { code: string; message: string } }).error
}

/** The week after the next: all of it is to come. */
const week = () => wallHourAt(ZONE, Date.now()).week + 2
const monday = () => mondayOf(week())
const asOwner = ['--as', 'silowerk']
const asBuyer = ['--as', 'nordm']

beforeAll(async () => {
  node = await runningNode(dataDir)
  await done('machine', 'keygen', folder)
  await done('machine', 'register', folder, ...asOwner)
}, 240_000)

afterAll(async () => {
  await node?.stop()
  rmSync(root, { recursive: true, force: true })
})

test('hours of a machine: begun, put on sale, bought, booked, given back, lent, listed', async () => {
  expect(await words('right', 'calendar', '1')).toContain('no calendar yet')
  expect(
    await refused(
      'right',
      'issue',
      '1',
      '--hours',
      'Sat 8-12',
      '--from',
      monday(),
      '--to',
      'nordm',
      ...asOwner,
    ),
  ).toMatchObject({
    code: 'TRANSACTION_REVERTED',
    message: expect.stringContaining('has no calendar yet'),
  })
  await done('right', 'zone', '1', ZONE, ...asOwner)
  await done('right', 'offer', '1', '--price', '12000000', ...asOwner)
  const slot = await done<{ rightId: string }>(
    'right',
    'buy',
    '1',
    '--hours',
    'Sat 8-12',
    '--from',
    monday(),
    '--weeks',
    '12',
    ...asBuyer,
  )
  expect(slot.rightId).toBe('1')
  const show = await words('right', 'show', '1')
  expect(show).toMatch(/every Saturday 8-12, 12 weeks from/)
  expect(show).toContain('576.000000 tEUR')
  expect(
    await refused('right', 'buy', '1', '--hours', 'Sat 11-13', '--from', monday(), ...asBuyer),
  ).toMatchObject({
    message: expect.stringContaining('somebody holds in the week of'),
  })
  await done(
    'right',
    'issue',
    '1',
    '--per-week',
    '3',
    '--from',
    monday(),
    '--to',
    'nordm',
    ...asOwner,
  )
  await done('right', 'book', '2', '--week', monday(), '--hours', 'Sun 9-12', ...asBuyer)
  expect(
    await refused('right', 'book', '2', '--week', monday(), '--hours', 'Mon 9-10', ...asBuyer),
  ).toMatchObject({
    message: expect.stringContaining('has 3 hours a week'),
  })
  await done('right', 'cancel', '2', '--week', monday(), '--hours', 'Sun 11-12', ...asBuyer)
  expect(await words('right', 'show', '2')).toContain('Sunday 9-11')

  const text = await words('right', 'calendar', '1', '--week', monday())
  expect(text).toContain('Saturday 8-12: Nordmühle GmbH')
  expect(text).toContain('Sunday 9-11: Nordmühle GmbH')
  expect(text).toContain('1 hours that may still be booked')

  await done('right', 'lend', '1', '--to', 'silowerk', '--until', '2100-01-01', ...asBuyer)
  expect(await words('right', 'show', '1')).toContain('lent to')
  expect(
    (await done<{ rights: unknown[] }>('right', 'list', '--of', 'silowerk')).rights,
  ).toHaveLength(1)
  await done('right', 'lend', '1', ...asBuyer)
  expect(
    (await done<{ rights: unknown[] }>('right', 'list', '--of', 'silowerk')).rights,
  ).toHaveLength(0)
  await done('right', 'transfer', '1', '--to', 'silowerk', ...asBuyer)
  expect(await words('right', 'list', '--of', 'silowerk')).toContain('every Saturday 8-12')
}, 240_000)

test('the node says the same, with the instants of each hour', async () => {
  const client = createClient({ url: node.url })
  const { zone, offer, weeks } = await client.machineCalendar('1', { fromWeek: week(), weeks: 1 })
  expect(zone).toBe(ZONE)
  expect(offer).toMatchObject({ pricePerHourMinor: '12000000' })
  const [shown] = weeks
  const saturday = bitsToHex(parseHours('Sat 8-12') ?? 0n)
  const held = shown?.holders.find(({ bits }) => bits === saturday)
  expect(held?.rightId).toBe('1')
  const [span] = held?.spans ?? []
  expect(wallHourAt(ZONE, span?.fromMs ?? 0)).toEqual({ week: week(), hour: 5 * 24 + 8 })
  expect((span?.toMs ?? 0) - (span?.fromMs ?? 0)).toBe(4 * 3_600_000)
  expect(shown?.promisedHours).toBe(1)
})

test('an offer is gone when the machine changes hands; its rights stay', async () => {
  await done('machine', 'transfer', '1', '--to', 'nordm', ...asOwner)
  const { offer, weeks } = await createClient({ url: node.url }).machineCalendar('1', {
    fromWeek: week(),
  })
  expect(offer).toBeNull()
  expect(weeks[0]?.holders.length).toBe(2)
  expect(
    await refused('right', 'buy', '1', '--hours', 'Mon 8-9', '--from', monday(), ...asBuyer),
  ).toMatchObject({
    code: 'HOURS_NOT_ON_SALE',
  })
}, 120_000)

test('what is typed wrongly is said', async () => {
  for (const [code, ...args] of [
    [
      'HOURS_INVALID',
      'issue',
      '1',
      '--hours',
      'Sat 12-8',
      '--from',
      monday(),
      '--to',
      'nordm',
      ...asOwner,
    ],
    ['HOURS_INVALID', 'issue', '1', '--from', monday(), '--to', 'nordm', ...asOwner],
    [
      'DAY_INVALID',
      'issue',
      '1',
      '--hours',
      'Sat 8-12',
      '--from',
      'soon',
      '--to',
      'nordm',
      ...asOwner,
    ],
    ['RIGHT_INVALID', 'show', 'one'],
    ['RIGHT_UNKNOWN', 'show', '99'],
    ['TIME_INVALID', 'lend', '1', '--to', 'nordm', ...asOwner],
  ] as [string, ...string[]][]) {
    expect((await refused('right', ...args)).code).toBe(code)
  }
})
