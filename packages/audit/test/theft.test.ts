import {
  encodeTariffData,
  keyId,
  owedCapped,
  type PrivateKey,
  privateKeyFromBytes,
  ZERO_DIGEST,
} from '@liquefy/protocol'
import fc from 'fast-check'
import type { Hex } from 'viem'
import { expect, test } from 'vitest'
import {
  auditBundle,
  type KeyEpoch,
  type LedgerAnchor,
  type LedgerMachine,
  type LedgerReader,
} from '../src/index.ts'
import { emptyBusiness, MACHINE_KEY, TERMS } from './synthetic/business.ts'

const RUNS = process.env.LIQUEFY_NIGHTLY ? 5_000 : 300
const STREAM = 'mass'
const START_SECONDS = Number(TERMS.start)
const [meter] = TERMS.meters
const [limit] = TERMS.limits
if (!meter || !limit) throw new Error('The terms have a meter.')
const PRICE = { kind: 'linear', prices: [30n], scale: 1 } as const
const ONE_METER = {
  ...TERMS,
  meters: [meter],
  limits: [limit],
  tariffData: encodeTariffData(PRICE),
}

/** What may happen to a machine in the middle of an agreement. */
type Act =
  | { kind: 'read'; rise: number }
  | { kind: 'anchor' }
  | { kind: 'rotate' }
  /** Whoever has the stolen key goes on where the log stands, says a second thing, or breaks the chain. */
  | { kind: 'thief'; way: 'extend' | 'equivocate' | 'break'; rise: number }
  | { kind: 'revoke' }
  | { kind: 'rekey' }

const act: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('read' as const), rise: fc.nat(400) }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'anchor' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'rotate' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('thief' as const),
      way: fc.constantFrom('extend' as const, 'equivocate' as const, 'break' as const),
      rise: fc.integer({ min: -500, max: 100_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'revoke' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'rekey' as const }) },
)
const story = fc.array(fc.record({ act, waitSeconds: fc.integer({ min: 1, max: 900 }) }), {
  minLength: 1,
  maxLength: 40,
})

interface Entry {
  seq: bigint
  epoch: number
  value: bigint
  seconds: number
  counts: boolean
}

/** Plays a story on a signed log and a ledger in memory. A node refuses what a rotated or revoked key signs: none of it is logged. */
function play(acts: readonly { act: Act; waitSeconds: number }[]) {
  const business = emptyBusiness(ONE_METER)
  const keys: KeyEpoch[] = []
  const anchors: { size: number; seconds: number }[] = []
  const entries: Entry[] = []
  let key: PrivateKey | undefined
  let now = START_SECONDS
  let value = 0n

  const adopt = (next: PrivateKey) => {
    key = next
    keys.push({
      epoch: BigInt(keys.length + 1),
      keyId: keyId(next.publicKey),
      key: next.publicKey,
      signsRawDigest: false,
      fromSeconds: now,
      endSeconds: undefined,
      end: undefined,
      heads: [],
    })
  }
  const end = (how: 'rotated' | 'revoked') => {
    const last = keys.at(-1)
    if (!last) return
    last.endSeconds = now
    last.end = how
    const newest = business.logged.findLast(({ code }) => code !== 'EQUIVOCATION')
    if (how === 'rotated' && newest) {
      last.heads = [{ stream: STREAM, seq: newest.seq, digest: newest.digest }]
    }
  }
  const log = (reading: bigint, departures: { code?: string; seq?: bigint; prev?: Hex } = {}) => {
    if (!key) return
    const { seq } = business.log(STREAM, reading, now, { signer: key, ...departures })
    const counts = departures.code === undefined
    entries.push({ seq, epoch: keys.length, value: reading, seconds: now, counts })
  }
  const thieve = (way: 'extend' | 'equivocate' | 'break', rise: bigint) => {
    const lie = value + rise < 0n ? 0n : value + rise
    const newest = business.logged.findLast(({ code }) => code !== 'EQUIVOCATION')
    if (way === 'extend') log(lie)
    else if (!newest) return
    else if (way === 'break') log(lie, { code: 'CHAIN_BROKEN', prev: `0x${'77'.repeat(32)}` })
    else {
      const prev: Hex = newest.seq === 1n ? ZERO_DIGEST : `0x${'55'.repeat(32)}`
      log(lie + 1n, { code: 'EQUIVOCATION', seq: newest.seq, prev })
    }
  }

  adopt(MACHINE_KEY)
  for (const [index, { act: one, waitSeconds }] of acts.entries()) {
    now += waitSeconds
    const next = () => privateKeyFromBytes('P-256', new Uint8Array(32).fill(50 + index))
    switch (one.kind) {
      case 'read':
        value += BigInt(one.rise)
        log(value)
        break
      case 'anchor':
        anchors.push({ size: business.logged.length, seconds: now })
        break
      case 'thief':
        thieve(one.way, BigInt(one.rise))
        break
      case 'rotate':
        if (!key) break
        end('rotated')
        adopt(next())
        break
      case 'revoke':
        if (!key) break
        end('revoked')
        key = undefined
        break
      case 'rekey':
        if (!key) adopt(next())
        break
    }
  }
  return { business, keys, anchors, entries, endSeconds: now }
}

/** How many leaves count under each revoked key: what was anchored in a block before its revocation. */
function cutsOf({ keys, anchors }: Pick<ReturnType<typeof play>, 'keys' | 'anchors'>) {
  return new Map(
    keys
      .filter(({ end }) => end === 'revoked')
      .map(({ epoch, endSeconds = 0 }) => [
        Number(epoch),
        Math.max(
          0,
          ...anchors.filter(({ seconds }) => seconds < endSeconds).map(({ size }) => size),
        ),
      ]),
  )
}

/** Registers by period, counted by hand: what counts, in order of seq, each rise to the period of the later reading. */
function countByHand(entries: readonly Entry[], isCut: (entry: Entry, index: number) => boolean) {
  const registers = new Map<number, bigint>()
  let baseline: bigint | undefined
  const counted = entries
    .map((entry, index) => ({ ...entry, counts: entry.counts && !isCut(entry, index) }))
    .filter(({ counts }) => counts)
    .sort((a, b) => Number(a.seq - b.seq))
  for (const { value, seconds } of counted) {
    if (baseline !== undefined && value < baseline) continue
    const period = Math.floor((seconds - START_SECONDS) / TERMS.periodSeconds)
    const rise = baseline === undefined ? 0n : value - baseline
    if (rise > 0n) registers.set(period, (registers.get(period) ?? 0n) + rise)
    baseline = value
  }
  return registers
}

/** The ledger of a story: what the machine's keys came to, and which sizes were anchored when. */
function ledgerOf({ business, keys, anchors, endSeconds }: ReturnType<typeof play>): LedgerReader {
  const machine: LedgerMachine = {
    machineId: TERMS.machineId,
    owner: TERMS.payee,
    controller: 0n,
    keys,
    states: [{ state: 'active', fromSeconds: START_SECONDS - 1_000 }],
  }
  return {
    ...business.ledger,
    machine: async () => machine,
    anchors: async (evidenceAnchor, logAccount) => {
      // The one that the bundle leads to was sent last of all.
      const newest = await business.ledger.anchors(evidenceAnchor, logAccount)
      const earlier = anchors.map(
        ({ size, seconds }): LedgerAnchor => ({
          size: BigInt(size),
          root: ZERO_DIGEST,
          blockSeconds: seconds,
          transaction: ZERO_DIGEST,
        }),
      )
      return [
        ...earlier.filter(({ size }) => newest.every((one) => one.size !== size)),
        ...earlier
          .filter(({ size }) => newest.some((one) => one.size === size))
          .map((one) => ({ ...one, root: newest[0]?.root ?? ZERO_DIGEST })),
        ...newest.map((one) => ({ ...one, blockSeconds: endSeconds + 10 })),
      ]
    },
  }
}

async function audited(played: ReturnType<typeof play>, registers: ReadonlyMap<number, bigint>) {
  const { business, entries } = played
  const last = entries.reduce((most, { seq }) => (seq > most ? seq : most), 0n)
  for (const [period, register] of [...registers].sort(([a], [b]) => a - b)) {
    const owed = owedCapped(PRICE, [register], 0n, TERMS.capMinor)
    business.claim(period, [String(last)], [register], owed, 0n)
  }
  return auditBundle({ lines: await business.bundle(), ledger: ledgerOf(played) })
}

const worth = (registers: ReadonlyMap<number, bigint>) =>
  [...registers.values()].reduce((sum, one) => sum + owedCapped(PRICE, [one], 0n, 10n ** 30n), 0n)

test('INV-18 money from evidence is that of the log up to the cut, not one unit more, whatever rotation, theft and revocation do', async () => {
  let cutSomething = 0
  await fc.assert(
    fc.asyncProperty(story, async (acts) => {
      const played = play(acts)
      const cuts = cutsOf(played)
      const isCut = ({ epoch }: Entry, index: number) => index >= (cuts.get(epoch) ?? Infinity)
      const expected = countByHand(played.entries, isCut)
      if (played.entries.some(isCut)) cutSomething += 1
      const report = await audited(played, expected)
      expect(report.firstFault).toBeNull()
      expect(report.owedMinor).toBe(String(worth(expected)))
      const beyond = played.entries.filter((one, index) => one.counts && isCut(one, index)).length
      expect(report.unpriced.BEYOND_CUT ?? 0).toBe(beyond)
    }),
    { numRuns: RUNS },
  )
  expect(cutSomething).toBeGreaterThan(RUNS / 10)
})

test('planned rotations change nothing: the same readings give the same money as under one key', async () => {
  const quiet = fc.array(
    fc.record({
      act: fc.oneof(
        fc.record({ kind: fc.constant('read' as const), rise: fc.nat(400) }),
        fc.constant({ kind: 'rotate' as const }),
        fc.constant({ kind: 'anchor' as const }),
      ),
      waitSeconds: fc.integer({ min: 1, max: 900 }),
    }),
    { minLength: 1, maxLength: 30 },
  )
  await fc.assert(
    fc.asyncProperty(quiet, async (acts) => {
      const rotated = play(acts)
      const still = play(
        acts.map((one) => (one.act.kind === 'rotate' ? { ...one, act: { kind: 'anchor' } } : one)),
      )
      const expected = countByHand(rotated.entries, () => false)
      const [one, other] = [await audited(rotated, expected), await audited(still, expected)]
      expect(one.firstFault).toBeNull()
      expect(one.owedMinor).toBe(other.owedMinor)
      expect(one.periods).toEqual(other.periods)
    }),
    { numRuns: RUNS / 2 },
  )
})
