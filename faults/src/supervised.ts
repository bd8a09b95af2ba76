import { type ChildProcess, fork, type Serializable } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const RESTART_MS = 300
const READY_MS = 120_000

/** A program that is started again whenever it ends, as a service manager does. */
export interface Supervised {
  /** Of the process that runs now. */
  pid(): number
  signal(signal: NodeJS.Signals): void
  tell(message: Serializable): void
  /** Resolves when it has said that it is ready since it was last started. */
  ready(): Promise<void>
  /** Ends it for good, in an orderly way. */
  stop(): Promise<void>
}

/** Keeps `program` running. Its first message says that it is ready; `onMessage` gets all of them. */
export function supervise(options: {
  program: string
  args: readonly string[]
  /** Settings beside those of this process, asked anew at each start. */
  env?: () => NodeJS.ProcessEnv
  /** Takes what it writes. */
  logFile: string
  /** After each start, before anything is heard. */
  onStart?: (tell: (message: Serializable) => void) => void
  onMessage(message: unknown): void
}): Supervised {
  const log = openSync(options.logFile, 'a')
  let child: ChildProcess
  let isOver = false
  let ready = Promise.withResolvers<void>()
  const tell = (message: Serializable) => {
    if (child.connected) child.send(message, () => undefined)
  }

  const running = keepRunning()

  async function keepRunning(): Promise<void> {
    while (!isOver) {
      child = fork(options.program, options.args, {
        env: { ...process.env, ...options.env?.() },
        stdio: ['ignore', log, log, 'ipc'],
      })
      child.on('message', (message) => {
        ready.resolve()
        options.onMessage(message)
      })
      options.onStart?.(tell)
      await once(child, 'exit')
      ready = Promise.withResolvers()
      if (!isOver) await sleep(RESTART_MS)
    }
  }

  return {
    pid: () => child.pid ?? 0,
    signal: (signal) => void child.kill(signal),
    tell,
    async ready() {
      const end = Date.now() + READY_MS
      while (Date.now() < end) {
        const waited = sleep(1_000).then(() => false)
        if (await Promise.race([ready.promise.then(() => true), waited])) return
      }
      throw new Error(
        `${options.program} is not ready after ${READY_MS} ms; see ${options.logFile}.`,
      )
    },
    async stop() {
      isOver = true
      child.kill('SIGCONT')
      child.kill('SIGTERM')
      await running
    },
  }
}
