import { testEuroAbi } from '@liquefy/abi'
import { createPublicClient, encodeFunctionData, http, type PublicClient } from 'viem'
import { expect, test } from 'vitest'
import type { Chain } from '../../src/chain/chain.ts'
import { deployContracts } from '../../src/chain/deploy.ts'
import { type Applied, startFollower } from '../../src/chain/follower.ts'
import { openKeys } from '../../src/chain/keys.ts'
import { startOutbox } from '../../src/chain/outbox.ts'
import { BARE_CHAIN_ID, type Fault, startBareAnvil, startFaultyProxy } from './bare-anvil.ts'
import { openAgreement, registerMachine, sendAs, settleIntent } from './business.ts'
import { atEnd, chainOf, memoryLogger, newDataDir, systemClock, testDatabase } from './support.ts'

/** The node's part of the chain over a bare anvil, reached through a network that can be broken. */
async function outside(settings: { bumpAfterMs?: number } = {}) {
  const dataDir = await newDataDir()
  const keys = await openKeys(dataDir)
  const anvil = await startBareAnvil(dataDir, keys)
  const database = await testDatabase(dataDir)
  const logger = memoryLogger()
  const transport = { retryCount: 0 }
  const chain = chainOf(anvil.url, BARE_CHAIN_ID)
  const direct: PublicClient = createPublicClient({
    chain,
    transport: http(anvil.url),
    cacheTime: 0,
  })
  const faults = new Map<string, Fault>()
  const proxy = await startFaultyProxy(anvil.url, (method) => faults.get(method) ?? 'none')
  const client: PublicClient = createPublicClient({
    chain,
    transport: http(proxy.url, transport),
    cacheTime: 0,
  })
  const people = keys.people.map(({ account }) => account)
  const [payer, payee] = people
  if (!payer || !payee) throw new Error('No people')
  const holders = people.map(({ address }) => address)
  const deployment = await deployContracts({ client: direct, deployer: keys.deployer, holders })
  const follower = startFollower({
    client,
    deployment,
    database,
    clock: systemClock,
    logger,
    pollMs: 30,
    finality: 'tag',
    finalityBlocks: 12,
  })
  atEnd(() => follower.stop())
  const newOutbox = () => {
    const outbox = startOutbox({
      client,
      account: keys.operator,
      chainId: BARE_CHAIN_ID,
      database,
      follower,
      clock: systemClock,
      logger,
      retryMs: 60,
      bumpAfterMs: settings.bumpAfterMs,
    })
    atEnd(() => outbox.stop())
    return outbox
  }
  const outbox = newOutbox()
  const node = {
    chainId: BARE_CHAIN_ID,
    rpcUrl: anvil.url,
    publicClient: direct,
    deployment,
    follower,
    outbox,
  } as unknown as Chain
  const mine = (blocks: number, seconds: number) => anvil.rpc.call('anvil_mine', [blocks, seconds])
  const nonce = () => direct.getTransactionCount({ address: keys.operator.address })
  const sums = async () => {
    const { rows } = await database.pool.query(
      'SELECT kind, count(*) AS count, sum(amount) AS amount FROM agreement_events GROUP BY kind ORDER BY kind',
    )
    return rows
  }
  const status = async (intentId: string) => {
    const { rows } = await database.pool.query('SELECT status FROM outbox WHERE intent_id = $1', [
      intentId,
    ])
    return rows[0]?.status
  }
  return {
    anvil,
    database,
    logger,
    faults,
    proxy,
    node,
    follower,
    outbox,
    newOutbox,
    payer,
    payee,
    mine,
    nonce,
    sums,
    status,
    direct,
    keys,
  }
}

test('INV-10 a reorganisation of depth 5 ends in the state of none; the settlement is sent again once', async () => {
  const {
    anvil,
    node,
    follower,
    outbox,
    payer,
    payee,
    mine,
    nonce,
    sums,
    status,
    logger,
    database,
  } = await outside()
  const { machineId, key } = await registerMachine(node, payee)
  const { id } = await openAgreement(node, { payer, payee }, machineId, 5_000_000n)
  await follower.synced()
  const changes: Applied[] = []
  follower.onApplied((change) => changes.push(change))

  const checkpoint = await anvil.rpc.call('evm_snapshot')
  const intent = await settleIntent(node, id, key, 100n)
  await outbox.submit(intent)
  const first = await outbox.whenIncluded(intent.intentId)
  expect(first.status).toBe('included')
  await mine(4, 1)
  await follower.synced()
  const before = await sums()
  expect(before).toContainEqual({ kind: 'settled', count: 1n, amount: 1_000_000n })
  const depth = follower.block().included - (first.block ?? 0) + 1
  expect(depth).toBe(5)

  await anvil.rpc.call('evm_setAutomine', [false])
  await anvil.rpc.call('evm_revert', [checkpoint])
  await mine(6, 7)
  await follower.synced()
  expect((await sums()).map(({ kind }) => kind)).not.toContain('settled')
  expect(
    changes.some(
      ({ reorgedFrom, agreementIds }) => reorgedFrom === first.block && agreementIds.includes(id),
    ),
  ).toBe(true)
  expect(logger.lines.join()).toContain('reorganised')
  await expect.poll(() => status(intent.intentId), { timeout: 90_000 }).toBe('sent')

  await anvil.rpc.call('evm_setAutomine', [true])
  const second = await outbox.whenIncluded(intent.intentId)
  expect(second.txHash).toBe(first.txHash)
  expect(second.block).toBeGreaterThan(first.block ?? 0)
  await follower.synced()
  expect(await sums()).toEqual(before)
  expect(await nonce()).toBe(1)

  await mine(70, 1)
  await expect.poll(() => status(intent.intentId), { timeout: 90_000 }).toBe('final')
  // Of what is final only blocks that said something are kept.
  const finalBlocks = async (hasEvents: boolean) => {
    const { rows } = await database.pool.query(
      'SELECT count(*) AS count FROM blocks WHERE has_events = $1 AND number < $2',
      [hasEvents, follower.block().final],
    )
    return rows[0].count
  }
  await expect.poll(() => finalBlocks(false)).toBe(0n)
  expect(await finalBlocks(true)).toBeGreaterThan(3n)
})

test('a chain that only becomes shorter is followed too', async () => {
  const { anvil, node, follower, payee, database, mine } = await outside()
  await mine(3, 1)
  await follower.synced()
  const checkpoint = await anvil.rpc.call('evm_snapshot')
  await registerMachine(node, payee)
  await follower.synced()
  const machines = async () => (await database.pool.query('SELECT machine_id FROM machines')).rows
  expect(await machines()).toHaveLength(1)
  await anvil.rpc.call('evm_revert', [checkpoint])
  await expect.poll(machines, { timeout: 90_000 }).toHaveLength(0)
})

test('an endpoint that leaves logs out or gives them twice hides no event and doubles none', async () => {
  const { node, follower, payer, payee, faults, sums } = await outside()
  faults.set('eth_getLogs', 'empty')
  const openOne = async () => {
    const { machineId } = await registerMachine(node, payee)
    await openAgreement(node, { payer, payee }, machineId, 5_000_000n)
  }
  await openOne()
  await follower.synced()
  const once = await sums()
  expect(once.map(({ kind, count }) => ({ kind, count }))).toContainEqual({
    kind: 'funded',
    count: 1n,
  })
  faults.set('eth_getLogs', 'repeated')
  await openOne()
  await follower.synced()
  expect(await sums()).toEqual(
    once.map(({ kind, count, amount }) => ({
      kind,
      count: 2n * count,
      amount: amount === null ? null : 2n * amount,
    })),
  )
})

test('what lies deep below the head is read at once, what lies near it block by block', async () => {
  const { anvil, node, follower, payer, payee, faults, sums, mine } = await outside()
  faults.set('eth_getBlockByNumber', 'drop-before')
  for (const blocks of [200, 3]) {
    const { machineId } = await registerMachine(node, payee)
    await openAgreement(node, { payer, payee }, machineId, 5_000_000n)
    await mine(blocks, 1)
  }
  faults.clear()
  await follower.synced()
  expect(await sums()).toContainEqual({ kind: 'funded', count: 2n, amount: 10_000_000n })
  expect(follower.block().included).toBe(Number(await anvil.rpc.call('eth_blockNumber', [])))
})

test('an outbox goes on at an endpoint that forgets the state of older blocks', async () => {
  const { outbox, faults, nonce, keys, follower, mine } = await outside()
  await mine(80, 1)
  await follower.synced()
  expect(follower.block().final).toBeGreaterThan(0)
  faults.set('eth_getTransactionCount', 'forgetful')
  for (const intentId of ['one', 'two']) {
    await outbox.submit({ intentId, kind: 'test', to: keys.operator.address, data: '0x' })
    expect((await outbox.whenIncluded(intentId)).status).toBe('included')
  }
  expect(await nonce()).toBe(2)
})

test('INV-9 answers lost after broadcast, before it, and requests that arrive twice: one transaction', async () => {
  const { node, outbox, payer, payee, nonce, sums, follower, faults, proxy, status } =
    await outside()
  const { machineId, key } = await registerMachine(node, payee)
  const { id } = await openAgreement(node, { payer, payee }, machineId, 5_000_000n)
  const plan: Fault[] = ['drop-after', 'twice', 'drop-before']
  for (const [index, fault] of plan.entries()) {
    faults.set('eth_sendRawTransaction', fault)
    const intent = await settleIntent(node, id, key, BigInt(10 * (index + 1)))
    await Promise.all([outbox.submit(intent), outbox.submit(intent)])
    if (fault === 'drop-before') {
      await expect.poll(() => status(intent.intentId), { timeout: 90_000 }).toBe('sent')
      const before = proxy.sent.length
      await expect.poll(() => proxy.sent.length, { timeout: 90_000 }).toBeGreaterThan(before + 2)
      expect(await status(intent.intentId)).toBe('sent')
      faults.clear()
    }
    expect((await outbox.whenIncluded(intent.intentId)).status).toBe('included')
  }
  await follower.synced()
  expect(await nonce()).toBe(3)
  expect(new Set(proxy.sent).size).toBe(3)
  expect(await sums()).toContainEqual({ kind: 'settled', count: 3n, amount: 300_000n })
})

test('INV-9 a restart between storing and sending goes on with the same transaction', async () => {
  const { outbox, newOutbox, nonce, faults, proxy, status, keys } = await outside()
  faults.set('eth_sendRawTransaction', 'drop-before')
  for (const intentId of ['one', 'two']) {
    await outbox.submit({ intentId, kind: 'test', to: keys.operator.address, data: '0x' })
  }
  await expect.poll(() => status('two'), { timeout: 90_000 }).toBe('sent')
  const waiting = outbox.whenIncluded('one')
  await outbox.stop()
  await expect(waiting).rejects.toMatchObject({ code: 'OUTBOX_STOPPED' })
  expect(await nonce()).toBe(0)
  faults.clear()
  const next = newOutbox()
  await next.submit({ intentId: 'one', kind: 'test', to: keys.operator.address, data: '0x' })
  const outcomes = await Promise.all([next.whenIncluded('one'), next.whenIncluded('two')])
  expect(outcomes.map(({ status }) => status)).toEqual(['included', 'included'])
  expect(await nonce()).toBe(2)
  expect(new Set(proxy.sent).size).toBe(2)
})

test('while gas cannot be estimated an intent waits and burns no nonce', async () => {
  const { outbox, nonce, faults, status, keys } = await outside()
  faults.set('eth_estimateGas', 'drop-before')
  await outbox.submit({ intentId: 'one', kind: 'test', to: keys.operator.address, data: '0x' })
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await status('one')).toBe('queued')
  faults.clear()
  expect((await outbox.whenIncluded('one')).status).toBe('included')
  expect(await nonce()).toBe(1)
})

test('a transaction whose fee is too low is replaced at the same nonce', async () => {
  const { anvil, outbox, nonce, proxy, keys, mine, database } = await outside({ bumpAfterMs: 400 })
  await anvil.rpc.call('evm_setAutomine', [false])
  await outbox.submit({ intentId: 'one', kind: 'test', to: keys.operator.address, data: '0x' })
  await expect.poll(() => new Set(proxy.sent).size, { timeout: 90_000 }).toBeGreaterThan(1)
  await mine(1, 1)
  const { status, txHash } = await outbox.whenIncluded('one')
  expect(status).toBe('included')
  expect(await nonce()).toBe(1)
  const { rows } = await database.pool.query('SELECT tx_hash, earlier FROM outbox')
  expect(rows[0].earlier.length).toBeGreaterThan(0)
  expect(`0x${rows[0].tx_hash.toString('hex')}`).toBe(txHash)
})

test('a nonce that the same key used elsewhere is given up, and the intent sent with another', async () => {
  const { anvil, outbox, faults, nonce, keys, status, mine, direct } = await outside()
  faults.set('eth_sendRawTransaction', 'drop-before')
  await outbox.submit({ intentId: 'one', kind: 'test', to: keys.operator.address, data: '0x' })
  await expect.poll(() => status('one'), { timeout: 90_000 }).toBe('sent')
  await sendAs(anvil.url, keys.operator, BARE_CHAIN_ID, { to: keys.deployer.address, data: '0x' })
  await mine(70, 1)
  faults.clear()
  const { txHash } = await outbox.whenIncluded('one')
  expect(await nonce()).toBe(2)
  expect((await direct.getTransaction({ hash: txHash ?? '0x' })).nonce).toBe(1)
})

test('what reverts in its block is told as reverted, with its transaction', async () => {
  const { anvil, node, outbox, payer, faults, status } = await outside()
  const { asset } = node.deployment
  const data = encodeFunctionData({
    abi: testEuroAbi,
    functionName: 'transfer',
    args: [payer.address, 0n],
  })
  faults.set('eth_sendRawTransaction', 'drop-before')
  await outbox.submit({ intentId: 'one', kind: 'test', to: asset.address, data })
  await expect.poll(() => status('one'), { timeout: 90_000 }).toBe('sent')
  await anvil.rpc.call('anvil_setCode', [asset.address, '0x60006000fd'])
  faults.clear()
  const outcome = await outbox.whenIncluded('one')
  expect(outcome.status).toBe('reverted')
  expect(outcome.txHash).toBeDefined()
  expect(outcome.error).toContain('everted')
})
