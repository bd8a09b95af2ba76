import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKey, openMachine, saveIdentity } from '@liquefy/machine'
import { type CounterRule, checkpointTypedData, type Hex, splitSequence } from '@liquefy/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { writeRunning } from '../src/data-folder.ts'
import { liquefy } from './liquefy.ts'
import { type LiveNode, startLiveNode } from './live-node.ts'

const VERIFIER = join(import.meta.dirname, '../../../examples/verifier/verify.ts')
const RULE: CounterRule = {
  rule: 'counter',
  version: 1,
  unit: 'g',
  scale: 0,
  registerUnit: 'g',
  factor: { numerator: 1, denominator: 1 },
  maxRate: { burst: '5000', perHour: '1000' },
}
const COUNT = 5

let live: LiveNode
let machineId: bigint
let agreement: Hex
let machineKey: string

const path = (name: string) => join(live.folder, name)
const run = async (...args: string[]) => {
  const { stdout, code } = await liquefy([...args, '--json'], {
    LIQUEFY_DATA_DIR: path('data'),
  })
  return { code, json: JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '{}') }
}
const verifier = (...args: string[]) => {
  const { status, stdout } = spawnSync(process.execPath, [VERIFIER, ...args], { encoding: 'utf8' })
  return { status, stdout }
}

beforeAll(async () => {
  live = await startLiveNode({ settle: { minMinor: 1n, maxAgeMs: 2 ** 31 - 1 } })
  const { node } = live
  writeRunning(path('data'), { pid: process.pid, rpcUrl: node.rpcUrl, url: node.url })
  const folder = path('scale')
  mkdirSync(folder)
  const key = createKey(folder)
  machineId = await live.register(key)
  const { x, y } = key.publicKey
  machineKey = `${x.slice(2)}${y.slice(2)}`
  const { chainId, registry, clearingHouse, mqttUrl } = node.deployment
  saveIdentity(folder, { machineId, chainId, registry, clearingHouse, mqttUrl })
  agreement = await live.open({
    machineId,
    rule: RULE,
    tariff: { price: 10n, scale: 0 },
    escrowMinor: 1_000_000n,
  })
  const machine = await openMachine({ folder })
  for (let index = 1; index <= COUNT; index += 1) {
    await machine.sample('weight', { unit: 'g', value: BigInt(index) * 10n })
    await machine.flushed(60_000)
  }
  while (machine.agreements().length === 0) await sleep(100)
  await node.idle()
  await machine.meterNow()
  await machine.close()
  await node.settleNow()
  await node.anchorNow()
}, 300_000)

afterAll(() => live?.stop())

describe('what outlives the node', () => {
  test('a statement and a receipt, which the verifier that has nothing of ours takes', async () => {
    const file = path('reading.cose')
    expect((await run('evidence', 'statement', '2', '--out', file)).code).toBe(0)
    const receipt = await run('evidence', 'receipt', '2', '--out', path('receipt.cose'))
    expect(receipt.json).toMatchObject({ bytes: readFileSync(path('receipt.cose')).length })
    const { json: keys } = await run('evidence', 'key', '--machine', String(machineId))
    expect(keys).toMatchObject({
      log: { address: live.node.deployment.log.toLowerCase() },
      machine: [{ key: `04${machineKey}` }],
    })
    const trust = ['--log-key', keys.log.key, '--machine-key', machineKey]
    expect(verifier(file, ...trust)).toEqual({ status: 0, stdout: 'HOLDS\n' })
    const spoilt = readFileSync(file)
    spoilt[60] = (spoilt[60] ?? 0) ^ 1
    writeFileSync(path('spoilt.cose'), spoilt)
    expect(verifier(path('spoilt.cose'), ...trust).status).toBe(1)
  })

  test('a stream, complete up to a head that is settled and anchored on the ledger', async () => {
    const file = path('weight.cborseq')
    const { json } = await run('evidence', 'stream', `${machineId}/weight`, '--out', file)
    expect(json).toMatchObject({ statements: COUNT })
    const whole = await run('evidence', 'complete', file, '--agreement', agreement)
    expect(whole).toMatchObject({
      code: 0,
      json: { envelopes: COUNT, faults: [], anchored: [String(COUNT)], settledTo: String(COUNT) },
    })
    const { json: keys } = await run('evidence', 'key')
    const trust = ['--log-key', keys.log.key, '--machine-key', machineKey, '--to', json.head]
    expect(verifier(file, ...trust)).toEqual({ status: 0, stdout: 'HOLDS\n' })
    const split = splitSequence(readFileSync(file), COUNT)
    if (!split.ok) throw new Error(split.message)
    writeFileSync(path('less.cborseq'), Buffer.concat(split.items.toSpliced(2, 1)))
    const less = await run('evidence', 'complete', path('less.cborseq'))
    expect(less).toMatchObject({ code: 1, json: { faults: [{ code: 'OMITTED', seq: '3' }] } })
    expect(verifier(path('less.cborseq'), ...trust)).toMatchObject({ status: 1 })
    const span = ['--from', '2', '--to', '3', '--out', path('part.cborseq')]
    const part = await run('evidence', 'stream', `${machineId}/weight`, ...span)
    expect(part.json.statements).toBe(2)
  })
})

describe('two statements of the log', () => {
  const forged: Hex = `0x${'66'.repeat(32)}`
  const checkpoint = async (size: bigint, root: Hex) => {
    const { chainId, evidenceAnchor: anchor } = live.node.deployment
    const timestamp = Date.now()
    const typed = checkpointTypedData({ chainId, anchor, size, root, timestamp })
    const signature = await live.node.keys.operator.signTypedData(typed)
    const file = path(`${size}-${root.slice(2, 6)}.json`)
    writeFileSync(file, JSON.stringify({ size: String(size), root, timestamp, signature }))
    return file
  }

  test('of one log: a proof is fetched and verified', async () => {
    writeFileSync(path('root-2.cose'), await live.client.signedRoot('2'))
    const compared = await run('evidence', 'compare', path('root-2.cose'), live.node.url)
    expect(compared).toMatchObject({ code: 0, json: { verdict: 'CONSISTENT' } })
    expect(compared.json.proof.length).toBeGreaterThan(0)
  })

  test('two roots for one size are a split view, with both signatures', async () => {
    const head = await live.client.logHead()
    const [a, b] = [await checkpoint(3n, forged), await checkpoint(3n, head.root)]
    const compared = await run('evidence', 'compare', a, b)
    expect(compared).toMatchObject({
      code: 1,
      json: {
        verdict: 'SPLIT_VIEW',
        first: { size: '3', root: forged, signature: expect.stringMatching(/^0x/) },
        second: { size: '3', root: head.root, signature: expect.stringMatching(/^0x/) },
      },
    })
  })

  test('another root than the ledger has, and another than the node signs, are found too', async () => {
    writeFileSync(path('root-2.cose'), await live.client.signedRoot('2'))
    const anchored = await run(
      'evidence',
      'compare',
      await checkpoint(BigInt(COUNT), forged),
      path('root-2.cose'),
    )
    expect(anchored).toMatchObject({ code: 1, json: { verdict: 'SPLIT_VIEW' } })
    expect(anchored.json.second.anchor).toMatch(/^0x/)
    const signed = await run('evidence', 'compare', await checkpoint(4n, forged), live.node.url)
    expect(signed).toMatchObject({
      code: 1,
      json: { verdict: 'SPLIT_VIEW', second: { size: '4', signed: expect.any(String) } },
    })
  })

  test('what the log did not sign is no statement: exit code 2', async () => {
    const file = await checkpoint(3n, forged)
    const json = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...json, size: '2' }))
    expect((await run('evidence', 'compare', file, live.node.url)).code).toBe(2)
  })
})
