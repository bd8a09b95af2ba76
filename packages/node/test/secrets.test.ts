import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import pino from 'pino'
import { describe, expect, test, vi } from 'vitest'
import { openKeys } from '../src/chain/keys.ts'
import { readConfig } from '../src/config.ts'
import { startNode } from '../src/index.ts'
import { startEmbeddedPostgres } from '../src/store/embedded-postgres.ts'
import { startBareAnvil } from './chain/bare-anvil.ts'
import { atEnd } from './chain/support.ts'
import { freePort, hasMosquitto, sayIfNoMosquitto, startMosquitto } from './mosquitto.ts'

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'liquefy-secrets-'))
  // As root, a database runs under an account of its own, which has to pass through.
  await chmod(folder, 0o711)
  atEnd(() => rm(folder, { recursive: true, force: true }))
  return folder
}

describe('a secret setting', () => {
  test('comes from the file that <NAME>_FILE names, without its line end', async () => {
    const path = join(await newFolder(), 'secret')
    await writeFile(path, 'postgres://node:p4ss@db.example/liquefy\n')
    expect(readConfig({}, { DATABASE_URL_FILE: path }).databaseUrl).toBe(
      'postgres://node:p4ss@db.example/liquefy',
    )
    await writeFile(path, 'words and words\r\n')
    const { keyPassphrase } = readConfig({}, { LIQUEFY_KEY_PASSPHRASE_FILE: path })
    expect(keyPassphrase).toBe('words and words')
  })

  test('given twice, or in a file that is not there, is refused by name and never quoted', async () => {
    const path = join(await newFolder(), 'secret')
    const read = (env: Record<string, string>) => () => readConfig({}, env)
    expect(read({ MQTT_URL: 'mqtt://x', MQTT_URL_FILE: path })).toThrow('MQTT_URL_FILE')
    expect(read({ RPC_URL_FILE: path })).toThrow(`RPC_URL_FILE is ${path}`)
    await writeFile(path, 'not-a-url-but-secret')
    expect(read({ RPC_URL_FILE: path })).toThrow('RPC_URL is no URL')
    expect(read({ RPC_URL_FILE: path })).not.toThrow('not-a-url')
  })
})

/** Collects what a node logs. */
function memoryLog(level: string) {
  const lines: string[] = []
  const write = (line: string) => void lines.push(line)
  return { lines, logger: pino({ level }, { write }) }
}

test('on a chain of one’s own the log says which keys lie in the open; parties are told the public address', async () => {
  const dataDir = await newFolder()
  const anvil = await startBareAnvil(await newFolder(), await openKeys(dataDir))
  const { lines, logger } = memoryLog('warn')
  const publicRpcUrl = 'https://rpc.example/public'
  const ports = { port: 0, mqttPort: 0 }
  const node = await startNode({ dataDir, rpcUrl: anvil.url, publicRpcUrl, logger, ...ports })
  atEnd(() => node.stop())
  const said = lines.filter((line) => line.includes('liquefy keys encrypt'))
  expect(said).toHaveLength(1)
  expect(said[0]).toContain(join(dataDir, 'keys/operator.json'))
  expect(node.deployment.rpcUrl).toBe(publicRpcUrl)
}, 60_000)

/** A JSON-RPC endpoint that wants user, path and query, and fails now and then as networks do. */
async function startGuardedRpc(target: string, marker: string) {
  const seen = { allowed: 0, refused: 0, failing: false }
  const answerTo = async (request: http.IncomingMessage, response: http.ServerResponse) => {
    const basic = `Basic ${Buffer.from(`node:${marker}`).toString('base64')}`
    const isKnown =
      request.headers.authorization === basic && request.url === `/v3/${marker}?key=${marker}`
    seen[isKnown ? 'allowed' : 'refused'] += 1
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    if (!isKnown) return response.writeHead(403).end()
    if (seen.failing) return response.destroy()
    const headers = { 'content-type': 'application/json' }
    const answer = await fetch(target, { method: 'POST', body: Buffer.concat(chunks), headers })
    return response.writeHead(200, headers).end(await answer.text())
  }
  const server = http.createServer((request, response) => {
    answerTo(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const address = server.address()
  return { port: typeof address === 'object' && address ? address.port : 0, seen }
}

/** A database whose user has the marker as password, at a server of our own. */
async function databaseWithPassword(marker: string) {
  const silent = pino({ level: 'silent' })
  const server = await startEmbeddedPostgres({ dataDir: await newFolder(), logger: silent })
  atEnd(() => server.stop())
  const admin = new pg.Client({ connectionString: server.url })
  await admin.connect()
  atEnd(() => admin.end())
  await admin.query(`CREATE ROLE marked LOGIN PASSWORD '${marker}'`)
  await admin.query('CREATE DATABASE marked OWNER marked')
  const url = new URL(server.url)
  url.username = 'marked'
  url.password = marker
  url.pathname = '/marked'
  const breakConnections = () =>
    admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'marked'")
  return { url: url.href, breakConnections }
}

sayIfNoMosquitto('no secret in logs and answers')

test.runIf(hasMosquitto)(
  'no secret stands in the log, in an answer of the API, in metrics or in what anybody is told',
  async () => {
    const marker = `marker${randomBytes(8).toString('hex')}`
    const dataDir = await newFolder()
    const { lines, logger } = memoryLog('trace')
    const anvil = await startBareAnvil(await newFolder(), await openKeys(dataDir, marker))
    const rpc = await startGuardedRpc(anvil.url, marker)
    const database = await databaseWithPassword(marker)
    const mqttPort = await freePort()
    atEnd(await startMosquitto(await newFolder(), mqttPort))
    const secrets = {
      DATABASE_URL: database.url,
      RPC_URL: `http://node:${marker}@127.0.0.1:${rpc.port}/v3/${marker}?key=${marker}`,
      MQTT_URL: `mqtt://node:${marker}@127.0.0.1:${mqttPort}`,
      LIQUEFY_KEY_PASSPHRASE: marker,
    }
    for (const [name, secret] of Object.entries(secrets)) {
      const path = join(dataDir, `${name}.secret`)
      await writeFile(path, secret, { mode: 0o600 })
      vi.stubEnv(`${name}_FILE`, path)
    }
    const node = await startNode({ dataDir, port: 0, logger })
    vi.unstubAllEnvs()
    atEnd(() => node.stop())
    expect(rpc.seen).toMatchObject({ refused: 0 })
    expect(rpc.seen.allowed).toBeGreaterThan(0)
    expect(node.deployment).toMatchObject({
      rpcUrl: `http://127.0.0.1:${rpc.port}`,
      mqttUrl: `mqtt://127.0.0.1:${mqttPort}`,
    })

    // Things go wrong, and are told.
    const told = (what: string) => lines.some((line) => line.includes(what))
    rpc.seen.failing = true
    await expect.poll(() => told('fetch failed'), { timeout: 20_000 }).toBe(true)
    await database.breakConnections()
    await expect.poll(() => told('database connection died'), { timeout: 20_000 }).toBe(true)

    const answers: string[] = []
    const ask = async (path: string, init: RequestInit = {}) => {
      const answer = await fetch(`${node.url}${path}`, init)
      const body = path === '/v1/events' ? answer.body?.cancel() : answer.text()
      answers.push(`${path} ${answer.status} ${[...answer.headers].join()} ${await body}`)
    }
    const { paths } = (await (await fetch(`${node.url}/docs/json`)).json()) as {
      paths: Record<string, Record<string, unknown>>
    }
    const filled = (path: string) => path.replace(/\{(\w*)\}/g, (_, name) => `${name}-none`)
    for (const [path, ways] of Object.entries({ ...paths, '/metrics': { get: {} } })) {
      for (const method of Object.keys(ways)) {
        const body = method === 'get' ? {} : { body: '{"x":1}' }
        const headers = { 'content-type': 'application/json' }
        await ask(filled(path), { method: method.toUpperCase(), headers, ...body })
      }
    }
    expect(answers.length).toBeGreaterThan(10)
    expect([...lines, ...answers].filter((text) => text.includes(marker))).toEqual([])
  },
  180_000,
)
