import { usageRightsAbi } from '@liquefy/abi'
import {
  encodeAbiParameters,
  encodeEventTopics,
  getAddress,
  type Hex,
  keccak256,
  type Log,
  toHex,
} from 'viem'
import { expect, test } from 'vitest'
import type { LedgerEvent } from '../../src/chain/events.ts'
import { type RightsHappening, readRightsEvent } from '../../src/chain/rights-events.ts'
import { forgetAbove, saveBlocks } from '../../src/store/ledger.ts'
import { readHourOffer, readRights, readZone } from '../../src/store/rights.ts'
import { newDataDir, testDatabase } from '../chain/support.ts'

const ANNA: Hex = `0x${'a1'.repeat(20)}`
const BRUNO: Hex = `0x${'b2'.repeat(20)}`
const NOBODY: Hex = `0x${'00'.repeat(20)}`
const TX = keccak256('0xbb')

const blockRow = (number: number) => ({
  number,
  hash: keccak256(toHex(number)),
  timeMs: number * 1_000,
  hasEvents: true,
})

let logIndex = 0
function at(block: number, happening: RightsHappening): LedgerEvent {
  logIndex += 1
  return { block, logIndex, txHash: TX, atMs: block * 1_000, kind: 'rights', happening }
}

const slot = { what: 'issued', machineId: 7n, firstWeek: 3_000, weeksCount: 12 } as const

test('rights are what the ledger said last, and a reorganisation takes it back', async () => {
  const { pool } = await testDatabase(await newDataDir())
  const price = { asset: ANNA, pricePerHour: 12n, openBits: 2n ** 168n - 1n, untilWeek: 3_050 }
  const hours = { what: 'hours', rightId: 2n, week: 3_001 } as const
  await saveBlocks(pool, [1, 2, 3].map(blockRow), [
    at(1, { what: 'zone', machineId: 7n, zone: 'Europe/Berlin' }),
    at(1, { what: 'offer', machineId: 7n, ...price }),
    at(1, { what: 'owner', rightId: 1n, owner: ANNA }),
    at(1, { ...slot, rightId: 1n, bits: 15n, hoursPerWeek: 0 }),
    at(1, { what: 'sold', rightId: 1n, buyer: ANNA, seller: BRUNO, asset: ANNA, amount: 576n }),
    at(2, { what: 'owner', rightId: 2n, owner: ANNA }),
    at(2, { ...slot, rightId: 2n, bits: 0n, hoursPerWeek: 10 }),
    at(2, { ...hours, bits: 7n, kind: 'booked' }),
    at(2, { ...hours, bits: 2n, kind: 'cancelled' }),
    at(2, { what: 'user', rightId: 1n, user: BRUNO, expires: 2n ** 64n - 1n }),
    at(3, { what: 'owner', rightId: 1n, owner: BRUNO }),
    at(3, { what: 'user', rightId: 1n, user: NOBODY, expires: 0n }),
    at(3, { ...hours, bits: 2n, kind: 'booked' }),
    {
      block: 3,
      logIndex: 99,
      txHash: TX,
      atMs: 3,
      kind: 'machine-owner',
      machineId: 7n,
      owner: ANNA,
    },
  ])
  const of = async (person: Hex) =>
    (await readRights(pool, { person }, 10)).map(({ rightId }) => rightId)
  const all = () => readRights(pool, { machineId: 7n, endAfterWeek: 3_011 }, 10)
  const [quota, first] = await all()
  expect(first).toMatchObject({
    rightId: 1n,
    bits: 15n,
    owner: BRUNO,
    user: undefined,
    sale: { amount: 576n },
  })
  expect(quota).toMatchObject({ rightId: 2n, hoursPerWeek: 10, changes: new Map([[3_001, 7n]]) })
  expect([await of(ANNA), await of(BRUNO)]).toEqual([[2n], [1n]])
  expect(await readRights(pool, { machineId: 7n, endAfterWeek: 3_012 }, 10)).toEqual([])
  expect(await readHourOffer(pool, 7n)).toBeUndefined()

  await forgetAbove(pool, 2, 4)
  const [booked, lent] = await all()
  expect(lent).toMatchObject({ owner: ANNA, user: BRUNO, userUntilMs: Number.MAX_SAFE_INTEGER })
  expect(booked?.changes).toEqual(new Map([[3_001, 5n]]))
  expect([await of(ANNA), await of(BRUNO)]).toEqual([[2n, 1n], [1n]])
  expect(await readHourOffer(pool, 7n)).toEqual(price)

  await forgetAbove(pool, 0, 4)
  expect([await all(), await readZone(pool, 7n)]).toEqual([[], undefined])
}, 120_000)

test('an event is read with its addresses in small letters', () => {
  const topics = encodeEventTopics({
    abi: usageRightsAbi,
    eventName: 'HoursBooked',
    args: { rightId: 2n, machineId: 7n },
  })
  const data = encodeAbiParameters([{ type: 'uint32' }, { type: 'uint168' }], [3_001, 7n])
  expect(readRightsEvent({ topics, data } as unknown as Log)).toEqual({
    what: 'hours',
    rightId: 2n,
    week: 3_001,
    bits: 7n,
    kind: 'booked',
  })
  const user = encodeEventTopics({
    abi: usageRightsAbi,
    eventName: 'UpdateUser',
    args: { tokenId: 2n, user: getAddress(ANNA) },
  })
  const expires = encodeAbiParameters([{ type: 'uint64' }], [9n])
  expect(readRightsEvent({ topics: user, data: expires } as unknown as Log)).toMatchObject({
    user: ANNA,
    expires: 9n,
  })
})
