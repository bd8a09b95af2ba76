import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hex, type PrivateKey, privateKeyFromBytes } from '@liquefy/protocol'

/** USER_HZ is 100 on Linux. */
const MICROS_PER_TICK = 10_000

/** What a node process can be asked. */
export type NodeQuestion = 'usage' | 'stop'

/** Where a node process listens, once it is ready. */
export interface NodeReady {
  url: string
  mqttUrl: string
  databaseUrl: string
  chainId: number
  registry: Hex
  machineIds: string[]
}

/** A machine that is registered at a node process. */
export interface LoadMachine {
  machineId: bigint
  key: PrivateKey
}

/** A node in a process of its own. */
export interface NodeHost extends Omit<NodeReady, 'machineIds'> {
  machines: LoadMachine[]
  /** Resident memory of the process now, and the processor time that it, and its database, have used since their start. */
  usage(): Promise<{ rssBytes: number; cpuMicros: number; databaseMicros: number }>
  /** Resident memory of the process now, in MB of 2^20 bytes, without asking it. */
  rssMb(): number
  /** Most resident memory that the process ever had, in MB of 2^20 bytes, as the kernel counts it. */
  peakRssMb(): number
  stop(): Promise<void>
}

/** Starts a node on a folder of its own with `count` active machines on P-256 keys. */
export async function startNodeProcess(count: number): Promise<NodeHost> {
  const scalars = Array.from({ length: count }, () => randomBytes(32))
  const child = fork(
    join(import.meta.dirname, 'node-process.ts'),
    [scalars.map((scalar) => scalar.toString('hex')).join(',')],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  )
  const { machineIds, ...ready } = await answerOf<NodeReady>(child)
  return {
    ...ready,
    machines: scalars.map((scalar, index) => ({
      machineId: BigInt(machineIds[index] ?? 0),
      key: privateKeyFromBytes('P-256', scalar),
    })),
    async usage() {
      const answer = answerOf<{ rssBytes: number; cpuMicros: number }>(child)
      child.send('usage')
      return { ...(await answer), databaseMicros: databaseMicros(child.pid ?? 0) }
    },
    rssMb: () => memoryMb(child, /^VmRSS:\s+(\d+) kB$/m),
    peakRssMb: () => memoryMb(child, /^VmHWM:\s+(\d+) kB$/m),
    async stop() {
      const ended = once(child, 'exit')
      child.send('stop')
      await ended
    },
  }
}

function memoryMb({ pid }: ChildProcess, line: RegExp): number {
  return Math.round(Number(line.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024)
}

/** Processor time of the PostgreSQL processes below a process; of those that have ended too, once their parent has noticed. */
function databaseMicros(root: number): number {
  const all = readdirSync('/proc').flatMap((name) => {
    try {
      return /^\d+$/.test(name) ? [statOf(name)] : []
    } catch {
      return [] // It has ended meanwhile.
    }
  })
  const below = new Set([root])
  // Parents are older, but numbers may start again: each round goes one generation down.
  for (let before = 0; before < below.size; ) {
    before = below.size
    for (const { pid, parent } of all) if (below.has(parent)) below.add(pid)
  }
  const ticks = all
    .filter(({ pid, name }) => below.has(pid) && name === 'postgres')
    .reduce((sum, process) => sum + process.ticks, 0)
  return ticks * MICROS_PER_TICK
}

function statOf(pid: string): { pid: number; parent: number; name: string; ticks: number } {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const end = text.lastIndexOf(')')
  const fields = text
    .slice(end + 2)
    .split(' ')
    .map(Number)
  const [user = 0, system = 0, ofChildrenUser = 0, ofChildrenSystem = 0] = fields.slice(11, 15)
  const ticks = user + system + ofChildrenUser + ofChildrenSystem
  const name = text.slice(text.indexOf('(') + 1, end)
  return { pid: Number(pid), parent: fields[1] ?? 0, name, ticks }
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const ending = new AbortController()
  try {
    return await Promise.race([
      once(child, 'message', ending).then(([answer]) => answer as T),
      once(child, 'exit', ending).then(([code]) => {
        throw new Error(`A process of the benchmark ended by itself with ${code}.`)
      }),
    ])
  } finally {
    ending.abort()
  }
}
