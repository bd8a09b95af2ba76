import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@liquefy/client'
import pg from 'pg'
import type { NodeHost } from '../load/node-host.ts'

/** USER_HZ is 100 on Linux. */
const MICROS_PER_TICK = 10_000
/** Debian puts mosquitto where an ordinary account's PATH does not look. */
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`
const WAITS = 100
const WAIT_MS = 50

/** Broker, database and chain that processes with roles share. */
export interface Deployment {
  mqttUrl: string
  /** Starts a process with a role; answers when it is ready. */
  start(role: 'ingest' | 'settle'): Promise<ChildProcess>
  /** Processor time of the broker since its start. */
  brokerMicros(): number
  stop(): Promise<void>
}

/** Processor time of a process and its threads since its start. */
export function microsOf(child: ChildProcess): number {
  const text = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * MICROS_PER_TICK
}

/** A mosquitto of its own, and a new database and the ledger of a node that is idle otherwise. */
export async function startDeployment(host: NodeHost, folder: string): Promise<Deployment> {
  const children: ChildProcess[] = []
  const port = await freePort()
  const broker = await startMosquitto(folder, port)
  const databaseUrl = await newDatabase(host.databaseUrl)
  const { rpcUrl, ...deployment } = await createClient({ url: host.url }).deployment()
  const deploymentFile = join(folder, 'deployment.json')
  await writeFile(deploymentFile, JSON.stringify({ ...deployment, fromBlock: 0 }))
  const mqttUrl = `mqtt://127.0.0.1:${port}`
  return {
    mqttUrl,
    async start(role) {
      const child = fork(join(import.meta.dirname, 'role-process.ts'), [], {
        env: {
          ...process.env,
          LIQUEFY_ROLE: role,
          LIQUEFY_DATA_DIR: join(folder, role),
          LIQUEFY_DEPLOYMENT: deploymentFile,
          DATABASE_URL: databaseUrl,
          MQTT_URL: mqttUrl,
          RPC_URL: rpcUrl,
        },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      })
      children.push(child)
      await Promise.race([
        once(child, 'message'),
        once(child, 'exit').then(([code]) => {
          throw new Error(`The process with the role ${role} ended with ${code}.`)
        }),
      ])
      return child
    },
    brokerMicros: () => microsOf(broker),
    async stop() {
      await Promise.all([...children, broker].map(end))
    },
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill()
  await gone
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function startMosquitto(folder: string, port: number): Promise<ChildProcess> {
  const settings = join(folder, 'mosquitto.conf')
  await mkdir(folder, { recursive: true })
  await writeFile(settings, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`)
  const child = spawn('mosquitto', ['-c', settings], { env: { PATH }, stdio: 'ignore' })
  const failed = once(child, 'error').then(([error]) => {
    throw new Error('Install mosquitto for this benchmark.', { cause: error })
  })
  for (let wait = 0; wait < WAITS; wait += 1) {
    if (await Promise.race([answers(port), failed])) return child
    await sleep(WAIT_MS)
  }
  throw new Error('mosquitto does not answer.')
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

async function newDatabase(serverUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: serverUrl })
  await client.connect()
  await client.query('CREATE DATABASE scale')
  await client.end()
  const url = new URL(serverUrl)
  url.pathname = '/scale'
  return url.href
}
