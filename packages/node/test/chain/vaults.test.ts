import { machineVaultAbi, testEuroAbi } from '@liquefy/abi'
import {
  buyShares,
  claimIncome,
  closeSale,
  completeBuyout,
  createVault,
  distributeIncome,
  offerBuyout,
  payCredit,
  redeemShares,
  refundShares,
  send,
  transferShares,
  type VaultSetup,
  type Wallet,
} from '@liquefy/client'
import { createPublicClient, createWalletClient, type Hex, http, type PublicClient } from 'viem'
import { expect, test } from 'vitest'
import type { Chain } from '../../src/chain/chain.ts'
import { deployContracts } from '../../src/chain/deploy.ts'
import { startFollower } from '../../src/chain/follower.ts'
import { openKeys } from '../../src/chain/keys.ts'
import { readClaimable, readHolderCounts, readOwnersOf } from '../../src/store/shares.ts'
import { readFacts } from '../../src/store/vault-facts.ts'
import { readCredits, readReserve } from '../../src/store/vault-income.ts'
import { readVaultMachines, readVaults } from '../../src/store/vaults.ts'
import { BARE_CHAIN_ID, startBareAnvil } from './bare-anvil.ts'
import { registerMachine } from './business.ts'
import { atEnd, chainOf, memoryLogger, newDataDir, systemClock, testDatabase } from './support.ts'

const SLOW = 300_000

/** The follower over a bare anvil whose time and blocks the test turns. */
async function world() {
  const dataDir = await newDataDir()
  const keys = await openKeys(dataDir)
  const anvil = await startBareAnvil(dataDir, keys)
  const database = await testDatabase(dataDir)
  const chain = chainOf(anvil.url, BARE_CHAIN_ID)
  const client: PublicClient = createPublicClient({
    chain,
    transport: http(anvil.url),
    cacheTime: 0,
    pollingInterval: 20,
  })
  const holders = keys.people.map(({ account }) => account.address)
  const deployment = await deployContracts({ client, deployer: keys.deployer, holders })
  const follow = () => {
    const one = startFollower({
      client,
      deployment,
      database,
      clock: systemClock,
      logger: memoryLogger(),
      pollMs: 30,
      finality: 'tag',
      finalityBlocks: 12,
    })
    atEnd(() => one.stop())
    return one
  }
  const follower = follow()
  const node = {
    chainId: BARE_CHAIN_ID,
    rpcUrl: anvil.url,
    publicClient: client,
    deployment,
  } as unknown as Chain
  const wallets = keys.people.map(({ account }) =>
    createWalletClient({ account, chain, transport: http(anvil.url) }),
  ) as Wallet[]
  const by = (who: number) => {
    const wallet = wallets[who]
    if (!wallet) throw new Error(`no person ${who}`)
    return { publicClient: client, wallet }
  }
  const accountOf = (who: number) => by(who).wallet.account.address.toLowerCase() as Hex
  const asset = deployment.asset.address
  const founder = keys.people[0]?.account
  if (!founder) throw new Error('no people')

  const newVault = async (change: Partial<VaultSetup>) => {
    const { machineId } = await registerMachine(node, founder)
    const setup: VaultSetup = {
      name: 'Boat',
      symbol: 'BOAT',
      asset,
      operator: founder.address,
      machineIds: [machineId],
      founderShares: 0n,
      waterfall: { reserveTarget: 0n, fees: [] },
      ...change,
    }
    const { registry, cooperation } = deployment
    if (!cooperation) throw new Error('no factory')
    const made = await createVault({ ...by(0), deployment: { registry, cooperation }, setup })
    return { ...made, machineId }
  }
  const pay = (who: number, vault: Hex, amount: bigint) =>
    send(by(who), {
      address: asset,
      abi: testEuroAbi,
      functionName: 'transfer',
      args: [vault, amount],
    })
  const later = async (seconds: number) => {
    await anvil.rpc.call('evm_increaseTime', [seconds])
    await anvil.rpc.call('anvil_mine', [1])
  }
  const deadlineIn = async (seconds: bigint) => (await client.getBlock()).timestamp + seconds

  /** What the tables say of shares, claims, credits, phase and reserve is what the ledger says. */
  const expectEqual = async (vault: Hex) => {
    await anvil.rpc.call('anvil_mine', [1])
    await follower.synced()
    const db = database.pool
    const contract = { address: vault, abi: machineVaultAbi } as const
    let claimable = 0n
    for (const who of wallets.keys()) {
      const account = accountOf(who)
      const ask = (functionName: 'balanceOf' | 'claimableOf' | 'creditOf') =>
        client.readContract({ ...contract, functionName, args: [account] })
      const [owner] = await readOwnersOf(db, vault, { account, offset: 0, limit: 1 })
      const [credit] = await readCredits(db, vault, account)
      expect(owner?.shares ?? 0n).toBe(await ask('balanceOf'))
      const mine = (owner?.earnedMinor ?? 0n) - (owner?.claimedMinor ?? 0n)
      expect(mine).toBe(await ask('claimableOf'))
      expect(credit?.minor ?? 0n).toBe(await ask('creditOf'))
      claimable += mine
    }
    expect(await readClaimable(db, vault)).toBe(claimable)
    const holders = (await readHolderCounts(db, [vault])).get(vault)
    expect(holders?.supply ?? 0n).toBe(
      await client.readContract({ ...contract, functionName: 'totalSupply' }),
    )
    const phase = (await readFacts(db, [vault])).get(vault)?.get('phase')?.value ?? 'selling'
    const phaseNumber = await client.readContract({ ...contract, functionName: 'phase' })
    expect(phase).toBe(['selling', 'live', 'failed', 'bought-out'][phaseNumber])
    if (phase === 'bought-out') return
    const reserve = await client.readContract({ ...contract, functionName: 'reserve' })
    expect(await readReserve(db, vault)).toBe(reserve)
  }
  return {
    anvil,
    database,
    follow,
    follower,
    by,
    accountOf,
    asset,
    newVault,
    pay,
    later,
    deadlineIn,
    expectEqual,
  }
}

/** A small generator (mulberry32), so that a story that fails can be told again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

test('the tables equal the ledger after every step of a random story, several steps a block', {
  timeout: SLOW,
}, async () => {
  const { anvil, by, accountOf, newVault, pay, expectEqual } = await world()
  const { vault } = await newVault({
    founderShares: 1_000n,
    waterfall: {
      reserveTarget: 50_000n,
      lender: { account: accountOf(3), outstanding: 70_001n },
      fees: [
        { to: accountOf(2), bps: 333 },
        { to: accountOf(3), bps: 1 },
      ],
    },
  })
  const random = randomFrom(7)
  for (let round = 0; round < 12; round += 1) {
    // A block of its own for many steps: an income, then shares that move behind it or before it.
    await anvil.rpc.call('evm_setAutomine', [false])
    const sent: Promise<unknown>[] = []
    for (const who of [0, 1, 2, 3]) {
      const step = random(4)
      const to = accountOf(random(4))
      const amount = BigInt(1 + random(9_999))
      if (step === 0) sent.push(pay(who, vault, amount))
      else if (step === 1) sent.push(distributeIncome({ ...by(who), vault }))
      else if (step === 2) {
        sent.push(transferShares({ ...by(who), vault, to, shares: BigInt(random(120)) }))
      } else sent.push(claimIncome({ ...by(who), vault, account: to }))
    }
    const settled = Promise.allSettled(sent)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await anvil.rpc.call('anvil_mine', [1])
    await anvil.rpc.call('evm_setAutomine', [true])
    await anvil.rpc.call('anvil_mine', [1])
    await settled
    await expectEqual(vault)
  }
})

test('a sale that fails gives money and machine back; income meanwhile is the founder’s', {
  timeout: SLOW,
}, async () => {
  const { by, accountOf, asset, database, newVault, pay, later, deadlineIn, expectEqual } =
    await world()
  const sale = { priceMinor: 1_000n, cap: 100n, goal: 50n, deadline: await deadlineIn(1_000n) }
  const { vault, machineId } = await newVault({ founderShares: 5n, sale })
  await buyShares({ ...by(1), vault, asset, shares: 20n, priceMinor: 1_000n })
  await expectEqual(vault)
  await pay(2, vault, 777n)
  await later(2_000)
  await closeSale({ ...by(3), vault })
  await expectEqual(vault)
  await distributeIncome({ ...by(3), vault })
  await expectEqual(vault)
  expect(await readCredits(database.pool, vault)).toEqual([{ account: accountOf(0), minor: 777n }])
  await refundShares({ ...by(1), vault })
  await payCredit({ ...by(0), vault })
  await expectEqual(vault)
  const machines = (await readVaultMachines(database.pool, [vault])).get(vault)
  expect(machines).toMatchObject([{ machineId, held: false }])
})

test('a buy-out that nobody refuses: the buyer has the rest of his deposit and the reserve, the others their price', {
  timeout: SLOW,
}, async () => {
  const { by, accountOf, asset, database, newVault, pay, later, expectEqual } = await world()
  const { vault } = await newVault({
    founderShares: 100n,
    buyout: { minBps: 5_000, refusalBps: 5_000, delaySeconds: 3_600 },
    waterfall: { reserveTarget: 400n, fees: [] },
  })
  await transferShares({ ...by(0), vault, to: accountOf(1), shares: 30n })
  await transferShares({ ...by(0), vault, to: accountOf(2), shares: 10n })
  await pay(3, vault, 1_007n)
  await distributeIncome({ ...by(3), vault })
  await offerBuyout({ ...by(0), vault, asset, priceMinor: 1_000n })
  await expectEqual(vault)
  // He buys more in the meantime: what he has paid for these comes back.
  await transferShares({ ...by(2), vault, to: accountOf(0), shares: 4n })
  await later(4_000)
  await completeBuyout({ ...by(3), vault })
  await expectEqual(vault)
  const [credit] = await readCredits(database.pool, vault, accountOf(0))
  expect(credit?.minor).toBe(4_000n + 400n)
  await redeemShares({ ...by(1), vault })
  await claimIncome({ ...by(1), vault })
  await pay(3, vault, 55n)
  await distributeIncome({ ...by(3), vault })
  await expectEqual(vault)
})

test('INV-10 a reorganisation forgets a vault with all that it had, and follows the one that comes in its place', {
  timeout: SLOW,
}, async () => {
  const { anvil, accountOf, by, database, follower, newVault, pay, expectEqual } = await world()
  const before = await newVault({ founderShares: 7n, name: 'Before' })
  await expectEqual(before.vault)
  const checkpoint = await anvil.rpc.call('evm_snapshot')
  const first = await newVault({ founderShares: 9n, name: 'First' })
  await pay(1, first.vault, 99n)
  await distributeIncome({ ...by(1), vault: first.vault })
  await transferShares({ ...by(0), vault: before.vault, to: accountOf(1), shares: 2n })
  await expectEqual(first.vault)
  const names = async () =>
    (await readVaults(database.pool, { offset: 0, limit: 10 })).map(({ name }) => name)
  expect(await names()).toEqual(['First', 'Before'])

  await anvil.rpc.call('evm_revert', [checkpoint])
  await anvil.rpc.call('anvil_mine', [3, 7])
  await follower.synced()
  expect(await names()).toEqual(['Before'])
  await expectEqual(before.vault)
  for (const table of ['vault_incomes', 'income_records', 'vault_facts', 'share_moves']) {
    const { rows } = await database.pool.query(
      `SELECT count(*) AS count FROM ${table} WHERE vault = decode($1, 'hex')`,
      [first.vault.slice(2)],
    )
    expect(rows[0].count, table).toBe(0n)
  }

  // The clone's address follows from the factory's count: another vault stands there now.
  const second = await newVault({ founderShares: 11n, name: 'Second' })
  expect(second.vault).toBe(first.vault)
  await pay(1, second.vault, 22n)
  await distributeIncome({ ...by(1), vault: second.vault })
  await expectEqual(second.vault)
  expect(await names()).toEqual(['Second', 'Before'])
})

test('vaults that lie deep are read at once, with what they did in the block that made them', {
  timeout: SLOW,
}, async () => {
  const { anvil, by, database, newVault, pay, follow, follower } = await world()
  await follower.synced()
  await follower.stop()
  const { vault } = await newVault({ founderShares: 7n })
  await pay(1, vault, 97n)
  await distributeIncome({ ...by(1), vault })
  await anvil.rpc.call('anvil_mine', [200, 1])
  expect(await readVaults(database.pool, { offset: 0, limit: 10 })).toEqual([])
  await follow().synced()
  const [owner] = await readOwnersOf(database.pool, vault, { offset: 0, limit: 5 })
  // A seventh of a smallest unit is nobody's loss: it waits for the next income.
  expect(owner).toMatchObject({ shares: 7n, earnedMinor: 96n })
})
