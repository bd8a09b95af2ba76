import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { activateMachine, registerMachine } from '@liquefy/client'
import { encodeToken, privateKeyFromBytes, registryAudience } from '@liquefy/protocol'
import mqtt from 'mqtt'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { type RunningNode, startNode } from '../src/index.ts'

const OPENSSL = 'openssl'
const hasOpenssl = spawnSync(OPENSSL, ['version']).error === undefined

if (!hasOpenssl) {
  test('TLS', (context) => {
    if (process.env.CI) throw new Error('Install openssl: CI must test TLS.')
    context.skip('no openssl on PATH: TLS is not tested here')
  })
}

const options = (dataDir: string) => ({
  dataDir,
  port: 0,
  mqttPort: 0,
  rpcPort: 0,
  logger: pino({ level: 'silent' }),
})

describe.runIf(hasOpenssl)('an interface that others reach', () => {
  let dataDir: string
  let node: RunningNode
  let certificate: Buffer

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'liquefy-tls-'))
    const [key, cert] = [join(dataDir, 'key.pem'), join(dataDir, 'cert.pem')]
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
    const names = [
      '-subj',
      '/CN=liquefy-test',
      '-addext',
      'subjectAltName=IP:127.0.0.1,DNS:silo.example',
    ]
    execFileSync(OPENSSL, [...made, '-nodes', '-keyout', key, '-out', cert, ...names], {
      stdio: 'ignore',
    })
    certificate = await readFile(cert)
    vi.stubEnv('LIQUEFY_HOST', '0.0.0.0')
    await expect(startNode(options(dataDir))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('LIQUEFY_TLS_CERT'),
    })
    vi.stubEnv('LIQUEFY_TLS_CERT', cert)
    vi.stubEnv('LIQUEFY_TLS_KEY', key)
    node = await startNode(options(dataDir))
    vi.unstubAllEnvs()
  }, 300_000)

  afterAll(async () => {
    vi.unstubAllEnvs()
    await node?.stop()
    await rm(dataDir, { recursive: true, force: true })
  })

  const portOf = (url: string) => Number(new URL(url).port)

  /** The status of an answer, or the code of the error. */
  const ask = (trusted: Buffer | undefined, headers: Record<string, string> = {}) =>
    new Promise((resolve) => {
      const where = { host: '127.0.0.1', port: portOf(node.url), path: '/v1/status', headers }
      const trust = trusted ? { ca: trusted } : {}
      https
        .get({ ...where, ...trust, agent: false }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    })

  test('the API speaks HTTPS and nothing else, by whatever name it is reached', async () => {
    expect(node.url).toMatch(/^https:\/\/0\.0\.0\.0:\d+$/)
    expect(await ask(certificate)).toBe(200)
    expect(await ask(certificate, { host: 'silo.example' })).toBe(200)
    expect(await ask(undefined)).toBe('DEPTH_ZERO_SELF_SIGNED_CERT')
    await expect(fetch(`http://127.0.0.1:${portOf(node.url)}/v1/status`)).rejects.toThrow()
  })

  test('the broker speaks MQTT over TLS: a machine logs in, and its password never crosses in the clear', async () => {
    expect(node.mqttUrl).toMatch(/^mqtts:\/\/0\.0\.0\.0:\d+$/)
    const [owner] = node.keys.people
    if (!owner) throw new Error('no owner')
    const { chain } = node.chain.publicClient
    const wallet = createWalletClient({
      account: owner.account,
      chain,
      transport: http(node.rpcUrl),
    })
    const action = { deployment: node.deployment, publicClient: node.chain.publicClient, wallet }
    const key = privateKeyFromBytes('P-256', randomBytes(32))
    const machineId = await registerMachine({ ...action, key })
    await activateMachine({ ...action, machineId })
    await node.idle()
    const now = Math.floor(Date.now() / 1000)
    const { chainId, registry } = node.deployment
    const audience = registryAudience(chainId, registry)
    const login = {
      clientId: String(machineId),
      username: String(machineId),
      password: encodeToken({ key, machineId, audience, issuedAt: now, expiresAt: now + 600 }),
      reconnectPeriod: 0,
      connectTimeout: 3_000,
    }
    const port = portOf(node.mqttUrl)
    const client = await mqtt.connectAsync(`mqtts://127.0.0.1:${port}`, {
      ...login,
      ca: certificate,
    })
    await client.subscribeAsync(`liquefy/v1/${machineId}/receipt`, { qos: 1 })
    await client.endAsync(true)
    await expect(
      mqtt.connectAsync(`mqtts://127.0.0.1:${port}`, login, false),
    ).rejects.toMatchObject({
      code: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    })
    await expect(mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, login, false)).rejects.toThrow()
  })
})
