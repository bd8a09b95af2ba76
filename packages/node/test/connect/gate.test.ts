import { expect, test } from 'vitest'
import { openGate } from '../../src/connect/gate.ts'

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

test('what came first enters first, and never more than there is room for', async () => {
  const inbox = inboxOf(2)
  const gate = openGate(inbox)
  const passed = [1, 2, 3, 4, 5].map((number) => gate.pass(() => inbox.enter(number), isHere))
  expect(inbox.taken).toEqual([1, 2])
  inbox.free(1)
  expect(await passed[2]).toBe(3)
  expect(inbox.taken).toEqual([1, 2, 3])
  // Who comes now does not overtake those that wait.
  inbox.free(2)
  const last = gate.pass(() => inbox.enter(6), isHere)
  expect(await Promise.all(passed.slice(3))).toEqual([4, 5])
  inbox.free(1)
  expect(await last).toBe(6)
  expect(inbox.taken).toEqual([1, 2, 3, 4, 5, 6])
})

test('who went away while waiting takes no place, and an error reaches its sender alone', async () => {
  const inbox = inboxOf(0)
  const gate = openGate(inbox)
  const gone = gate.pass(
    () => inbox.enter(1),
    () => true,
  )
  const failing = gate.pass(() => Promise.reject(new Error('no')), isHere)
  const next = gate.pass(() => inbox.enter(2), isHere)
  inbox.free(1)
  expect(await gone).toBeUndefined()
  await expect(failing).rejects.toThrow('no')
  expect(await next).toBe(2)
  expect(inbox.taken).toEqual([2])
})
