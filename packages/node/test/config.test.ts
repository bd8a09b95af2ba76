import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../src/config.ts'
import { lockDataFolder } from '../src/data-lock.ts'
import { startNode } from '../src/index.ts'

const logger = pino({ level: 'silent' })

describe('settings', () => {
  test('defaults listen on loopback', () => {
    expect(readConfig({}, {})).toMatchObject({
      dataDir: '.liquefy',
      host: '127.0.0.1',
      port: 4280,
      mqttPort: 4283,
      rpcPort: 4285,
      tls: undefined,
    })
  })

  test('an option wins over the environment', () => {
    expect(readConfig({ port: 1 }, { LIQUEFY_PORT: '2', LIQUEFY_DATA_DIR: '/x' })).toMatchObject({
      port: 1,
      dataDir: '/x',
    })
  })

  test.each([
    [{ LIQUEFY_PORT: '70000' }, 'LIQUEFY_PORT'],
    [{ LIQUEFY_MQTT_PORT: '1e3' }, 'LIQUEFY_MQTT_PORT'],
    [{ RPC_URL: 'localhost:8545' }, 'RPC_URL'],
    [{ DATABASE_URL: 'mysql://root:secret@x/y' }, 'DATABASE_URL'],
    [{ MQTT_URL: 'broker' }, 'MQTT_URL'],
    [{ RPC_URL: 'http://x', LIQUEFY_ASSET: '0x12' }, 'LIQUEFY_ASSET'],
    [{ LIQUEFY_ASSET: `0x${'12'.repeat(20)}` }, 'RPC_URL'],
    [{ LIQUEFY_LOG_LEVEL: 'loud' }, 'LIQUEFY_LOG_LEVEL'],
    [{ LIQUEFY_QUOTA_MACHINES: '0' }, 'LIQUEFY_QUOTA_MACHINES'],
    [{ LIQUEFY_QUOTA_BYTES_PER_DAY: '1e9' }, 'LIQUEFY_QUOTA_BYTES_PER_DAY'],
    [{ LIQUEFY_ROLE: 'boss' }, 'LIQUEFY_ROLE'],
    [{ LIQUEFY_ROLE: 'ingest' }, 'DATABASE_URL and MQTT_URL and RPC_URL'],
    [
      { LIQUEFY_ROLE: 'settle', DATABASE_URL: 'postgres://secret@x/y', RPC_URL: 'http://x' },
      'MQTT_URL',
    ],
    [{ LIQUEFY_TLS_CERT: 'a.pem' }, 'LIQUEFY_TLS_KEY'],
    [{ LIQUEFY_HOST: '0.0.0.0' }, 'LIQUEFY_TLS_CERT'],
    [{ LIQUEFY_HOST: '::' }, 'LIQUEFY_HOST'],
    [{ LIQUEFY_HOST: '127.0.0.1.example.org' }, 'LIQUEFY_HOST'],
  ])('%j names the setting', (env, name) => {
    expect(() => readConfig({}, env)).toThrow(name)
    expect(() => readConfig({}, env)).not.toThrow('secret')
  })

  test('a timer longer than Node.js has is not one that fires at once', () => {
    const { anchorIntervalMs } = readConfig({ anchorIntervalMs: Number.MAX_SAFE_INTEGER }, {})
    expect(anchorIntervalMs).toBe(2 ** 31 - 1)
  })
})

describe('one node a folder', () => {
  test('the lock of a process that is gone is taken over', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'liquefy-lock-'))
    await writeFile(join(folder, 'node.lock'), '999999999 12345')
    const release = lockDataFolder(folder)
    expect(() => lockDataFolder(folder)).toThrow(`process ${process.pid}`)
    release()
    lockDataFolder(folder)()
    // Of a later process with the same id.
    await writeFile(join(folder, 'node.lock'), `${process.pid} 1`)
    lockDataFolder(folder)()
    await rm(folder, { recursive: true })
  })

  test.each([
    ['DATABASE_UNREACHABLE', { databaseUrl: 'postgres://nobody:secret@127.0.0.1:1/none' }],
    ['LEDGER_UNREACHABLE', { rpcUrl: 'http://127.0.0.1:1/secret' }],
  ])('%s says what to look at, and no secret', async (code, options) => {
    const dataDir = await mkdtemp(join(tmpdir(), 'liquefy-nowhere-'))
    const refused = startNode({ dataDir, port: 0, mqttPort: 0, rpcPort: 0, logger, ...options })
    await expect(refused).rejects.toMatchObject({
      code,
      message: expect.stringMatching(/^(?!.*secret).*_URL right\?$/),
    })
    await rm(dataDir, { recursive: true, force: true })
  })

  test('a port that is taken is an error that names its setting, and leaves nothing running', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    const address = taken.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const dataDir = await mkdtemp(join(tmpdir(), 'liquefy-port-'))
    const free = { dataDir, port: 0, mqttPort: 0, rpcPort: 0, logger }
    for (const [setting, options] of [
      ['LIQUEFY_RPC_PORT', { rpcPort: port }],
      ['LIQUEFY_MQTT_PORT', { mqttPort: port }],
      ['LIQUEFY_PORT', { port }],
    ] as const) {
      await expect(startNode({ ...free, ...options })).rejects.toMatchObject({
        code: 'PORT_IN_USE',
        message: expect.stringContaining(setting),
      })
    }
    await (await startNode(free)).stop()
    taken.close()
    await rm(dataDir, { recursive: true, force: true })
  })
})
