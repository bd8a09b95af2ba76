import { keccak256 } from 'viem'
import { expect, test } from 'vitest'
import {
  highestNonce,
  insertIntent,
  readIntent,
  readPending,
  readQueued,
  readRevertedAbove,
  requeue,
  saveBumped,
  saveOutcome,
  saveProblem,
  saveSigned,
} from '../../src/store/outbox.ts'
import { newDataDir, testDatabase } from '../chain/support.ts'

const [FIRST, SECOND] = [keccak256('0x01'), keccak256('0x02')]

test('an intent is stored once, keeps its order, and has one nonce', async () => {
  const { pool } = await testDatabase(await newDataDir())
  const intent = (intentId: string) => ({ intentId, kind: 'test', data: '0xabcd' }) as const
  expect(await insertIntent(pool, intent('b'), 5)).toBe(true)
  expect(await insertIntent(pool, intent('a'), 5)).toBe(true)
  expect(await insertIntent(pool, { ...intent('b'), data: '0xee' }, 6)).toBe(false)
  expect((await readQueued(pool)).map(({ intentId, data }) => [intentId, data])).toEqual([
    ['b', '0xabcd'],
    ['a', '0xabcd'],
  ])
  expect(await highestNonce(pool)).toBeUndefined()
  await saveSigned(pool, 'b', { nonce: 4, raw: '0x01', txHash: FIRST }, 7)
  await expect(saveSigned(pool, 'a', { nonce: 4, raw: '0x02', txHash: SECOND }, 7)).rejects.toThrow(
    /unique/,
  )
  expect(await highestNonce(pool)).toBe(4)
  // Signed is signed: only a higher fee at the same nonce replaces it.
  await saveSigned(pool, 'b', { nonce: 9, raw: '0x09', txHash: SECOND }, 8)
  expect(await readIntent(pool, 'b')).toMatchObject({ nonce: 4, raw: '0x01', status: 'sent' })
  await saveBumped(pool, 'b', { raw: '0x03', txHash: SECOND }, 8)
  expect((await readPending(pool))[0]).toMatchObject({ nonce: 4, txHash: SECOND, earlier: [FIRST] })
  await saveOutcome(pool, 'b', { status: 'included', txHash: FIRST, block: 12 }, 9)
  expect(await readIntent(pool, 'b')).toMatchObject({ txHash: FIRST, block: 12 })
})

test('a problem leaves an intent waiting; a lost nonce makes it queued again, once it was sent', async () => {
  const { pool } = await testDatabase(await newDataDir())
  await insertIntent(pool, { intentId: 'a', kind: 'test', data: '0x' }, 1)
  await saveProblem(pool, 'a', 'no money', 2)
  expect(await readIntent(pool, 'a')).toMatchObject({ status: 'queued', error: 'no money' })
  await saveSigned(pool, 'a', { nonce: 0, raw: '0x01', txHash: FIRST }, 3)
  expect((await readIntent(pool, 'a'))?.error).toBeUndefined()
  await requeue(pool, 'a', 4)
  expect(await readIntent(pool, 'a')).toMatchObject({ status: 'queued', nonce: undefined })
  await saveSigned(pool, 'a', { nonce: 1, raw: '0x01', txHash: FIRST }, 5)
  await saveOutcome(pool, 'a', { status: 'reverted', block: 8, error: 'No' }, 6)
  await requeue(pool, 'a', 7)
  expect(await readIntent(pool, 'a')).toMatchObject({ status: 'reverted', nonce: 1, error: 'No' })
  expect(await readRevertedAbove(pool, 7)).toHaveLength(1)
  expect(await readRevertedAbove(pool, 8)).toHaveLength(0)
})
