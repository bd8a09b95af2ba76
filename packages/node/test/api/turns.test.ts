import { expect, test } from 'vitest'
import { oneAtATime } from '../../src/api/turns.ts'

test('one at a time, in order; what is beyond the queue is refused at once, and room is made by what is done or failed', async () => {
  const turns = oneAtATime(1)
  const order: string[] = []
  const first = Promise.withResolvers<void>()
  const one = turns(async () => {
    order.push('one begins')
    await first.promise
    order.push('one ends')
    throw new Error('no ink')
  })
  const two = turns(async () => order.push('two'))
  expect(turns(async () => order.push('three'))).toBeUndefined()
  first.resolve()
  await expect(one).rejects.toThrow('no ink')
  await two
  expect(order).toEqual(['one begins', 'one ends', 'two'])
  expect(await turns(async () => 'four')).toBe('four')
})
