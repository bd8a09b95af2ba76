import { expect, test } from 'vitest'
import { type ClockChange, createKey, openMachine, saveIdentity } from '../src/index.ts'
import { scratchFolder } from './folder.ts'
import { ledger, simulatedLine, tinyNode } from './tiny-node.ts'

const START_MS = Date.UTC(2026, 0, 5)
const HOUR_MS = 3_600_000

/** A machine on a computer whose wall clock can be set, and a node whose clock is right. */
async function setUp() {
  const folder = scratchFolder()
  const key = createKey(folder)
  saveIdentity(folder, { machineId: 7n, ...ledger })
  const time = { trueMs: START_MS, offsetMs: 0, bootId: 'first' }
  const clock = {
    nowMs: () => time.trueMs + time.offsetMs,
    monotonic: {
      elapsedMs: () => time.trueMs - START_MS,
      get bootId() {
        return time.bootId
      },
    },
  }
  const node = tinyNode({
    key: key.publicKey,
    clock: { nowMs: () => time.trueMs },
    mqttId: 7n,
  })
  const line = simulatedLine(node)
  const changes: ClockChange[] = []
  const open = async () => {
    const machine = await openMachine({ folder, clock, transport: line.open })
    machine.on('clock', (change) => changes.push(change))
    return machine
  }
  /** What stands in the log of a stream: times of readings in hours, and what was declared of the clock. */
  const told = (stream: string) =>
    node.log
      .filter((one) => one.stream === stream)
      .map(({ content }) => {
        if (content.kind === 'readings') return (content.readings[0]?.timeMs ?? 0) - START_MS
        const { declaration } = content
        return declaration.kind === 'clock' ? declaration.source : declaration.kind
      })
  return { time, node, line, changes, open, told, machine: await open() }
}

test('a two-hour jump forward while offline, a restart, and back: each stream has the times of no jump and is told of it', async () => {
  const { time, line, open, told, machine } = await setUp()
  let running = machine
  for (const hour of [1, 2, 3, 4, 5, 6]) {
    time.trueMs = START_MS + hour * HOUR_MS
    if (hour === 2) time.offsetMs = 2 * HOUR_MS
    if (hour === 4) {
      await running.close()
      running = await open()
    }
    if (hour === 5) time.offsetMs = 0
    await running.sample('level', { unit: 'mm', value: 5n })
    if (hour < 3) await running.sample('mass', { unit: 'g', value: 5n })
  }
  line.up()
  await running.flushed()
  expect(told('level')).toEqual([
    HOUR_MS,
    'steady',
    2 * HOUR_MS,
    3 * HOUR_MS,
    'steady',
    4 * HOUR_MS,
    'wall',
    5 * HOUR_MS,
    6 * HOUR_MS,
  ])
  expect(told('mass')).toEqual([HOUR_MS, 'steady', 2 * HOUR_MS])
  await running.close()
})

test('a receipt that comes at once confirms a wall clock that was set, and readings follow it', async () => {
  const { time, line, changes, told, machine } = await setUp()
  line.up()
  await machine.sample('level', { unit: 'mm', value: 5n })
  await machine.flushed()
  // The computer slept: real time went on, its monotonic clock did not.
  const asleep = 3 * HOUR_MS
  time.offsetMs = asleep
  await machine.sample('level', { unit: 'mm', value: 5n })
  await machine.flushed()
  expect(changes.map(({ source }) => source)).toEqual(['steady'])
  line.answers((messages) =>
    messages.map(({ topic, json }) => ({ topic, json: laterBy(asleep, json) })),
  )
  await machine.sample('level', { unit: 'mm', value: 5n })
  await machine.flushed()
  expect(changes.map(({ source }) => source)).toEqual(['steady', 'wall'])
  await machine.sample('level', { unit: 'mm', value: 5n })
  await machine.flushed()
  expect(told('level')).toEqual([0, 'steady', 0, 0, 'wall', asleep])
  await machine.close()
})

test('a receipt for what was sent long ago confirms nothing', async () => {
  const { time, line, changes, machine } = await setUp()
  await machine.sample('level', { unit: 'mm', value: 5n })
  time.offsetMs = 2 * HOUR_MS
  await machine.sample('level', { unit: 'mm', value: 5n })
  line.answers((messages) =>
    messages.map(({ topic, json }) => ({ topic, json: laterBy(2 * HOUR_MS, json) })),
  )
  line.up()
  await machine.flushed()
  expect(changes.map(({ source }) => source)).toEqual(['steady'])
  await machine.close()
})

test('a computer that starts with its clock behind the last reading goes on from that one', async () => {
  const { time, changes, open, machine } = await setUp()
  await machine.sample('level', { unit: 'mm', value: 5n })
  await machine.close()
  time.bootId = 'second'
  time.trueMs += HOUR_MS
  time.offsetMs = -40 * 365 * 24 * HOUR_MS
  const again = await open()
  expect(again.nowMs()).toBe(START_MS)
  time.trueMs += HOUR_MS
  expect(again.nowMs()).toBe(START_MS + HOUR_MS)
  expect(changes).toMatchObject([{ source: 'steady' }])
  time.offsetMs = 0
  again.followWallClock('set by hand')
  expect(again.nowMs()).toBe(START_MS + 2 * HOUR_MS)
  await again.close()
})

/** A receipt of a node whose clock is ahead. */
function laterBy(ms: number, json: unknown): unknown {
  const receipt = json as { entries?: { loggedAt: number }[] }
  return {
    ...receipt,
    entries: receipt.entries?.map((entry) => ({ ...entry, loggedAt: entry.loggedAt + ms })),
  }
}
