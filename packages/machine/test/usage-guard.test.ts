import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  bitsOfHours,
  bitsToHex,
  type Hex,
  privateKeyFromBytes,
  recoverAccount,
  signTypedDigest,
  startUseDigest,
  weekOfDay,
} from '@liquefy/protocol'
import { expect, test } from 'vitest'
import { openUsageGuard, type Sample, type StartRequest } from '../src/index.ts'
import { scratchFolder } from './folder.ts'

const LEDGER = { chainId: 31_337, usageRights: `0x${'55'.repeat(20)}` as Hex }
const MACHINE = 7n
const FIRST = weekOfDay('2026-01-05') ?? 0
const SATURDAY = bitsOfHours([8, 9, 10, 11].map((hour) => 5 * 24 + hour))
const HOUR_MS = 3_600_000
/** Saturday 10 January, 8:00 in Berlin. */
const EIGHT = Date.UTC(2026, 0, 10, 7)

const keyOf = (byte: number) => privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(byte))
const anna = keyOf(1)
const bruno = keyOf(2)

function sign(key: typeof anna, request: Omit<StartRequest, 'signature'>, machineId = MACHINE) {
  return signTypedDigest(key, startUseDigest(LEDGER, { machineId, ...request }))
}

function accountOfKey(key: typeof anna): Hex {
  const request = { rightId: 0n, challenge: `0x${'00'.repeat(32)}` as Hex, deadline: 0n }
  const digest = startUseDigest(LEDGER, { machineId: MACHINE, ...request })
  const account = recoverAccount(digest, sign(key, request))
  if (!account) throw new Error('no account')
  return account
}

const calendar = (more: object = {}, right: object = {}) => ({
  zone: 'Europe/Berlin',
  state: 'active',
  rights: [
    {
      rightId: '1',
      machineId: String(MACHINE),
      firstWeek: FIRST,
      weeksCount: 4,
      bits: bitsToHex(SATURDAY),
      hoursPerWeek: 0,
      changes: [],
      owner: accountOfKey(anna),
      user: null,
      userUntilMs: null,
      ...right,
    },
  ],
  ...more,
})

async function setUp(json: unknown = calendar(), nowMs = EIGHT) {
  const folder = scratchFolder()
  const time = { nowMs }
  const node: { answer: unknown } = { answer: json }
  const readings: [string, bigint, bigint][] = []
  const open = () =>
    openUsageGuard({
      ...LEDGER,
      folder,
      machineId: MACHINE,
      nowMs: () => time.nowMs,
      askNode: async () => {
        if (node.answer === undefined) throw new Error('no network')
        return node.answer
      },
      streams: {
        async sample(stream, sample) {
          const [value, right] = sample as readonly Sample[]
          readings.push([stream, value?.value as bigint, right?.value as bigint])
        },
      },
    })
  const guard = open()
  if (json !== null) await guard.refresh()
  const request = (key = anna, more: Partial<StartRequest> = {}) => {
    const unsigned = {
      rightId: 1n,
      challenge: guard.challenge(),
      deadline: BigInt(Math.floor(time.nowMs / 1_000) + 60),
      ...more,
    }
    return { ...unsigned, signature: sign(key, unsigned), ...more }
  }
  return { folder, time, node, readings, guard, open, request }
}

const codeOf = (answer: ReturnType<ReturnType<typeof openUsageGuard>['start']>) =>
  answer.ok ? 'OK' : answer.code

test('who holds the hour starts it, by what the machine knew before the network went', async () => {
  const { guard, node, request, open } = await setUp()
  node.answer = undefined
  expect(await guard.refresh()).toBe(false)
  expect(guard.start(request())).toEqual({
    ok: true,
    user: accountOfKey(anna),
    untilMs: EIGHT + 4 * HOUR_MS,
  })
  await guard.close()
  const again = open()
  expect(again.heardMs()).toBe(EIGHT)
})

test.each([
  ['RIGHTS_UNKNOWN', null, {}],
  ['MACHINE_SUSPENDED', calendar({ state: 'suspended' }), {}],
  ['CHALLENGE_USED', calendar(), { challenge: `0x${'00'.repeat(32)}` }],
  ['START_EXPIRED', calendar(), { deadline: BigInt(EIGHT / 1_000 - 1) }],
  ['RIGHT_UNKNOWN', calendar(), { rightId: 2n }],
  ['RIGHT_NOT_YET', calendar({}, { firstWeek: FIRST + 1 }), {}],
  ['RIGHT_EXPIRED', calendar({}, { firstWeek: FIRST - 4 }), {}],
  ['HOUR_NOT_HELD', calendar({}, { bits: bitsToHex(1n) }), {}],
  ['USER_UNKNOWN', calendar(), { signature: `0x${'00'.repeat(65)}` }],
] as [string, unknown, Partial<StartRequest>][])('%s', async (code, json, more) => {
  const { guard, request } = await setUp(json)
  expect(codeOf(guard.start(request(anna, more)))).toBe(code)
  expect(guard.running()).toBeUndefined()
})

test('a challenge counts once, and a stranger does not use it up', async () => {
  const { guard, request } = await setUp()
  const good = request()
  expect(codeOf(guard.start({ ...good, signature: sign(bruno, good) }))).toBe('USER_UNKNOWN')
  expect(codeOf(guard.start({ ...good, signature: sign(anna, good, 8n) }))).toBe('USER_UNKNOWN')
  expect(codeOf(guard.start(good))).toBe('OK')
  expect(codeOf(guard.start(request()))).toBe('MACHINE_RUNNING')
  await guard.stop()
  expect(codeOf(guard.start(good))).toBe('CHALLENGE_USED')
})

test('ATK whoever asks for many challenges takes nobody away his own', async () => {
  const { guard, request, time } = await setUp()
  const good = request()
  const others = Array.from({ length: 1_000 }, () => guard.challenge())
  expect(new Set(others).size).toBe(1_000)
  const made = `0x${'00'.repeat(7)}ff${good.challenge.slice(18)}` as const
  expect(codeOf(guard.start(request(anna, { challenge: made })))).toBe('CHALLENGE_USED')
  time.nowMs -= 1
  expect(codeOf(guard.start(good))).toBe('CHALLENGE_USED')
  time.nowMs += 1
  expect(codeOf(guard.start(good))).toBe('OK')
  await guard.stop()
  const late = request(anna, { deadline: 2n ** 40n })
  time.nowMs += 600_001
  expect(codeOf(guard.start(late))).toBe('CHALLENGE_USED')
})

test('whom it is lent to starts it, and not its owner', async () => {
  const user = accountOfKey(bruno)
  const lent = calendar({}, { user, userUntilMs: EIGHT + HOUR_MS })
  const { guard, request, time } = await setUp(lent)
  expect(codeOf(guard.start(request(anna)))).toBe('USER_UNKNOWN')
  expect(codeOf(guard.start(request(bruno)))).toBe('OK')
  await guard.stop()
  time.nowMs += HOUR_MS + 1
  expect(codeOf(guard.start(request(anna)))).toBe('OK')
})

test('overrun is measured, never cut', async () => {
  const { guard, readings, request, time } = await setUp()
  time.nowMs += 3 * HOUR_MS
  guard.start(request())
  await guard.tick()
  time.nowMs += 2 * HOUR_MS
  expect(guard.running()).toMatchObject({ rightId: 1n, isOverrun: true })
  await guard.tick()
  time.nowMs += 1_500
  await guard.stop()
  expect(readings).toEqual([
    ['use', 0n, 1n],
    ['overrun', 0n, 1n],
    ['use', 7_200n, 1n],
    ['overrun', 3_600n, 1n],
    ['use', 7_201n, 1n],
    ['overrun', 3_601n, 1n],
  ])
})

test('a slot of one’s own that follows is no overrun', async () => {
  const json = calendar()
  const [one] = json.rights
  const two = { ...one, rightId: '2', bits: bitsToHex(SATURDAY << 4n) }
  const { guard, request, time } = await setUp({ ...json, rights: [one, two] })
  expect(guard.start(request())).toMatchObject({ untilMs: EIGHT + 8 * HOUR_MS })
  time.nowMs += 6 * HOUR_MS
  expect(guard.running()?.isOverrun).toBe(false)
})

test('totals go on after a power cut, which nobody pays for', async () => {
  const { guard, open, readings, request, time } = await setUp()
  guard.start(request())
  time.nowMs += HOUR_MS
  await guard.tick()
  time.nowMs += HOUR_MS
  const again = open()
  expect(again.running()).toBeUndefined()
  readings.splice(0)
  const unsigned = {
    rightId: 1n,
    challenge: again.challenge(),
    deadline: BigInt(time.nowMs / 1_000 + 60),
  }
  again.start({ ...unsigned, signature: sign(anna, unsigned) })
  await again.tick()
  expect(readings[0]).toEqual(['use', 3_600n, 1n])
})

test('a slot that ends without a start is reported, once', async () => {
  const { guard, readings, request, time } = await setUp(calendar(), EIGHT - HOUR_MS)
  time.nowMs = EIGHT + 4 * HOUR_MS
  await guard.tick()
  await guard.tick()
  expect(readings).toEqual([['no-show', 1n, 1n]])
  time.nowMs = EIGHT + 7 * 24 * HOUR_MS + HOUR_MS
  guard.start(request())
  time.nowMs += 60_000
  await guard.stop()
  readings.splice(0)
  time.nowMs += 4 * HOUR_MS
  await guard.tick()
  expect(readings).toEqual([])
})

test('whoever could not have come is not said to have stayed away', async () => {
  const day = 24 * HOUR_MS
  const { guard, node, readings, time, open } = await setUp(calendar(), EIGHT + HOUR_MS)
  // It was switched on in the middle of the slot.
  time.nowMs = EIGHT + 5 * HOUR_MS
  await guard.tick()
  // The second Saturday passes while it is switched off.
  time.nowMs = EIGHT + 8 * day
  const again = open()
  await again.tick()
  // In the third it is suspended.
  node.answer = calendar({ state: 'suspended' })
  await again.refresh()
  time.nowMs = EIGHT + 15 * day
  await again.tick()
  // Of this right it hears when its hours have begun.
  const json = calendar()
  node.answer = { ...json, rights: [{ ...json.rights[0], rightId: '2' }] }
  time.nowMs = EIGHT + 21 * day + HOUR_MS
  await again.refresh()
  time.nowMs += 5 * HOUR_MS
  await again.tick()
  expect(readings).toEqual([])
})

test('nonsense from the node changes nothing', async () => {
  const { guard, node, request } = await setUp()
  node.answer = { zone: 'Mars/Base', state: 'active', rights: [] }
  expect(await guard.refresh()).toBe(false)
  expect(codeOf(guard.start(request()))).toBe('OK')
})

test('a damaged record is said, not begun anew', async () => {
  const { folder, open } = await setUp()
  writeFileSync(join(folder, 'usage.json'), '{"useMs":')
  expect(open).toThrow(/damaged/)
})
