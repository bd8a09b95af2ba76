import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createQuotas, type QuotaLimits } from '../../src/trust/quotas.ts'

const OWNER = `0x${'01'.repeat(20)}` as const
const OTHER = `0x${'02'.repeat(20)}` as const
const DAY_MS = 86_400_000

/** Machines 1 to 9 are one owner's, the others another's; 0 is unknown. */
function quotasOf(limits: QuotaLimits, sendersAreKnown = true) {
  let nowMs = 20_000 * DAY_MS
  const quotas = createQuotas({
    limits,
    sendersAreKnown,
    ownerOf: (machineId) => (machineId === 0n ? undefined : machineId < 10n ? OWNER : OTHER),
    nowMs: () => nowMs,
  })
  const admitted = (machineId: bigint, count: number, bytes = 1) =>
    Array.from({ length: count }, () => quotas.admit(machineId, bytes)).filter(
      (words) => words === undefined,
    ).length
  const pass = (ms: number) => {
    nowMs += ms
  }
  return { quotas, admitted, pass }
}

describe('envelopes a second', () => {
  test('a minute’s worth at once, then the rate; all machines of an owner together', () => {
    const { admitted, pass } = quotasOf({ envelopesPerSecond: 10 })
    expect(admitted(1n, 400) + admitted(2n, 400)).toBe(600)
    expect(admitted(1n, 1)).toBe(0)
    pass(2_500)
    expect(admitted(2n, 100)).toBe(25)
    pass(DAY_MS)
    expect(admitted(1n, 1_000)).toBe(600)
  })

  test('one owner’s use is nobody else’s, and unknown machines pass to be refused later', () => {
    const { admitted } = quotasOf({ envelopesPerSecond: 1 })
    expect(admitted(1n, 100)).toBe(60)
    expect(admitted(10n, 100)).toBe(60)
    expect(admitted(0n, 100)).toBe(100)
  })

  test('in any run, no more than the burst and the rate allow, and no less is refused', () => {
    const step = fc.record({ waitMs: fc.nat(5_000), count: fc.nat(200) })
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 30 }),
        fc.integer({ min: 1, max: 20 }),
        (steps, rate) => {
          const { admitted, pass } = quotasOf({ envelopesPerSecond: rate })
          let taken = 0
          let elapsedMs = 0
          for (const { waitMs, count } of steps) {
            pass(waitMs)
            elapsedMs += waitMs
            const now = admitted(1n, count)
            taken += now
            const most = rate * 60 + (rate * elapsedMs) / 1_000
            expect(taken).toBeLessThanOrEqual(most + 1e-6)
            // Refused only with less than one left of what the bucket can hold.
            if (now < count) expect(admitted(1n, 1)).toBe(0)
          }
        },
      ),
    )
  })
})

describe('bytes a day', () => {
  test('up to the last byte, and anew at midnight of UTC', () => {
    const { quotas, admitted, pass } = quotasOf({ bytesPerDay: 1_000 })
    expect(admitted(1n, 20, 99)).toBe(10)
    expect(quotas.admit(1n, 10)).toBeUndefined()
    expect(quotas.admit(1n, 1)).toContain('1000 bytes a day')
    pass(DAY_MS - 1)
    expect(admitted(1n, 1)).toBe(0)
    pass(1)
    expect(admitted(1n, 20, 100)).toBe(10)
  })
})

describe('where a sender is only a topic’s name', () => {
  test('what arrives costs nothing: nobody burns another’s quota with what is never logged', () => {
    const { admitted } = quotasOf({ envelopesPerSecond: 1, bytesPerDay: 10 }, false)
    expect(admitted(1n, 10_000)).toBe(10_000)
  })

  test('what is logged does, and what was overdrawn is made up for', () => {
    const { quotas, admitted, pass } = quotasOf({ envelopesPerSecond: 1 }, false)
    for (let count = 0; count < 70; count += 1) quotas.logged(1n, 1)
    expect(admitted(1n, 1)).toBe(0)
    pass(10_000)
    expect(admitted(1n, 1)).toBe(0)
    pass(1_000)
    expect(admitted(1n, 1)).toBe(1)
  })
})

test('machines connected, once each, by owner; who leaves makes room', () => {
  const { quotas } = quotasOf({ machines: 2 })
  for (const machineId of [1n, 2n, 10n]) {
    expect(quotas.mayConnect(machineId)).toBeUndefined()
    quotas.connected(machineId)
  }
  expect(quotas.mayConnect(3n)).toContain('2 machines')
  // A second connection replaces the first.
  expect(quotas.mayConnect(1n)).toBeUndefined()
  quotas.connected(1n)
  quotas.disconnected(1n)
  expect(quotas.mayConnect(3n)).toBeUndefined()
})
