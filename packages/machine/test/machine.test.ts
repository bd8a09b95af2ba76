import { expect, test } from 'vitest'
import {
  createKey,
  type MachineOptions,
  openMachine,
  type Receipt,
  type Refusal,
  saveIdentity,
} from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { ledger, type Message, simulatedLine, tinyNode } from './tiny-node.ts'

const DAY_MS = 86_400_000
const START_MS = Date.UTC(2026, 0, 5)

async function setUp(options: Partial<MachineOptions> = {}) {
  const folder = scratchFolder()
  const key = createKey(folder)
  saveIdentity(folder, { machineId: 7n, ...ledger })
  const time = { nowMs: START_MS }
  const clock = { nowMs: () => time.nowMs }
  const node = tinyNode({ key: key.publicKey, clock, mqttId: 7n })
  const line = simulatedLine(node)
  const open = () => openMachine({ folder, clock, transport: line.open, ...options })
  return { folder, time, node, line, open, machine: await open() }
}

const seqs = (log: { stream: string; seq: bigint }[], stream: string) =>
  log.filter((one) => one.stream === stream).map(({ seq }) => Number(seq))

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

test('a sample becomes an envelope, a log entry and a receipt', async () => {
  const { machine, node, line } = await setUp()
  const receipts: Receipt[] = []
  machine.on('receipt', (receipt) => receipts.push(receipt))
  line.up()
  await machine.sample('level', { unit: 'mm', value: 1234n })
  await machine.flushed()
  expect(node.log).toMatchObject([{ machineId: 7n, stream: 'level', seq: 1n, code: 'OK' }])
  expect(receipts).toEqual([
    {
      machineId: 7n,
      stream: 'level',
      seq: 1n,
      digest: node.log[0]?.digest,
      loggedAt: START_MS,
      code: 'OK',
    },
  ])
  await machine.close()
})

test('days offline and restarted in between, it catches up in order and without doubles', async () => {
  const { machine, node, line, time, open } = await setUp({ delivery: { window: 16 } })
  for (let hour = 0; hour < 48; hour += 1) {
    time.nowMs += 3_600_000
    await machine.sample('level', { unit: 'mm', value: BigInt(9_000 - hour) })
  }
  await machine.close()
  const again = await open()
  for (let hour = 48; hour < 96; hour += 1) {
    time.nowMs += 3_600_000
    await again.sample('level', { unit: 'mm', value: BigInt(9_000 - hour) })
  }
  expect(again.pendingCount()).toBe(96)
  line.up()
  await again.flushed()
  expect(seqs(node.log, 'level')).toEqual(upTo(96))
  expect(node.frames()).toBe(96)
  expect(time.nowMs - START_MS).toBe(4 * DAY_MS)
  await again.close()
})

test('lost receipts: sent again after a time-out and with back-off, logged once', async () => {
  const { machine, node, line, time } = await setUp({ delivery: { resendMs: 1_000 } })
  line.answers(() => [])
  line.up()
  for (const value of [1n, 2n, 3n]) await machine.sample('level', { unit: 'mm', value })
  const framesAt = (seconds: number) => {
    time.nowMs = START_MS + seconds * 1000
    machine.tick()
    return node.frames()
  }
  expect([0, 1, 2, 3, 5, 7].map(framesAt)).toEqual([3, 6, 6, 9, 9, 12])
  line.answers((messages) => messages)
  framesAt(15)
  await machine.flushed()
  expect(seqs(node.log, 'level')).toEqual([1, 2, 3])
  await machine.close()
})

test('receipts in any order and more than once are understood', async () => {
  const { machine, line } = await setUp()
  const held: Message[] = []
  line.answers((messages) => {
    held.push(...messages)
    return []
  })
  line.up()
  for (const value of [1n, 2n, 3n, 4n]) await machine.sample('level', { unit: 'mm', value })
  await Promise.resolve()
  const receipts: number[] = []
  machine.on('receipt', ({ seq }) => receipts.push(Number(seq)))
  for (const message of [...held.toReversed(), ...held]) line.send(message)
  expect(receipts).toEqual([4, 3, 2, 1])
  expect(machine.pendingCount()).toBe(0)
  await machine.close()
})

test('a receipt for another digest deletes nothing', async () => {
  const { machine, line } = await setUp()
  line.answers(() => [])
  line.up()
  const { digest } = await machine.publish('level', [{ unit: 'mm', value: 1n }])
  const another = `${digest.slice(0, -2)}${digest.endsWith('00') ? '01' : '00'}`
  const receipt = { digest: another, loggedAt: START_MS, code: 'OK', seq: '1' }
  line.send({ topic: 'liquefy/v1/7/receipt', json: { entries: [receipt] } })
  line.send({ topic: 'liquefy/v1/8/receipt', json: { entries: [{ ...receipt, digest }] } })
  line.send({ topic: 'liquefy/v1/7/receipt', json: { entries: [{ digest, code: 'OK' }, null] } })
  expect(machine.pendingCount()).toBe(1)
  await machine.close()
})

test('the window bounds what is in flight', async () => {
  const { machine, node, line } = await setUp({ delivery: { window: 5 } })
  line.answers(() => [])
  await Promise.all(upTo(30).map((n) => machine.sample('level', { unit: 'mm', value: BigInt(n) })))
  line.up()
  machine.tick()
  expect(node.frames()).toBe(5)
  await machine.close()
})

test('what is refused is kept, said, and tried again later; what is behind it goes on', async () => {
  const { machine, node, line, time } = await setUp({ delivery: { window: 1 } })
  const refusals: Refusal[] = []
  machine.on('refused', (refusal) => refusals.push(refusal))
  node.refuseAllWith('DEVICE_UNKNOWN')
  line.up()
  const { digest } = await machine.publish('level', [{ unit: 'mm', value: 1n }])
  await Promise.resolve()
  expect(refusals).toEqual([{ code: 'DEVICE_UNKNOWN', message: 'refused', digest }])
  node.refuseAllWith(undefined)
  await machine.publish('level', [{ unit: 'mm', value: 2n }])
  await Promise.resolve()
  expect(seqs(node.log, 'level')).toEqual([2])
  time.nowMs += 60_000
  machine.tick()
  await machine.flushed()
  expect(seqs(node.log, 'level')).toEqual([2, 1])
  await machine.close()
})

test('packs: by number of records, by age, and before a declaration', async () => {
  const { machine, node, line, time } = await setUp({ packEvery: { records: 3, ageMs: 5_000 } })
  line.up()
  const samples = upTo(4).map((n) =>
    machine.sample('level', { unit: 'mm', value: BigInt(n), timeMs: START_MS - n }),
  )
  await Promise.all(samples.slice(0, 3))
  expect(node.log).toHaveLength(1)
  const [first] = node.log
  const times =
    first?.content.kind === 'readings' ? first.content.readings.map((r) => r.timeMs) : []
  expect(times).toEqual([START_MS - 3, START_MS - 2, START_MS - 1])
  time.nowMs += 5_000
  machine.tick()
  await samples[3]
  expect(node.log).toHaveLength(2)
  const last = machine.sample('level', { unit: 'mm', value: 5n })
  await machine.declareReplacement('level', { atMs: time.nowMs, reason: 'probe broken' })
  await machine.declareGap('level', { fromMs: START_MS, toMs: time.nowMs, reason: 'power' })
  await last
  await machine.flushed()
  expect(node.log.map(({ content }) => content.kind)).toEqual([
    'readings',
    'readings',
    'readings',
    'declaration',
    'declaration',
  ])
  await machine.close()
})

test('records that belong together share one time and one envelope, however packs are cut', async () => {
  const { machine, node, line, time } = await setUp({ packEvery: { records: 3, ageMs: 5_000 } })
  line.up()
  const position = (lat: bigint, lon: bigint) => [
    { unit: 'lat', value: { mantissa: lat, exponent: -7 } },
    { unit: 'lon', value: { mantissa: lon, exponent: -7 } },
  ]
  const first = machine.sample('position', position(600_000_000n, 235_000_000n))
  time.nowMs += 1_000
  const second = machine.sample('position', position(600_000_100n, 235_000_100n))
  await Promise.all([first, second])
  await machine.declareExcuse('position', {
    fromMs: START_MS,
    toMs: time.nowMs,
    reason: 'ferry',
  })
  await machine.flushed()
  const [pack, excuse] = node.log.map(({ content }) => content)
  const records = pack?.kind === 'readings' ? pack.readings : []
  expect(records.map(({ unit, timeMs }) => [unit, timeMs])).toEqual([
    ['lat', START_MS],
    ['lon', START_MS],
    ['lat', START_MS + 1_000],
    ['lon', START_MS + 1_000],
  ])
  expect(excuse).toEqual({
    kind: 'declaration',
    declaration: { kind: 'excuse', fromMs: START_MS, toMs: START_MS + 1_000, reason: 'ferry' },
  })
  await machine.close()
})

test('closing writes open packs; a closed machine takes no more', async () => {
  const { machine, node, line, open } = await setUp({ packEvery: { records: 100 } })
  const sample = machine.sample('level', { unit: 'mm', value: 1n })
  await machine.close()
  await sample
  await expect(machine.sample('level', { unit: 'mm', value: 2n })).rejects.toMatchObject({
    code: 'MACHINE_CLOSED',
  })
  const again = await open()
  line.up()
  await again.flushed()
  expect(node.log).toHaveLength(1)
  await again.close()
})

test('an edge signs for the machines it controls, each with chains of its own', async () => {
  const { machine, node, line } = await setUp()
  line.up()
  await machine.publish('level', [{ unit: 'mm', value: 1n }])
  await machine.for(8n).publish('level', [{ unit: 'mm', value: 2n }])
  await machine.for(8n).stream('level').sample({ unit: 'mm', value: 3n })
  await machine.flushed()
  expect(node.log.map(({ machineId, seq }) => [machineId, seq])).toEqual([
    [7n, 1n],
    [8n, 1n],
    [8n, 2n],
  ])
  await machine.close()
})

test('one folder, one machine at a time', async () => {
  const { machine, open } = await setUp()
  await expect(open()).rejects.toMatchObject({ code: 'FOLDER_LOCKED' })
  await machine.close()
  await (await open()).close()
})

test('a folder without identity, and a broker in the open, are refused with what to do', async () => {
  const folder = scratchFolder()
  createKey(folder)
  await expect(openMachine({ folder })).rejects.toMatchObject({ code: 'IDENTITY_MISSING' })
  const identity = { machineId: 7n, ...ledger }
  await expect(openMachine({ folder, ...identity })).rejects.toMatchObject({
    code: 'BROKER_MISSING',
  })
  const mqttUrl = 'mqtt://broker.example:1883'
  await expect(openMachine({ folder, ...identity, mqttUrl })).rejects.toMatchObject({
    code: 'TRANSPORT_PLAIN',
  })
})
