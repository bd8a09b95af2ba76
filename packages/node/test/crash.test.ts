import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { leafData, leafHash, verifyInclusion } from '@liquefy/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from '../src/store/database.ts'
import {
  connectDevice,
  registerMachine,
  sealChain,
  silent,
  startIngest,
  tempFolder,
  until,
} from './ingest-fixture.ts'

let folder: Awaited<ReturnType<typeof tempFolder>>
let port: number

beforeAll(async () => {
  folder = await tempFolder()
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
  await new Promise((resolve) => server.close(resolve))
})
afterAll(() => folder.remove())

async function startNode(): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('./ingest-process.ts', import.meta.url))
  const child = spawn(process.execPath, [script, folder.path, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  return child
}

async function kill(pid: number | undefined): Promise<void> {
  if (pid === undefined) throw new Error('no process')
  process.kill(pid, 'SIGKILL')
}

async function postmasterPid(): Promise<number> {
  const file = await readFile(join(folder.path, 'postgres', 'postmaster.pid'), 'utf8')
  return Number(file.split('\n')[0])
}

test('INV-13 node, server, and both killed with -9 right after a receipt: nothing receipted is lost', async () => {
  const preparing = await openDatabase({ dataDir: folder.path, logger: silent })
  const machine = await registerMachine(preparing)
  await preparing.close()
  const chain = sealChain(machine, 60)
  const receipted = new Map<string, { loggedAt: number; logIndex: string; code: string }>()

  // A device keeps what has no receipt and sends it again, whatever it hears of in between.
  async function sendUntil(count: number): Promise<void> {
    const device = await until(() => connectDevice(port, machine).catch(() => undefined))
    for (const { bytes, digest } of chain) {
      if (!receipted.has(digest)) void device.send(bytes).catch(() => undefined)
    }
    await until(() => {
      for (const entry of device.receipts.flatMap(({ entries }) => entries)) {
        receipted.set(entry.digest, entry)
      }
      return receipted.size >= count || undefined
    })
    void device.close()
  }

  const victims: ((node: ChildProcess) => Promise<void>)[] = [
    (node) => kill(node.pid),
    async () => kill(await postmasterPid()),
    async (node) => {
      await kill(node.pid)
      await kill(await postmasterPid())
    },
  ]
  for (const [index, killThem] of victims.entries()) {
    const node = await startNode()
    const exited = new Promise((resolve) => node.once('exit', resolve))
    await sendUntil((index + 1) * 15)
    await killThem(node)
    if (node.exitCode === null && index === 1) node.kill('SIGKILL')
    await exited
  }

  const database = await openDatabase({ dataDir: folder.path, logger: silent })
  const ingest = await startIngest({ database })
  const stored = await database.pool.query('SELECT digest, log_index, logged_at FROM envelopes')
  const byDigest = new Map(stored.rows.map((row) => [`0x${row.digest.toString('hex')}`, row]))
  const head = await ingest.evidence.head()
  const size = BigInt(head.size)
  expect(receipted.size).toBeGreaterThanOrEqual(45)
  for (const [digest, { loggedAt, logIndex, code }] of receipted) {
    expect(byDigest.get(digest)).toMatchObject({
      log_index: BigInt(logIndex),
      logged_at: BigInt(loggedAt),
    })
    const index = BigInt(logIndex)
    const proof = await ingest.evidence.inclusionProof(index, size)
    const leaf = leafHash(leafData(digest as `0x${string}`, loggedAt, code))
    expect(verifyInclusion({ leafHash: leaf, index, size, proof, root: head.root })).toBe(true)
  }
  await ingest.stop()
  await database.close()
}, 300_000)
