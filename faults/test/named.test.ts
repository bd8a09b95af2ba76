import { setTimeout as sleep } from 'node:timers/promises'
import { clearingHouseAbi } from '@liquefy/abi'
import { createPublicClient, http } from 'viem'
import { afterEach, expect, test } from 'vitest'
import { heardAgain } from '../src/campaign.ts'
import { judge } from '../src/judge.ts'
import { PRICE, startWorld, type World } from '../src/world.ts'

const TIMEOUT_MS = 300_000
const PATIENCE = { timeout: 90_000, interval: 100 }

let world: World
afterEach(() => world?.stop())

/** A world in which everything works so far. */
async function newWorld(seed: number): Promise<World> {
  world = await startWorld({ seed, devices: 2 })
  await heardAgain(world)
  return world
}

/** Envelopes that devices have on disk, and receipts that they hold. */
function held({ fleet, sites }: World): { published: number; receipted: number } {
  const counted = sites.map(({ machineId }) => fleet.counted(machineId))
  return {
    published: counted.reduce((sum, { lastSeq }) => sum + Number(lastSeq), 0),
    receipted: counted.reduce((sum, { receipts }) => sum + receipts.size, 0),
  }
}

/** Everything measured is logged and receipted, and paid for once. */
async function expectTheRightEnd(world: World): Promise<void> {
  const found = await judge(world)
  expect(found.wrong).toEqual([])
  const { published } = held(world)
  expect(found.envelopes).toBe(published)
  await expect.poll(() => held(world).receipted, PATIENCE).toBe(published)
  const units = world.sites.reduce((sum, { machineId }) => {
    const { first, last } = world.fleet.counted(machineId)
    return sum + last - first
  }, 0n)
  expect(found.paidMinor).toBe(PRICE * units)
  expect(found.paidMinor).toBeGreaterThan(0n)
}

/** Nothing is receipted while `seconds` go by, and the devices go on measuring. */
async function expectNothingAcknowledged(world: World, seconds: number): Promise<void> {
  // What was on its way when the fault struck arrives first.
  await sleep(1_000)
  const before = held(world)
  await sleep(seconds * 1_000)
  const after = held(world)
  expect(after.receipted).toBe(before.receipted)
  expect(after.published).toBeGreaterThan(before.published + 10 * seconds)
}

async function settledIn(world: World, fromBlock: bigint): Promise<string[]> {
  const client = createPublicClient({ transport: http(world.chain.url) })
  const events = await client.getContractEvents({
    address: world.deployment.clearingHouse,
    abi: clearingHouseAbi,
    eventName: 'Settled',
    fromBlock,
  })
  return events.map(({ transactionHash }) => transactionHash)
}

test(
  'a database that is stopped for 20 s: devices keep all, nothing is acknowledged meanwhile, nothing is missing, all is paid once',
  async () => {
    const { database } = await newWorld(1)
    await database.stop()
    await expectNothingAcknowledged(world, 20)
    await database.start()
    await heardAgain(world)
    await expectTheRightEnd(world)
  },
  TIMEOUT_MS,
)

test.runIf(process.getuid?.() === 0 || process.env.CI)(
  'a disk of the database that is full: devices keep all, nothing is acknowledged meanwhile, nothing is missing, all is paid once',
  async () => {
    const { database } = await newWorld(2)
    // Mounting a disk that can be filled takes root.
    expect(database.hasOwnDisk).toBe(true)
    await database.fill(true)
    // What lies in segments of the log that are already there still fits.
    await expect.poll(() => isStill(world), { timeout: 90_000 }).toBe(true)
    await expectNothingAcknowledged(world, 10)
    await database.fill(false)
    await heardAgain(world)
    await expectTheRightEnd(world)
  },
  TIMEOUT_MS,
)

async function isStill(world: World): Promise<boolean> {
  const { receipted } = held(world)
  await sleep(2_000)
  return held(world).receipted === receipted
}

test(
  'a reorganisation of 5 blocks that takes settlements back: they are made again, and all is paid once',
  async () => {
    const { chain } = await newWorld(3)
    const newest = async () => BigInt((await chain.call('eth_blockNumber')) as string)
    const inLastFive = async () => settledIn(world, (await newest()) - 4n)
    await expect.poll(async () => (await inLastFive()).length, PATIENCE).toBeGreaterThan(0)
    chain.isHalted = true
    const taken = await inLastFive()
    expect(taken.length).toBeGreaterThan(0)
    await chain.reorganise(5)
    expect(await inLastFive()).toEqual([])
    chain.isHalted = false
    const again = async () => {
      const found = await settledIn(world, 0n)
      return taken.every((hash) => found.includes(hash))
    }
    await expect.poll(again, PATIENCE).toBe(true)
    await expectTheRightEnd(world)
  },
  TIMEOUT_MS,
)

test(
  'an endpoint that is silent after broadcast: each payment is one transaction, and all is paid once',
  async () => {
    const { rpc, chain, operator } = await newWorld(4)
    rpc.fault = 'silent-after-broadcast'
    await expect.poll(() => rpc.unanswered, PATIENCE).toBeGreaterThan(2)
    const sent = Number(await chain.call('eth_getTransactionCount', [operator, 'latest']))
    expect(sent).toBeGreaterThan(0)
    rpc.fault = 'none'
    await expectTheRightEnd(world)
  },
  TIMEOUT_MS,
)
