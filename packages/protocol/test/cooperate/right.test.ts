import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  bitsFromHex,
  bitsOfHours,
  bitsToHex,
  entitlementAt,
  heldHours,
  heldSpans,
  heldText,
  hoursInAll,
  hoursText,
  parseHours,
  privateKeyFromBytes,
  readCalendar,
  recoverAccount,
  rightText,
  START_REFUSALS,
  signTypedDigest,
  startUseDigest,
  type UsageRight,
  userAt,
  weekOfDay,
} from '../../src/index.ts'

const FIRST = weekOfDay('2026-01-05') ?? 0
const SATURDAY = bitsOfHours([8, 9, 10, 11].map((hour) => 5 * 24 + hour))
const ANNA = `0x${'a1'.repeat(20)}` as const
const BRUNO = `0x${'b2'.repeat(20)}` as const

const slot = (more: Partial<UsageRight> = {}): UsageRight => ({
  rightId: 1n,
  machineId: 7n,
  firstWeek: FIRST,
  weeksCount: 12,
  bits: SATURDAY,
  hoursPerWeek: 0,
  changes: new Map(),
  ...more,
})

test('a slot holds its hours every week but those that it gave up', () => {
  const right = slot({ changes: new Map([[FIRST + 1, SATURDAY]]) })
  expect(
    [FIRST - 1, FIRST, FIRST + 1, FIRST + 11, FIRST + 12].map((week) => heldHours(right, week)),
  ).toEqual([0n, SATURDAY, 0n, SATURDAY, 0n])
})

test('a quota holds what it has booked', () => {
  const right = slot({ bits: 0n, hoursPerWeek: 10, changes: new Map([[FIRST, 6n]]) })
  expect([heldHours(right, FIRST), heldHours(right, FIRST + 1)]).toEqual([6n, 0n])
  expect(hoursInAll(right)).toBe(120)
})

test.each([
  ['2026-01-10T06:59:59Z', 'HOUR_NOT_HELD'],
  ['2026-01-10T07:00:00Z', undefined],
  ['2026-01-10T10:59:59Z', undefined],
  ['2026-01-10T11:00:00Z', 'HOUR_NOT_HELD'],
  ['2026-01-03T08:00:00Z', 'RIGHT_NOT_YET'],
  ['2026-03-28T09:00:00Z', undefined],
  ['2026-04-04T08:00:00Z', 'RIGHT_EXPIRED'],
])('Saturday 8-12 in Berlin, at %s: %s', (at, code) => {
  const entitlement = entitlementAt(slot(), 'Europe/Berlin', Date.parse(at))
  expect(entitlement.entitled ? undefined : entitlement.code).toBe(code)
})

test('two rights that follow each other are one time', () => {
  const later = slot({ bits: SATURDAY << 4n })
  const day = { fromMs: Date.UTC(2026, 0, 10), toMs: Date.UTC(2026, 0, 11) }
  expect(heldSpans([later, slot()], 'Europe/Berlin', day)).toEqual([
    { fromMs: Date.UTC(2026, 0, 10, 7), toMs: Date.UTC(2026, 0, 10, 15) },
  ])
})

test('rights in words', () => {
  expect(rightText(slot())).toBe('every Saturday 8-12, 12 weeks from 5 Jan 2026')
  expect(rightText(slot({ bits: 0n, hoursPerWeek: 10, weeksCount: 1 }))).toBe(
    '10 hours a week, 1 week from 5 Jan 2026',
  )
  const nine = bitsOfHours([9, 10, 14, 24 + 9, 24 + 10, 24 + 14, 6 * 24])
  expect(hoursText(nine)).toBe('Monday and Tuesday 9-11, 14-15; Sunday 0-1')
  expect(hoursText(bitsOfHours([0, 1, 2, 3, 4, 5, 6].map((day) => day * 24 + 8)))).toBe(
    'every day 8-9',
  )
})

test('what is held of a machine, in words', () => {
  const quota = slot({ bits: 0n, hoursPerWeek: 10, weeksCount: 73, firstWeek: FIRST + 1 })
  const sunday = slot({ bits: SATURDAY << 24n })
  expect(heldText([quota, slot(), sunday, { ...quota, hoursPerWeek: 1 }], FIRST)).toEqual([
    'Saturdays and Sundays 8-12 are held until 30 Mar 2026',
    '11 hours a week are held from 12 Jan 2026 until 7 Jun 2027',
  ])
  // Of those that have begun only the end counts.
  expect(heldText([slot(), { ...quota, hoursPerWeek: 1 }], FIRST + 12)).toEqual([
    '1 hour a week is held until 7 Jun 2027',
  ])
  const daily = bitsOfHours([0, 1, 2, 3, 4, 5, 6].map((day) => day * 24 + 8))
  expect(heldText([slot({ bits: daily })], FIRST)).toEqual([
    'All days 8-9 are held until 30 Mar 2026',
  ])
})

test('hours are read as people write them', () => {
  expect(parseHours('Sat 8-12')).toBe(SATURDAY)
  expect(hoursText(parseHours('Mon-Fri 9-17; sunday 10 - 11') ?? 0n)).toBe(
    'Monday, Tuesday, Wednesday, Thursday and Friday 9-17; Sunday 10-11',
  )
  expect(hoursText(parseHours('Sun-Mon 23-24') ?? 0n)).toBe('Monday and Sunday 23-24')
  for (const bad of ['', 'Sat', 'Sat 12-8', 'Sat 8-25', 'Sad 8-12', '8-12', 'Sat 8-12 please']) {
    expect(parseHours(bad)).toBeUndefined()
  }
})

test('bits have one form in JSON', () => {
  expect(bitsFromHex(bitsToHex(SATURDAY))).toBe(SATURDAY)
  expect([bitsFromHex('0x0f'), bitsFromHex(15), bitsFromHex(undefined)]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('a start is signed for one machine, right, challenge and ledger', () => {
  const key = privateKeyFromBytes('secp256k1', new Uint8Array(32).fill(7))
  const start = {
    machineId: 7n,
    rightId: 1n,
    challenge: `0x${'c3'.repeat(32)}`,
    deadline: 99n,
  } as const
  const ledger = { chainId: 31_337, usageRights: BRUNO }
  const signature = signTypedDigest(key, startUseDigest(ledger, start))
  const account = recoverAccount(startUseDigest(ledger, start), signature)
  expect(account).toMatch(/^0x/)
  expect(recoverAccount(startUseDigest(ledger, { ...start, rightId: 2n }), signature)).not.toBe(
    account,
  )
  expect(recoverAccount(startUseDigest({ ...ledger, chainId: 1 }, start), signature)).not.toBe(
    account,
  )
})

const known = {
  zone: 'Europe/Berlin',
  state: 'active',
  rights: [
    {
      rightId: '1',
      machineId: '7',
      firstWeek: FIRST,
      weeksCount: 12,
      bits: bitsToHex(SATURDAY),
      hoursPerWeek: 0,
      changes: [{ week: FIRST, bits: bitsToHex(1n) }],
      owner: ANNA,
      user: BRUNO,
      userUntilMs: 5_000,
    },
  ],
}

test('what a node says of a calendar is read strictly', () => {
  const read = readCalendar(known, 7n)
  const [right] = read?.rights ?? []
  if (!right) throw new Error('no right')
  expect([userAt(right, 5_000), userAt(right, 5_001)]).toEqual([BRUNO, ANNA])
  for (const bad of [
    null,
    { ...known, zone: 'Mars/Base' },
    { ...known, rights: 'none' },
    { ...known, rights: [{ ...known.rights[0], machineId: '8' }] },
    { ...known, rights: [{ ...known.rights[0], bits: '0x1' }] },
    { ...known, rights: [{ ...known.rights[0], weeksCount: 54 }] },
    { ...known, rights: [{ ...known.rights[0], owner: 'anna' }] },
    { ...known, rights: [{ ...known.rights[0], changes: [{ week: -1, bits: bitsToHex(1n) }] }] },
  ]) {
    expect(readCalendar(bad, 7n)).toBeUndefined()
  }
})

test('every refusal of a start is documented, and no other', () => {
  const page = readFileSync(
    join(import.meta.dirname, '../../../../docs/protocol/rights.md'),
    'utf8',
  )
  const section = /## Refusals of a start\n([\s\S]*?)(?=\n## |$)/.exec(page)?.[1] ?? ''
  const documented = [...section.matchAll(/^\| `([A-Z_]+)`/gm)].map(([, code]) => code)
  expect(documented.sort()).toEqual(Object.keys(START_REFUSALS).sort())
})
