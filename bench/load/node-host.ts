import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Hex, type PrivateKey, privateKeyFromBytes } from '@liquefy/protocol'

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
  /** Resident memory of the process now, and the processor time that it has used since its start. */
  usage(): Promise<{ rssBytes: number; cpuMicros: number }>
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
    usage() {
      const answer = answerOf<{ rssBytes: number; cpuMicros: number }>(child)
      child.send('usage')
      return answer
    },
    peakRssMb() {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
      return Math.round(Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1]) / 1_024)
    },
    async stop() {
      const ended = once(child, 'exit')
      child.send('stop')
      await ended
    },
  }
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
