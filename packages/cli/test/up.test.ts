import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { finished, lineOf, liquefyAlone, start } from './liquefy.ts'

const folder = mkdtempSync(join(tmpdir(), 'liquefy-up-'))
chmodSync(folder, 0o711)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const LIQUEFY_DATA_DIR = join(folder, 'data')
const PORTS = ['--port', '0', '--mqtt-port', '0', '--rpc-port', '0']

async function up(): Promise<{ url: string; stop(): Promise<number | null> }> {
  const child = start(['up', ...PORTS, '--json'], { LIQUEFY_DATA_DIR })
  const ended = finished(child)
  const line = await lineOf(child, (text) => text.startsWith('{') && text.endsWith('}'))
  return {
    url: (JSON.parse(line) as { url: string }).url,
    async stop() {
      child.kill('SIGTERM')
      return (await ended).code
    },
  }
}

test('up prints its address, is found by others, and stops in order; started again it goes on', async () => {
  const none = await liquefyAlone(['chain', '--json'], { LIQUEFY_DATA_DIR })
  expect(none.json()).toMatchObject({ error: { code: 'LEDGER_MISSING' } })
  const first = await up()
  expect((await fetch(new URL('/healthz', first.url))).ok).toBe(true)
  const status = await liquefyAlone(['status', '--json'], { LIQUEFY_DATA_DIR })
  expect(status.json()).toMatchObject({ machines: 0, owedMinor: '0', settledMinor: '0' })
  const twice = await liquefyAlone(['up', ...PORTS, '--json'], { LIQUEFY_DATA_DIR })
  expect(twice.code).toBe(2)
  expect(twice.json()).toMatchObject({ error: { code: 'DATA_FOLDER_IN_USE' } })
  const ledgerToo = await liquefyAlone(['chain', '--rpc-port', '0', '--json'], { LIQUEFY_DATA_DIR })
  expect(ledgerToo.code).toBe(2)
  expect((await liquefyAlone(['status'], { LIQUEFY_DATA_DIR })).code).toBe(0)
  expect(await first.stop()).toBe(0)
  expect(existsSync(join(LIQUEFY_DATA_DIR, 'running.json'))).toBe(false)
  const second = await up()
  expect((await liquefyAlone(['status'], { LIQUEFY_DATA_DIR })).code).toBe(0)
  expect(await second.stop()).toBe(0)
})

test('a port that is no port, an interface that others reach without TLS, a log level that is none: refused with what to do', async () => {
  const port = await liquefyAlone(['up', '--port', '99999'], { LIQUEFY_DATA_DIR })
  expect(port.code).toBe(2)
  expect(port.stderr).toContain('0 to 65535')
  const open = await liquefyAlone(['up', '--host', '0.0.0.0', '--json'], { LIQUEFY_DATA_DIR })
  expect(open.code).toBe(2)
  expect(open.json()).toMatchObject({ error: { code: 'CONFIG_INVALID' } })
  const loud = await liquefyAlone(['up', '--json'], { LIQUEFY_DATA_DIR, LIQUEFY_LOG_LEVEL: 'loud' })
  expect(loud.json()).toMatchObject({ error: { code: 'CONFIG_INVALID' } })
})

test('a port that is taken: the message names the option and the setting', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as AddressInfo
  const refused = await liquefyAlone(['up', ...PORTS, '--mqtt-port', String(port), '--json'], {
    LIQUEFY_DATA_DIR,
  })
  const ledger = await liquefyAlone(['chain', '--rpc-port', String(port), '--json'], {
    LIQUEFY_DATA_DIR,
  })
  const typed = await liquefyAlone(['chain', '--json'], {
    LIQUEFY_DATA_DIR,
    LIQUEFY_RPC_PORT: 'abc',
  })
  taken.close()
  expect(refused.json()).toMatchObject({ error: { code: 'PORT_IN_USE' } })
  expect(refused.stdout).toContain('--mqtt-port or LIQUEFY_MQTT_PORT')
  expect(ledger.stdout).toContain('--rpc-port or LIQUEFY_RPC_PORT')
  expect(typed.json()).toMatchObject({ error: { code: 'CONFIG_INVALID' } })
})
