import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { openKeys } from '../../src/chain/keys.ts'
import { processMark } from '../../src/chain/process-mark.ts'
import { atEnd, clients, newDataDir } from './support.ts'

const SERVER = fileURLToPath(new URL('./serve-chain.ts', import.meta.url))

async function serve(dataDir: string) {
  const child: ChildProcess = spawn(process.execPath, [SERVER, dataDir], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const pid = child.pid ?? 0
  const warnings: string[] = []
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.stderr?.on('data', (chunk: Buffer) => warnings.push(chunk.toString()))
  if (!child.stdout) throw new Error('No output')
  const url = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once('line', resolve)
    child.once('exit', () => reject(new Error(`It did not start: ${warnings.join('')}`)))
  })
  const anvil = JSON.parse(await readFile(join(dataDir, 'chain', 'anvil.pid'), 'utf8'))
    .pid as number
  const kill = async (whole: boolean) => {
    process.kill(whole ? -pid : pid, 'SIGKILL')
    await exited
  }
  atEnd(async () => {
    for (const id of [pid, anvil]) if (processMark(id)) process.kill(id, 'SIGKILL')
  })
  return { url, pid, anvil, warnings, kill }
}

/** Sends until the endpoint is gone; how many were answered with a hash, by account. */
async function sendUntilGone(
  url: string,
  dataDir: string,
  limit: number,
  onAnswer: () => void = () => {},
) {
  const { operator, people } = await openKeys(dataDir)
  const accounts = [operator, ...people.map(({ account }) => account)]
  const answered = await Promise.all(
    accounts.map(async (account) => {
      const { wallet } = clients(url, account)
      const base = {
        to: '0x000000000000000000000000000000000000bEEF',
        value: 1n,
        gas: 21_000n,
      } as const
      const fees = { maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 1n }
      let count = 0
      try {
        let nonce = await clients(url, account).reader.getTransactionCount({
          address: account.address,
        })
        for (; count < limit; count += 1, nonce += 1) {
          await wallet.sendTransaction({ ...base, ...fees, nonce })
          onAnswer()
        }
      } catch {
        return count
      }
      return count
    }),
  )
  return { accounts, answered }
}

async function state(url: string, dataDir: string) {
  const { operator, people } = await openKeys(dataDir)
  const accounts = [operator, ...people.map(({ account }) => account)]
  const { reader } = clients(url, operator)
  const of = async (address: `0x${string}`) => ({
    nonce: await reader.getTransactionCount({ address }),
    balance: await reader.getBalance({ address }),
  })
  const head = await reader.getBlock()
  return {
    accounts: await Promise.all(accounts.map(({ address }) => of(address))),
    hash: head.hash,
  }
}

test('kill -9 of the process group in the middle of sending: every answered transaction is there', async () => {
  const dataDir = await newDataDir()
  let server = await serve(dataDir)
  let promised = [0, 0, 0, 0, 0]
  for (const killAfter of [3, 20, 41]) {
    let count = 0
    const enough = Promise.withResolvers<void>()
    const sending = sendUntilGone(server.url, dataDir, 10_000, () => {
      count += 1
      if (count === killAfter) enough.resolve()
    })
    await enough.promise
    await server.kill(true)
    const { answered } = await sending
    promised = promised.map((count, index) => count + (answered[index] ?? 0))
    server = await serve(dataDir)
    const { accounts } = await state(server.url, dataDir)
    for (const [index, { nonce }] of accounts.entries()) {
      expect(nonce).toBeGreaterThanOrEqual(promised[index] ?? 0)
    }
    promised = accounts.map(({ nonce }) => nonce)
  }
  expect(promised.reduce((sum, count) => sum + count, 0)).toBeGreaterThanOrEqual(64)
})

test('the same balances, nonces and head after kill -9; an orphaned anvil is ended', async () => {
  const dataDir = await newDataDir()
  const first = await serve(dataDir)
  await sendUntilGone(first.url, dataDir, 10)
  const before = await state(first.url, dataDir)
  await first.kill(false)
  expect(processMark(first.anvil)).toBeDefined()
  const second = await serve(dataDir)
  expect(processMark(first.anvil)).toBeUndefined()
  expect(second.warnings.join()).toContain('earlier run')
  expect(await state(second.url, dataDir)).toEqual(before)
})

test('a second node on the same folder is refused and harms nothing', async () => {
  const dataDir = await newDataDir()
  const first = await serve(dataDir)
  await expect(serve(dataDir)).rejects.toThrow(/already runs the chain/)
  expect(processMark(first.anvil)).toBeDefined()
  expect((await state(first.url, dataDir)).accounts[0]?.nonce).toBe(0)
})
