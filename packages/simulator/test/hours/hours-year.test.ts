import {
  countHours,
  heldHours,
  hourSeconds,
  hoursOfBits,
  openWeek,
  weekOfDay,
} from '@liquefy/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { createRandom } from '../../src/random.ts'
import { hoursLedger } from './hours-ledger.ts'
import { HoursModel } from './hours-model.ts'
import { hoursStory } from './hours-story.ts'

const ACTIONS = 100_000
const COMPARED_EVERY = 5_000
const SEED = 20_500_103
const ZONE = 'Europe/Berlin'
/** A ledger's time only rises, and begins with the clock of whoever runs this: a year ahead of it, whenever that is. */
const START = Date.UTC(2050, 0, 3) / 1_000
const YEAR_SECONDS = 364 * 86_400
const ALL = (1n << 168n) - 1n
/** So many actions have one time, that of their block. */
const A_BLOCK = 50

test('100,000 bookings, transfers and cancellations across a year with two changes of the clock: no overlap, hours conserved, every verdict the contract’s', async () => {
  const random = createRandom(SEED)
  const below = (most: number) => Math.floor(random.next() * most)
  const anyOf = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const firstWeek = openWeek(START)
  const untilWeek = firstWeek + 60
  const common = { openBits: ALL, untilWeek }
  const ledger = await hoursLedger({ ...common, people: 6, zone: ZONE, nowSeconds: START - 600 })
  onTestFinished(() => ledger.stop())
  const [owner = '', ...people] = ledger.people
  const model = new HoursModel({ ...common, owner, pricePerHour: ledger.pricePerHour })
  const verdicts = new Map<string, number>()
  let now = START

  const draw = hoursStory(random, model, people)
  const lastWeek = () => Math.max(...model.weeks.keys())

  async function compare(): Promise<void> {
    for (let first = firstWeek; first <= lastWeek(); first += 50) {
      const weeks = await ledger.weeks(first, 50)
      for (const [index, week] of weeks.entries()) {
        const { occupied, promised } = model.weeks.get(first + index) ?? {
          occupied: 0n,
          promised: 0,
        }
        expect([week.occupied, week.promised]).toEqual([occupied, promised])
      }
    }
  }

  const startedMs = performance.now()
  for (let done = 0; done < ACTIONS; done += A_BLOCK) {
    now = START + Math.floor((done * YEAR_SECONDS) / ACTIONS)
    const tried = Array.from({ length: A_BLOCK }, () => {
      const action = draw(now)
      return { action, expected: model.apply(action, now) }
    })
    const said = await ledger.apply(
      tried.map(({ action }) => action),
      now,
    )
    for (const [index, { action, expected }] of tried.entries()) {
      const verdict = said[index] ?? ''
      if (verdict !== expected) {
        const text = JSON.stringify(action, (_, value) =>
          typeof value === 'bigint' ? String(value) : value,
        )
        throw new Error(
          `Action ${done + index} of seed ${SEED}: the contract says ${verdict}, the model ${expected}: ${text}`,
        )
      }
      const key = `${action.kind} ${verdict}`
      verdicts.set(key, (verdicts.get(key) ?? 0) + 1)
    }
    if (done % COMPARED_EVERY === 0) await compare()
  }
  await compare()
  const seconds = (performance.now() - startedMs) / 1_000
  console.info(`${ACTIONS} actions in ${seconds.toFixed(1)} s, ${model.rights.length} rights`)
  console.info(
    [...verdicts]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, n]) => `${key} ${n}`)
      .join(', '),
  )

  // No overlap: what the rights hold adds up to what is occupied, hour by hour.
  let heldSeconds = 0
  let freeSeconds = 0
  for (let week = firstWeek; week <= lastWeek(); week += 1) {
    const { occupied } = model.week(week)
    const holding = model.rights.filter((right) => heldHours(right, week) !== 0n)
    const sum = holding.reduce((count, right) => count + countHours(heldHours(right, week)), 0)
    expect(sum).toBe(countHours(occupied))
    expect(holding.reduce((bits, right) => bits | heldHours(right, week), 0n)).toBe(occupied)
    const lengths = hourSeconds(ZONE, week)
    const lengthOf = (bits: bigint) =>
      hoursOfBits(bits).reduce((total, hour) => total + (lengths[hour] ?? 0), 0)
    if (week < firstWeek + 53) {
      heldSeconds += holding.reduce((total, right) => total + lengthOf(heldHours(right, week)), 0)
      freeSeconds += lengthOf(ALL & ~occupied)
    }
  }
  // Hours conserved in real time, through both changes of the clock: 53 weeks of Berlin, held or free, are 53 weeks.
  expect(heldSeconds + freeSeconds).toBe(53 * 7 * 86_400)
  expect(hourSeconds(ZONE, weekOfDay('2050-03-27') ?? 0).reduce((a, b) => a + b)).toBe(167 * 3_600)
  expect(hourSeconds(ZONE, weekOfDay('2050-10-30') ?? 0).reduce((a, b) => a + b)).toBe(169 * 3_600)

  // The rights themselves, drawn by lot, are the contract's.
  for (let index = 0; index < 500; index += 1) {
    const right = anyOf(model.rights)
    const week = right.firstWeek + below(right.weeksCount)
    expect(await ledger.held(right.rightId, week)).toBe(heldHours(right, week))
    expect(await ledger.ownerOf(right.rightId)).toBe(right.owner)
  }
  for (const needed of [
    'issue OK',
    'issue NotIssuer',
    'buy OK',
    'buy HoursTaken',
    'buy PriceAbove',
    'buyHours OK',
    'buyHours HoursPromised',
    'book OK',
    'book HoursTaken',
    'book QuotaSpent',
    'book HoursOver',
    'book NotHolder',
    'book RightIsSlot',
    'book WeekOutside',
    'cancel OK',
    'cancel HoursBegun',
    'cancel HoursNotHeld',
    'setUser OK',
    'transferFrom OK',
    'transferFrom RightRests',
  ]) {
    expect([needed, (verdicts.get(needed) ?? 0) > ACTIONS / 10_000]).toEqual([needed, true])
  }
}, 1_200_000)
