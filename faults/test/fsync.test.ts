import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { heardAgain } from '../src/campaign.ts'
import { startWorld, type World } from '../src/world.ts'
import { acknowledgements } from './syscalls.ts'

const TIMEOUT_MS = 180_000
const TRACED = 'trace=read,write,writev,recvfrom,sendto,fsync,fdatasync'
const TRACED_MS = 10_000

let world: World
afterEach(() => world?.stop())

const hasStrace = () => spawnSync('strace', ['-V']).status === 0

/** What strace, a tool nobody here wrote, sees node and database do, in the order in which the kernel did it. */
async function traced({ folder, node, database }: World): Promise<string> {
  const file = join(folder, 'trace')
  const pids = [node.pid(), ...(await database.processes())]
  const strace = spawn(
    'strace',
    ['-f', '-yy', '-x', '-s', '65536', '-o', file, '-e', TRACED, ...pids.map((pid) => `-p${pid}`)],
    { stdio: 'ignore' },
  )
  await once(strace, 'spawn')
  await sleep(TRACED_MS)
  const over = once(strace, 'exit')
  strace.kill('SIGINT')
  await over
  return readFile(file, 'latin1')
}

test.runIf(process.platform === 'linux' && (hasStrace() || process.env.CI))(
  'no acknowledgement leaves the node before the log of the database is on the disk',
  async () => {
    world = await startWorld({ seed: 5, devices: 1, everyMs: 300 })
    await heardAgain(world)
    const trace = await traced(world)
    const port = world.broker.target ?? 0
    const found = acknowledgements(trace, port)
    for (const by of ['puback', 'receipt']) {
      expect(found.filter((one) => one.by === by).length).toBeGreaterThan(5)
    }
    expect(found.filter(({ isOnDisk }) => !isOnDisk)).toEqual([])

    // The same day without the disk: the check is one that can fail.
    const careless = trace.replaceAll(/^.*f(data)?sync.*$/gm, '')
    const noticed = acknowledgements(careless, port)
    expect(noticed.length).toBe(found.length)
    expect(noticed.every(({ isOnDisk }) => !isOnDisk)).toBe(true)
  },
  TIMEOUT_MS,
)
