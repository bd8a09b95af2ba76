import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, type Deployment } from '@liquefy/client'
import { createPublicClient, erc20Abi, http } from 'viem'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LOG_PATH } from '../logbook.ts'
import {
  CHARTERER,
  ENGINE_YARD,
  FOUNDER,
  FRIENDS,
  GIVER,
  HARBOUR_OFFICE,
  LENDER,
  RECEIVER,
} from '../people.ts'
import { tell } from '../report.ts'
import type { Season } from '../season.ts'
import { simulatedLog } from '../simulated-log.ts'
import { type PlayedSeason, playSeason } from '../trip.ts'
import { recount } from './recount.ts'
import { hasLog } from './shared-log.ts'

const START_MS = Date.UTC(2026, 5, 1)
const DAY_SECONDS = 86_400
const EURO = 1_000_000n
/** Fractions of a smallest unit that the vault counts in. */
const FRACTIONS = 2n ** 96n

const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-boat-test-'))
let played: PlayedSeason
let season: Season
let deployment: Deployment

beforeAll(async () => {
  hasLog()
  played = await playSeason({ dataDir, logPath: LOG_PATH, startMs: START_MS })
  season = played.season
  deployment = await createClient({ url: played.url }).deployment()
}, 900_000)
afterAll(async () => {
  await played?.stop()
  rmSync(dataDir, { recursive: true, force: true })
})

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n)
const log = existsSync(LOG_PATH) ? readFileSync(LOG_PATH, 'latin1') : simulatedLog(40)

const { out, home } = recount(log)
/** Out, home, out, home, and Friday in harbour. */
const days = [out, home, out, home, { engineSeconds: 0n, millilitres: 0n, metres: 0n }]

/** What a day costs if it is charged so long. */
function priceOf(day: number, chargedSeconds: bigint): bigint {
  const { engineSeconds = 0n, millilitres = 0n } = days[day] ?? {}
  const fee = (320n * EURO * chargedSeconds) / BigInt(DAY_SECONDS)
  return fee + engineSeconds * 6_750n + millilitres * 2_190n
}

/** Seconds of a day until the boat's last reading in it. */
function lastReading(day: number): bigint {
  const seconds = season.observations.flatMap((one) =>
    one.kind === 'reading' ? [(one.sample.timeMs - START_MS) / 1_000] : [],
  )
  const own = seconds.filter((second) => Math.floor(second / DAY_SECONDS) === day)
  return BigInt(Math.max(...own) - day * DAY_SECONDS)
}

/** Of a hundred shares, when the charter began. */
const sharesAtFirst = FRIENDS.map((_, place) => (place === 0 ? 4n : place <= 18 ? 3n : 2n))
const sharesAtLast = FRIENDS.map((friend, place) => {
  const gift = friend === GIVER ? -1n : friend === RECEIVER ? 1n : 0n
  return (sharesAtFirst[place] ?? 0n) + gift
})

describe('the charter', () => {
  test('bills engine and fuel of each day as a count of the log says, and the day', () => {
    const { periods } = season.charter.audit
    expect(periods.map(({ registers }) => registers.map(BigInt))).toEqual(
      days.map(({ engineSeconds, millilitres }) => [engineSeconds, millilitres]),
    )
    // Nobody has signed for the last day's last minutes.
    const charged = [0, 1, 2, 3].map(() => BigInt(DAY_SECONDS))
    expect(periods.map(({ paidMinor }) => BigInt(paidMinor))).toEqual(
      [...charged, lastReading(4)].map((seconds, day) => priceOf(day, seconds)),
    )
    expect(lastReading(4)).toBeGreaterThan(DAY_SECONDS - 660)
  })

  test('stands up to an audit: every envelope priced, difference 0', () => {
    const { audit, agreement } = season.charter
    expect(audit).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      unpriced: {},
      waiting: 0,
    })
    expect(audit.priced).toBe(audit.envelopes)
    expect(audit.unanchored).toBe(0)
    expect(agreement.payee).toBe(season.company.vault)
  })

  test('the distance that the boat says is the log’s', () => {
    const last = season.observations.findLast(({ stream }) => stream === 'distance')
    const value = last?.kind === 'reading' ? last.sample.value : undefined
    const metres = sum(days.map((day) => day.metres))
    expect(value).toEqual({ mantissa: metres, exponent: 0 })
  })
})

describe('income', () => {
  /** The waterfall once more. */
  function expectedIncomes() {
    const wednesday = sum([0, 1].map((day) => priceOf(day, 86_400n))) + priceOf(2, lastReading(2))
    const settled = BigInt(season.charter.audit.settledMinor)
    let [reserve, loan] = [700n * EURO, 300n * EURO]
    return [wednesday, settled - wednesday].map((amount) => {
      const kept = amount < reserve ? amount : reserve
      const repaid = amount - kept < loan ? amount - kept : loan
      reserve -= kept
      loan -= repaid
      const fees = ((amount - kept - repaid) * 300n) / 10_000n
      const owners = amount - kept - repaid - fees
      return { amount, reserve: kept, lender: repaid, fees, owners }
    })
  }

  /** What each friend may claim: by shares at each income, in fractions, whole units paid. */
  function expectedClaims() {
    let remainder = 0n
    const perShare = expectedIncomes().map(({ owners }) => {
      const scaled = owners * FRACTIONS + remainder
      remainder = scaled % 100n
      return scaled / 100n
    })
    const [first = 0n, second = 0n] = perShare
    return FRIENDS.map((_, place) => {
      const earned = (sharesAtFirst[place] ?? 0n) * first + (sharesAtLast[place] ?? 0n) * second
      return earned / FRACTIONS
    })
  }

  test('goes through the waterfall: the engine’s reserve, the bank, the berth, the owners', () => {
    expect(season.incomes).toEqual(expectedIncomes())
    expect(season.incomes.every(({ owners }) => owners > 0n)).toBe(true)
  })

  test('is claimed by all forty to the unit: claims and what is left are the owners’ income', () => {
    expect(season.owners.map(({ shares }) => shares)).toEqual(sharesAtLast)
    const claims = season.owners.map(({ claimedMinor }) => claimedMinor)
    expect(claims).toEqual(expectedClaims())
    const income = sum(expectedIncomes().map(({ owners }) => owners))
    expect(sum(claims) + season.leftMinor).toBe(income)
    expect(season.leftMinor).toBeLessThanOrEqual(BigInt(FRIENDS.length))
  })

  test('the share that was given away earned for her who gave it until then', () => {
    const [first = 0n, second = 0n] = season.incomes.map(({ owners }) => owners)
    // In hundredths of a smallest unit.
    for (const [friend, earned] of [
      [GIVER, 3n * first + 2n * second],
      [RECEIVER, 3n * first + 4n * second],
    ] as const) {
      const claimed = season.owners.find((owner) => owner.friend === friend)?.claimedMinor ?? 0n
      expect(claimed * 100n).toBeLessThanOrEqual(earned)
      expect(claimed * 100n).toBeGreaterThan(earned - 200n)
    }
  })

  test('is in everybody’s wallet on the ledger', async () => {
    const client = createPublicClient({ transport: http(played.rpcUrl) })
    const tokensOf = (name: string) => {
      const account = deployment.people.find((one) => one.name === name)?.address
      if (!account) throw new Error(`${name} is nobody.`)
      const call = { address: deployment.asset.address, abi: erc20Abi } as const
      return client.readContract({ ...call, functionName: 'balanceOf', args: [account] })
    }
    // Did nothing in this story.
    const begun = await tokensOf('City council')
    const [first, second] = season.incomes
    const bought = 450n * EURO
    const claims = expectedClaims()
    for (const [place, friend] of FRIENDS.entries()) {
      const paid = friend === FOUNDER ? -96n * bought : (sharesAtFirst[place] ?? 0n) * bought
      expect(await tokensOf(friend), friend).toBe(begun - paid + (claims[place] ?? 0n))
    }
    expect(await tokensOf(LENDER)).toBe(begun + 300n * EURO)
    expect(await tokensOf(HARBOUR_OFFICE)).toBe(begun + (first?.fees ?? 0n) + (second?.fees ?? 0n))
    expect(await tokensOf(ENGINE_YARD)).toBe(begun + 700n * EURO)
    expect(await tokensOf(CHARTERER)).toBe(begun - 5n * 600n * EURO)
  })
})

test('the node says of the vault what the story says', async () => {
  const client = createClient({ url: played.url })
  const { vault } = season.company
  expect(await client.vault(vault)).toMatchObject({
    phase: 'live',
    supply: '100',
    ownerCount: 40,
    incomeMinor: String(sum(season.incomes.map(({ amount }) => amount))),
    ownersMinor: String(sum(season.incomes.map(({ owners }) => owners))),
    reserveMinor: '0',
    openProposals: 0,
  })
  const { owners } = await client.vaultOwners(vault, { limit: 40 })
  const nameOf = new Map(
    deployment.people.map(({ name, address }) => [address.toLowerCase(), name]),
  )
  const told = new Map(owners.map((one) => [nameOf.get(one.account), one]))
  for (const { friend, shares, claimedMinor } of season.owners) {
    expect(told.get(friend), friend).toMatchObject({
      shares: String(shares),
      claimedMinor: String(claimedMinor),
    })
  }
  expect((await client.vault(vault)).machines).toEqual([
    { machineId: '1', machineName: 'Boat Plaka', held: true },
  ])
  expect(await client.vaultProposal(vault, season.decision.proposalId)).toMatchObject({
    state: 'executed',
    title: season.decision.title,
  })
})

test('the engine was bought by the votes of the shares as they were when voting began', () => {
  const { decision, owners } = season
  const votes = (vote: string) =>
    sum(owners.map((owner) => (owner.vote === vote ? owner.shares : 0n)))
  expect([decision.for, decision.against, decision.abstain]).toEqual(
    ['for', 'against', 'abstain'].map(votes),
  )
  expect(decision.for + decision.against + decision.abstain).toBe(100n)
  expect(decision.spentMinor).toBe(700n * EURO)
})

test('each friend has a half Saturday, none has another’s, and the boat starts for him who has it', () => {
  const halves = season.owners.map(({ half }) => half)
  expect(new Set(halves.map(({ week, half }) => `${week} ${half}`)).size).toBe(40)
  expect(new Set(halves.map(({ rightId }) => rightId)).size).toBe(40)
  const { toLender, toBorrower, borrower } = season.saturday
  expect(toLender).toMatchObject({ ok: false, code: 'USER_UNKNOWN' })
  expect(toBorrower).toMatchObject({
    ok: true,
    user: deployment.people.find(({ name }) => name === borrower)?.address.toLowerCase(),
    // 14:00 in Helsinki.
    untilMs: START_MS + (5 * DAY_SECONDS + 11 * 3_600) * 1_000,
  })
})

test('the report tells it, its tables aligned', () => {
  const lines = tell(season).split('\n')
  const rows = lines.filter((line) => FRIENDS.some((friend) => line.startsWith(`${friend} `)))
  const table = rows.filter((line) => / \d+\.\d{6}$/.test(line))
  expect(table).toHaveLength(40)
  expect(new Set(table.map((line) => line.length)).size).toBe(1)
  expect(lines.join('\n')).not.toContain('DIFFER')
  expect(lines.at(-1)).toMatch(/difference 0$/)
})
