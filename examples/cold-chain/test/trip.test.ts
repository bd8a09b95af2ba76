import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DAYS, EXCUSED_SECONDS, LIMIT_TENTHS, penalty } from '../agreements.ts'
import { runTrip, START_MS, type Trip } from '../trip.ts'

const PRICE_A_SECOND = 250_000n
const DAY_SECONDS = 86_400

const dataDir = mkdtempSync(join(tmpdir(), 'liquefy-cold-chain-test-'))
let trip: Trip

beforeAll(async () => {
  trip = await runTrip(dataDir)
}, 600_000)
afterAll(() => rmSync(dataDir, { recursive: true, force: true }))

/** Second by second, from what the tracker said: too warm, and of that what a declaration before it excused. */
function breachByDay(): { warm: number; excused: number }[] {
  const days = Array.from({ length: DAYS }, () => ({ warm: 0, excused: 0 }))
  const excused = new Set<number>()
  let last: { second: number; isWarm: boolean } | undefined
  for (const one of trip.observations) {
    if (one.kind === 'excuse') {
      for (let ms = one.fromMs; ms < one.toMs; ms += 1_000) excused.add((ms - START_MS) / 1_000)
    }
    if (one.kind !== 'reading' || typeof one.sample.value !== 'object') continue
    const second = (one.sample.timeMs - START_MS) / 1_000
    const isWarm = one.sample.value.mantissa > LIMIT_TENTHS
    const day = days[Math.floor(second / DAY_SECONDS)]
    if (!day) throw new Error('a reading outside the tour')
    for (let s = last?.isWarm && isWarm ? last.second : second; s < second; s += 1) {
      day.warm += 1
      if (excused.has(s)) day.excused += 1
    }
    last = { second, isWarm }
  }
  return days
}

const registersOf = (bill: Trip['penalty']) =>
  bill.audit.periods.map(({ registers }) => Number(registers[0]))
const paidOf = (bill: Trip['penalty']) =>
  bill.audit.periods.map(({ paidMinor }) => BigInt(paidMinor))

test('the penalty is linked to the freight, in the other direction', () => {
  const { freight, penalty: linked } = trip
  const shipper = trip.people.shipper.toLowerCase()
  const carrier = trip.people.carrier.toLowerCase()
  expect(freight.agreement).toMatchObject({ payer: shipper, payee: carrier })
  expect(linked.agreement).toMatchObject({ payer: carrier, payee: shipper })
  expect(linked.agreement.terms).toMatchObject({ salt: freight.agreement.agreementId })
})

test('what is billed is the breach less the excused time, to the second, within its allowance', () => {
  const days = breachByDay()
  const billed = registersOf(trip.penalty)
  expect(billed).toEqual(days.map(({ warm, excused }) => warm - Math.min(excused, EXCUSED_SECONDS)))
  // On two days the excuses fit; on the last there is one defrost too many.
  expect(days.map(({ excused }) => excused > EXCUSED_SECONDS)).toEqual([false, false, true])
  expect(days.every(({ warm, excused }) => excused > 1_000 && warm > excused)).toBe(true)
  // Excuses begin and end between two readings: the bill is no multiple of their distance.
  expect(billed.some((seconds) => seconds % 30 !== 0)).toBe(true)
})

test('breach seconds make the carrier pay the shipper, and the cap holds', () => {
  const price = (seconds: number) => BigInt(seconds) * PRICE_A_SECOND
  const uncapped = registersOf(trip.penalty).map(price)
  const paid = paidOf(trip.penalty)
  expect(paid).toEqual(
    uncapped.map((minor) => (minor < penalty.capMinor ? minor : penalty.capMinor)),
  )
  expect(uncapped.map((minor) => minor > penalty.capMinor)).toEqual([false, true, false])
  expect(paid.every((minor) => minor > 0n)).toBe(true)
})

test('the freight is the way driven, a little less rather than more, and at least the minimum', () => {
  registersOf(trip.freight).forEach((metres, day) => {
    const driven = trip.drivenMetres[day] ?? 0
    expect(metres).toBeLessThanOrEqual(driven * 1.002)
    expect(metres).toBeGreaterThanOrEqual(driven * 0.98)
  })
  const prices = registersOf(trip.freight).map((metres) => BigInt(metres) * 1_350n)
  const minimum = 180_000_000n
  expect(paidOf(trip.freight)).toEqual(prices.map((minor) => (minor > minimum ? minor : minimum)))
  // A day in the yard is signed too, with nothing in the register.
  expect(prices.at(-1)).toBe(0n)
})

test('both bills stand up to an audit: every envelope priced, difference 0', () => {
  for (const { audit } of [trip.freight, trip.penalty]) {
    expect(audit).toMatchObject({
      firstFault: null,
      differenceMinor: '0',
      unpriced: {},
      waiting: 0,
    })
    expect(audit.priced).toBe(audit.envelopes)
    expect(audit.settledMinor).toBe(audit.owedMinor)
    expect(audit.unanchored).toBe(0)
  }
})
