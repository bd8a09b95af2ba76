import { decodeEnvelope, type Envelope } from '@liquefy/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../src/store/database.ts'
import { createIdentity, type Identity, isActive } from '../../src/trust/identity.ts'
import {
  addKey,
  CHAIN_ID,
  newBlock,
  newKey,
  REGISTRY,
  registerMachine,
  seal,
  sealChain,
  setState,
  tempDatabase,
} from '../ingest-fixture.ts'

let database: Database
let identity: Identity

beforeAll(async () => {
  database = await tempDatabase()
  identity = createIdentity({ database: database.pool, chainId: CHAIN_ID, registry: REGISTRY })
})
afterAll(() => database.close())

function open(bytes: Uint8Array): Envelope {
  const decoded = decodeEnvelope(bytes)
  if (!decoded.ok) throw new Error(decoded.message)
  return decoded.envelope
}

async function judge(bytes: Uint8Array): Promise<string> {
  const envelope = open(bytes)
  const machines = await identity.load([envelope.machineId, envelope.iss.machineId])
  const identified = identity.identify(envelope, machines)
  return identified.ok ? `epoch ${identified.epoch}` : identified.code
}

test('what is cached stays until refresh, and refresh takes effect at once', async () => {
  const machine = await registerMachine(database)
  const { bytes } = seal(machine)
  expect(await judge(bytes)).toBe('epoch 1')
  await addKey(database, machine.machineId, 1n, undefined)
  expect(await judge(bytes)).toBe('epoch 1')
  const changed: bigint[] = []
  const remove = identity.onChange((machineIds) => changed.push(...machineIds))
  identity.refresh([machine.machineId])
  remove()
  expect(await judge(bytes)).toBe('KEY_REVOKED')
  expect(changed).toEqual([machine.machineId])
})

test('a machine that was unknown is known as soon as the ledger has it', async () => {
  const stranger = { machineId: 123_456n, key: newKey() }
  expect(await judge(seal(stranger).bytes)).toBe('DEVICE_UNKNOWN')
  const machine = await registerMachine(database, { key: stranger.key })
  expect(await judge(seal(machine).bytes)).toBe('epoch 1')
})

test('a refresh while a machine is being read: what was read is not kept', async () => {
  const machine = await registerMachine(database)
  const loading = identity.load([machine.machineId])
  identity.refresh([machine.machineId])
  await loading
  await addKey(database, machine.machineId, 1n, undefined)
  expect(await judge(seal(machine).bytes)).toBe('KEY_REVOKED')
})

test('key history: rotated, revoked and new keys each count as far as they may', async () => {
  const machine = await registerMachine(database)
  const { machineId } = machine
  const chain = sealChain(machine, 3)
  const second = { machineId, key: newKey('secp256k1') }
  const third = { machineId, key: newKey() }
  const heads = [{ stream: 'level', seq: '2', digest: chain[1]?.digest ?? '' }]
  await addKey(database, machineId, 2n, second.key, heads)
  await addKey(database, machineId, 2n, undefined)
  await addKey(database, machineId, 3n, third.key)
  identity.refresh([machineId])
  const outcomes = await Promise.all(chain.map(({ bytes }) => judge(bytes)))
  expect(outcomes).toEqual(['epoch 1', 'epoch 1', 'KEY_REVOKED'])
  expect(await judge(seal(second).bytes)).toBe('KEY_REVOKED')
  expect(await judge(seal(third).bytes)).toBe('epoch 3')
})

test('heads of a controller name the streams of the machines that it signs for', async () => {
  const edge = await registerMachine(database)
  const pump = await registerMachine(database, { controller: edge.machineId })
  const { machineId } = pump
  const chain = sealChain(edge, 2, { machineId })
  expect(await judge(chain[0]?.bytes ?? new Uint8Array())).toBe('epoch 1')
  const heads = [{ stream: `${machineId}/level`, seq: '1', digest: chain[0]?.digest ?? '' }]
  await addKey(database, edge.machineId, 2n, newKey(), heads)
  identity.refresh([edge.machineId])
  expect(await judge(chain[0]?.bytes ?? new Uint8Array())).toBe('epoch 1')
  expect(await judge(chain[1]?.bytes ?? new Uint8Array())).toBe('KEY_REVOKED')
  expect(await judge(seal(edge).bytes)).toBe('KEY_REVOKED')
})

test('active: the machine, and its controller if it has one', async () => {
  const edge = await registerMachine(database)
  const pump = await registerMachine(database, { controller: edge.machineId, state: 'registered' })
  const ids = [edge.machineId, pump.machineId]
  const active = async () => {
    identity.refresh(ids)
    const machines = await identity.load(ids)
    return ids.map((id) => isActive(id, machines))
  }
  expect(await active()).toEqual([true, false])
  await setState(database, pump.machineId, 'active')
  expect(await active()).toEqual([true, true])
  await setState(database, edge.machineId, 'suspended')
  expect(await active()).toEqual([false, false])
  await setState(database, pump.machineId, 'decommissioned')
  await setState(database, edge.machineId, 'active')
  expect(await active()).toEqual([true, false])
})

test('whose a machine is, as the ledger said last, once it has been loaded', async () => {
  const { machineId } = await registerMachine(database)
  expect(identity.ownerOf(machineId)).toBeUndefined()
  for (const byte of [1, 2]) {
    await database.pool.query('INSERT INTO machine_owners VALUES ($1, $2, $3, 0, 0)', [
      machineId,
      Buffer.alloc(20, byte),
      await newBlock(database),
    ])
    identity.refresh([machineId])
    await identity.load([machineId])
    expect(identity.ownerOf(machineId)).toBe(`0x${`0${byte}`.repeat(20)}`)
  }
})
