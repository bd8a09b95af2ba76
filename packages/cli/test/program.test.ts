import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { saveIdentity } from '@liquefy/machine'
import { afterAll, describe, expect, test } from 'vitest'
import { finished, liquefy } from './liquefy.ts'

const folder = mkdtempSync(join(tmpdir(), 'liquefy-cli-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('usage', () => {
  test('help names every command and exits 0', async () => {
    const { code, stdout } = await liquefy(['--help'])
    expect(code).toBe(0)
    for (const command of [
      'up',
      'chain',
      'status',
      'machine',
      'keys',
      'agreement',
      'market',
      'right',
      'vault',
      'share',
      'vote',
      'audit',
      'evidence',
      'replay',
    ]) {
      expect(stdout).toContain(`  ${command} `)
    }
  })

  test('a mistyped command is answered with the one that was meant', async () => {
    const { code, stderr } = await liquefy(['statsu'])
    expect(code).toBe(2)
    expect(stderr).toContain('Did you mean status?')
  })

  test('a missing argument, an unknown option', async () => {
    expect(await liquefy(['audit'])).toMatchObject({ code: 2 })
    const { code, stderr } = await liquefy(['status', '--jsn'])
    expect(code).toBe(2)
    expect(stderr).toContain('--json')
    expect(await liquefy(['share', 'buy'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Run `liquefy share buy --help`.'),
    })
  })

  test.each(['status', 'machine list', 'agreement list', `audit 0x${'11'.repeat(32)}`])(
    'without a node, `%s` says how to start one',
    async (line) => {
      const { code, stderr, stdout } = await liquefy(line.split(' '))
      expect(code).toBe(2)
      expect(stderr).toContain('liquefy up')
      expect(stdout).toBe('')
    },
  )

  test('with --json an error is JSON too', async () => {
    const { code, json } = await liquefy(['status', '--json'])
    expect(code).toBe(2)
    expect(json()).toMatchObject({ error: { code: 'NODE_NOT_RUNNING' } })
  })

  test('a node that was killed is not taken for a running one', async () => {
    const dataDir = join(folder, 'killed')
    const gone = { pid: 2 ** 22 - 1, url: 'http://127.0.0.1:1', rpcUrl: 'http://127.0.0.1:1' }
    await liquefy(['machine', 'keygen', dataDir])
    writeFileSync(join(dataDir, 'running.json'), JSON.stringify(gone))
    const { code, json } = await liquefy(['status', '--json', '--data-dir', dataDir])
    expect(code).toBe(2)
    expect(json()).toMatchObject({ error: { code: 'NODE_NOT_RUNNING' } })
  })

  test('a bundle without a ledger says how to serve one', async () => {
    const { code, stderr } = await liquefy([
      'evidence',
      'verify',
      'none.ndjson',
      '--data-dir',
      folder,
    ])
    expect(code).toBe(2)
    expect(stderr).toContain('liquefy chain')
  })

  test('replay refuses a folder that holds a ledger, and a file that is not there', async () => {
    const dataDir = join(folder, 'used')
    await liquefy(['machine', 'keygen', dataDir])
    writeFileSync(join(dataDir, 'deployment.json'), '{}')
    const used = await liquefy(['replay', 'bins', 'x.csv', '--data-dir', dataDir, '--json'])
    expect(used.json()).toMatchObject({ error: { code: 'FOLDER_IN_USE' } })
    const absent = await liquefy(['replay', 'bins', join(folder, 'x.csv'), '--json'])
    expect(absent.code).toBe(2)
    expect(absent.json()).toMatchObject({ error: { code: 'FILE_UNREADABLE' } })
  })
})

describe('the keys of a data folder', () => {
  test('are listed, encrypted, and put under another passphrase; a wrong one changes nothing', async () => {
    const dataDir = join(folder, 'keys-of-a-node')
    const path = join(dataDir, 'keys', 'operator.json')
    mkdirSync(join(dataDir, 'keys'), { recursive: true })
    const plain = { name: 'operator', privateKey: `0x${'11'.repeat(32)}` }
    writeFileSync(path, JSON.stringify(plain), { mode: 0o600 })
    const keys = (command: string, env: Record<string, string> = {}) =>
      liquefy(['keys', command, '--data-dir', dataDir, '--json'], env)
    const address = '0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a'
    expect((await keys('list')).json()).toMatchObject([{ address, encrypted: false }])

    expect((await keys('encrypt')).json()).toMatchObject({
      error: { code: 'KEY_PASSPHRASE_MISSING' },
    })
    const [first, second] = [join(folder, 'first'), join(folder, 'second')]
    writeFileSync(first, 'marker-one\n')
    writeFileSync(second, 'marker-two\n')
    const done = await keys('encrypt', { LIQUEFY_KEY_PASSPHRASE_FILE: first })
    expect(done.json()).toMatchObject({ written: [path] })
    expect((await keys('list')).json()).toMatchObject([{ address, encrypted: true }])
    expect(readFileSync(path, 'utf8')).not.toContain('1111')

    // Under the new one already: a change that was cut short may be asked for again.
    const again = await keys('passphrase', {
      LIQUEFY_KEY_PASSPHRASE_FILE: second,
      LIQUEFY_NEW_KEY_PASSPHRASE_FILE: first,
    })
    expect(again.json()).toMatchObject({ written: [] })
    const changed = await keys('passphrase', {
      LIQUEFY_KEY_PASSPHRASE_FILE: first,
      LIQUEFY_NEW_KEY_PASSPHRASE_FILE: second,
    })
    expect(changed.json()).toMatchObject({ written: [path] })
    const before = readFileSync(path, 'utf8')
    const refused = await keys('encrypt', { LIQUEFY_KEY_PASSPHRASE_FILE: first })
    expect(refused.json()).toMatchObject({ error: { code: 'KEY_PASSPHRASE_WRONG' } })
    expect(readFileSync(path, 'utf8')).toBe(before)
    for (const { stdout, stderr } of [done, again, changed, refused]) {
      expect(stdout + stderr).not.toContain('marker-')
    }
  }, 120_000)
})

describe('machine keys', () => {
  test('keygen writes a key that nobody else may read, and never overwrites one', async () => {
    const machine = join(folder, 'machine')
    const made = await liquefy(['machine', 'keygen', machine, '--json'])
    expect(made.code).toBe(0)
    expect(made.json()).toEqual({
      folder: machine,
      keyId: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      did: expect.stringMatching(/^did:key:zDn/),
      curve: 'P-256',
      x: expect.stringMatching(/^0x[0-9a-f]{64}$/),
      y: expect.stringMatching(/^0x[0-9a-f]{64}$/),
    })
    expect(statSync(join(machine, 'key.json')).mode & 0o077).toBe(0)
    const again = await liquefy(['machine', 'keygen', machine, '--json'])
    expect(again.code).toBe(2)
    expect(again.json()).toMatchObject({ error: { code: 'KEY_EXISTS' } })
  })

  test('secp256k1 on request, nothing else', async () => {
    const machine = join(folder, 'other-curve')
    const made = await liquefy(['machine', 'keygen', machine, '--curve', 'secp256k1', '--json'])
    expect(made.json()).toMatchObject({ curve: 'secp256k1' })
    expect(await liquefy(['machine', 'keygen', join(folder, 'x'), '--curve', 'rsa'])).toMatchObject(
      { code: 2 },
    )
    expect(existsSync(join(folder, 'x'))).toBe(false)
  })

  test('token: only of a registered machine; three parts, an hour', async () => {
    const machine = join(folder, 'token')
    await liquefy(['machine', 'keygen', machine])
    const early = await liquefy(['machine', 'token', machine, '--json'])
    expect(early.json()).toMatchObject({ error: { code: 'MACHINE_UNREGISTERED' } })
    saveIdentity(machine, { machineId: 7n, chainId: 5, registry: `0x${'ab'.repeat(20)}` })
    const { json } = await liquefy(['machine', 'token', machine, '--json'])
    const { token, expiresAtMs, machineId } = json() as Record<string, never>
    expect(machineId).toBe('7')
    const claims = JSON.parse(
      Buffer.from(String(token).split('.')[1] ?? '', 'base64url').toString(),
    )
    expect(claims.exp * 1000).toBe(expiresAtMs)
    expect(claims.exp - claims.iat).toBe(3_600)
    const plain = await liquefy(['machine', 'token', machine])
    expect(plain.stdout.trim().split('.')).toHaveLength(3)
  })

  test('a beginning that two people share names neither', async () => {
    const dataDir = join(folder, 'two-people')
    const machine = join(dataDir, 'machine')
    await liquefy(['machine', 'keygen', machine])
    mkdirSync(join(dataDir, 'keys'))
    for (const name of ['City council', 'Collector Ltd', 'Col']) {
      const person = { name, privateKey: `0x${'11'.repeat(32)}` }
      writeFileSync(join(dataDir, 'keys', `${name}.json`), JSON.stringify(person), { mode: 0o600 })
    }
    const registerAs = (name: string) =>
      liquefy(['machine', 'register', machine, '--as', name, '--json', '--data-dir', dataDir])
    const both = await registerAs('c')
    expect(both.json()).toMatchObject({ error: { code: 'PERSON_UNKNOWN' } })
    expect(both.stdout).toContain('City council, Col, Collector Ltd')
    for (const name of ['city', 'col', 'COLLECTOR']) {
      expect((await registerAs(name)).json()).toMatchObject({ error: { code: 'NODE_NOT_RUNNING' } })
    }
  })

  test('register says who could act', async () => {
    const machine = join(folder, 'unowned')
    await liquefy(['machine', 'keygen', machine])
    const { code, stderr } = await liquefy(['machine', 'register', machine])
    expect(code).toBe(2)
    expect(stderr).toContain('--as')
  })
})

test('started by an older Node, it goes on under the one that the project brings', async () => {
  const pretend = join(folder, 'old-node.cjs')
  writeFileSync(
    pretend,
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })`,
  )
  const bin = join(import.meta.dirname, '../bin/liquefy.js')
  const child = spawn(process.execPath, ['--require', pretend, bin, 'status'], {
    env: { ...process.env, LIQUEFY_DATA_DIR: folder },
  })
  const { code, stderr } = await finished(child)
  expect(stderr).toContain('liquefy up')
  expect(code).toBe(2)
})
