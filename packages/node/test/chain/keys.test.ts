import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decryptKeystoreJson, encryptKeystoreJson } from 'ethers'
import { generatePrivateKey, privateKeyToAccount } from 'viem/accounts'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encryptKeys, listKeys, openKeys, readKey } from '../../src/chain/keys.ts'
import { decryptKey, encryptKey, type Web3Secret } from '../../src/chain/web3-secret.ts'

const PASSPHRASE = 'correct horse battery staple äöü'

let dataDir: string
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'liquefy-keys-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const keysFolder = () => join(dataDir, 'keys')
const texts = () =>
  readdirSync(keysFolder()).map((name) => readFileSync(join(keysFolder(), name), 'utf8'))

describe('Web3 Secret Storage, version 3', () => {
  // The definition's own vector. Its other one, of scrypt, has a cost that RFC 7914 forbids (n < 2^(16r)).
  const VECTOR: Web3Secret = {
    version: 3,
    id: '3198bc9c-6672-5ab3-d995-4942343ae5b6',
    crypto: {
      cipher: 'aes-128-ctr',
      cipherparams: { iv: '6087dab2f9fdbbfaddc31a909735c1e6' },
      ciphertext: '5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46',
      kdf: 'pbkdf2',
      kdfparams: {
        c: 262_144,
        dklen: 32,
        prf: 'hmac-sha256',
        salt: 'ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd',
      },
      mac: '517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2',
    },
  }

  test('its vector opens, with its passphrase only', () => {
    const key = '0x7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d'
    expect(decryptKey(VECTOR, 'testpassword')).toBe(key)
    expect(decryptKey(VECTOR, 'testpassworD')).toBeUndefined()
  })

  test('another library opens what we write, and we what it writes', async () => {
    const privateKey = generatePrivateKey()
    const ours = JSON.stringify({ name: 'operator', ...encryptKey(privateKey, 'plain ascii') })
    expect((await decryptKeystoreJson(ours, 'plain ascii')).privateKey).toBe(privateKey)
    await expect(decryptKeystoreJson(ours, 'another')).rejects.toThrow('incorrect password')

    const { address } = privateKeyToAccount(privateKey)
    const theirs = await encryptKeystoreJson({ address, privateKey }, 'plain ascii')
    const path = join(dataDir, 'theirs.json')
    writeFileSync(path, theirs, { mode: 0o600 })
    expect(readKey(path, 'plain ascii').address).toBe(address)
  })
})

describe('the node’s keys', () => {
  test('lie under the passphrase from the first start, and no private key lies beside them', async () => {
    const first = await openKeys(dataDir, PASSPHRASE)
    const again = await openKeys(dataDir, PASSPHRASE)
    expect(again.operator.address).toBe(first.operator.address)
    expect(again.people.map(({ account }) => account.address)).toEqual(
      first.people.map(({ account }) => account.address),
    )
    expect(first.plain).toEqual([])
    expect(texts().join()).not.toContain('privateKey')
    expect(listKeys(dataDir).map(({ name }) => name)).toContain('Nordmühle GmbH')
  })

  test('more people than the demo’s have keys of their own, the same on the next start', async () => {
    const first = await openKeys(dataDir, undefined, ['Väinö Hämäläinen', 'Saga Lindström'])
    const again = await openKeys(dataDir, undefined, ['Väinö Hämäläinen', 'Saga Lindström'])
    expect(first.people.map(({ name }) => name).slice(-2)).toEqual([
      'Väinö Hämäläinen',
      'Saga Lindström',
    ])
    const addresses = first.people.map(({ account }) => account.address)
    expect(new Set(addresses).size).toBe(addresses.length)
    expect(again.people.map(({ account }) => account.address)).toEqual(addresses)
  })

  test('a missing and a wrong passphrase have codes of their own, and make no new key', async () => {
    await openKeys(dataDir, PASSPHRASE)
    const before = texts()
    await expect(openKeys(dataDir)).rejects.toMatchObject({ code: 'KEY_PASSPHRASE_MISSING' })
    const wrong = openKeys(dataDir, 'guess-marker')
    await expect(wrong).rejects.toMatchObject({ code: 'KEY_PASSPHRASE_WRONG' })
    await expect(wrong).rejects.not.toThrow('guess-marker')
    expect(texts()).toEqual(before)
  })

  test('a file that others can read is refused with the command that closes it', async () => {
    await openKeys(dataDir)
    const path = join(keysFolder(), 'operator.json')
    chmodSync(path, 0o640)
    await expect(openKeys(dataDir)).rejects.toMatchObject({
      code: 'KEY_FILE_EXPOSED',
      message: expect.stringContaining(
        `(mode 640), which holds a key. Close it: chmod 600 ${path}`,
      ),
    })
    spawnSync('chmod', ['600', path])
    await openKeys(dataDir)
  })

  test('are put under a passphrase later, and under another one, and stay the same', async () => {
    const plain = await openKeys(dataDir)
    expect(plain.plain).toHaveLength(6)
    const [encrypted, changed] = ['first', 'second']
    expect(encryptKeys(dataDir, encrypted)).toHaveLength(6)
    expect(encryptKeys(dataDir, encrypted)).toEqual([])
    expect(texts().join()).not.toContain(plain.operator.address.slice(2))
    expect((await openKeys(dataDir, encrypted)).operator.address).toBe(plain.operator.address)

    const before = texts()
    expect(() => encryptKeys(dataDir, changed, 'neither')).toThrow('Nothing was changed')
    expect(texts()).toEqual(before)
    expect(encryptKeys(dataDir, changed, encrypted)).toHaveLength(6)
    expect((await openKeys(dataDir, changed)).deployer.address).toBe(plain.deployer.address)
    for (const { path } of listKeys(dataDir)) expect(statSync(path).mode & 0o777).toBe(0o600)
  }, 120_000)

  test('a change that was cut short goes on: files under either passphrase, a draft left behind', async () => {
    const { operator } = await openKeys(dataDir, 'old')
    const path = join(keysFolder(), 'operator.json')
    const cut = { name: 'operator', ...encryptKey(readPrivate(path, 'old'), 'new') }
    writeFileSync(path, JSON.stringify(cut))
    writeFileSync(join(keysFolder(), 'deployer.json.new'), '{ "vers')
    expect(encryptKeys(dataDir, 'new', 'old')).toHaveLength(5)
    expect((await openKeys(dataDir, 'new')).operator.address).toBe(operator.address)
  }, 120_000)
})

function readPrivate(path: string, passphrase: string) {
  const key = decryptKey(JSON.parse(readFileSync(path, 'utf8')) as Web3Secret, passphrase)
  if (!key) throw new Error('it does not open')
  return key
}
