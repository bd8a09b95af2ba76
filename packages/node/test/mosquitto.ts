import { spawn, spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import mqtt from 'mqtt'
import { test } from 'vitest'
import { until } from './ingest-fixture.ts'

// Debian puts it where an ordinary account's PATH does not look.
const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`
const MOSQUITTO = 'mosquitto'

/** Whether there is a mosquitto to test with. */
export const hasMosquitto = spawnSync(MOSQUITTO, ['-h'], { env: { PATH } }).error === undefined

/** Says plainly that what needs mosquitto is not tested here; fails in CI, which must have it. */
export function sayIfNoMosquitto(what: string): void {
  if (hasMosquitto) return
  test(what, (context) => {
    if (process.env.CI) {
      throw new Error(`Install mosquitto: CI must test ${what} (apt-get install mosquitto).`)
    }
    context.skip(`no mosquitto on PATH: ${what} is not tested here`)
  })
}

/** A loopback port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Starts a mosquitto that lets everybody in and keeps nothing, and waits until it serves. The answer ends it. */
export async function startMosquitto(folder: string, port: number): Promise<() => Promise<void>> {
  const settings = join(folder, 'mosquitto.conf')
  await writeFile(settings, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`)
  const process = spawn(MOSQUITTO, ['-c', settings], { env: { PATH }, stdio: 'ignore' })
  await until(async () => {
    const client = mqtt.connect(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 0 })
    const up = await new Promise<boolean>((resolve) => {
      client.once('connect', () => resolve(true))
      client.once('error', () => resolve(false))
      client.once('close', () => resolve(false))
    })
    await client.endAsync(true)
    return up || undefined
  })
  return async () => {
    const gone = new Promise((resolve) => process.once('exit', resolve))
    process.kill()
    await gone
  }
}
