import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agreement, Deployment, Machine } from '@liquefy/client'
import { agreementId, type Hex, keyId, LiquefyError, type SigningKey } from '@liquefy/protocol'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type RunOptions, runProduct } from '../src/index.ts'
import { smallProduct } from './small-product.ts'

const address = (byte: string): Hex => `0x${byte.repeat(20)}`

const deployment: Deployment = {
  chainId: 31_337,
  rpcUrl: 'http://127.0.0.1:1',
  embedded: true,
  registry: address('11'),
  p256Sha256Verifier: address('88'),
  p256RawVerifier: address('88'),
  clearingHouse: address('22'),
  evidenceAnchor: address('33'),
  linearTariff: address('44'),
  tieredTariff: address('55'),
  planTariff: address('56'),
  accounts: null,
  cooperation: null,
  log: address('66'),
  asset: { address: address('77'), symbol: 'tEUR', decimals: 6 },
  mqttUrl: 'mqtt://127.0.0.1:1',
  people: [],
  actAsPeople: false,
}

let dataDir = ''
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'liquefy-simulator-'))
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

/** A ledger and the node's view of it, in memory; `failAfter` cuts the runner off right behind that action. */
function world() {
  const keys: SigningKey[] = []
  const escrow = new Map<Hex, bigint>()
  const actions: string[] = []
  const names: string[] = []
  const places: unknown[] = []
  let failAfter: string | undefined
  const acted = (action: string) => {
    actions.push(action)
    if (action === failAfter) throw new Error(`cut off after ${action}`)
  }
  const options: RunOptions = {
    deployment,
    dataDir,
    nameMachine: async (machineId, name) => void names.push(`${machineId} ${name}`),
    placeMachine: async (machineId, place) => void places.push([machineId, place]),
    client: {
      machines: async () => keys.map((_, index) => ({ machineId: String(index + 1) }) as never),
      machine: async (machineId) => {
        const key = keys[Number(machineId) - 1]
        if (!key) throw new LiquefyError('MACHINE_UNKNOWN', 'no')
        return { state: 'active', key: { keyId: keyId(key.publicKey) } } as Machine
      },
      agreement: async (id) => {
        const left = escrow.get(id)
        if (left === undefined) throw new LiquefyError('AGREEMENT_UNKNOWN', 'no')
        return { open: true, escrowMinor: left.toString() } as Agreement
      },
      submitRules: async () => ({ ruleHashes: [] }),
    },
    ledger: {
      addressOf: (person) => address(person === 'Silowerk AG' ? 'bb' : 'aa'),
      async registerMachine({ key }) {
        keys.push(key)
        acted('register')
        return BigInt(keys.length)
      },
      async openAgreement({ terms }) {
        const { chainId, clearingHouse } = deployment
        const id = agreementId({ chainId, clearingHouse, terms })
        escrow.set(id, 0n)
        acted('open')
        return id
      },
      async fund({ agreementId, amountMinor }) {
        escrow.set(agreementId, (escrow.get(agreementId) ?? 0n) + amountMinor)
        acted('fund')
      },
    },
  }
  return {
    options,
    actions,
    failing: (code: string): RunOptions => ({
      ...options,
      client: { ...options.client, agreement: () => Promise.reject(new LiquefyError(code, 'no')) },
    }),
    names,
    places,
    escrow,
    cutOffAfter: (action: string | undefined) => {
      failAfter = action
    },
  }
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('it registers, opens, funds, and the machines read; started again, it goes on', async () => {
  const { options, actions, names, places, escrow } = world()
  const first = await runProduct(smallProduct, options)
  await wait(1_200)
  await first.stop()
  expect(actions).toEqual(['register', 'open', 'fund'])
  expect(names).toEqual(['1 Silo 1'])
  expect(places).toEqual([[1n, { latitudeE7: 535_180_000, longitudeE7: 99_890_000 }]])
  const [one] = first.machines
  const before = one?.machine.head('level').seq ?? 0n
  expect(before).toBeGreaterThanOrEqual(3n)
  expect(one?.machine.head('temperature').seq).toBeGreaterThanOrEqual(1n)

  const again = await runProduct(smallProduct, options)
  await wait(500)
  await again.stop()
  expect(actions).toEqual(['register', 'open', 'fund'])
  expect(again.machines[0]).toMatchObject({ machineId: 1n, agreementId: one?.agreementId })
  expect(again.machines[0]?.machine.head('level').seq).toBeGreaterThan(before)

  for (const id of escrow.keys()) escrow.set(id, 4n)
  await (await runProduct(smallProduct, options)).stop()
  expect(actions).toEqual(['register', 'open', 'fund', 'fund'])
  expect([...escrow.values()]).toEqual([10n ** 10n])
})

test.each(['register', 'open', 'fund'])(
  'cut off right after %s, the next start does nothing twice',
  async (action) => {
    const { options, actions, escrow, cutOffAfter } = world()
    cutOffAfter(action)
    await expect(runProduct(smallProduct, options)).rejects.toThrow('cut off')
    cutOffAfter(undefined)
    await (await runProduct(smallProduct, options)).stop()
    expect(actions).toEqual(['register', 'open', 'fund'])
    expect([...escrow.values()]).toEqual([10n ** 10n])
  },
)

test('a node that fails is not taken for one that does not know the agreement: nothing is opened again', async () => {
  const { options, failing, actions } = world()
  await (await runProduct(smallProduct, options)).stop()
  await expect(runProduct(smallProduct, failing('HTTP_502'))).rejects.toMatchObject({
    code: 'HTTP_502',
  })
  expect(actions).toEqual(['register', 'open', 'fund'])
})
