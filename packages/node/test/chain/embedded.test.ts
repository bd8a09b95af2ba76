import { appendFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseEther } from 'viem'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { expect, test } from 'vitest'
import { EMBEDDED_CHAIN_ID, startEmbeddedChain } from '../../src/chain/embedded.ts'
import { openKeys } from '../../src/chain/keys.ts'
import { atEnd, clients, memoryLogger, newDataDir, systemClock } from './support.ts'

async function start(
  dataDir: string,
  settings: { clock?: { nowMs(): number }; blockMs?: number } = {},
) {
  const logger = memoryLogger()
  const options = { dataDir, clock: systemClock, blockMs: 20, logger, ...settings }
  const chain = await startEmbeddedChain(options)
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= chain.stop()
    return stopped
  }
  atEnd(stop)
  return { ...chain, stop, logger }
}

async function rpc(url: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  // biome-ignore lint/suspicious/noExplicitAny: what the answer is, the test asks.
  const json: any = await response.json().catch(() => undefined)
  return { status: response.status, json }
}

const call = (method: string, params: unknown[] = []) => ({ jsonrpc: '2.0', id: 1, method, params })

async function hashes(url: string): Promise<string[]> {
  const { json } = await rpc(url, call('eth_blockNumber'))
  const all: string[] = []
  for (let number = 0; number <= Number(json.result); number += 1) {
    const block = await rpc(url, call('eth_getBlockByNumber', [`0x${number.toString(16)}`, false]))
    all.push(block.json.result.hash)
  }
  return all
}

const stranger = privateKeyToAccount(generatePrivateKey()).address

test('an unmodified viem wallet sends, waits and reads', async () => {
  const dataDir = await newDataDir()
  const chain = await start(dataDir)
  const { operator } = await openKeys(dataDir)
  const { wallet, reader } = clients(chain.rpcUrl, operator)
  expect(await reader.getChainId()).toBe(EMBEDDED_CHAIN_ID)
  const hash = await wallet.sendTransaction({ to: stranger, value: parseEther('1') })
  const receipt = await reader.waitForTransactionReceipt({ hash })
  expect(receipt.status).toBe('success')
  expect(await reader.getBalance({ address: stranger })).toBe(parseEther('1'))
  expect(await reader.getTransactionCount({ address: operator.address, blockTag: 'pending' })).toBe(
    1,
  )
})

test('no block is empty, and timestamps rise by a second at least', async () => {
  const dataDir = await newDataDir()
  const chain = await start(dataDir, { clock: { nowMs: () => 1_464_739_200_000 } })
  const { operator } = await openKeys(dataDir)
  const { wallet, reader } = clients(chain.rpcUrl, operator)
  for (let count = 0; count < 3; count += 1) {
    await wallet.sendTransaction({ to: stranger, value: 1n })
  }
  const blocks = await Promise.all(
    [0n, 1n, 2n, 3n].map((blockNumber) => reader.getBlock({ blockNumber })),
  )
  expect(blocks.map(({ timestamp }) => timestamp - 1_464_739_200n)).toEqual([0n, 1n, 2n, 3n])
  expect(blocks.slice(1).every(({ transactions }) => transactions.length === 1)).toBe(true)
  expect(await reader.getBlockNumber()).toBe(3n)
})

test('estimates see the time of the block that would be made, by the injected clock', async () => {
  const dataDir = await newDataDir()
  let nowMs = 1_464_739_200_000
  const chain = await start(dataDir, { clock: { nowMs: () => nowMs } })
  const { operator } = await openKeys(dataDir)
  const { wallet, reader } = clients(chain.rpcUrl, operator)
  nowMs += 86_400_000
  // Init code: revert unless TIMESTAMP is that of the day after.
  const day = (1_464_739_200 + 86_400).toString(16)
  const data: `0x${string}` = `0x63${day}4214600e57600080fd5b00`
  const gas = await reader.estimateGas({ account: operator, data })
  expect(gas).toBeGreaterThan(50_000n)
  await wallet.sendTransaction({ data, gas })
  const receipt = await reader.getBlock({ includeTransactions: false })
  expect(receipt.timestamp).toBe(1_464_739_200n + 86_400n)
})

test('what changes the chain behind the journal is refused, what is malformed at once', async () => {
  const chain = await start(await newDataDir())
  const methods = ['anvil_setBalance', 'evm_mine', 'evm_revert', 'hardhat_reset', 'personal_sign']
  for (const method of [
    ...methods,
    'eth_sendTransaction',
    'eth_sendRawTransactionSync',
    'eth_sign',
  ]) {
    const { json } = await rpc(chain.rpcUrl, call(method))
    expect(json.error.code, method).toBe(-32601)
    expect(json.error.message).toContain('refused')
  }
  for (const raw of [
    undefined,
    7,
    '0x',
    '0xzz',
    '0x02',
    `0x02${'ff'.repeat(100)}`,
    `0x${'00'.repeat(200_000)}`,
  ]) {
    const { json } = await rpc(chain.rpcUrl, call('eth_sendRawTransaction', [raw]))
    expect(json.error, String(raw).slice(0, 20)).toBeDefined()
  }
  expect((await rpc(chain.rpcUrl, call('eth_blockNumber'))).json.result).toBe('0x0')
})

test('strangers: another chain, no money, an old nonce; none wedges the chain', async () => {
  const dataDir = await newDataDir()
  const chain = await start(dataDir)
  const { operator } = await openKeys(dataDir)
  const { wallet, reader } = clients(chain.rpcUrl, operator)
  const poor = clients(chain.rpcUrl, privateKeyToAccount(generatePrivateKey()))
  const fees = {
    gas: 21_000n,
    maxFeePerGas: 10n ** 10n,
    maxPriorityFeePerGas: 1n,
    type: 'eip1559',
  } as const
  const send = (serializedTransaction: `0x${string}`) =>
    wallet.sendRawTransaction({ serializedTransaction })
  const sign = (nonce: number, chainId = EMBEDDED_CHAIN_ID) =>
    operator.signTransaction({ ...fees, chainId, nonce, to: stranger, value: 1n })
  await expect(send(await sign(0, 1))).rejects.toThrow(/invalid chain id/)
  const moneyless = await poor.wallet.account.signTransaction({
    ...fees,
    chainId: EMBEDDED_CHAIN_ID,
    nonce: 0,
    to: stranger,
    value: 1n,
  })
  await expect(send(moneyless)).rejects.toThrow(/[Ii]nsufficient funds/)
  const raw = await sign(0)
  const [first, again] = await Promise.all([send(raw), send(raw)])
  expect(first).toBe(again)
  await expect(send(raw)).rejects.toThrow(/nonce/)
  // A gap holds nobody up; it is mined when it is closed.
  const ahead = await send(await sign(2))
  expect(await reader.getTransactionCount({ address: operator.address })).toBe(1)
  await send(await sign(1))
  const receipt = await reader.waitForTransactionReceipt({ hash: ahead })
  expect(receipt.status).toBe('success')
  const lines = (await readFile(join(dataDir, 'chain', 'journal.jsonl'), 'utf8')).trim().split('\n')
  expect(lines.flatMap((line) => JSON.parse(line).transactions)).toHaveLength(3)
})

test('a batch of calls is answered one by one; many transactions share a block', async () => {
  const dataDir = await newDataDir()
  const chain = await start(dataDir)
  const { operator } = await openKeys(dataDir)
  const fees = {
    gas: 21_000n,
    maxFeePerGas: 10n ** 10n,
    maxPriorityFeePerGas: 1n,
    type: 'eip1559',
  } as const
  const raws = await Promise.all(
    Array.from({ length: 50 }, (_, nonce) =>
      operator.signTransaction({
        ...fees,
        chainId: EMBEDDED_CHAIN_ID,
        nonce,
        to: stranger,
        value: 1n,
      }),
    ),
  )
  const { json } = await rpc(chain.rpcUrl, [
    ...raws.map((raw) => call('eth_sendRawTransaction', [raw])),
    call('evm_mine'),
  ])
  expect(
    json.slice(0, 50).every((answer: { result?: string }) => answer.result?.length === 66),
  ).toBe(true)
  expect(json[50].error.code).toBe(-32601)
  const { reader } = clients(chain.rpcUrl, operator)
  expect(await reader.getBlockNumber()).toBeLessThanOrEqual(4n)
  expect(await reader.getTransactionCount({ address: operator.address })).toBe(50)
})

test('pages of other origins may not read, nor other names for this machine', async () => {
  const chain = await start(await newDataDir())
  const body = call('eth_blockNumber')
  expect((await rpc(chain.rpcUrl, body, { origin: 'https://example.org' })).status).toBe(403)
  expect((await rpc(chain.rpcUrl, body, { origin: 'http://localhost:5173' })).status).toBe(200)
})

test('anvil is killed while running: it starts again by itself, with every block', async () => {
  const dataDir = await newDataDir()
  const chain = await start(dataDir)
  const { operator } = await openKeys(dataDir)
  const { wallet, reader } = clients(chain.rpcUrl, operator)
  for (let count = 0; count < 5; count += 1) {
    await wallet.sendTransaction({ to: stranger, value: 1n })
    const pid = chain.pid()
    if (count % 2 === 0 && pid) process.kill(pid, 'SIGKILL')
    await wallet.sendTransaction({ to: stranger, value: 1n })
  }
  expect(await reader.getTransactionCount({ address: operator.address })).toBe(10)
  expect(await reader.getBalance({ address: stranger })).toBe(10n)
})

test('a restart has the same blocks: from its snapshot, from the journal, from both', async () => {
  const dataDir = await newDataDir()
  const send = async (url: string, count: number) => {
    const { operator, people } = await openKeys(dataDir)
    const accounts = [operator, ...people.map(({ account }) => account)]
    for (let index = 0; index < count; index += 1) {
      await Promise.all(
        accounts.map((account) =>
          clients(url, account).wallet.sendTransaction({ to: stranger, value: 1n }),
        ),
      )
    }
  }
  const first = await start(dataDir)
  await send(first.rpcUrl, 6)
  const before = await hashes(first.rpcUrl)
  await first.stop()

  const second = await start(dataDir)
  expect(second.logger.lines.join()).toContain('"blocks":0')
  expect(await hashes(second.rpcUrl)).toEqual(before)
  await send(second.rpcUrl, 3)
  const longer = await hashes(second.rpcUrl)
  expect(longer.slice(0, before.length)).toEqual(before)
  const snapshot = await readFile(join(dataDir, 'chain', 'snapshot'))
  await second.stop()

  await rm(join(dataDir, 'chain', 'snapshot'))
  const third = await start(dataDir)
  expect(await hashes(third.rpcUrl)).toEqual(longer)
  await third.stop()

  await writeFile(join(dataDir, 'chain', 'snapshot'), snapshot)
  const fourth = await start(dataDir)
  expect(await hashes(fourth.rpcUrl)).toEqual(longer)
  await fourth.stop()

  await writeFile(join(dataDir, 'chain', 'snapshot'), snapshot.subarray(0, snapshot.length / 2))
  const fifth = await start(dataDir)
  expect(await hashes(fifth.rpcUrl)).toEqual(longer)
})

test('a torn last line is cut off at the start, and said so', async () => {
  const dataDir = await newDataDir()
  const first = await start(dataDir)
  const { operator } = await openKeys(dataDir)
  await clients(first.rpcUrl, operator).wallet.sendTransaction({ to: stranger, value: 1n })
  await first.stop()
  await appendFile(join(dataDir, 'chain', 'journal.jsonl'), '{"number":2,"timest')
  const second = await start(dataDir)
  expect(second.logger.lines.join()).toContain('torn block')
  expect(await clients(second.rpcUrl, operator).reader.getBlockNumber()).toBe(1n)
})

test('what cannot be paid any more when its turn comes is told so, and blocks nobody', async () => {
  const dataDir = await newDataDir()
  const first = await start(dataDir, { blockMs: 200 })
  const { operator, deployer } = await openKeys(dataDir)
  const { wallet, reader } = clients(first.rpcUrl, operator)
  const most = { to: stranger, value: 9n * 10n ** 23n, gas: 21_000n } as const
  // A first block, so that the next two transactions wait for the same one.
  await clients(first.rpcUrl, deployer).wallet.sendTransaction({ to: stranger, value: 1n })
  const [paid, unpaid] = await Promise.allSettled(
    [0, 1].map((nonce) => wallet.sendTransaction({ ...most, nonce })),
  )
  expect(paid?.status).toBe('fulfilled')
  expect(unpaid?.status).toBe('rejected')
  await wallet.sendTransaction({ to: stranger, value: 1n, nonce: 1 })
  expect(await reader.getTransactionCount({ address: operator.address })).toBe(2)
  const before = await hashes(first.rpcUrl)
  await first.stop()
  await rm(join(dataDir, 'chain', 'snapshot'))
  const second = await start(dataDir)
  expect(await hashes(second.rpcUrl)).toEqual(before)
})

test('a long chain leaves snapshots while it runs, so that a killed node starts fast', async () => {
  const dataDir = await newDataDir()
  const chain = await start(dataDir, { blockMs: 0 })
  const { operator } = await openKeys(dataDir)
  const { wallet } = clients(chain.rpcUrl, operator)
  const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n, gas: 21_000n }
  for (let nonce = 0; nonce < 505; nonce += 1) {
    await wallet.sendTransaction({ to: stranger, value: 1n, nonce, ...fees })
  }
  const head = await readFile(join(dataDir, 'chain', 'snapshot'), 'utf8')
  expect(JSON.parse(head.slice(0, head.indexOf('\n'))).position.number).toBe(500)
})
