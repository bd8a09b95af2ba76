import { execFile } from 'node:child_process'
import { mkdir, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pino from 'pino'
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../packages/node/src/store/embedded-postgres.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

const run = promisify(execFile)
const DISK_MEBIBYTES = 1_024
const BALLAST_BYTES = 2 ** 22

/** A PostgreSQL server outside the node, on a disk of its own, behind a line of its own. */
export interface OutsideDatabase {
  /** By way of the line. */
  readonly url: string
  /** Past the line. */
  directUrl(): string
  readonly line: TcpProxy
  /** Kills the server; its supervisor starts it again. */
  kill(): void
  /** An orderly end; it stays away until `start`. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Numbers of all its processes. */
  processes(): Promise<number[]>
  /** Stops all its processes where they are, or lets them go on. */
  freeze(isFrozen: boolean): Promise<void>
  /** Whether its disk can be filled: mounting one takes root. */
  readonly hasOwnDisk: boolean
  /** Leaves no free byte on the disk, or gives them back. */
  fill(isFull: boolean): Promise<void>
  close(): Promise<void>
}

/** Starts a server in `folder`. */
export async function startOutsideDatabase(folder: string): Promise<OutsideDatabase> {
  const disk = join(folder, 'disk')
  await mkdir(disk, { mode: 0o711 })
  const hasOwnDisk = process.getuid?.() === 0
  if (hasOwnDisk) {
    const options = `size=${DISK_MEBIBYTES}m,mode=0711`
    await run('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', disk])
  }
  const ballast = join(disk, 'ballast')
  const options = { dataDir: join(disk, 'data'), logger: pino({ level: 'silent' }) }
  const line = await startTcpProxy()
  let server: EmbeddedPostgres

  async function start(): Promise<void> {
    server = await startEmbeddedPostgres(options)
    line.target = Number(new URL(server.url).port)
  }

  async function processes(): Promise<number[]> {
    const root = server.pid()
    const all = await Promise.all(
      (await readdir('/proc')).map(async (name) => {
        const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => undefined)
        return stat?.split(') ').at(-1)?.split(' ')[1] === String(root) ? [Number(name)] : []
      }),
    )
    return [root, ...all.flat()]
  }

  await start()
  const url = () => new URL(server.url)
  return {
    get url() {
      const through = url()
      through.port = String(line.port)
      return through.href
    },
    directUrl: () => server.url,
    line,
    kill: () => process.kill(server.pid(), 'SIGKILL'),
    async stop() {
      line.target = undefined
      line.cut()
      await server.stop()
    },
    start,
    processes,
    async freeze(isFrozen) {
      for (const pid of await processes()) process.kill(pid, isFrozen ? 'SIGSTOP' : 'SIGCONT')
    },
    hasOwnDisk,
    async fill(isFull) {
      if (!isFull) return rm(ballast, { force: true })
      const file = await open(ballast, 'w')
      const block = Buffer.alloc(BALLAST_BYTES)
      try {
        for (let isFree = true; isFree; ) {
          isFree = await file.write(block).then(
            ({ bytesWritten }) => bytesWritten > 0,
            (error) => {
              if (error.code === 'ENOSPC') return false
              throw error
            },
          )
        }
      } finally {
        await file.close()
      }
    },
    async close() {
      await rm(ballast, { force: true })
      await server.stop()
      await line.close()
      if (hasOwnDisk) await run('umount', [disk])
    },
  }
}
