import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  activateMachine,
  createClient,
  registerMachine,
  rotateMachineKey,
  type Wallet,
} from '@liquefy/client'
import {
  emptyBits,
  issueCredential,
  issueStatusList,
  readCredential,
  readStatusList,
  revoked,
} from '@liquefy/credential'
import { didKey, type PrivateKey, privateKeyFromBytes } from '@liquefy/protocol'
import pino from 'pino'
import { createWalletClient, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningNode, startNode } from '../../src/index.ts'

const DAY_MS = 86_400_000
const LIST = 'urn:uuid:8f6f9d2c-0a34-4c3e-9b55-6f3f2f1f0c01'
const newKey = () => privateKeyFromBytes('P-256', randomBytes(32))
const maker = newKey()
const other = newKey()
const trustedIssuers = [
  { did: didKey(maker.publicKey), name: 'Silotech' },
  { did: didKey(other.publicKey), name: 'Tüv' },
]
/** The node's clock: a test moves it on. */
const clock = { nowMs: () => Date.now() + aheadMs }
let aheadMs = 0
let listFromMs = Date.now() - DAY_MS

let dataDir: string
let node: RunningNode
let owner: Wallet

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'liquefy-credentials-'))
  await start()
})

afterAll(async () => {
  await node?.stop()
  await rm(dataDir, { recursive: true, force: true })
})

async function start(issuers = trustedIssuers): Promise<void> {
  node = await startNode({
    dataDir,
    port: 0,
    mqttPort: 0,
    rpcPort: 0,
    clock,
    trustedIssuers: issuers,
    logger: pino({ level: 'silent' }),
  })
  const [person] = node.keys.people
  if (!person) throw new Error('nobody')
  const { chain } = node.chain.publicClient
  owner = createWalletClient({ account: person.account, chain, transport: http(node.rpcUrl) })
}

const client = () => createClient({ url: node.url })
const action = () => ({
  deployment: node.deployment,
  publicClient: node.chain.publicClient,
  wallet: owner,
})

async function newMachine(): Promise<{ key: PrivateKey; id: string; machineId: bigint }> {
  const key = newKey()
  const machineId = await registerMachine({ ...action(), key })
  await activateMachine({ ...action(), machineId })
  await node.idle()
  return { key, machineId, id: String(machineId) }
}

type Input = Parameters<typeof issueCredential>[1]

const issued = ({ publicKey }: PrivateKey, changed: Partial<Input> = {}, by = maker) =>
  issueCredential(by, {
    id: `urn:uuid:${randomBytes(16).toString('hex')}`,
    key: publicKey,
    manufacturer: 'Silotech GmbH',
    model: 'Level 3000',
    serial: randomBytes(8).toString('hex'),
    validFromMs: clock.nowMs() - DAY_MS,
    validUntilMs: clock.nowMs() + 365 * DAY_MS,
    status: undefined,
    ...changed,
  })

/** Each list that a test hands in is newer than the one before. */
const newList = (bits = emptyBits(), changed: { id?: string; validUntilMs?: number } = {}) => {
  listFromMs += 1_000
  const validUntilMs = clock.nowMs() + 7 * DAY_MS
  return issueStatusList(maker, {
    id: LIST,
    validFromMs: listFromMs,
    validUntilMs,
    bits,
    ...changed,
  })
}

const refused = (code: string) => expect.objectContaining({ code })

test('the operator’s makers are named, and nobody is said to vouch for a machine unasked', async () => {
  expect(await client().issuers()).toEqual(trustedIssuers)
  const { id } = await newMachine()
  expect((await client().machine(id)).credential).toBeNull()
  await expect(client().credential(id)).rejects.toEqual(refused('CREDENTIAL_UNKNOWN'))
  await expect(client().credential('99999')).rejects.toEqual(refused('MACHINE_UNKNOWN'))
})

test('a credential shows who made the machine, and is served for anybody to check', async () => {
  const { key, id } = await newMachine()
  const jwt = await issued(key, { serial: 'SN-0042' })
  const taken = await client().attest(id, jwt)
  expect(taken).toMatchObject({
    issuer: didKey(maker.publicKey),
    issuerName: 'Silotech',
    manufacturer: 'Silotech GmbH',
    model: 'Level 3000',
    serial: 'SN-0042',
    state: 'valid',
  })
  expect((await client().machine(id)).credential).toEqual(taken)
  const served = await client().credential(id)
  expect(served).toEqual({ ...taken, credential: jwt, statusList: null, earlier: [] })
  expect(await readCredential(served.credential)).toMatchObject({ ok: true })
  // Handed in again, it is what it was.
  expect(await client().attest(id, jwt)).toEqual(taken)
})

describe('ATK what is handed in is refused by code', () => {
  test.each<[string, string, (key: PrivateKey) => Promise<string> | string]>([
    [
      'forged',
      'CREDENTIAL_FORGED',
      async (key) => {
        const [ours, theirs] = await Promise.all([issued(key), issued(key, {}, newKey())])
        return [...(ours?.split('.').slice(0, 2) ?? []), theirs?.split('.')[2]].join('.')
      },
    ],
    ['by a stranger', 'ISSUER_UNTRUSTED', (key) => issued(key, {}, newKey())],
    [
      'expired',
      'CREDENTIAL_EXPIRED',
      (key) =>
        issued(key, { validFromMs: clock.nowMs() - DAY_MS, validUntilMs: clock.nowMs() - 1_000 }),
    ],
    [
      'not yet valid',
      'CREDENTIAL_NOT_YET_VALID',
      (key) => issued(key, { validFromMs: clock.nowMs() + DAY_MS }),
    ],
    ['of another key', 'CREDENTIAL_KEY_DIFFERS', () => issued(newKey())],
    [
      'without its list',
      'STATUS_LIST_MISSING',
      (key) => issued(key, { status: { list: 'urn:unheard-of', index: 1 } }),
    ],
    ['no credential', 'CREDENTIAL_MALFORMED', () => 'a.b.c'],
    ['large', 'CREDENTIAL_TOO_LARGE', () => 'x'.repeat(9_000)],
    ['larger', 'TOO_LARGE', () => 'x'.repeat(20_000)],
  ])('%s: %s', async (_, code, make) => {
    const { key, id } = await newMachine()
    await expect(client().attest(id, await make(key))).rejects.toEqual(refused(code))
    expect((await client().machine(id)).credential).toBeNull()
  })

  test('reused: another machine’s credential, its serial number, its id', async () => {
    const first = await newMachine()
    const second = await newMachine()
    const jwt = await issued(first.key, { id: 'urn:one', serial: 'SN-1' })
    await client().attest(first.id, jwt)
    await expect(client().attest(second.id, jwt)).rejects.toEqual(refused('CREDENTIAL_KEY_DIFFERS'))
    const sameSerial = await issued(second.key, { serial: 'SN-1' })
    await expect(client().attest(second.id, sameSerial)).rejects.toEqual(
      refused('CREDENTIAL_REUSED'),
    )
    const sameId = await issued(second.key, { id: 'urn:one' })
    await expect(client().attest(second.id, sameId)).rejects.toEqual(refused('CREDENTIAL_REUSED'))
    // Two makers may count alike.
    const elsewhere = await issued(second.key, { id: 'urn:one', serial: 'SN-1' }, other)
    expect(await client().attest(second.id, elsewhere)).toMatchObject({ issuerName: 'Tüv' })
  })

  test('two at once with one serial number: one of them is taken', async () => {
    const machines = [await newMachine(), await newMachine(), await newMachine()]
    const answers = await Promise.allSettled(
      machines.map(async ({ key, id }) =>
        client().attest(id, await issued(key, { serial: 'SN-2' })),
      ),
    )
    const codes = answers.map((one) => (one.status === 'fulfilled' ? 'OK' : one.reason.code)).sort()
    expect(codes).toEqual(['CREDENTIAL_REUSED', 'CREDENTIAL_REUSED', 'OK'])
  })
})

test('a newer credential replaces an older one, never the reverse', async () => {
  const { key, id } = await newMachine()
  const serial = 'SN-3'
  const older = await issued(key, { serial, validFromMs: clock.nowMs() - 2 * DAY_MS })
  const newer = await issued(key, { serial, model: 'Level 3000 B' })
  await client().attest(id, older)
  await client().attest(id, newer)
  await expect(client().attest(id, older)).rejects.toEqual(refused('CREDENTIAL_OLDER'))
  const between = await issued(key, { serial, validFromMs: clock.nowMs() - 1.5 * DAY_MS })
  await expect(client().attest(id, between)).rejects.toEqual(refused('CREDENTIAL_OLDER'))
  const shown = await client().credential(id)
  expect(shown).toMatchObject({ model: 'Level 3000 B', credential: newer })
  expect(shown.earlier.map(({ credential }) => credential)).toEqual([older])
})

describe('status lists', () => {
  test('a revocation shows at once, whoever hands it in, and an older list does not undo it', async () => {
    const { key, id } = await newMachine()
    const clean = await newList()
    expect(await client().submitStatusList(clean)).toMatchObject({
      id: LIST,
      issuer: didKey(maker.publicKey),
    })
    const jwt = await issued(key, { status: { list: LIST, index: 7 } })
    expect(await client().attest(id, jwt)).toMatchObject({ state: 'valid' })
    const revoking = await newList(revoked(emptyBits(), 7))
    await client().submitStatusList(revoking)
    // Handed in again, it is what it was.
    await client().submitStatusList(revoking)
    const shown = await client().credential(id)
    expect(shown).toMatchObject({ state: 'revoked', statusList: revoking })
    expect(await readStatusList(shown.statusList ?? '')).toMatchObject({ ok: true })
    await expect(client().submitStatusList(clean)).rejects.toEqual(refused('STATUS_LIST_OLDER'))
    expect((await client().machine(id)).credential).toMatchObject({ state: 'revoked' })
    const again = await issued(key, { status: { list: LIST, index: 7 } })
    await expect(client().attest(id, again)).rejects.toEqual(refused('CREDENTIAL_REVOKED'))
  })

  test.each<[string, string, () => Promise<string>]>([
    [
      'by a stranger',
      'ISSUER_UNTRUSTED',
      () =>
        issueStatusList(newKey(), {
          id: LIST,
          validFromMs: clock.nowMs(),
          validUntilMs: clock.nowMs() + DAY_MS,
          bits: emptyBits(),
        }),
    ],
    [
      'of the future',
      'CREDENTIAL_NOT_YET_VALID',
      () =>
        issueStatusList(maker, {
          id: LIST,
          validFromMs: clock.nowMs() + DAY_MS,
          validUntilMs: clock.nowMs() + 2 * DAY_MS,
          bits: emptyBits(),
        }),
    ],
    [
      'out of date',
      'STATUS_LIST_STALE',
      () => newList(emptyBits(), { validUntilMs: clock.nowMs() - 1_000 }),
    ],
    ['no list', 'CREDENTIAL_MALFORMED', async () => 'what'],
    ['a credential instead', 'CREDENTIAL_MALFORMED', () => issued(newKey())],
  ])('%s: %s', async (_, code, make) => {
    await expect(client().submitStatusList(await make())).rejects.toEqual(refused(code))
  })

  test('a maker has a hundred of them', async () => {
    const validFromMs = clock.nowMs()
    const input = { validFromMs, validUntilMs: validFromMs + DAY_MS, bits: emptyBits() }
    const list = (index: number) => issueStatusList(other, { ...input, id: `urn:list:${index}` })
    for (let index = 0; index < 100; index += 1) await client().submitStatusList(await list(index))
    await expect(client().submitStatusList(await list(100))).rejects.toEqual(
      refused('STATUS_LISTS_TOO_MANY'),
    )
    const newer = { ...input, validFromMs: validFromMs + 1_000, id: 'urn:list:5' }
    expect(await client().submitStatusList(await issueStatusList(other, newer))).toMatchObject({
      id: 'urn:list:5',
    })
  })
})

test('a credential attests one key: after a rotation the new one needs its own, the old stays on record', async () => {
  const { key, id, machineId } = await newMachine()
  const serial = 'SN-4'
  await client().attest(id, await issued(key, { serial }))
  const next = newKey()
  await rotateMachineKey({ ...action(), machineId, oldKey: key, newKey: next, heads: [] })
  await node.idle()
  expect((await client().machine(id)).credential).toMatchObject({ serial, state: 'key-replaced' })
  const ofNext = await issued(next, { serial })
  expect(await client().attest(id, ofNext)).toMatchObject({ serial, state: 'valid' })
  const { credential, earlier } = await client().credential(id)
  expect(credential).toBe(ofNext)
  expect(earlier).toMatchObject([{ serial, state: 'key-replaced' }])
})

test('time and the operator’s list are looked at each time it is shown', async () => {
  const { key, id } = await newMachine()
  await client().submitStatusList(await newList())
  const listed = await newMachine()
  const late = await newMachine()
  const status = { list: LIST, index: 8 }
  await client().attest(listed.id, await issued(listed.key, { status }))
  await client().attest(id, await issued(key, { validUntilMs: clock.nowMs() + 5 * DAY_MS }))
  const stateOf = async (of: string) => (await client().machine(of)).credential?.state
  expect(await stateOf(id)).toBe('valid')
  aheadMs += 6 * DAY_MS
  expect(await stateOf(id)).toBe('expired')
  expect(await stateOf(listed.id)).toBe('valid')
  aheadMs += 2 * DAY_MS
  expect(await stateOf(listed.id)).toBe('status-unknown')
  await expect(client().attest(late.id, await issued(late.key, { status }))).rejects.toEqual(
    refused('STATUS_LIST_STALE'),
  )
  await node.stop()
  await start([])
  expect(await client().issuers()).toEqual([])
  expect((await client().machine(listed.id)).credential).toMatchObject({
    state: 'issuer-untrusted',
    issuerName: null,
  })
})
