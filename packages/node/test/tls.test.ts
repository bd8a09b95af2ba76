import { execFileSync, spawnSync } from 'node:child_process'
import { randomBytes, X509Certificate } from 'node:crypto'
import { chmod, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import https from 'node:https'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import tls from 'node:tls'
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

/** A self-signed certificate for some days, and its key, as PEM files. */
function makeCertificate(key: string, cert: string, days: number): void {
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const names = ['-subj', '/CN=liquefy-test', '-days', String(days)]
  const others = ['-addext', 'subjectAltName=IP:127.0.0.1,DNS:silo.example']
  const files = ['-nodes', '-keyout', key, '-out', cert]
  execFileSync(OPENSSL, [...made, ...files, ...names, ...others], { stdio: 'ignore' })
}

const log: string[] = []
const options = (dataDir: string) => ({
  dataDir,
  port: 0,
  mqttPort: 0,
  rpcPort: 0,
  logger: pino({ level: 'info' }, { write: (line: string) => void log.push(line) }),
})

describe.runIf(hasOpenssl)('an interface that others reach', () => {
  let dataDir: string
  let node: RunningNode
  let certificate: Buffer
  let key: string
  let cert: string

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'liquefy-tls-'))
    key = join(dataDir, 'key.pem')
    cert = join(dataDir, 'cert.pem')
    makeCertificate(key, cert, 90)
    certificate = await readFile(cert)
    vi.stubEnv('LIQUEFY_HOST', '0.0.0.0')
    await expect(startNode(options(dataDir))).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('LIQUEFY_TLS_CERT'),
    })
    vi.stubEnv('LIQUEFY_TLS_CERT', cert)
    vi.stubEnv('LIQUEFY_TLS_KEY', cert)
    await expect(startNode(options(dataDir))).rejects.toMatchObject({ code: 'TLS_INVALID' })
    vi.stubEnv('LIQUEFY_TLS_KEY', key)
    await chmod(key, 0o644)
    await expect(startNode(options(dataDir))).rejects.toMatchObject({
      code: 'KEY_FILE_EXPOSED',
      message: expect.stringContaining(`chmod 600 ${key}`),
    })
    await chmod(key, 0o600)
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

  /** Of a listener: the certificate that it shows, and the version of TLS agreed on. */
  const handshake = (port: number, more: tls.ConnectionOptions = {}) =>
    new Promise<{ fingerprint: string; version: string | null }>((resolve, reject) => {
      const socket = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...more })
      socket.on('error', reject)
      socket.on('secureConnect', () => {
        const { fingerprint256: fingerprint } = socket.getPeerCertificate()
        resolve({ fingerprint, version: socket.getProtocol() })
        socket.destroy()
      })
    })

  test('nothing older than TLS 1.2 is spoken, by API and broker', async () => {
    const old = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    } as const
    const second = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
    for (const port of [portOf(node.url), portOf(node.mqttUrl)]) {
      await expect(handshake(port, old)).rejects.toThrow(/protocol version|handshake failure/)
      expect((await handshake(port, second)).version).toBe('TLSv1.2')
      expect((await handshake(port)).version).toBe('TLSv1.3')
    }
  })

  test('only what speaks TLS is open to others: ledger and database listen on loopback', async () => {
    // Whoever listens on every interface is reached by any address of this computer, and 127.0.0.2 is one.
    const open = (port: number) =>
      new Promise<boolean>((resolve) => {
        const socket = createConnection({ host: '127.0.0.2', port })
        socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
        socket.on('close', () => socket.destroy())
        socket.on('connect', () => socket.end())
      })
    expect(await open(portOf(node.url))).toBe(true)
    expect(await open(portOf(node.mqttUrl))).toBe(true)
    expect(await open(portOf(node.rpcUrl))).toBe(false)
    expect(await open(Number(new URL(node.database.url).port || 5_432))).toBe(false)
  })

  test('a renewed certificate is shown without a restart; half of a renewal is not', async () => {
    const ports = [portOf(node.url), portOf(node.mqttUrl)]
    const shown = async () =>
      Promise.all(ports.map(async (port) => (await handshake(port)).fingerprint))
    const expires = async () => {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const where = { host: '127.0.0.1', port: portOf(node.url), path: '/metrics', agent: false }
        https.get({ ...where, rejectUnauthorized: false }, resolve).on('error', reject)
      })
      const text = (await response.toArray()).join('')
      return Number(/^liquefy_tls_certificate_expiry_timestamp_seconds (\S+)$/m.exec(text)?.[1])
    }
    const endOf = (pem: Buffer) => Date.parse(new X509Certificate(pem).validTo) / 1_000
    const before = new X509Certificate(certificate).fingerprint256
    expect(await shown()).toEqual([before, before])
    expect(await expires()).toBe(endOf(certificate))

    const [nextKey, nextCert] = [join(dataDir, 'key.next'), join(dataDir, 'cert.next')]
    makeCertificate(nextKey, nextCert, 30)
    const renewed = await readFile(nextCert)
    await rename(nextCert, cert)
    await expect
      .poll(() => log.some((line) => line.includes('is not taken')), { timeout: 20_000 })
      .toBe(true)
    expect(await shown()).toEqual([before, before])
    await rename(nextKey, key)
    const after = new X509Certificate(renewed).fingerprint256
    await expect.poll(shown, { timeout: 20_000 }).toEqual([after, after])
    expect(await expires()).toBe(endOf(renewed))
  }, 60_000)
})
