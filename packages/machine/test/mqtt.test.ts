import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { decodeEnvelope, verifyEnvelope } from '@liquefy/protocol'
import { connectAsync } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import {
  createKey,
  loadKey,
  type MeterEvent,
  openMachine,
  passwordToken,
  saveIdentity,
  writeEnvelopeFile,
} from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { findSystemNode } from './system-node.ts'
import { tinyBroker } from './tiny-broker.ts'
import { ledger, silo, siloTerms, tinyNode } from './tiny-node.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

async function setUp(folder = scratchFolder()) {
  const key = createKey(folder)
  const node = tinyNode({ key: key.publicKey, clock: { nowMs: () => Date.now() }, mqttId: 7n })
  const broker = await tinyBroker({ node, key: key.publicKey })
  onTestFinished(() => broker.close())
  const identity = { machineId: 7n, ...ledger, mqttUrl: broker.url }
  saveIdentity(folder, identity)
  return { folder, node, broker, identity }
}

/** The README's example, importing the machine from `module`. */
function exampleOf(module: string): string {
  const [, code] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8')) ?? []
  if (!code) throw new Error('README.md has no ```js example')
  expect(code.split('\n').filter((line) => line.trim()).length).toBeLessThanOrEqual(10)
  return code.replace("'@liquefy/machine'", JSON.stringify(pathToFileURL(module).href))
}

async function runExample(binary: string, module: string) {
  const folder = scratchFolder()
  const { node } = await setUp(join(folder, 'silo-1'))
  const file = join(folder, 'example.mjs')
  writeFileSync(file, exampleOf(module))
  const { stdout } = await run(binary, [file], { cwd: folder })
  return { node, stdout }
}

const said = 'level 1 OK\nlevel 2 OK\nlevel 3 OK\n'

test('the ten lines of the README put a device on it', async () => {
  const { node, stdout } = await runExample(process.execPath, join(root, 'src/index.ts'))
  expect(stdout).toBe(said)
  expect(node.log.map(({ seq }) => seq)).toEqual([1n, 2n, 3n])
})

test('they do so under Node 20 too, from the one file of build:device', async () => {
  const system = await findSystemNode()
  if (!system) {
    console.log('No Node.js from 20 to 23 on this computer: ran under this one instead.')
  } else console.log(`build:device ran under ${system.version}`)
  await run('npm', ['run', 'build:device'], { cwd: root })
  const bundle = join(root, 'dist/liquefy-machine.js')
  const { stdout } = await runExample(system?.path ?? process.execPath, bundle)
  expect(stdout).toBe(said)
})

test('after a cut it logs in again with a fresh token and sends what was missed', async () => {
  const { folder, node, broker } = await setUp()
  const machine = await openMachine({ folder })
  const offline = new Promise<string>((resolve) => machine.on('offline', resolve))
  await machine.sample('level', { unit: 'mm', value: 1n })
  await machine.flushed()
  broker.cut()
  await offline
  expect(machine.isOnline()).toBe(false)
  await machine.sample('level', { unit: 'mm', value: 2n })
  await machine.flushed(10_000)
  expect(node.log.map(({ seq }) => seq)).toEqual([1n, 2n])
  expect(new Set(broker.tokens).size).toBe(2)
  await machine.close()
})

test('a broker that refuses the token is told apart from one that is down', async () => {
  const { folder, broker } = await setUp()
  const machine = await openMachine({ folder, machineId: 8n })
  const reason = await new Promise<string>((resolve) => machine.on('offline', resolve))
  expect(reason).toMatch(/not authorized|bad user name|refused/i)
  await machine.close()
  await broker.close()
  const other = await openMachine({ folder })
  const down = await new Promise<string>((resolve) => other.on('offline', resolve))
  expect(down).toMatch(/ECONNREFUSED/)
  await other.close()
})

test('it meters over the wire', async () => {
  const { folder, node, broker } = await setUp()
  const machine = await openMachine({ folder })
  const events: MeterEvent[] = []
  machine.on('meter', (event) => events.push(event))
  await new Promise<void>((resolve) => machine.on('online', resolve))
  const nowMs = Date.now()
  broker.publish(node.openAgreement(siloTerms(7n, nowMs - 60_000), [silo]))
  await machine.publish('level', [
    { unit: 'mm', value: 9_000n, timeMs: nowMs - 2_000 },
    { unit: 'mm', value: 8_950n, timeMs: nowMs },
  ])
  await machine.flushed()
  await machine.meterNow()
  // The timer may have signed before, so that there was nothing left to do.
  expect(events[0]).toMatchObject({ kind: 'agreement' })
  expect(events.at(-1)).toMatchObject({ kind: 'accepted', registers: [350_000n] })
  await machine.close()
})

test('a file made by the SDK is accepted from a client that knows nothing of it', async () => {
  const { folder, node, identity } = await setUp()
  const key = loadKey(folder)
  const file = join(folder, 'level.cbor')
  const nowMs = Date.now()
  const reading = { unit: 'mm', value: { mantissa: 91_205n, exponent: -1 }, timeMs: nowMs }
  const digest = writeEnvelopeFile(file, {
    key,
    identity,
    stream: 'level',
    seq: 1n,
    readings: [reading],
  })
  const bytes = readFileSync(file)
  const decoded = decodeEnvelope(bytes)
  expect(decoded.ok && verifyEnvelope(decoded.envelope, key.publicKey)).toBe(true)
  const password = passwordToken(key, identity, nowMs)
  const client = await connectAsync(identity.mqttUrl, { clientId: '7', username: '7', password })
  await client.publishAsync('liquefy/v1/7/envelope', bytes, { qos: 1 })
  await client.endAsync()
  expect(node.log).toMatchObject([{ digest, code: 'OK' }])
})
