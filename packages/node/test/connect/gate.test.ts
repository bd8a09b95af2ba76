import { expect, test } from 'vitest'
import { gateOf } from '../../src/connect/gate.ts'

/** An inbox with so many places. */
function inboxOf(places: number) {
  const taken: number[] = []
  let room: PromiseWithResolvers<void> | undefined
  return {
    taken,
    whenRoom() {
      if (places > 0) return undefined
      room ??= Promise.withResolvers()
      return room.promise
    },
    enter(number: number) {
      places -= 1
      taken.push(number)
      return Promise.resolve(number)
    },
    free(count: number) {
      places += count
      room?.resolve()
      room = undefined
    },
  }
}

const isHere = () => false
const MACHINE = 1n

test('what came first of a machine enters first, and never more than there is room for', async () => {
  const inbox = inboxOf(2)
  const gate = gateOf(inbox)
  const passed = [1, 2, 3, 4, 5].map((number) =>
    gate.pass(MACHINE, () => inbox.enter(number), isHere),
  )
  expect(inbox.taken).toEqual([1, 2])
  inbox.free(1)
  expect(await passed[2]).toBe(3)
  expect(inbox.taken).toEqual([1, 2, 3])
  // Who comes now does not overtake those that wait.
  inbox.free(2)
  const last = gate.pass(MACHINE, () => inbox.enter(6), isHere)
  expect(await Promise.all(passed.slice(3))).toEqual([4, 5])
  inbox.free(1)
  expect(await last).toBe(6)
  expect(inbox.taken).toEqual([1, 2, 3, 4, 5, 6])
})

test('machines enter by turns: who sends much holds up nobody else', async () => {
  const inbox = inboxOf(0)
  const gate = gateOf(inbox)
  const enter = (machineId: bigint, number: number) =>
    gate.pass(machineId, () => inbox.enter(number), isHere)
  const flood = [10, 11, 12, 13].map((number) => enter(1n, number))
  const modest = [20, 21].map((number) => enter(2n, number))
  inbox.free(3)
  expect(await modest[0]).toBe(20)
  expect(await flood[1]).toBe(11)
  expect(inbox.taken).toEqual([10, 20, 11])
  // Who comes now waits for one frame of each machine before him.
  const late = enter(3n, 30)
  inbox.free(4)
  await Promise.all([...flood, ...modest, late])
  expect(inbox.taken).toEqual([10, 20, 11, 21, 12, 30, 13])
})

test('two transports before one inbox have turns at one gate', async () => {
  const inbox = inboxOf(0)
  const [mqtt, http] = [gateOf(inbox), gateOf(inbox)]
  const byMqtt = [10, 11, 12].map((number) => mqtt.pass(1n, () => inbox.enter(number), isHere))
  const byHttp = http.pass(2n, () => inbox.enter(20), isHere)
  inbox.free(2)
  expect(await byHttp).toBe(20)
  inbox.free(2)
  await Promise.all(byMqtt)
  expect(inbox.taken).toEqual([10, 20, 11, 12])
})

test('who went away while waiting takes no place, and an error reaches its sender alone', async () => {
  const inbox = inboxOf(0)
  const gate = gateOf(inbox)
  const gone = gate.pass(
    MACHINE,
    () => inbox.enter(1),
    () => true,
  )
  const failing = gate.pass(MACHINE, () => Promise.reject(new Error('no')), isHere)
  const next = gate.pass(MACHINE, () => inbox.enter(2), isHere)
  inbox.free(1)
  expect(await gone).toBeUndefined()
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe(2)
  expect(inbox.taken).toEqual([2])
})
