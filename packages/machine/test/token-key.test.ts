import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  keyId,
  rotateDigest,
  sign,
  signDigest,
  signTypedDigest,
  verify,
  verifyTypedDigest,
} from '@liquefy/protocol'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { CK, openToken, type TokenPlace } from '../src/cryptoki.ts'
import {
  adoptNextKey,
  createKey,
  createTokenKey,
  loadKey,
  type MeterEvent,
  nextKey,
  nextTokenKey,
  openMachine,
  saveIdentity,
} from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { hasSoftHsm, MODULE, makeToken, sayIfNoSoftHsm, useTokens } from './softhsm.ts'
import { tinyBroker } from './tiny-broker.ts'
import { ledger, silo, siloTerms, tinyNode } from './tiny-node.ts'

const PIN = '2468'
const place = { module: MODULE, token: 'device' }
const code = (code: string) => expect.objectContaining({ code })
/** The private scalar, and whether the token made it itself. */
const CKA_VALUE = 0x11
const CKA_LOCAL = 0x163
const ROTATION = {
  chainId: 31_337,
  registry: `0x${'11'.repeat(20)}`,
  machineId: 1n,
  newKeyId: `0x${'22'.repeat(32)}`,
  newVerifier: `0x${'00'.repeat(20)}`,
  headsHash: `0x${'33'.repeat(32)}`,
  nonce: 1n,
  deadline: 2_000_000_000n,
} as const

/** What an officer does to a token, beside what a machine asks of it. */
type Officer = {
  C_SetPIN(session: Buffer, pin: string, next: string): void
  C_CloseAllSessions(slot: Buffer): void
}

/** As if it had been pulled out and put in again, perhaps with another PIN. */
function unplug(from: TokenPlace, nextPin?: string): void {
  const { cryptoki, session, slot } = openToken(from, PIN)
  const officer = cryptoki as typeof cryptoki & Officer
  if (nextPin) officer.C_SetPIN(session, PIN, nextPin)
  officer.C_CloseAllSessions(slot)
}

sayIfNoSoftHsm('a key in a PKCS#11 token')

describe.runIf(hasSoftHsm)('a key in a PKCS#11 token (SoftHSM)', () => {
  beforeAll(() => {
    useTokens(scratchFolder())
    makeToken('device', PIN)
    makeToken('another', PIN)
    makeToken('changed', PIN)
    makeToken('running', PIN)
    makeToken('twice', PIN)
    makeToken('twice', PIN)
  })

  test('a wrong PIN, a missing one, and tokens that are not there are told apart', () => {
    const create = (from: object, pin?: string) => () =>
      createTokenKey(scratchFolder(), { ...place, ...from }, 'P-256', pin)
    expect(create({}, '1111')).toThrow(code('TOKEN_PIN_WRONG'))
    expect(create({})).toThrow(code('TOKEN_PIN_MISSING'))
    expect(create({ token: 'none' }, PIN)).toThrow(code('TOKEN_MISSING'))
    expect(create({ token: 'none' }, PIN)).toThrow(/It shows: .*"device"/)
    expect(create({ token: 'twice' }, PIN)).toThrow(code('TOKEN_AMBIGUOUS'))
    expect(create({ module: '/nowhere/lib.so' }, PIN)).toThrow(code('PKCS11_MODULE_INVALID'))
    expect(create({ module: process.execPath }, PIN)).toThrow(code('PKCS11_MODULE_INVALID'))
  })

  test.each(['P-256', 'secp256k1'] as const)(
    'a %s key signs what a machine signs, and comes back as it was made',
    (curve) => {
      const folder = scratchFolder()
      const made = createTokenKey(folder, place, curve, PIN)
      const key = loadKey(folder, undefined, PIN)
      expect(key.publicKey).toEqual(made.publicKey)
      expect(key.curve).toBe(curve)
      const message = new TextEncoder().encode('reading')
      // ECDSA is random here: often enough to meet a high `s`, a leading zero of either, and both parities.
      for (let time = 0; time < 40; time += 1) {
        expect(verify(key.publicKey, message, sign(key, message))).toBe(true)
        expect(signDigest(key, message.slice(0, 32)).length).toBe(64)
        const digest = rotateDigest({ ...ROTATION, nonce: BigInt(time) })
        const signature = signTypedDigest(key, digest)
        expect(signature).toMatch(curve === 'P-256' ? /^0x.{128}$/ : /^0x.{128}1[bc]$/)
        expect(verifyTypedDigest(key.publicKey, digest, signature)).toBe(true)
      }
    },
  )

  test('the folder names module, token and key, and holds no secret', () => {
    const folder = scratchFolder()
    createTokenKey(folder, place, 'P-256', PIN)
    const text = readFileSync(join(folder, 'key.json'), 'utf8')
    expect(Object.keys(JSON.parse(text)).sort()).toEqual(['crv', 'kty', 'pkcs11', 'x', 'y'])
    expect(JSON.parse(text).pkcs11).toEqual({
      module: MODULE,
      token: 'device',
      label: expect.stringMatching(/^liquefy-[0-9a-f]{16}$/),
    })
    expect(text).not.toContain(PIN)
    expect(() => createTokenKey(folder, place, 'P-256', PIN)).toThrow(code('KEY_EXISTS'))
    expect(() => createKey(folder)).toThrow(code('KEY_EXISTS'))
  })

  test('the token made the key, and nobody gets it out of there', () => {
    const folder = scratchFolder()
    createTokenKey(folder, place, 'P-256', PIN)
    const { pkcs11 } = JSON.parse(readFileSync(join(folder, 'key.json'), 'utf8'))
    const { cryptoki, session } = openToken(place, PIN)
    cryptoki.C_FindObjectsInit(session, [
      { type: CK.CLASS, value: CK.PRIVATE_KEY },
      { type: CK.LABEL, value: pkcs11.label },
    ])
    const [key] = cryptoki.C_FindObjects(session, 1)
    cryptoki.C_FindObjectsFinal(session)
    const read = (type: number) => {
      const [attribute] = cryptoki.C_GetAttributeValue(session, key as Buffer, [{ type }])
      return attribute?.value
    }
    expect(read(CK.EXTRACTABLE)).toEqual(Buffer.of(0))
    expect(read(CK.SENSITIVE)).toEqual(Buffer.of(1))
    expect(read(CKA_LOCAL)).toEqual(Buffer.of(1))
    expect(() => read(CKA_VALUE)).toThrow(/CKR_ATTRIBUTE_SENSITIVE/)
  })

  test('another token, another key and a damaged file are refused', () => {
    const folder = scratchFolder()
    createTokenKey(folder, place, 'P-256', PIN)
    const path = join(folder, 'key.json')
    const file = JSON.parse(readFileSync(path, 'utf8'))
    const load = (changed: object) => () => {
      writeFileSync(path, JSON.stringify({ ...file, ...changed }))
      return loadKey(folder, undefined, PIN)
    }
    const inToken = (token: string) => ({ pkcs11: { ...file.pkcs11, token } })
    expect(load(inToken('another'))).toThrow(code('TOKEN_KEY_MISSING'))
    const other = scratchFolder()
    createTokenKey(other, place, 'P-256', PIN)
    const { pkcs11 } = JSON.parse(readFileSync(join(other, 'key.json'), 'utf8'))
    expect(load({ pkcs11 })).toThrow(code('KEY_DIFFERS'))
    expect(load({ x: file.y })).toThrow(code('KEY_INVALID'))
    expect(load({ pkcs11: { module: MODULE } })).toThrow(code('KEY_INVALID'))
  })

  test('a token that was away signs again when it is back', () => {
    const folder = scratchFolder()
    const key = createTokenKey(folder, place, 'P-256', PIN)
    const message = new Uint8Array(32)
    unplug(place)
    expect(verify(key.publicKey, message, sign(key, message))).toBe(true)
  })

  test('ATK a PIN that was changed while it was away is asked for once: tokens lock', () => {
    const folder = scratchFolder()
    const changed = { ...place, token: 'changed' }
    const key = createTokenKey(folder, changed, 'P-256', PIN)
    unplug(changed, '1357')
    const message = new Uint8Array(32)
    expect(() => sign(key, message)).toThrow(code('TOKEN_PIN_WRONG'))
    // Another program logs in with the new one: this key stays with its word.
    expect(loadKey(folder, undefined, '1357').publicKey).toEqual(key.publicKey)
    expect(() => sign(key, message)).toThrow(code('TOKEN_PIN_WRONG'))
  })

  test('a machine outlives its token: it says so, signs nothing meanwhile, and goes on', async () => {
    const folder = scratchFolder()
    const running = { ...place, token: 'running' }
    const { publicKey } = createTokenKey(folder, running, 'P-256', PIN)
    const node = tinyNode({ key: publicKey, clock: { nowMs: () => Date.now() }, mqttId: 7n })
    const broker = await tinyBroker({ node, key: publicKey })
    onTestFinished(() => broker.close())
    saveIdentity(folder, { machineId: 7n, ...ledger, mqttUrl: broker.url })
    const machine = await openMachine({ folder, pin: PIN, signEveryMs: 1 })
    onTestFinished(() => machine.close())
    const said: MeterEvent[] = []
    machine.on('meter', (event) => said.push(event))
    const nowMs = Date.now()
    const level = (value: bigint) => machine.sample('level', { unit: 'mm', value })
    await expect.poll(() => machine.isOnline()).toBe(true)
    broker.publish(node.openAgreement(siloTerms(7n, nowMs - 60_000), [silo]))
    await expect.poll(() => said.map(({ kind }) => kind)).toContain('agreement')
    await level(9_000n)

    unplug(running)
    await level(8_950n)
    await machine.flushed()
    expect((await machine.meterNow()).at(-1)?.kind ?? 'accepted').toBe('accepted')

    // Before its receipt can come: the value over it is not signed yet.
    await level(8_900n)
    unplug(running, '1357')
    await expect
      .poll(() => said.at(-1))
      .toMatchObject({ kind: 'unsigned', code: 'TOKEN_PIN_WRONG' })
    await expect(level(8_850n)).rejects.toMatchObject({ code: 'TOKEN_PIN_WRONG' })
    await expect(machine.meterNow()).rejects.toMatchObject({ code: 'TOKEN_PIN_WRONG' })
    const offline = new Promise<string>((resolve) => {
      machine.on('offline', (reason) => reason.includes('PIN') && resolve(reason))
    })
    broker.cut()
    expect(await offline).toMatch(/PIN does not open the token/)
    expect(node.log.map(({ seq }) => seq)).toEqual([1n, 2n, 3n])
  })

  test('a rotation makes the next key in the same token; cut short, it goes on', () => {
    const folder = scratchFolder()
    const old = createTokenKey(folder, place, 'P-256', PIN)
    const next = nextKey(folder, 'P-256', undefined, PIN)
    expect(keyId(next.publicKey)).not.toBe(keyId(old.publicKey))
    expect(nextKey(folder, 'P-256', undefined, PIN).publicKey).toEqual(next.publicKey)
    adoptNextKey(folder)
    expect(loadKey(folder, undefined, PIN).publicKey).toEqual(next.publicKey)
  })

  test('a machine moves from a file into a token, and from a token into another', () => {
    const folder = scratchFolder()
    createKey(folder, 'P-256', 'words')
    const inDevice = nextTokenKey(folder, place, 'P-256', PIN)
    expect(nextKey(folder, 'P-256', 'words', PIN).publicKey).toEqual(inDevice.publicKey)
    adoptNextKey(folder)
    expect(loadKey(folder, 'words', PIN).publicKey).toEqual(inDevice.publicKey)
    const inAnother = nextTokenKey(folder, { ...place, token: 'another' }, 'P-256', PIN)
    adoptNextKey(folder)
    expect(loadKey(folder, undefined, PIN).publicKey).toEqual(inAnother.publicKey)
  })
})
