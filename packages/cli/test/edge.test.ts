import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { auditBundle } from '@liquefy/audit'
import { provenLedgerReader } from '@liquefy/audit/proof'
import { activateMachine, registerControlledMachine } from '@liquefy/client'
import { createKey, type Machine, openMachine } from '@liquefy/machine'
import type { Hex, MeterRule, PrivateKey } from '@liquefy/protocol'
import { bytesToHex } from 'viem'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { liquefy } from './liquefy.ts'
import { type LiveNode, startLiveNode } from './live-node.ts'

const RULE: MeterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '5000', perHour: '1000' },
}

let live: LiveNode
let edge: Machine
let edgeId: bigint
let key: PrivateKey

beforeAll(async () => {
  live = await startLiveNode({ settle: { minMinor: 1n, maxAgeMs: 1_000 } })
  const { node } = live
  const folder = join(live.folder, 'edge')
  key = createKey(folder)
  edgeId = await live.register(key)
  const { chainId, registry, clearingHouse } = node.deployment
  edge = await openMachine({
    folder,
    machineId: edgeId,
    chainId,
    registry,
    clearingHouse,
    mqttUrl: node.mqttUrl,
  })
}, 120_000)

afterAll(async () => {
  await edge?.close()
  await live?.stop()
})

/** A sensor that cannot sign, under the edge. */
async function newSensor(): Promise<bigint> {
  const { node, payee } = live
  const { deployment } = node
  const action = { deployment, publicClient: node.chain.publicClient, wallet: payee }
  const salt = bytesToHex(randomBytes(32))
  const machineId = await registerControlledMachine({ ...action, controller: edgeId, key, salt })
  await activateMachine({ ...action, machineId })
  await node.idle()
  return machineId
}

const audited = async (agreementId: Hex) => {
  const { hash: blockHash } = await live.node.chain.publicClient.getBlock()
  return auditBundle({
    lines: live.client.bundle(agreementId),
    ledger: provenLedgerReader({ rpcUrl: live.node.rpcUrl, blockHash }),
    expected: { ...live.node.deployment, agreementId },
  })
}

test.each([
  ['named by the terms', () => edgeId],
  ['as the controller of the machine that they name', (sensorId: bigint) => sensorId],
])('an edge measures a sensor and signs its meter values, %s', async (_, signerOf) => {
  const sensorId = await newSensor()
  const heard = new Promise<void>((resolve) => {
    edge.on('meter', ({ kind }) => kind === 'agreement' && resolve())
  })
  const id = await live.open({
    machineId: sensorId,
    signerId: signerOf(sensorId),
    rule: RULE,
    tariff: { price: 420n, scale: 0 },
    escrowMinor: 5_000_000n,
  })
  const sensor = edge.for(sensorId)
  await heard
  for (const value of [1_000n, 1_500n]) await sensor.publish('weight', [{ unit: 'g', value }])
  await edge.flushed()
  expect((await edge.meterNow()).at(-1)).toMatchObject({ kind: 'accepted', registers: [500n] })
  await live.node.settleNow()
  const metersSignedBy = `the edge (machine ${edgeId})`
  expect(await live.client.agreement(id)).toMatchObject({ includedMinor: '210000', metersSignedBy })
  expect(await audited(id)).toMatchObject({
    firstFault: null,
    differenceMinor: '0',
    settledMinor: '210000',
    signedBy: [`edge ${edgeId} (controller)`],
    metersSignedBy,
  })
})

test('a machine is described as other systems read it: one of the two ways, said which', async () => {
  const env = { LIQUEFY_URL: live.node.url }
  const said = (...args: string[]) => liquefy(['machine', 'describe', ...args], env)
  const thing = await said(String(edgeId), '--td')
  expect(thing.code).toBe(0)
  expect(JSON.parse(thing.stdout)).toEqual(await live.client.thingDescription(String(edgeId)))
  const shell = await said(String(edgeId), '--aas', '--json')
  expect(shell.json()).toEqual(await live.client.administrationShell(String(edgeId)))
  expect((await said(String(edgeId), '--json')).json()).toMatchObject({
    error: { code: 'FORMAT_MISSING' },
  })
  expect(await said(String(edgeId), '--td', '--aas')).toMatchObject({ code: 2 })
  expect((await said('0', '--td', '--json')).json()).toMatchObject({
    error: { code: 'MACHINE_INVALID' },
  })
})
