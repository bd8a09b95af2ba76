import { bitsOfHours, heldHours, hoursBegun, hoursOfBits, openWeek } from '@liquefy/protocol'
import type { Random } from '../../src/random.ts'
import type { Action, HoursModel } from './hours-model.ts'

const HOURS = 168
const DAY_SECONDS = 86_400
/** Rights that people still think of. */
const REMEMBERED = 120

/** What people try next: mostly what makes sense, now and then what does not. */
export function hoursStory(random: Random, model: HoursModel, people: readonly string[]) {
  const below = (most: number) => Math.floor(random.next() * most)
  const anyOf = <T>(list: readonly T[]): T => list[below(list.length)] as T
  const seldom = () => random.next() < 0.04

  /** Hours in a row. */
  function someHours(most = 5): bigint {
    const [from, count] = [below(HOURS), 1 + below(most)]
    const hours = Array.from({ length: count }, (_, index) => from + index)
    return bitsOfHours(hours.filter((hour) => hour < HOURS))
  }

  function order(now: number) {
    return {
      firstWeek: openWeek(now) + 1 + below(3) + (seldom() ? below(80) - 20 : 0),
      weeksCount: seldom() ? below(56) : 1 + below(3),
    }
  }

  /** Of those remembered, one that is not over if three tries find it. */
  function someRight(now: number): number {
    const count = model.rights.length
    for (let tries = 0; tries < 3; tries += 1) {
      const rightId = Math.max(1, count - below(REMEMBERED))
      const right = model.rights[rightId - 1]
      if (right && right.firstWeek + right.weeksCount > openWeek(now) + 1) return rightId
    }
    return count + below(2)
  }

  function issue(now: number): Action {
    const isSlot = random.next() < 0.5
    const bits = isSlot || seldom() ? someHours() : 0n
    const hoursPerWeek = isSlot && !seldom() ? 0 : 1 + below(12)
    const by = seldom() ? anyOf(people) : model.options.owner
    return { kind: 'issue', by, ...order(now), bits, hoursPerWeek, to: anyOf(people) }
  }

  function buy(now: number): Action {
    const [by, to] = [anyOf(people), anyOf(people)]
    const maxTotal = seldom() ? 100n : 10n ** 9n
    if (random.next() < 0.6) {
      return { kind: 'buy', by, ...order(now), bits: someHours(seldom() ? 60 : 4), maxTotal, to }
    }
    return { kind: 'buyHours', by, ...order(now), hoursPerWeek: 1 + below(10), maxTotal, to }
  }

  function useRight(now: number, dice: number): Action {
    const rightId = someRight(now)
    const right = model.rights[rightId - 1]
    const [someone, to] = [anyOf(people), anyOf(people)]
    const owner = right && !seldom() ? right.owner : someone
    const holder = right && !seldom() ? model.holder(right, now) : someone
    if (dice < 0.1) {
      const expires = now + below(20) * DAY_SECONDS
      return { kind: 'setUser', by: owner, rightId, user: to, expires }
    }
    if (dice < 0.25) return { kind: 'transferFrom', by: owner, rightId, to }
    const first = right?.firstWeek ?? openWeek(now)
    const week = first + below((right?.weeksCount ?? 1) + (seldom() ? 2 : 0))
    const isSlot = right?.hoursPerWeek === 0
    const book = (): Action => {
      const hours = someHours(3)
      const { occupied } = model.week(week)
      const bits = seldom() ? hours : hours & ~occupied
      return { kind: 'book', by: holder, rightId, week, bits }
    }
    if (dice < 0.6 && (!isSlot || seldom())) return book()
    const held = right ? heldHours(right, week) : 0n
    const open = seldom() ? held : held & ~hoursBegun(week, now)
    const some = bitsOfHours(hoursOfBits(open).filter(() => random.next() < (isSlot ? 0.3 : 0.7)))
    const by = isSlot ? owner : holder
    if (some !== 0n || seldom()) {
      return { kind: 'cancel', by, rightId, week, bits: seldom() ? someHours() : some }
    }
    return isSlot ? { kind: 'transferFrom', by: owner, rightId, to } : book()
  }

  return (now: number): Action => {
    const dice = random.next()
    if (dice < 0.05) return issue(now)
    if (dice < 0.14) return buy(now)
    return useRight(now, random.next())
  }
}
