import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { escrowLife, explainEscrowLife } from '../../src/index.ts'

type Given = Parameters<typeof escrowLife>[0]

const DAY = 86_400n
/** Thirty periods of an hour from second 0 on, each at most 10,000; now is half an hour in. */
const given: Given = {
  terms: { start: 0n, periodSeconds: 3_600, periods: 30, capMinor: 10_000n },
  open: true,
  escrowMinor: 20_000n,
  unpaidMinor: 0n,
  owedMinor: 1_000n,
  pace: { minor: 1_000n, seconds: 1_000n },
  nowSeconds: 1_800n,
}

describe('how long escrow lasts, in words', () => {
  test.each<[string, Partial<Given>, string]>([
    ['at a pace', {}, 'lasts about 5 hours at the pace of the last 16 minutes'],
    [
      'what is owed is not left',
      { unpaidMinor: 19_000n },
      'lasts about 16 minutes at the pace of the last 16 minutes',
    ],
    ['all of it is owed', { unpaidMinor: 20_000n }, 'used up: all of it is owed already'],
    [
      'the caps come first',
      { escrowMinor: 299_000n },
      'enough for the most that can still be owed',
    ],
    [
      'one less than the caps',
      { escrowMinor: 298_999n },
      'lasts until the end of the last period at the pace of the last 16 minutes',
    ],
    [
      'a pace beyond the cap of a period',
      { pace: { minor: 100n, seconds: 1n } },
      'lasts about 90 minutes at the pace of the last 1 second',
    ],
    [
      'nothing was owed lately',
      { pace: { minor: 0n, seconds: DAY } },
      'no end in sight: nothing was owed in the last 24 hours',
    ],
    [
      'before it begins',
      { nowSeconds: -60n, owedMinor: 0n, pace: { minor: 0n, seconds: 0n } },
      'no end in sight: nothing was owed yet',
    ],
    ['after the last period', { nowSeconds: 108_000n }, 'nothing more will be owed'],
    ['it is closed', { open: false }, 'nothing more will be owed'],
    [
      'in arrears after the end',
      { nowSeconds: 108_000n, unpaidMinor: 20_001n },
      'used up: all of it is owed already',
    ],
    [
      'next to nothing',
      { escrowMinor: 1n, pace: { minor: 2n, seconds: 1n } },
      'lasts less than a second at the pace of the last 1 second',
    ],
  ])('%s', (_, change, words) => {
    const all = { ...given, ...change }
    expect(explainEscrowLife(escrowLife(all), all.pace)).toBe(words)
  })
})

const small = (max: number) => fc.nat(max).map(BigInt)
const cases: fc.Arbitrary<Given> = fc.record({
  terms: fc.record({
    start: small(40),
    periodSeconds: fc.integer({ min: 1, max: 12 }),
    periods: fc.integer({ min: 1, max: 6 }),
    capMinor: small(60),
  }),
  open: fc.constant(true),
  escrowMinor: small(300),
  unpaidMinor: small(60),
  owedMinor: small(60),
  pace: fc.record({ minor: small(40), seconds: fc.integer({ min: 1, max: 9 }).map(BigInt) }),
  nowSeconds: small(120),
})

/** Second by second what the law says: each costs the pace, no period more than its cap. Counted in 1/pace.seconds, as nothing is rounded. */
const secondsByCounting = ({
  terms,
  escrowMinor,
  unpaidMinor,
  owedMinor,
  pace,
  nowSeconds,
}: Given) => {
  const length = BigInt(terms.periodSeconds)
  const end = terms.start + length * BigInt(terms.periods)
  let left = (escrowMinor - unpaidMinor) * pace.seconds
  let owed = owedMinor * pace.seconds
  let now = nowSeconds
  for (; now < end; now += 1n) {
    if (now > terms.start && now > nowSeconds && (now - terms.start) % length === 0n) owed = 0n
    if (now < terms.start) continue
    const room = terms.capMinor * pace.seconds - owed
    const costs = room <= 0n ? 0n : pace.minor < room ? pace.minor : room
    // A second that it cannot pay in full is not one that it lasts.
    if (costs > left) return now - nowSeconds
    left -= costs
    owed += costs
  }
  return undefined
}

test('it is what counting second by second gives', () => {
  fc.assert(
    fc.property(cases, (one) => {
      const life = escrowLife(one)
      if (life.kind === 'lasts') expect(life.seconds).toBe(secondsByCounting(one))
      if (life.kind === 'to-end' || life.kind === 'covered') {
        expect(secondsByCounting(one)).toBeUndefined()
      }
    }),
    { numRuns: 5_000 },
  )
})

test('more escrow never lasts shorter, and a faster pace never longer', () => {
  const secondsOf = (one: Given) => {
    const life = escrowLife(one)
    if (life.kind === 'lasts') return life.seconds
    return life.kind === 'spent' ? -1n : 2n ** 256n
  }
  fc.assert(
    fc.property(cases, small(50), (one, more) => {
      const richer = { ...one, escrowMinor: one.escrowMinor + more }
      const { minor, seconds } = one.pace
      const faster = { ...one, pace: { minor: minor + more, seconds } }
      expect(secondsOf(richer) >= secondsOf(one)).toBe(true)
      expect(secondsOf(faster) <= secondsOf(one)).toBe(true)
    }),
    { numRuns: 5_000 },
  )
})
