import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'

/** Choices that a seed decides: the same seed, the same choices in the same order. */
export interface Random {
  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number
  /** True this often, of 100. */
  percent(chance: number): boolean
  shuffled<T>(items: readonly T[]): T[]
  /** Another line of choices, so that what happens at its own time does not change the order of these. */
  branch(): Random
}

/** Choices from a seed, a whole number of 32 bits. */
export function randomOf(seed: number): Random {
  const generator = xoroshiro128plus(seed)
  const between = (least: number, most: number) => uniformInt(generator, least, most)
  return {
    between,
    percent: (chance) => between(1, 100) <= chance,
    shuffled(items) {
      const left = [...items]
      return items.map(() => left.splice(between(0, left.length - 1), 1)[0] as (typeof left)[0])
    },
    branch: () => randomOf(between(-(2 ** 31), 2 ** 31 - 1)),
  }
}
