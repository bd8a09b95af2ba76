import { clearingHouseAbi } from '@liquefy/abi'
import { encodeFunctionData, erc20Abi } from 'viem'
import { expect, test } from 'vitest'
import { type Chain, type ChainOptions, startChain } from '../../src/chain/chain.ts'
import { type Keys, openKeys } from '../../src/chain/keys.ts'
import { openAgreement, registerMachine, sendAs, settleIntent } from './business.ts'
import { atEnd, memoryLogger, newDataDir, systemClock, testDatabase } from './support.ts'

async function start(options: Pick<ChainOptions, 'dataDir' | 'database'> & { keys: Keys }) {
  const logger = memoryLogger()
  const chain = await startChain({ clock: systemClock, logger, blockMs: 20, ...options })
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= chain.stop()
    return stopped
  }
  atEnd(stop)
  return { ...chain, stop, logger }
}

function personOf(keys: Keys, index: number) {
  const person = keys.people[index]
  if (!person) throw new Error('No such person')
  return person.account
}

const euros = (chain: Chain, account: `0x${string}`) =>
  chain.publicClient.readContract({
    address: chain.deployment.asset.address,
    abi: erc20Abi,
    functionName: 'balanceOf',
    args: [account],
  })

test('a signed value is settled and withdrawn, the tables say so, and a restart changes nothing', async () => {
  const dataDir = await newDataDir()
  const keys = await openKeys(dataDir)
  const [payer, payee] = [personOf(keys, 0), personOf(keys, 1)]
  const database = await testDatabase(dataDir)
  const chain = await start({ dataDir, database, keys })
  expect(await euros(chain, payer.address)).toBe(10n ** 13n)

  const changes: bigint[][] = []
  chain.follower.onApplied(({ machineIds }) => changes.push(machineIds))
  const { machineId, key } = await registerMachine(chain, payee)
  const { id } = await openAgreement(chain, { payer, payee }, machineId, 5_000_000n)
  const intent = await settleIntent(chain, id, key, 100n)
  await Promise.all([chain.outbox.submit(intent), chain.outbox.submit(intent)])
  await chain.outbox.submit(intent)
  const outcome = await chain.outbox.whenIncluded(intent.intentId)
  expect(outcome.status).toBe('final')
  const { clearingHouse: to, asset } = chain.deployment
  const abi = clearingHouseAbi
  const credit = encodeFunctionData({ abi, functionName: 'credit', args: [[id]] })
  const args = [asset.address, 1_000_000n, payee.address] as const
  const withdraw = encodeFunctionData({ abi, functionName: 'withdraw', args })
  await sendAs(chain.rpcUrl, payee, chain.chainId, { to, data: credit })
  await sendAs(chain.rpcUrl, payee, chain.chainId, { to, data: withdraw })
  expect(await euros(chain, payee.address)).toBe(10n ** 13n + 1_000_000n)

  await chain.follower.synced()
  const tables = async () => {
    const machines = await database.pool.query(
      `SELECT m.machine_id, m.controller, o.owner, k.epoch, s.state FROM machines m
       JOIN machine_owners o USING (machine_id) JOIN machine_keys k USING (machine_id)
       JOIN machine_states s USING (machine_id) ORDER BY s.block`,
    )
    const events = await database.pool.query(
      'SELECT kind, period, amount FROM agreement_events ORDER BY block, log_index',
    )
    const withdrawals = await database.pool.query('SELECT amount FROM withdrawals')
    return { machines: machines.rows, events: events.rows, withdrawals: withdrawals.rows }
  }
  const before = await tables()
  expect(before.machines.map(({ state }) => state)).toEqual(['registered', 'active'])
  expect(before.events.map(({ kind, amount }) => [kind, amount])).toEqual([
    ['position-transferred', null],
    ['funded', 5_000_000n],
    ['settled', 1_000_000n],
    ['credited', 1_000_000n],
  ])
  expect(before.withdrawals).toEqual([{ amount: 1_000_000n }])
  expect(changes.flat()).toContain(machineId)
  expect(await chain.publicClient.getTransactionCount({ address: chain.log })).toBe(1)
  expect(chain.block().final).toBe(chain.block().included)

  await chain.stop()
  const again = await start({ dataDir, database, keys })
  await again.follower.synced()
  expect(again.deployment).toEqual(chain.deployment)
  expect(await tables()).toEqual(before)
  expect(again.logger.lines.join()).not.toContain('reorganised')
  const next = await settleIntent(again, id, key, 150n)
  await again.outbox.submit(next)
  await again.outbox.submit(intent)
  expect((await again.outbox.whenIncluded(next.intentId)).status).toBe('final')
  expect(await again.publicClient.getTransactionCount({ address: chain.log })).toBe(2)
})

test('what the ledger would refuse is told with its reason, and burns no nonce', async () => {
  const dataDir = await newDataDir()
  const keys = await openKeys(dataDir)
  const database = await testDatabase(dataDir)
  const chain = await start({ dataDir, database, keys })
  const fund = encodeFunctionData({
    abi: clearingHouseAbi,
    functionName: 'fund',
    args: [`0x${'11'.repeat(32)}`, 5n],
  })
  await chain.outbox.submit({
    intentId: 'bad',
    kind: 'test',
    to: chain.deployment.clearingHouse,
    data: fund,
  })
  const outcome = await chain.outbox.whenIncluded('bad')
  expect(outcome).toMatchObject({ status: 'reverted', txHash: undefined })
  expect(outcome.error).toMatch(/^AgreementNotOpen\(0x1111/)
  expect(await chain.publicClient.getTransactionCount({ address: chain.log })).toBe(0)
  await chain.outbox.submit({ intentId: 'good', kind: 'test', to: chain.log, data: '0x' })
  expect((await chain.outbox.whenIncluded('good')).status).toBe('final')
  await expect(chain.outbox.whenIncluded('never')).rejects.toMatchObject({ code: 'INTENT_UNKNOWN' })
})
